/**
 * The cluster secrets on disk, each file private to its owner and replaced as a whole:
 *
 *   secret            the present one
 *   secret.previous   the one before, with the instant (ISO 8601) until which it is still valid
 *   secret.retired    names (key ids) of all that rotations replaced, which tell nothing of the secrets themselves
 *
 * A rotation writes `secret.retired` and `secret.previous` before `secret`. After a crash in between, the present secret is
 * still the one it was, and what names it as an earlier one is without effect; only a still older one in its grace time,
 * which the rotation would have ended, has ended. The list of retired ones is for a dispatcher that is always started with
 * the same `--secret`: without it, the next start would take back what a rotation replaced, most likely because it had
 * leaked.
 *
 * One process at a time uses a data directory as dispatcher (its lock is taken by then), so nothing here is contended.
 */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { Keyring, KeySet } from '../ports/keys.ts';
import type { Clock, Log } from '../ports/time.ts';
import { dispatcherSecret, newSecret, readPrivate, secretPath, storedSecret, writePrivate } from './data-dir.ts';
import { keySet } from './keys.ts';
import { syncDirectory } from './store-files.ts';

/** Retired secrets whose names are kept; the oldest are forgotten first. */
const retiredMax = 1000;

interface Previous {
  readonly secret: string;
  readonly keys: KeySet;
  /** Wall ms. */
  readonly endsAt: number;
}

export interface KeyringOptions {
  readonly dataDir: string;
  /** Secret that was given at start; null = none. */
  readonly given: string | null;
  readonly log: Log;
  readonly clock: Pick<Clock, 'wall'>;
}

/** The keyring of a dispatcher, whose secret is made on first use. Errors: `io`, `forbidden`. */
export function openKeyring({ dataDir, given, log, clock }: KeyringOptions): Keyring {
  const retired = readRetired(dataDir);
  let secret = dispatcherSecret(dataDir, stillGiven({ dataDir, given, log }, retired), log);
  let present = keySet(secret);
  let previous = readPrevious(dataDir);

  const dropPrevious = (): void => {
    previous = null;
    try {
      removePrevious(dataDir);
    } catch (error) {
      // It has ended whether or not its file can go, and whoever asks for keys cannot mend a disk.
      log.warn('the cluster secret before this one is not valid any more, but is still on disk', {
        reason: reasonOf(error),
      });
    }
  };
  // The same secret twice is what an interrupted rotation leaves behind.
  if (previous !== null && (previous.secret === secret || previous.endsAt <= clock.wall())) dropPrevious();

  return {
    valid(wallMs) {
      if (previous !== null && previous.endsAt <= wallMs) dropPrevious();
      return previous === null ? [present] : [present, previous.keys];
    },
    graceEndsAt: () => previous?.endsAt ?? null,
    rotate(endsAt) {
      retire(dataDir, retired, present.id);
      writePrivate(previousPath(dataDir), `${secret}\n${new Date(endsAt).toISOString()}`);
      const next = newSecret();
      writePrivate(secretPath(dataDir), next);
      previous = { secret, keys: present, endsAt };
      secret = next;
      present = keySet(next);
    },
  };
}

/** The secret before the present one in a data directory, as long as it is valid at `wallMs`; null = none. Errors: `io`, `forbidden`. */
export function storedPrevious(dataDir: string, wallMs: number): string | null {
  const previous = readPrevious(dataDir);
  return previous === null || previous.endsAt <= wallMs ? null : previous.secret;
}

function previousPath(dataDir: string): string {
  return `${secretPath(dataDir)}.previous`;
}

function retiredPath(dataDir: string): string {
  return join(dataDir, 'secret.retired');
}

/** What is given, unless a rotation has replaced it: the rotation stands. */
function stillGiven(
  { dataDir, given, log }: Pick<KeyringOptions, 'dataDir' | 'given' | 'log'>,
  retired: readonly string[],
): string | null {
  if (given === null || given === storedSecret(dataDir) || !retired.includes(keySet(given).id)) return given;
  const detail = `give the one in ${secretPath(dataDir)} or none; to go back to it after all, remove ${retiredPath(dataDir)}`;
  log.warn('the given cluster secret was replaced by a rotation, which stands', { detail });
  return null;
}

function readRetired(dataDir: string): string[] {
  const text = readPrivate(retiredPath(dataDir)) ?? '';
  return text.split('\n').filter((id) => id !== '');
}

function retire(dataDir: string, retired: string[], id: string): void {
  if (retired.includes(id)) return;
  retired.push(id);
  retired.splice(0, retired.length - retiredMax);
  writePrivate(retiredPath(dataDir), retired.join('\n'));
}

/** The secret before this one; null when there is none. Error: `io` when the file holds something else. */
function readPrevious(dataDir: string): Previous | null {
  const path = previousPath(dataDir);
  const text = readPrivate(path);
  if (text === null) return null;
  const [, secret, until] = /^(\S.*)\n(\S+)$/.exec(text) ?? [];
  const endsAt = Date.parse(until ?? '');
  if (secret === undefined || Number.isNaN(endsAt)) {
    const wanted = 'a secret and, on a line of its own, the instant until which it is valid';
    throw new OctasklyError('io', `"${path}" does not hold ${wanted}; remove it to end the grace time of that secret.`);
  }
  return { secret, keys: keySet(secret), endsAt };
}

function removePrevious(dataDir: string): void {
  const path = previousPath(dataDir);
  try {
    rmSync(path, { force: true });
    syncDirectory(dataDir);
  } catch (cause) {
    throw new OctasklyError('io', `Cannot remove "${path}": ${reasonOf(cause)}.`, { cause });
  }
}
