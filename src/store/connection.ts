/**
 * One open SQLite database: statements prepared once, transactions, and SQLite's errors in the product's words.
 * Knows no table.
 *
 * Two ways to ask it: `orm` (drizzle) for reads, and `compile` for what runs thousands of times a second: drizzle writes
 * the SQL, so that names cannot drift from the schema, and the statement is then run without drizzle in between.
 * Invariants: every statement is finalized by `close` (one left behind keeps the file and its log open); a transaction
 * that fails leaves none open.
 */

import { constants, Database, SQLiteError, type SQLQueryBindings, type Statement } from 'bun:sqlite';
import { Column, type DriverValueEncoder, getTableColumns, is, Param, Placeholder, type SQL, sql } from 'drizzle-orm';
import { type BunSQLiteDatabase, drizzle } from 'drizzle-orm/bun-sqlite';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import { present } from '../base/assert.ts';
import { OctasklyError } from '../base/errors.ts';

/** Most prepared statements kept. Queries come in a few dozen shapes; more would mean values inside SQL texts. */
const statementsMax = 200;

/** What drizzle's builders offer of themselves. */
interface Query {
  toSQL(): { sql: string; params: unknown[] };
}

/** A statement whose values are bound by placeholder name. Runs it and returns the number of rows it changed. */
export type Write<Row> = (row: Row) => number;

/** One value of a statement: which key of the row it comes from, and how the column wants it. Without a key: constant. */
interface Slot {
  readonly key: string | null;
  readonly encoder: DriverValueEncoder<unknown, unknown> | null;
  readonly constant: SQLQueryBindings;
}

function slotOf(param: unknown): Slot {
  const inner = is(param, Param) ? param.value : param;
  if (!is(inner, Placeholder)) return { key: null, encoder: null, constant: inner as SQLQueryBindings };
  const encoder = is(param, Param) ? param.encoder : null;
  // Most columns take values as they are; asking them to say so costs more than binding does.
  const isPlain = encoder === null || encoder.mapToDriverValue === Column.prototype.mapToDriverValue;
  return { key: inner.name, encoder: isPlain ? null : encoder, constant: null };
}

/**
 * How a file is opened. `read`: others may write meanwhile; SQLite makes its files beside it for that. `still`: nobody
 * writes while it is open, so that it needs no such files, and whoever does makes what is read here wrong.
 */
export type Access = 'write' | 'read' | 'still';

function flagsOf(file: string, access: Access): number {
  if (file === ':memory:') return constants.SQLITE_OPEN_READWRITE | constants.SQLITE_OPEN_CREATE;
  if (access === 'write') return constants.SQLITE_OPEN_READWRITE;
  return constants.SQLITE_OPEN_READONLY | (access === 'still' ? constants.SQLITE_OPEN_URI : 0);
}

/** An absolute path as https://www.sqlite.org/uri.html has it. */
function uriOf(file: string): string {
  const path = file.replaceAll('\\', '/').split('/').map(encodeURIComponent).join('/');
  return `file://${path.startsWith('/') ? '' : '/'}${path}?immutable=1`;
}

/** For each of `columns` a placeholder of the same name, encoded as that column is. */
export function slots<Name extends string>(table: SQLiteTable, ...columns: Name[]): Record<Name, SQL> {
  const known = getTableColumns(table);
  const slot = (name: Name) => sql`${sql.param(sql.placeholder(name), present(known[name], `column ${name}`))}`;
  return Object.fromEntries(columns.map((name) => [name, slot(name)])) as Record<Name, SQL>;
}

export class Connection {
  /** Path of the database file, for error texts. */
  readonly file: string;
  readonly orm: BunSQLiteDatabase;
  readonly #client: Database;
  /** By SQL text: what drizzle and `rows` prepare. */
  readonly #statements = new Map<string, Statement>();
  /** What `compile` and `keep` prepared. */
  readonly #compiled: Statement[] = [];
  #keeping = false;
  #closed = false;

  /**
   * Opens an existing file (or `:memory:`), for reading and writing unless `access` says less; `still` wants an absolute
   * path. Errors: as `attempt`.
   */
  constructor(file: string, access: Access = 'write') {
    this.file = file;
    const client = this.attempt(() => new Database(access === 'still' ? uriOf(file) : file, flagsOf(file, access)));
    const prepare = client.prepare.bind(client);
    client.prepare = ((text: string) => this.#prepared(text, prepare)) as typeof prepare;
    this.#client = client;
    this.orm = drizzle({ client });
  }

  /** Runs one or more SQL statements without values. */
  exec(text: string): void {
    this.attempt(() => this.#client.run(text));
  }

  /** The value of a numeric pragma. */
  pragma(name: 'user_version' | 'application_id' | 'page_count' | 'page_size' | 'freelist_count'): number {
    return this.attempt(() => Number(this.#client.prepare(`PRAGMA ${name}`).values()[0]?.[0]));
  }

  /** Runs one statement and returns its rows as objects. */
  rows<Row>(text: string, ...values: (string | number | null)[]): Row[] {
    return this.attempt(() => this.#client.prepare<Row, (string | number | null)[]>(text).all(...values));
  }

  /** As `rows`, each row as the list of its columns: for what reads very many. */
  tuples<Row extends readonly unknown[]>(text: string, ...values: (string | number | null)[]): Row[] {
    return this.attempt(() => this.#client.prepare(text).values(...values) as unknown as Row[]);
  }

  /** Prepares what a drizzle builder describes, for the life of the connection. `Row` has a key for each placeholder. */
  compile<Row>(query: Query): Write<Row> {
    const { sql, params } = query.toSQL();
    // Through `query` and not `prepare`: its statements are not among those that make room for one another.
    const statement = this.attempt(() => this.#client.query(sql));
    this.#compiled.push(statement);
    const slots = params.map(slotOf);
    const values: SQLQueryBindings[] = slots.map(({ constant }) => constant);
    return (row) => {
      for (let i = 0; i < slots.length; i++) {
        const slot = slots[i];
        if (slot === undefined || slot.key === null) continue;
        const value = (row as Record<string, unknown>)[slot.key];
        const encoded = slot.encoder === null || value === null ? value : slot.encoder.mapToDriverValue(value);
        values[i] = encoded as SQLQueryBindings;
      }
      return statement.run(...values).changes;
    };
  }

  /** Runs `action` in one transaction that holds the write lock from its start: all of it is durable, or none happened. */
  transaction<T>(action: () => T): T {
    return this.attempt(() => {
      this.#client.run('BEGIN IMMEDIATE');
      try {
        const result = action();
        this.#client.run('COMMIT');
        return result;
      } catch (error) {
        this.#rollback();
        throw error;
      }
    });
  }

  /** Runs `action`, which only reads: all it reads is of one instant, whatever others write meanwhile. */
  snapshot<T>(action: () => T): T {
    return this.attempt(() => {
      this.#client.run('BEGIN');
      try {
        return action();
      } finally {
        this.#rollback();
      }
    });
  }

  /**
   * Runs `action` and turns SQLite's errors into the product's: `storage_unavailable` for what may pass (disk full,
   * read-only, I/O, locked), `storage_corrupt` for damage. A broken constraint is our own mistake and passes unchanged.
   */
  attempt<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw translate(error, this.file);
    }
  }

  /** Closes it; the log is moved into the file and removed. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#finalize();
    for (const statement of this.#compiled) statement.finalize();
    this.#client.close();
  }

  /** A query of drizzle's, built and prepared once for the life of the connection: `build` ends in `prepare()`. */
  keep<T>(build: (orm: BunSQLiteDatabase) => T): T {
    this.#keeping = true;
    try {
      return build(this.orm);
    } finally {
      this.#keeping = false;
    }
  }

  #prepared(text: string, prepare: Database['prepare']): Statement {
    if (this.#keeping) {
      const kept = prepare(text);
      this.#compiled.push(kept);
      return kept;
    }
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    if (this.#statements.size >= statementsMax) this.#finalize();
    const statement = prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }

  #finalize(): void {
    for (const statement of this.#statements.values()) statement.finalize();
    this.#statements.clear();
  }

  #rollback(): void {
    // SQLite has already rolled back after some errors (a full disk among them), and then a second one is an error.
    if (this.#client.inTransaction) this.#client.run('ROLLBACK');
  }
}

/** What the world did, by the first word of SQLite's code. */
const troubles: Readonly<Record<string, string>> = {
  FULL: 'the disk is full; free some space, and it goes on',
  READONLY: 'the file or its disk is read-only; make it writable, and it goes on',
  PERM: 'the system denies access; check the permissions of the file and its directory',
  CANTOPEN: 'it cannot be opened; check that the file and its directory exist and may be written',
  IOERR: 'the disk reports an error; check the disk and its free space',
  BUSY: 'another program holds it locked; end that program or its transaction',
  LOCKED: 'another program holds it locked; end that program or its transaction',
  NOMEM: 'there is not enough memory',
  PROTOCOL: 'another program holds it locked; end that program or its transaction',
};

function translate(error: unknown, file: string): unknown {
  if (!(error instanceof SQLiteError)) return error;
  const code = /^SQLITE_([A-Z]+)/.exec(error.code ?? '')?.[1] ?? '';
  if (code === 'CORRUPT' || code === 'NOTADB') return damaged(file, error.message, error);
  const trouble = troubles[code];
  if (trouble === undefined) return error;
  const message = `Cannot use the database "${file}": ${trouble} (SQLite says: ${error.message}).`;
  return new OctasklyError('storage_unavailable', message, { cause: error });
}

/** The error for a file that cannot be trusted: which one, what is wrong with it, what to do. */
export function damaged(file: string, finding: string, cause?: unknown): OctasklyError {
  return new OctasklyError(
    'storage_corrupt',
    `The database "${file}" is damaged or not one of Octaskly (${finding.replace(/\s+/g, ' ')}): put back what "octaskly backup" has saved, with: octaskly restore --force FILE`,
    { cause },
  );
}
