/**
 * A consistent copy of the dispatcher's database, also while it runs. Where somebody looks and it takes long, another
 * process of this program makes the copy, since the database leaves no turn to whoever copies it, and this one says how
 * far it is.
 */

import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { Terminal } from '../cli/context.ts';
import type { BackupValues } from '../cli/options.ts';
import { withProgress } from '../cli/progress.ts';
import { ownProgram } from '../runtime/isolation.ts';
import { storeFiles } from '../runtime/store-files.ts';
import { openStore } from '../store/store.ts';
import { absolute } from './common.ts';

/** Smaller databases are copied within a second, bytes. */
const worthBytes = 64 * 2 ** 20;
const lookEveryMs = 200;

/** Copies the database to `file`. Exit status 0. Errors: `not_found`, `conflict`, `io`, `storage_*`. */
export async function runBackup(values: BackupValues, file: string, terminal: Terminal): Promise<number> {
  if (file === '') throw new OctasklyError('usage', 'The name of the file to write is empty: octaskly backup FILE.');
  const database = absolute(values.dbPath ?? join(absolute(values.dataDir), 'octaskly.db'));
  if (!existsSync(database)) {
    throw new OctasklyError(
      'not_found',
      `There is no database "${database}" to back up; name it with --data-dir or --db-path.`,
    );
  }
  const target = absolute(file);
  if (existsSync(target)) {
    throw new OctasklyError(
      'conflict',
      `Cannot write "${target}": it exists; name a file that does not, or move it away.`,
    );
  }
  if (!existsSync(dirname(target))) {
    throw new OctasklyError(
      'io',
      `There is no directory "${dirname(target)}"; make it and try again: mkdir -p ${dirname(target)}`,
    );
  }
  const { size } = statSync(database);
  if (terminal.stderr.isTTY && size >= worthBytes) return copyShown({ database, file: target, size, terminal });
  const store = openStore(database, storeFiles);
  try {
    store.backup(target);
  } finally {
    store.close();
  }
  return 0;
}

interface Copying {
  readonly database: string;
  readonly file: string;
  /** Bytes of the database. */
  readonly size: number;
  readonly terminal: Terminal;
}

/** The same by another process, whose words follow when it has ended. */
async function copyShown({ database, file, size, terminal }: Copying): Promise<number> {
  // What is there already stays, and is not ours to measure.
  const isOurs = !existsSync(file);
  const child = Bun.spawn([...ownProgram(), 'backup', file, '--db-path', database], {
    env: { HOME: terminal.homeDir },
    ...({ stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' } as const),
  });
  const said = new Response(child.stderr).text();
  const ended = child.exited.then(() => true);
  await withProgress(terminal, { verb: 'Copying', total: size }, async ({ moved }) => {
    for (let seen = 0; !(await Promise.race([ended, Bun.sleep(lookEveryMs).then(() => false)])); ) {
      const bytes = isOurs ? (statSync(file, { throwIfNoEntry: false })?.size ?? 0) : 0;
      moved(bytes - seen);
      seen = bytes;
    }
  });
  await terminal.stderr.write(await said);
  return await child.exited;
}
