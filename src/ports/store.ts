/** Durable memory of the dispatcher: what one commit holds, and what is read back. */

import type { AttemptKey } from '../core/attempt.ts';
import type { TaskFile } from '../core/files.ts';
import type { DeliveryRecord } from '../core/notification.ts';
import type { RememberedWorker } from '../core/restore.ts';
import type { AttemptRecord, FinalStatus, Task, TaskStatus } from '../core/task.ts';
import type { AuditEntry, AuditFinding, InviteRecord, NodeRecord, TokenRecord } from '../core/trust.ts';
import type { CollectedFiles, StoredOutput } from './files.ts';

/** One durable change. All changes of one `commit` become visible together or not at all. */
export type Change =
  | { readonly kind: 'task'; readonly task: Task; readonly isNew: boolean; readonly notBeforeWall: number | null }
  | { readonly kind: 'output'; readonly taskId: string; readonly stdout: StoredOutput; readonly stderr: StoredOutput }
  | { readonly kind: 'attempt'; readonly record: AttemptRecord }
  /** The files the last attempt of a task left, in place of earlier ones. Their blobs are durable already. */
  | {
      readonly kind: 'outputs';
      readonly taskId: string;
      readonly files: readonly TaskFile[];
      readonly problems: readonly string[];
      /** Id of the worker that keeps them, where they are not brought here. */
      readonly keptAt?: string;
    }
  /** A file that this worker kept is here, and durable: for every task that left it there. */
  | { readonly kind: 'outputHere'; readonly workerId: string; readonly blob: string }
  | {
      readonly kind: 'batch';
      readonly id: string;
      readonly name: string | null;
      readonly createdAt: number;
      readonly size: number;
      /** Whose it is; null = the cluster owner's. */
      readonly owner: string | null;
      /** Destinations that are told of its end. */
      readonly notify?: readonly string[];
    }
  /** So many tasks more joined a batch that is stored, or that this commit stores before. */
  | { readonly kind: 'batchGrown'; readonly id: string; readonly by: number }
  | {
      readonly kind: 'idempotency';
      readonly key: string;
      readonly bodyHash: string;
      readonly answer: string;
      readonly createdAt: number;
    }
  | { readonly kind: 'worker'; readonly record: RememberedWorker }
  /** Each of these three replaces what is stored under the same key. */
  | { readonly kind: 'node'; readonly record: NodeRecord }
  | { readonly kind: 'invite'; readonly record: InviteRecord }
  | { readonly kind: 'token'; readonly record: TokenRecord }
  /** Replaces what is stored under the same id. */
  | { readonly kind: 'delivery'; readonly record: DeliveryRecord }
  | { readonly kind: 'deliveryEnded'; readonly id: string }
  | { readonly kind: 'setting'; readonly key: string; readonly value: string }
  | {
      readonly kind: 'audit';
      readonly at: number;
      readonly eventType: string;
      readonly actor: string;
      readonly workerId: string | null;
      readonly taskId: string | null;
      readonly details: string;
    };

/** What a restart finds: everything not final, and what is remembered besides. */
export interface Loaded {
  /** Live tasks in order of submission; `notBefore` holds wall-clock ms here, the driver converts. */
  readonly tasks: readonly Task[];
  readonly workers: readonly RememberedWorker[];
  readonly nodes: readonly NodeRecord[];
  /** Those that have neither expired nor been used up more than 30 days ago. */
  readonly invites: readonly InviteRecord[];
  readonly tokens: readonly TokenRecord[];
  readonly settings: ReadonlyMap<string, string>;
  readonly counts: Readonly<Record<TaskStatus, number>>;
  /** Greatest task or batch id ever given out; '' when none. */
  readonly lastId: string;
}

/** A task as it is read back: the task, with its output and the attempts made. */
export interface TaskRow {
  readonly task: Task;
  readonly stdout: StoredOutput | null;
  readonly stderr: StoredOutput | null;
}

/** A file of an ended attempt that a worker keeps. `attempt`: the present one of its task. */
export interface KeptOutput extends AttemptKey, Pick<TaskFile, 'path' | 'blob' | 'bytes'> {
  readonly workerId: string;
}

/** Files of a task that was deleted, with the worker that kept them. `attempt`: the last one of the task. */
export interface OrphanedOutputs extends AttemptKey {
  readonly workerId: string;
}

/** What deleting ended tasks changes for those who knew of them. */
export interface ForgottenTasks {
  /** How many were deleted, by how they had ended; what is missing is none. */
  readonly ended: Readonly<Partial<Record<FinalStatus, number>>>;
  /** Files that workers keep for nobody now. */
  readonly orphaned: readonly OrphanedOutputs[];
}

/** A batch as it is read back. */
export interface BatchRow {
  readonly id: string;
  readonly name: string | null;
  readonly createdAt: number;
  readonly size: number;
  /** Whose it is; null = the cluster owner's. */
  readonly owner: string | null;
  /** Destinations that are told of its end; empty = nobody is, undefined = none were named. */
  readonly notify?: readonly string[];
  /** Its tasks by state. */
  readonly counts: Readonly<Record<TaskStatus, number>>;
}

/** One attempt at a task that ended, and what the task calls itself. */
export interface EndedAttempt {
  readonly record: AttemptRecord;
  readonly name: string | null;
  /** Null: it was asked for by its arguments. */
  readonly command: string | null;
}

export interface TaskFilter {
  readonly statuses?: readonly TaskStatus[];
  readonly workerId?: string;
  readonly batchId?: string;
  readonly tag?: { readonly key: string; readonly value: string };
  /** Created at or after, wall ms. */
  readonly since?: number;
  /** Ids start with this. */
  readonly idPrefix?: string;
  /** Each of these is in the name, the command or an argument, or begins the id; letters of ASCII in either case. */
  readonly words?: readonly string[];
  readonly owner?: string;
}

/** Which entries of the record; instants are wall ms. */
export interface AuditFilter {
  readonly since?: number;
  readonly eventType?: string;
  readonly actor?: string;
  readonly taskId?: string;
  readonly workerId?: string;
}

/**
 * Durable memory. `commit` returns only when the changes survive power loss (SQLite, WAL, synchronous=FULL).
 * Errors: `storage_unavailable` (disk full, read-only, I/O): then nothing of the commit happened.
 * Reads see every earlier commit. Everything is synchronous: one writer, one thread.
 */
export interface Store {
  load(): Loaded;
  commit(changes: readonly Change[]): void;
  /** A small durable write, to learn whether commits work again. Errors: as `commit`. */
  probe(): void;
  task(id: string): TaskRow | null;
  /** Newest first; `before` is the id the page starts after. */
  tasks(filter: TaskFilter, page: { limit: number; before: string | null }): readonly TaskRow[];
  /** Statuses of those ids that exist. */
  statuses(ids: readonly string[]): ReadonlyMap<string, TaskStatus>;
  attempts(taskId: string): readonly AttemptRecord[];
  /** Files the last attempt of a task left, by path; empty when none were collected. */
  outputs(taskId: string): CollectedFiles;
  /** Those of these files that a worker keeps: of a task, at a worker, or with this content. */
  kept(
    of: { readonly taskId: string } | { readonly workerId: string } | { readonly blob: string },
  ): readonly KeptOutput[];
  /** Files kept at each worker that keeps any. */
  keptCounts(): ReadonlyMap<string, number>;
  batch(id: string): BatchRow | null;
  /** The same without what is counted, and so at once; null: there is none. */
  batchHead(id: string): Pick<BatchRow, 'owner' | 'notify'> | null;
  /** Newest first; `before` is the id the page starts after. */
  batches(filter: { readonly owner?: string }, page: { limit: number; before: string | null }): readonly BatchRow[];
  /** Attempts of the tasks that ended at `since` (wall ms) or later, the last ones first; at most `limit`. */
  endedAttempts(filter: { readonly since: number; readonly owner?: string }, limit: number): readonly EndedAttempt[];
  /** Notices that have not arrived yet, the oldest first. */
  deliveries(): readonly DeliveryRecord[];
  /** A setting that was committed; null = it never was. */
  setting(key: string): string | null;
  idempotency(key: string): { readonly bodyHash: string; readonly answer: string } | null;
  /** Oldest first unless `newestFirst`; `after` is the id the page starts after (0 = from the beginning). */
  audit(filter: AuditFilter, page: { limit: number; after: number; newestFirst?: boolean }): readonly AuditEntry[];
  /** Reads the whole record and checks its chain, up to and including the last entry written. Takes 1 s a million entries, about. */
  verifyAudit(): AuditFinding;
  /**
   * Deletes ended tasks completed before `wallMs` with all that hangs on them; returns how many, their blobs, and what is
   * to be said of it to whoever knew of them. One whose files a worker keeps stays for as long as another task wants them as inputs.
   * `statuses`: only tasks that ended so.
   */
  prune(
    wallMs: number,
    limit: number,
    statuses?: readonly FinalStatus[],
  ): ForgottenTasks & { readonly tasks: number; readonly blobs: readonly string[] };
  close(): void;
}
