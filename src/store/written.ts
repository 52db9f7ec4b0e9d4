/**
 * How many bytes the database has written: pages appended to its write-ahead log, and pages moved from there into the file.
 * SQLite itself says how far both have come, which it does without touching them (`wal_checkpoint(NOOP)`, 3.51 and newer);
 * asking after each commit, no start of a new log is missed. https://www.sqlite.org/pragma.html#pragma_wal_checkpoint,
 * https://www.sqlite.org/walformat.html
 */

import type { Connection } from './connection.ts';

/** Bytes before each page in the log. */
const frameHeadBytes = 24;
/** Older ones take the word for another kind of checkpoint. */
const versionMin = 3_051_000;

export class WrittenBytes {
  readonly #connection: Connection;
  readonly #pageBytes: number;
  /** Pages in the log, and those of them that are in the file, when it was asked last. */
  #logged = 0;
  #moved = 0;
  #bytes = 0;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.#pageBytes = connection.pragma('page_size');
    this.look();
    this.#bytes = 0;
  }

  /** Null where SQLite is too old to say. */
  static of(connection: Connection): WrittenBytes | null {
    const [row] = connection.rows<{ version: string }>('SELECT sqlite_version() AS version');
    const [major = 0, minor = 0, patch = 0] = (row?.version ?? '').split('.').map(Number);
    return major * 1_000_000 + minor * 1000 + patch < versionMin ? null : new WrittenBytes(connection);
  }

  /** Since the start. */
  get bytes(): number {
    return this.#bytes;
  }

  /** To be called after each commit; takes some 10 µs. Never throws: the commit before it stands. */
  look(): void {
    const [, logged, moved] = this.#progress();
    if (logged < 0) return;
    const isNewLog = logged < this.#logged || moved < this.#moved;
    const pages = isNewLog ? logged : logged - this.#logged;
    const pagesMoved = isNewLog ? moved : moved - this.#moved;
    this.#bytes += pages * (this.#pageBytes + frameHeadBytes) + pagesMoved * this.#pageBytes;
    this.#logged = logged;
    this.#moved = moved;
  }
  /** What SQLite answers: busy, pages in the log, pages moved; -1 where there is no log, or no answer. */
  #progress(): readonly [number, number, number] {
    try {
      const [row] = this.#connection.tuples<[number, number, number]>('PRAGMA wal_checkpoint(NOOP)');
      return row ?? [0, -1, -1];
    } catch {
      return [0, -1, -1];
    }
  }
}
