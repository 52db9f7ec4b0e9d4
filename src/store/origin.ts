/** Whether a file is a sound database of this program, found out before anything is written to it. */

import { OctasklyError } from '../base/errors.ts';
import { type Access, Connection, damaged } from './connection.ts';
import { applicationId, migrations } from './migrations.ts';

/** How long a statement waits for another program that holds the database, ms; then it fails. */
export const busyTimeoutMsDefault = 5000;
/** Files up to this many pages (64 MiB) are checked in full when opened; it takes about 3 ms per MiB. */
const checkedPagesMax = 16_384;

/** Refuses what is not a sound database of this program, or one of a newer version. Errors: `storage_newer`, `storage_corrupt`. */
export function checkOrigin(connection: Connection): void {
  const version = connection.pragma('user_version');
  const isOurs = connection.pragma('application_id') === applicationId;
  const isEmpty = connection.rows('SELECT 1 FROM sqlite_schema LIMIT 1').length === 0;
  if (!isOurs && !(isEmpty && version === 0)) throw damaged(connection.file, 'it belongs to another program');
  if (isOurs && version === 0 && !isEmpty) throw damaged(connection.file, 'it does not say which schema it has');
  if (version > migrations.length) {
    throw new OctasklyError(
      'storage_newer',
      `The database "${connection.file}" was written by a newer Octaskly (its schema is ${version}, this program knows ${migrations.length}): start that version, or restore a backup made before the update.`,
    );
  }
  if (connection.pragma('page_count') > checkedPagesMax) return;
  const [finding] = connection.rows<{ quick_check: string }>('PRAGMA quick_check(1)');
  if (finding !== undefined && finding.quick_check !== 'ok') throw damaged(connection.file, finding.quick_check);
}

/** Opens a database of this version or an older one without changing it. Errors: as `openStore`. */
export function openForReading(file: string, access: Exclude<Access, 'write'>): Connection {
  const connection = new Connection(file, access);
  try {
    connection.exec(`PRAGMA busy_timeout = ${busyTimeoutMsDefault}`);
    checkOrigin(connection);
    if (connection.pragma('user_version') === 0) throw damaged(file, 'it is empty');
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}
