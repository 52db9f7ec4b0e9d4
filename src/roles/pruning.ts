/**
 * Forgetting: ended tasks with their rows, files that no row refers to any more, files that were brought but never used,
 * and entries of the record past a retention of their own; a bounded piece at a time, by the clock (`retention.ts`) or
 * because somebody asks (`POST /api/v1/prune`), never both at once, and never while a backup reads the files.
 *
 * A file that was brought again lately is kept although its last row is gone: whoever brought it is about to use it.
 */

import { join } from 'node:path';
import type { ApiOptions } from '../api/route.ts';
import { OctasklyError } from '../base/errors.ts';
import type { DispatcherValues } from '../cli/options.ts';
import { type FinalStatus, finalStatuses } from '../core/task.ts';
import type { Dispatcher } from '../dispatcher/dispatcher.ts';
import type { Log } from '../ports/time.ts';
import type { FileBlobStore } from '../runtime/blobs.ts';
import { acquireLock } from '../runtime/lock.ts';
import type { SqliteStore } from '../store/store.ts';

/** Tasks deleted in one go. */
const tasksAtOnce = 2000;

/** Entries of the record deleted in one go. */
const entriesAtOnce = 2000;

export interface PruningParts {
  readonly dataDir: string;
  readonly store: Pick<
    SqliteStore,
    'prune' | 'prunable' | 'cutRecord' | 'cuttable' | 'usesBlob' | 'compact' | 'fileBytes'
  >;
  /** How long entries of the record stay; 0 = for ever. Nobody who asks the API can make it less. */
  readonly values: Pick<DispatcherValues, 'auditRetentionMs'>;
  readonly blobs: Pick<FileBlobStore, 'deleteOlder' | 'sweep' | 'size'>;
  /** Counts the tasks no more, and has workers let go of files that they keep for nobody. */
  readonly dispatcher: Pick<Dispatcher, 'forgotten'> & { readonly trust: Pick<Dispatcher['trust'], 'notePruned'> };
  readonly log: Log;
}

export interface Forgettable {
  /** What ended, or was brought, before this, wall ms. */
  readonly wallMs: number;
  readonly statuses?: readonly FinalStatus[];
  /** Also files that no task ever used. */
  readonly unused: boolean;
}

export interface Forgotten {
  readonly tasks: number;
  readonly blobs: number;
  /** Of the blobs. */
  readonly bytes: number;
  /** Entries of the record. */
  readonly entries: number;
}

/** The lock of whoever needs all files of a data directory to stay, or deletes some. */
export function filesLockPath(dataDir: string): string {
  return join(dataDir, 'files.lock');
}

/** Deletes what is old, one call after the other. */
export class Pruning {
  readonly #parts: PruningParts;
  #stopped = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: PruningParts) {
    this.#parts = parts;
  }

  /** Error: `in_use` while a backup is made; `shutting_down`. */
  forget(what: Forgettable): Promise<Forgotten> {
    return this.#alone(() => this.#forget(what));
  }

  /** As the API asks for it. */
  readonly prune: NonNullable<ApiOptions['prune']> = async (request, actor) => {
    const { older_than: olderThan, statuses, blobs: unused, dry_run: isDry } = request;
    const wallMs = Date.now() - olderThan * 1000;
    const { store, dispatcher } = this.#parts;
    return await this.#alone(async () => {
      const before = store.fileBytes;
      const { tasks, blobs, bytes, entries } = isDry
        ? await this.#foresee({ wallMs, statuses, unused })
        : await this.#forget({ wallMs, statuses, unused });
      if (!isDry) {
        await dispatcher.trust.notePruned(actor, { older_than: olderThan, statuses, tasks, blobs, entries });
        this.#compact();
      }
      const database = { database_bytes_before: before, database_bytes: store.fileBytes };
      const endedBefore = new Date(wallMs).toISOString();
      const deleted = { tasks, blobs, blob_bytes: bytes, audit_entries: entries };
      return { dry_run: isDry, ended_before: endedBefore, ...deleted, ...database };
    });
  };

  /** Resolves when nothing is deleted any more. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#last;
  }

  #alone<T>(action: () => Promise<T>): Promise<T> {
    const run = this.#last.then(async () => {
      if (this.#stopped) throw new OctasklyError('shutting_down', 'The dispatcher is shutting down.');
      const lock = acquireLock(filesLockPath(this.#parts.dataDir));
      if (lock === null) throw new OctasklyError('in_use', 'Nothing can be deleted while a backup is made.');
      try {
        return await action();
      } finally {
        lock.release();
      }
    });
    this.#last = run.catch(() => undefined);
    return run;
  }

  async #forget(what: Forgettable): Promise<Forgotten> {
    const { wallMs, unused } = what;
    const { store, blobs } = this.#parts;
    const { tasks, ...ofTasks } = await this.#forgetTasks(what);
    const entries = await this.#cutRecord();
    if (this.#stopped || !unused) return { tasks, ...ofTasks, entries };
    const swept = await blobs.sweep(wallMs, (blob) => this.#stopped || store.usesBlob(blob));
    return { tasks, blobs: ofTasks.blobs + swept.blobs, bytes: ofTasks.bytes + swept.bytes, entries };
  }

  async #forgetTasks({ wallMs, statuses = finalStatuses }: Forgettable): Promise<Omit<Forgotten, 'entries'>> {
    const { store, blobs, dispatcher } = this.#parts;
    const total = { tasks: 0, blobs: 0, bytes: 0 };
    for (let isMore = true; isMore && !this.#stopped; ) {
      const pruned = store.prune(wallMs, tasksAtOnce, statuses);
      total.tasks += pruned.tasks;
      // In the same turn of the thread: nobody sees a count of what is not there.
      dispatcher.forgotten(pruned);
      for (const blob of pruned.blobs) {
        const bytes = blobs.size(blob) ?? 0;
        if (!blobs.deleteOlder(blob, wallMs)) continue;
        total.blobs += 1;
        total.bytes += bytes;
      }
      isMore = pruned.tasks === tasksAtOnce;
      await othersTurn();
    }
    return total;
  }

  /** Deletes entries of the record that are past their retention; how many. */
  async #cutRecord(): Promise<number> {
    const { store, log } = this.#parts;
    const cuttable = this.#cuttable();
    if (cuttable === null) return 0;
    let total = 0;
    for (let isMore = true; isMore && !this.#stopped; ) {
      const { entries, damaged } = store.cutRecord({ ...cuttable, limit: entriesAtOnce });
      total += entries;
      if (damaged !== null) log.warn('a deleted entry of the record was not as it was written', { entry: damaged });
      isMore = entries === entriesAtOnce;
      await othersTurn();
    }
    return total;
  }

  /** Null: they stay for ever. */
  #cuttable(): { beforeMs: number; nowMs: number } | null {
    const { auditRetentionMs } = this.#parts.values;
    const nowMs = Date.now();
    return auditRetentionMs === 0 ? null : { beforeMs: nowMs - auditRetentionMs, nowMs };
  }

  /** What `#forget` would do. */
  async #foresee({ wallMs, statuses = finalStatuses, unused }: Forgettable): Promise<Forgotten> {
    const { store, blobs } = this.#parts;
    const found = store.prunable({ wallMs, statuses });
    const cuttable = this.#cuttable();
    const entries = cuttable === null ? 0 : store.cuttable(cuttable);
    const sizes = found.blobs.map((blob) => blobs.size(blob)).filter((size) => size !== null);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (!unused) return { tasks: found.tasks, blobs: sizes.length, bytes, entries };
    const swept = await blobs.sweep(wallMs, (blob) => store.usesBlob(blob), { dryRun: true });
    return { tasks: found.tasks, blobs: sizes.length + swept.blobs, bytes: bytes + swept.bytes, entries };
  }

  #compact(): void {
    const { store, log } = this.#parts;
    try {
      if (!store.compact())
        log.info('the database is too large to be made smaller while it runs; its room is used again');
    } catch (error) {
      if (!(error instanceof OctasklyError)) throw error;
      log.warn('cannot make the database smaller now', { reason: error.message });
    }
  }
}

/** Resolves when others had their turn on the thread. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
