/**
 * Giving the room of deleted rows back to the disk: SQLite keeps it for later rows otherwise. The whole file is written
 * anew, through its log; a failure, or a power cut, leaves it as it was. https://www.sqlite.org/lang_vacuum.html
 */

import type { Connection } from './connection.ts';

/** Room worth the effort, bytes. */
const worthBytes = 256 * 1024;
/** With more than this in it, writing it anew would keep everybody waiting for too long, bytes. */
const liveBytesMax = 512 * 2 ** 20;

/** As `SqliteStore.compact`. */
export function compact(connection: Connection): boolean {
  const pageBytes = connection.pragma('page_size');
  const freeBytes = connection.pragma('freelist_count') * pageBytes;
  if (freeBytes >= worthBytes) {
    if (connection.pragma('page_count') * pageBytes - freeBytes > liveBytesMax) return false;
    connection.exec('VACUUM');
  }
  connection.rows('PRAGMA wal_checkpoint(TRUNCATE)');
  return true;
}
