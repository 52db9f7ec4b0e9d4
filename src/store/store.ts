/**
 * Durable memory on one SQLite file: the `Store` port. Opens, checks and migrates the file; what is written and read is in
 * `commit.ts`, `read.ts` and `prune.ts`. Keeps no copy of anything in memory, starts no timer, touches no other file.
 *
 * Durability: write-ahead log with `synchronous=FULL`, so that a commit has reached the disk when it returns (on macOS by
 * F_FULLFSYNC). The log is moved into the file every 2000 pages (8 MB) by the commit that crosses the line and at the
 * end, never by a clock: an idle store writes nothing.
 * https://www.sqlite.org/wal.html, https://www.sqlite.org/lang_vacuum.html#vacuuminto
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { AuditFinding } from '../core/trust.ts';
import type { Change, Loaded, Store, TaskFilter, TaskRow } from '../ports/store.ts';
import type { Sha256 } from './audit.ts';
import { Commits } from './commit.ts';
import { type Access, Connection, damaged } from './connection.ts';
import { deliveriesOf } from './history.ts';
import { applicationId, migrate, migrations } from './migrations.ts';
import { prune } from './prune.ts';
import { Reads } from './read.ts';
import { verifyRecord } from './verify.ts';
import { WrittenBytes } from './written.ts';

/** What the store needs of the machine. Implemented in `runtime/`. Errors: `io`, `storage_unavailable`. */
export interface StoreFiles {
  /** Makes the directory (0700) and an empty file (0600) where they are missing; leaves what is there. */
  ensure(file: string): void;
  /** Makes an empty file (0600) that must not exist. Errors: `conflict`, `io`. */
  create(file: string): void;
  /** Makes a file durable: its content and its name. */
  sync(file: string): void;
  /** Deletes a file if it is there. */
  remove(file: string): void;
  /** The machine's own: an entry of the record is hashed with every submission. */
  readonly sha256: Sha256;
}

/** How long a commit waits for another program that holds the database, ms; then it fails. */
const busyTimeoutMsDefault = 5000;
/** Files up to this many pages (64 MiB) are checked in full when opened; it takes about 3 ms per MiB. */
const checkedPagesMax = 16_384;

/** A store that can also say whether its rows refer to a blob, for clearing away others, and what it has written. */
export interface SqliteStore extends Store {
  /** As `load`, in steps: gives how many tasks were read so far after each. Nothing may be committed in between. */
  loading(): Generator<number, Loaded, undefined>;
  usesBlob(blob: string): boolean;
  /** Bytes written by commits since it was opened, to the log and the file; null = not known with this SQLite. */
  readonly writtenBytes: number | null;
}

/**
 * Opens the database at `file`, making it where it is missing and migrating it where it is older.
 * Errors: `storage_newer`, `storage_corrupt`, `storage_unavailable`; each says in one sentence what is wrong with which
 * file and what to do. A file that is refused is left as it was.
 */
export function openStore(file: string, files: StoreFiles, options: { busyTimeoutMs?: number } = {}): SqliteStore {
  files.ensure(file);
  const connection = new Connection(file);
  try {
    connection.exec(`PRAGMA busy_timeout = ${options.busyTimeoutMs ?? busyTimeoutMsDefault}`);
    checkOrigin(connection);
    configure(connection);
    migrate(connection);
    // A read-only file shows itself here, and not when the first submission is lost.
    connection.transaction(() => undefined);
    return storeOn(connection, files);
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Checks the record in the database at `file`, of this version or an older one, without writing to it; also while a
 * dispatcher uses it, unless `access` says that nobody does. Errors: as `openStore`.
 */
export function verifyRecordAt(file: string, sha256: Sha256, access: Exclude<Access, 'write'>): AuditFinding {
  const connection = new Connection(file, access);
  try {
    connection.exec(`PRAGMA busy_timeout = ${busyTimeoutMsDefault}`);
    checkOrigin(connection);
    if (connection.pragma('user_version') === 0) throw damaged(file, 'it is empty');
    const tables = connection.rows("SELECT 1 FROM sqlite_schema WHERE name IN ('audit_log', 'marks')");
    if (tables.length < 2) throw damaged(file, 'the tables of the record are not in it');
    return verifyRecord(connection, sha256);
  } finally {
    connection.close();
  }
}

/** Refuses what is not a sound database of this program, before anything is written to it. */
function checkOrigin(connection: Connection): void {
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

function configure(connection: Connection): void {
  const [mode] = connection.rows<{ journal_mode: string }>('PRAGMA journal_mode = WAL');
  if (mode?.journal_mode !== 'wal') {
    const message = `Cannot use the database "${connection.file}": its file system does not carry a write-ahead log; choose a --db-path on a local disk.`;
    throw new OctasklyError('storage_unavailable', message);
  }
  connection.exec(`
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA cache_size = -32768;
    PRAGMA wal_autocheckpoint = 2000;
    PRAGMA journal_size_limit = 33554432;`);
}

function storeOn(connection: Connection, files: StoreFiles): SqliteStore {
  const commits = new Commits(connection, files.sha256);
  const reads = new Reads(connection);
  const read = <T>(action: () => T): T => connection.attempt(action);
  const written = read(() => WrittenBytes.of(connection));
  return {
    load(): Loaded {
      const steps = this.loading();
      for (;;) {
        const step = steps.next();
        if (step.done) return step.value;
      }
    },
    *loading(): Generator<number, Loaded, undefined> {
      const steps = read(() => reads.loading());
      for (;;) {
        const step = read(() => steps.next());
        if (step.done) return step.value;
        yield step.value;
      }
    },
    commit(changes: readonly Change[]): void {
      if (changes.length === 0) return;
      connection.transaction(() => commits.apply(changes));
      written?.look();
    },
    probe(): void {
      connection.exec(
        `INSERT INTO marks (name, value) VALUES ('probe', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1`,
      );
    },
    task: (id) => read(() => reads.task(id)),
    tasks: (filter: TaskFilter, page): readonly TaskRow[] => read(() => reads.tasks(filter, page)),
    statuses: (ids) => read(() => reads.statuses(ids)),
    attempts: (taskId) => read(() => reads.attempts(taskId)),
    outputs: (taskId) => read(() => reads.outputs(taskId)),
    kept: (of) => read(() => reads.kept(of)),
    keptCounts: () => read(() => reads.keptCounts()),
    batch: (id) => read(() => reads.batch(id)),
    batches: (filter, page) => read(() => reads.batches(filter, page)),
    endedAttempts: (filter, limit) => read(() => reads.endedAttempts(filter, limit)),
    deliveries: () => read(() => deliveriesOf(connection.orm)),
    setting: (key) => read(() => reads.setting(key)),
    idempotency: (key) => read(() => reads.idempotency(key)),
    audit: (filter, page) => read(() => reads.audit(filter, page)),
    verifyAudit: () => verifyRecord(connection, files.sha256),
    get writtenBytes() {
      return written?.bytes ?? null;
    },
    usesBlob: (blob) => read(() => reads.usesBlob(blob)),
    prune: (wallMs, limit) => connection.transaction(() => prune(connection.orm, wallMs, limit)),
    backup: (target) => backup(connection, files, target),
    close: () => connection.close(),
  };
}

/** The file is made first, empty and private, so that nobody else can read or replace it while it fills. */
function backup(connection: Connection, files: StoreFiles, target: string): void {
  files.create(target);
  try {
    connection.rows('VACUUM INTO ?', target);
    files.sync(target);
  } catch (error) {
    files.remove(target);
    throw new OctasklyError('io', `Cannot back up to "${target}": ${reasonOf(error)}`, { cause: error });
  }
}
