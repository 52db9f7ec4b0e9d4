/** A consistent copy of the dispatcher's database, also while it runs. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { BackupValues } from '../cli/options.ts';
import { storeFiles } from '../runtime/store-files.ts';
import { openStore } from '../store/store.ts';
import { absolute } from './common.ts';

/** Copies the database to `file`. Exit status 0. Errors: `not_found`, `conflict`, `io`, `storage_*`. */
export async function runBackup(values: BackupValues, file: string): Promise<number> {
  if (file === '') throw new OctasklyError('usage', 'The name of the file to write is empty: octaskly backup FILE.');
  const database = absolute(values.dbPath ?? join(absolute(values.dataDir), 'octaskly.db'));
  if (!existsSync(database)) {
    throw new OctasklyError(
      'not_found',
      `There is no database "${database}" to back up; name it with --data-dir or --db-path.`,
    );
  }
  const store = openStore(database, storeFiles);
  try {
    store.backup(absolute(file));
  } finally {
    store.close();
  }
  return 0;
}
