/**
 * The outside world as small interfaces. Drivers know these; `runtime/` and `store/` implement them; the simulation
 * implements them again. Each contract says what is guaranteed, what is not, what ends it and what is bounded.
 */

import type { TaskFile } from './core/files.ts';
import type { RememberedWorker } from './core/restore.ts';
import type { AttemptOutcome, AttemptRecord, StdinSpec, Task, TaskStatus } from './core/task.ts';
import type { DispatcherMessage, Stream, WorkerMessage } from './wire/messages.ts';

// ---------------------------------------------------------------------------------------------------------- time

/** A timer that was set; `cancel` is idempotent and safe after it fired. */
export interface Timer {
  cancel(): void;
}

/**
 * Time. `steady` never goes back and ignores clock changes: every deadline uses it. `wall` is for records and people.
 * Guarantee: callbacks run from the event loop, never inside the call that set them.
 */
export interface Clock {
  /** Milliseconds from an arbitrary start, never decreasing. */
  steady(): number;
  /** Milliseconds since 1970 by the system's clock; may jump either way. */
  wall(): number;
  /** Runs `action` once, not earlier than `delayMs` from now. */
  after(delayMs: number, action: () => void): Timer;
  /** Runs `action` once the current burst of I/O has been taken in: what makes group commit and batching free. */
  soon(action: () => void): void;
}

/** Randomness for ids and nonces; secret material comes from `wire/noise`'s crypto, not from here. */
export interface Random {
  bytes(count: number): Uint8Array;
}

/** Structured log. `fields` hold no secrets. Never throws, never blocks for long. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

// --------------------------------------------------------------------------------------------------------- links

/** Why a link ended. Counted by `code`. */
export interface LinkEnd {
  readonly code:
    | 'closed' // the other side hung up, or we did, in good order
    | 'connection_lost'
    | 'handshake_timeout'
    | 'wrong_secret'
    | 'version_mismatch'
    | 'malformed' // not a frame, not CBOR, not a message, wrong direction
    | 'oversized'
    | 'forged' // authentication of a frame failed: altered, replayed, reordered
    | 'stalled' // the other side took nothing for too long
    | 'refused';
  /** A sentence for people. */
  readonly detail: string;
}

/**
 * An authenticated, encrypted, ordered channel of checked messages to one other node.
 * Guarantees: messages arrive in order, unaltered, at most once, and fit their schema. Not guaranteed: that a sent
 * message arrives. `send` never throws and never blocks; after the end it does nothing.
 * Bounded: above `highWaterBytes` queued, `congested` turns true and `onDrain` follows; a peer that takes nothing for
 * too long is ended as `stalled`.
 */
export interface Link<Sends> {
  /** Address of the other side, for logs. */
  readonly remote: string;
  /** The other side's static public key, hex: who it is, cryptographically. */
  readonly remoteKey: string;
  readonly congested: boolean;
  send(message: Sends): void;
  /** Sends what is queued, then ends the link. Idempotent. */
  close(detail: string): void;
}

export interface LinkHandlers<Receives> {
  onMessage(message: Receives): void;
  /** After `congested`: there is room again. */
  onDrain(): void;
  /** Exactly once, last. */
  onEnd(end: LinkEnd): void;
}

export type WorkerLink = Link<WorkerMessage>;
export type DispatcherLink = Link<DispatcherMessage>;

/** Accepts workers. Bounded: unauthenticated connections in number and time. */
export interface LinkListener {
  readonly port: number;
  /** Ended links by code, since start. */
  readonly counts: Readonly<Record<string, number>>;
  close(): Promise<void>;
}

export interface Links {
  /** Starts listening. Errors: `in_use`, `io`. `accept` is called once per authenticated link. */
  listen(
    address: { host: string; port: number },
    accept: (link: DispatcherLink) => LinkHandlers<WorkerMessage>,
  ): Promise<LinkListener>;
  /** Dials, authenticates; resolves with the link or with why it failed. Never rejects for the network's sake. */
  dial(
    address: { host: string; port: number },
    handlers: (link: WorkerLink) => LinkHandlers<DispatcherMessage>,
  ): Promise<{ readonly ok: true; readonly link: WorkerLink } | { readonly ok: false; readonly end: LinkEnd }>;
}

// --------------------------------------------------------------------------------------------------------- store

/** Output as a row keeps it: everything when small, else head and tail, with the whole as a blob. */
export interface StoredOutput {
  readonly bytes: Uint8Array;
  readonly totalBytes: number;
  /** `sha256:<hex>` of the whole when `bytes` is not the whole. */
  readonly blob: string | null;
}

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
    }
  | {
      readonly kind: 'batch';
      readonly id: string;
      readonly name: string | null;
      readonly createdAt: number;
      readonly size: number;
    }
  | {
      readonly kind: 'idempotency';
      readonly key: string;
      readonly bodyHash: string;
      readonly answer: string;
      readonly createdAt: number;
    }
  | { readonly kind: 'worker'; readonly record: RememberedWorker }
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

/** The files an attempt left. */
export interface CollectedFiles {
  readonly files: readonly TaskFile[];
  /** Why something that was to be collected was not: sentences for people. */
  readonly problems: readonly string[];
}

/** A batch as it is read back. */
export interface BatchRow {
  readonly id: string;
  readonly name: string | null;
  readonly createdAt: number;
  readonly size: number;
  /** Its tasks by state. */
  readonly counts: Readonly<Record<TaskStatus, number>>;
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
  batch(id: string): BatchRow | null;
  idempotency(key: string): { readonly bodyHash: string; readonly answer: string } | null;
  /** Deletes ended tasks completed before `wallMs` with all that hangs on them; returns how many and their blobs. */
  prune(wallMs: number, limit: number): { readonly tasks: number; readonly blobs: readonly string[] };
  /** Consistent copy while running, to a file that must not exist. Errors: `conflict`, `io`. */
  backup(file: string): void;
  close(): void;
}

/**
 * Output of live attempts on the dispatcher, by task. Small output stays in memory, larger goes to files at once.
 * A restart may lose what was in memory: `size` then says 0 and the worker sends again from there.
 */
export interface OutputStore {
  /** Appends at `offset`; bytes already here are skipped. False when there is a gap before `offset` (nothing is written). */
  append(taskId: string, attempt: number, stream: Stream, offset: number, data: Uint8Array): boolean;
  size(taskId: string, attempt: number, stream: Stream): number;
  read(taskId: string, attempt: number, stream: Stream, from: number, max: number): Uint8Array;
  /** Closes an attempt's output: what the row keeps; the whole moves to a blob when larger. */
  finish(taskId: string, attempt: number): { readonly stdout: StoredOutput; readonly stderr: StoredOutput };
  discard(taskId: string, attempt: number): void;
}

/**
 * Files by the hash of their content. What is here is whole and had the right hash when it came in; `read` does not
 * hash again, so whoever takes bytes elsewhere has them checked there.
 * Errors of all calls: `storage_unavailable` (disk full, I/O), `not_found` (no such blob).
 */
export interface BlobStore {
  /** Size of a blob that is here, null when it is not. */
  size(blob: string): number | null;
  /** Up to `max` bytes from `from`; fewer at its end only. */
  read(blob: string, from: number, max: number): Uint8Array;
  /**
   * Starts or resumes taking in a blob of `bytes` bytes. One receiver a blob at a time; a second one is `conflict`.
   * A blob that is here already gives a receiver that has everything.
   */
  receive(blob: string, bytes: number): BlobReceiver;
  /** Bytes of a blob that is not whole yet: where `receive` goes on. 0 when none came. */
  received(blob: string): number;
  /** Takes the hash of a blob anew: false when it is not here, or is damaged, and then it is dropped. */
  verify(blob: string): Promise<boolean>;
  /** Makes blobs that came in so far survive power loss. Cheap when nothing came in since the last call. */
  sync(): Promise<void>;
  /** Idempotent. */
  delete(blob: string): void;
}

/** A blob coming in. */
export interface BlobReceiver {
  /** Bytes that are here: the next one wanted is at this offset. */
  readonly received: number;
  /** Appends at `received`. Errors: `storage_unavailable`, and `invalid` beyond the announced size. */
  write(data: Uint8Array): void;
  /** All is here: true when the hash is right and the blob is in the store; false when not, then all of it is dropped. */
  finish(): Promise<boolean>;
  /** Stops; what has come is kept for a later `receive`. Idempotent, nothing after `finish`. */
  suspend(): void;
}

/** The blobs of a worker: a cache with a size limit, least recently used first out, never what is held. */
export interface BlobCache extends BlobStore {
  /** Keeps a blob from being deleted, here or still to come, until as many releases. */
  hold(blob: string): void;
  release(blob: string): void;
}

/** Files of attempts, between blobs and task directories. Errors are sentences that name the file. */
export interface TaskFiles {
  /**
   * Puts `files` into the area, from blobs that are here: reflink, else a read-only hard link where the area is another
   * account's, else a copy. Error: `io` naming the file: no place (disk full), a path that leads out, a blob that is not
   * here or is damaged. A damaged one is dropped, though held: once it was fetched again another try makes sense, and
   * writes over what this one left.
   */
  place(files: readonly TaskFile[], area: TaskArea): Promise<void>;
  /**
   * Takes regular files that match `patterns` as blobs, perhaps out of the area; each is held once for every file until
   * `BlobCache.release`. Symbolic links are not followed; what is no regular file, has further names (hard links), or is
   * beyond `bytesMax` in all, becomes a problem, as does a path asked for by name that is not there. Never rejects.
   * Patterns: a path names a file, or a directory and all below it. `*` and `?` stay within a part, `**` goes over any
   * number of them; `{a,b}`, `[ab]`, `[!ab]`; `!` in front takes out of what others match. Hidden names are only matched
   * by a part that begins with a dot itself.
   */
  collect(patterns: readonly string[], area: TaskArea, bytesMax: number): Promise<CollectedFiles>;
}

// ------------------------------------------------------------------------------------------------------ processes

/** An unprivileged account that a worker started as root runs tasks as. */
export interface TaskUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** What to start. `env` is complete: nothing is inherited. */
export interface LaunchPlan {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: StdinSpec;
  /** Marks every process of the tree, by environment, so that none is overlooked. */
  readonly marker: string;
  /** Contents of the descriptors from 3 on, readable from their beginning by the first program alone. */
  readonly descriptors: readonly Uint8Array[];
  /** Account to start as; null = the worker's own. */
  readonly user: TaskUser | null;
  /** File mode creation mask; null = the worker's own. */
  readonly umask: number | null;
  /** Added to the niceness of the worker, 0 … 19. */
  readonly nice: number;
  /** The first programs of the chain that are not the task's: TERM passes them over, and goes to what they started. */
  readonly wrappers: number;
  readonly limits: LaunchLimits;
  /** Directories whose content counts as the attempt's disk use. */
  readonly directories: readonly string[];
}

/** What the launcher keeps the tree within, beside what the plan's own programs do. Null = not its part. */
export interface LaunchLimits {
  readonly cpuTimeMs: number | null;
  readonly memoryBytes: number | null;
  readonly diskBytes: number | null;
  readonly processes: number | null;
}

/** A limit that ended an attempt, or that it ran into before it ended by itself. */
export type LimitExceeded = Omit<Extract<AttemptOutcome, { kind: 'limit_exceeded' }>, 'kind'>;

export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly cpuMs: number | null;
  readonly memoryPeakBytes: number | null;
  readonly writtenBytes: number | null;
  /** The limit that ended it; null when none did. */
  readonly limitExceeded: LimitExceeded | null;
}

/** A process tree that runs. */
export interface Launched {
  readonly pid: number;
  /** Writes to standard input; resolves true when taken, false when the process takes no more. */
  writeStdin(data: Uint8Array): Promise<boolean>;
  closeStdin(): void;
  /** Asks the whole tree to end (TERM). */
  terminate(): void;
  /** Ends the whole tree (KILL). Idempotent. */
  kill(): void;
  /** Resolves once, after the main process ended, nothing of its tree runs any more and its output was delivered. */
  readonly ended: Promise<ProcessEnd>;
}

/**
 * Starts processes. Each gets its own session; the whole tree ends with the main process, also what double-forked or
 * called setsid; and also when the worker itself is killed.
 * `onOutput` is called with bytes as they come; while the promise it returns is pending, the process is not read from.
 */
export interface Launcher {
  /** Throws `OctasklyError('io')` when the program cannot be started; nothing runs then. */
  launch(plan: LaunchPlan, onOutput: (stream: Stream, data: Uint8Array) => Promise<void> | undefined): Launched;
}

/** Bytes a worker keeps until the dispatcher has them. Memory first, a file beyond a bound. */
export interface Spool {
  readonly size: number;
  append(data: Uint8Array): void;
  read(from: number, max: number): Uint8Array;
  /** Frees everything. Idempotent. */
  discard(): void;
}

/** The places of one attempt on the worker's disk. */
export interface TaskArea {
  /** Where the command runs: absolute, 0700, empty at first. */
  readonly directory: string;
  /** Its private temporary directory, beside and not below the other; null at levels that have none. */
  readonly temporary: string | null;
  /** Whose directories these are; null = the worker's own account. */
  readonly user: TaskUser | null;
}

/** Places on the worker's disk. Errors: `io`. */
export interface Workspace {
  /** Empty private directories for one attempt. `isolated`: never used before, with a temporary one. */
  createArea(how: { readonly isolated: boolean; readonly user: TaskUser | null }): TaskArea;
  /** Removes them with all in them, whatever the task made there, beside other work; resolves when gone. Never rejects. */
  removeArea(area: TaskArea): Promise<void>;
  openSpool(key: string): Spool;
}
