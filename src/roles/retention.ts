/**
 * Forgetting what is past the retention, at the start, then every hour: ended tasks, files and entries of the record
 * (`pruning.ts`), and the copies of the database that were kept before an upgrade.
 */

import { readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { Log } from '../ports/time.ts';
import type { Pruning } from './pruning.ts';

const everyMs = 3600_000;

interface Parts {
  readonly pruning: Pick<Pruning, 'forget' | 'stop'>;
  /** Path of the database. */
  readonly database: string;
  readonly log: Log;
  readonly retentionMs: number;
}

/** Starts looking for what is old. `stop` resolves when nothing is deleted any more; idempotent. */
export function startRetention(parts: Parts): { stop(): Promise<void> } {
  const look = (): void => void forgetOlder(parts);
  const timer = setInterval(look, everyMs);
  look();
  return {
    stop() {
      clearInterval(timer);
      return parts.pruning.stop();
    },
  };
}

async function forgetOlder({ pruning, database, log, retentionMs }: Parts): Promise<void> {
  const wallMs = Date.now() - retentionMs;
  try {
    const { tasks, blobs, entries } = await pruning.forget({ wallMs, unused: true });
    if (tasks + blobs > 0) log.info('deleted ended tasks past their retention', { tasks, blobs });
    if (entries > 0) log.info('deleted entries of the record past their retention', { entries });
    for (const copy of upgradeCopies(database, wallMs)) {
      rmSync(copy);
      log.info('deleted the copy of the database from before an upgrade', { file: copy });
    }
  } catch (error) {
    const isOrdinary = error instanceof OctasklyError && ['in_use', 'shutting_down'].includes(error.code);
    log[isOrdinary ? 'debug' : 'warn']('cannot delete what is past the retention', { reason: reasonOf(error) });
  }
}

/** Copies that were made before `wallMs`. */
function upgradeCopies(database: string, wallMs: number): string[] {
  const prefix = `${basename(database)}.before-v`;
  const names = readdirSync(dirname(database)).filter((name) => name.startsWith(prefix));
  return names.map((name) => join(dirname(database), name)).filter((file) => statSync(file).mtimeMs < wallMs);
}
