/**
 * Bytes on disk: output of live attempts, blobs by the hash of their content, and the places and files of attempts on a
 * worker.
 */

import type { AttemptKey } from '../core/attempt.ts';
import type { TaskFile } from '../core/files.ts';
import type { Stream } from '../wire/messages.ts';

/** An unprivileged account that a worker started as root runs tasks as. */
export interface TaskUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The files an attempt left. */
export interface CollectedFiles {
  readonly files: readonly TaskFile[];
  /** Why something that was to be collected was not: sentences for people. */
  readonly problems: readonly string[];
}

/** Output as a row keeps it: everything when small, else head and tail, with the whole as a blob. */
export interface StoredOutput {
  readonly bytes: Uint8Array;
  readonly totalBytes: number;
  /** `sha256:<hex>` of the whole when `bytes` is not the whole. */
  readonly blob: string | null;
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
   * A blob that is here already gives a receiver that has everything; what came of it under another size, one that
   * has nothing.
   */
  receive(blob: string, bytes: number): BlobReceiver;
  /** Bytes of a blob that is not whole yet: where `receive` goes on. 0 when none came. */
  received(blob: string): number;
  /** Up to `max` bytes from `from` of what came so far of a blob that is not whole yet; nobody has checked them. */
  readReceived(blob: string, from: number, max: number): Uint8Array;
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
  /** Appends at `received`; `data` is not kept. Errors: `storage_unavailable`, and `invalid` beyond the announced size. */
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

/** Files of an attempt that a worker keeps until nobody wants them any more. */
export interface KeptAttempt extends AttemptKey {
  readonly files: readonly Pick<TaskFile, 'blob' | 'bytes'>[];
}

/** The memory of what a worker keeps, over restarts. */
export interface KeptList {
  /** Replaces what is remembered; it survives a loss of power when this returns. Error: `io`. */
  save(attempts: readonly KeptAttempt[]): void;
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
   * Patterns: a path names a file, or a directory and all below it, as does a glob. `*` and `?` stay within a part, `**` goes over any
   * number of them; `{a,b}`, `[ab]`, `[!ab]`; `!` in front takes out of what others match. Hidden names are only matched
   * by a part that begins with a dot itself.
   */
  collect(patterns: readonly string[], area: TaskArea, bytesMax: number): Promise<CollectedFiles>;
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
