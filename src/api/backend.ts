/**
 * What the REST routes need of a dispatcher: an interface so that routes are tested without one.
 * Everything durable is durable when a promise resolves. Errors are `OctasklyError`s; nothing else is thrown.
 */

import type { TaskFile } from '../core/files.ts';
import type { AskedEvent } from '../core/notification.ts';
import type { AttemptRecord, TaskSpec, TerminalSize } from '../core/task.ts';
import type { Actor } from '../core/trust.ts';
import type { BlobStore } from '../ports/files.ts';
import type { BatchRow, Store, TaskFilter, TaskRow } from '../ports/store.ts';
import type { Stream } from '../wire/messages.ts';
import type { MetricFamily } from './metrics.ts';
import type { Explanation, FeedEvent, Stats, WorkerView } from './schemas.ts';

/** A file a task to submit asks for. `bytes`: what the caller believes, if anything; the blob itself decides. */
export interface NewInput {
  readonly path: string;
  readonly blob: string;
  readonly bytes: number | null;
  readonly executable: boolean;
}

/** Files a task left: `at` is the name of the worker that keeps one, null when it is here. */
export interface OutputFiles {
  readonly files: readonly (TaskFile & { readonly at: string | null })[];
  readonly problems: readonly string[];
}

/** A task to submit. `dependsOn` of a batch task may hold names of tasks of the same batch; they are resolved here. */
export type NewTask = Omit<TaskSpec, 'batchId' | 'retryOf' | 'owner' | 'inputs'> & {
  readonly inputs: readonly NewInput[];
};

export interface Submission {
  readonly tasks: readonly NewTask[];
  /** Present: the tasks form a batch, or join one of the same owner. */
  readonly batch:
    | { readonly name: string | null; readonly notify?: readonly string[] }
    | { readonly joins: string; readonly name?: never; readonly notify?: never }
    | null;
  /** Same key and body: the same answer; another body: `conflict`. Before a line feed in the key stands whose it is. */
  readonly idempotency: { readonly key: string; readonly bodyHash: string } | null;
  /** Who asks: its tasks these become, and it may wait for its own tasks only when it may not see others. */
  readonly actor: Actor;
}

export interface Submitted {
  readonly batchId: string | null;
  readonly taskIds: readonly string[];
  /** True when an earlier submission with the same key answered. */
  readonly repeated: boolean;
}

/** One entry of the feed; `id` names its place for `Last-Event-ID`. */
export interface FeedEntry {
  readonly id: string;
  readonly event: FeedEvent;
  /** Of an event about a task: whose it is; null = the cluster owner's, or about no task. */
  readonly owner: string | null;
}

/** Output being followed. `read` returns what is there now; `next` resolves when there is more or the end is known. */
export interface OutputCursor {
  /** Up to `max` bytes after those read before; empty when there are none yet, null after the last. */
  read(max: number): Uint8Array | null;
  /** Resolves when `read` may give more. Rejects never. */
  next(): Promise<void>;
  close(): void;
}

/** How far a delivery is. */
export interface DeliveryState {
  readonly state: 'pending' | 'delivered' | 'given_up';
  /** Those that failed. */
  readonly failed_tries: number;
  /** Why the last try failed; null = none has. */
  readonly error: string | null;
}

/** Notifications that somebody asks for. */
export interface NotificationDesk {
  /**
   * Sends a text to one destination (as `destinationText` writes it), or to those the dispatcher tells; resolves with the
   * ids of the deliveries. Errors: `forbidden`, `conflict` (the dispatcher tells nobody), `rate_limited`.
   */
  send(asked: { to: string | null; event: AskedEvent; text: string }, actor: Actor): Promise<readonly string[]>;
  /** Error: `forbidden` where this actor may not have somebody told. */
  check(asked: { readonly to: string | null }, actor: Actor): void;
  /** What became of a delivery that this actor asked for; null when that is not known, or not any more. */
  delivery(id: string, actor: Actor): DeliveryState | null;
  /** What webhooks are signed with. */
  key(): string;
}

export interface Backend {
  /** Null: nobody is told of anything. */
  readonly notifications: NotificationDesk | null;
  /** The blobs that are here and come in. Only what was synced may be named by a task that is stored. */
  readonly blobs: Pick<BlobStore, 'size' | 'read' | 'receive' | 'received' | 'sync' | 'verify'>;
  /**
   * Errors: `queue_full` (all or nothing), `shutting_down`, `storage_unavailable`, `conflict`, `invalid` (an unknown
   * dependency; an input whose blob is not here), `not_found` (no batch of the actor's to join).
   */
  submit(submission: Submission): Promise<Submitted>;
  task(id: string): TaskRow | null;
  attempts(id: string): readonly AttemptRecord[];
  tasks(filter: TaskFilter, page: { limit: number; before: string | null }): readonly TaskRow[];
  batch(id: string): BatchRow | null;
  /** As `Store.batches` and `Store.endedAttempts`. */
  batches: Store['batches'];
  endedAttempts: Store['endedAttempts'];
  /** Resolves when the request is on record; ended tasks are left as they are. Error: `not_found`. */
  cancel(ids: readonly string[], actor: Actor): Promise<void>;
  /** Cancels what has not ended of a batch. Error: `not_found`. */
  cancelBatch(id: string, actor: Actor): Promise<void>;
  /** Submits an ended task again, as a new one. Errors: `not_found`, `conflict` (not ended), as `submit`. */
  retry(id: string, actor: Actor): Promise<string>;
  /** Feeds a running or waiting task's stream stdin. Resolves when the process took it. Errors: `not_found`, `conflict`. */
  writeStdin(
    id: string,
    chunk: { readonly offset: number; readonly data: Uint8Array; readonly eof: boolean },
  ): Promise<void>;
  /** Gives the terminal of a live task another size. Errors: `not_found`, `conflict` (it has ended, or has none). */
  resize(id: string, size: TerminalSize): void;
  /**
   * Holds on to a task submitted with `attached`, which lives as long as somebody does. Resolves when it has ended,
   * `signal` aborts, or it is time to ask again, which is true then; false for a task that needs nobody. Error: `not_found`.
   */
  attend(id: string, signal: AbortSignal): Promise<boolean>;
  /**
   * For `forMs` nobody need hold on to these batches, or tasks of none. False: none of them needs anybody any more.
   */
  keepAttended(ids: readonly string[], forMs: number): boolean;
  /** Output of the current or last attempt from byte `from`; with `follow` until the task ends. Error: `not_found`. */
  output(id: string, stream: Stream, options: { from: number; follow: boolean }): OutputCursor;
  /** The files the last attempt left. Error: `not_found`. */
  files(id: string): OutputFiles;
  /**
   * Brings a blob that a worker keeps: its size once it is here, null when no worker is known to keep it. Waits for as
   * long as bytes come, unless `signal` aborts. Errors: `worker_away` (it may come back), `gone` (for good), `timeout`,
   * `io`, `storage_unavailable`.
   */
  bring(blob: string, signal: AbortSignal): Promise<number | null>;
  explain(id: string): Explanation | null;
  workers(): readonly WorkerView[];
  /** The last lines of a worker's own log, oldest first. Errors: `worker_away`, `timeout`, `rate_limited`. */
  workerLog(worker: { readonly id: string; readonly name: string }, lines: number): Promise<readonly string[]>;
  /** Error: `not_found`. */
  setDraining(workerId: string, draining: boolean, actor: Actor): Promise<void>;
  /** Calls a worker that is away; how many packets left. Errors: `conflict` where there is nothing to call. */
  wakeWorker(workerId: string, actor: Actor): Promise<number>;
  setPaused(paused: boolean, actor: Actor): Promise<void>;
  stats(): Stats;
  /** What `/metrics` tells. */
  metrics(): readonly MetricFamily[];
  /** False while nothing can be stored or the dispatcher is going down. */
  ready(): { readonly ready: boolean; readonly reason: string | null };
  /**
   * Entries after `lastId` (null: from now on), then live ones. When `lastId` is too old or of an earlier run, the first
   * call is `onReset`. A subscriber that does not keep up is ended: `onEnd`. Returns what ends the subscription.
   */
  subscribe(
    lastId: string | null,
    subscriber: { onEntry(entry: FeedEntry): void; onReset(lastId: string): void; onEnd(): void },
  ): () => void;
}
