/**
 * Durable memory on one SQLite file: the `Store` port. Opens, checks and migrates the file; what is written and read is in
 * `commit.ts`, `read.ts` and `prune.ts`. Keeps no copy of anything in memory, starts no timer, touches no other file.
 *
 * Durability: write-ahead log with `synchronous=FULL`, so that a commit has reached the disk when it returns (on macOS by
 * F_FULLFSYNC). The log is moved into the file every 2000 pages (8 MB) by the commit that crosses the line and at the
 * end, never by a clock: an idle store writes nothing.
 * https://www.sqlite.org/wal.html
 */

import { OctasklyError } from '../base/errors.ts';
import { finalStatuses } from '../core/task.ts';
import type { AuditFinding } from '../core/trust.ts';
import type { Change, Loaded, Store, TaskFilter, TaskRow } from '../ports/store.ts';
import type { Sha256 } from './audit.ts';
import { Commits } from './commit.ts';
import { compact } from './compact.ts';
import { type Access, Connection, damaged } from './connection.ts';
import { type Cut, type Cuttable, cutRecord, cuttableCount, nothingCut } from './cut.ts';
import type { StoreFiles } from './files.ts';
import { deliveriesOf } from './history.ts';
import { migrate } from './migrations.ts';
import { busyTimeoutMsDefault, checkOrigin, openForReading } from './origin.ts';
import { type Prunable, prunableOf, prune } from './prune.ts';
import { type LoadStep, Reads } from './read.ts';
import { copyBeforeUpgrade } from './snapshot.ts';
import { verifyRecord } from './verify.ts';
import { WrittenBytes } from './written.ts';

/** A store that can also say whether its rows refer to a blob, for clearing away others, and what it has written. */
export interface SqliteStore extends Store {
  /** As `load`, in steps: gives how many tasks were read so far, and of how many, after each. Nothing may be committed in between. */
  loading(): Generator<LoadStep, Loaded, undefined>;
  usesBlob(blob: string): boolean;
  /** What `prune` would delete. */
  prunable(prunable: Prunable): { readonly tasks: number; readonly blobs: readonly string[] };
  /** Deletes up to `limit` of these entries of the record, and puts on record that it did. Errors: as `commit`. */
  cutRecord(cuttable: Cuttable & { readonly limit: number }): Cut;
  /** How many entries `cutRecord` would delete, called again and again. */
  cuttable(cuttable: Cuttable): number;
  /**
   * Makes the file as small as what is in it, where that is worth it; takes a second for each 100 MB left, and nothing
   * else can be done meanwhile. False: there is too much in it for that. Error: `storage_unavailable`.
   */
  compact(): boolean;
  /** Size of the database, bytes. */
  readonly fileBytes: number;
  /** Bytes written by commits since it was opened, to the log and the file; null = not known with this SQLite. */
  readonly writtenBytes: number | null;
}

/**
 * Opens the database at `file`, making it where it is missing and migrating it where it is older, with a copy of how it
 * was beside it.
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
    copyBeforeUpgrade(connection, files);
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
  const connection = openForReading(file, access);
  try {
    const tables = connection.rows("SELECT 1 FROM sqlite_schema WHERE name IN ('audit_log', 'marks')");
    if (tables.length < 2) throw damaged(file, 'the tables of the record are not in it');
    return verifyRecord(connection, sha256);
  } finally {
    connection.close();
  }
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
    *loading(): Generator<LoadStep, Loaded, undefined> {
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
    batchHead: (id) => read(() => reads.batchHead(id)),
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
    prune: (wallMs, limit, statuses = finalStatuses) =>
      connection.transaction(() => prune(connection.orm, { wallMs, statuses }, limit)),
    prunable: (prunable) => connection.snapshot(() => prunableOf(connection.orm, prunable)),
    cutRecord: (cuttable) =>
      connection.transaction(() => {
        const made = cutRecord(connection, files.sha256, cuttable);
        if (made === null) return nothingCut;
        commits.apply([made.entry]);
        return made.cut;
      }),
    cuttable: (cuttable) => connection.snapshot(() => cuttableCount(connection, cuttable)),
    compact: () => compact(connection),
    get fileBytes() {
      return read(() => connection.pragma('page_count') * connection.pragma('page_size'));
    },
    close: () => connection.close(),
  };
}
