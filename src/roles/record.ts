/**
 * The check of the record in a database file, for whoever does not want to ask the dispatcher whose record it is. Writes
 * nothing, neither to the file nor beside it, and needs no dispatcher; one may run meanwhile.
 */

import { existsSync, statSync } from 'node:fs';
import { OctasklyError } from '../base/errors.ts';
import type { AuditFinding } from '../core/trust.ts';
import { storeFiles } from '../runtime/store-files.ts';
import { verifyRecordAt } from '../store/store.ts';
import { absolute } from './common.ts';

/** Checks the record in the database `file`. Errors: `not_found`, `storage_*`. */
export async function verifyRecordIn(file: string): Promise<AuditFinding> {
  const path = absolute(file);
  if (!existsSync(path)) {
    throw new OctasklyError(
      'not_found',
      `There is no database "${path}" whose record could be checked; name it with --data-dir or --db-path.`,
    );
  }
  const before = restingSince(path);
  if (before === null) return verifyRecordAt(path, storeFiles.sha256, 'read');
  const rested = (): boolean => restingSince(path) === before;
  try {
    const finding = verifyRecordAt(path, storeFiles.sha256, 'still');
    if (rested()) return finding;
  } catch (error) {
    if (rested()) throw error;
  }
  return verifyRecordAt(path, storeFiles.sha256, 'read');
}

/** When the file was written last, ms; null while a program has it open, as the log beside it shows. */
function restingSince(file: string): number | null {
  return existsSync(`${file}-wal`) ? null : statSync(file).mtimeMs;
}
