/**
 * Reading a task's output while it is made and after: one cursor over memory, file, row and blob.
 *
 * A cursor that follows goes on over retries: after the last byte of an attempt comes the first of the next. It pulls at
 * its reader's pace, so a slow reader costs nothing but its cursor.
 */

import type { OutputCursor } from '../api/backend.ts';
import { isFinal, type Task } from '../core/task.ts';
import type { BlobStore, OutputStore, StoredOutput } from '../ports/files.ts';
import type { Store, TaskRow } from '../ports/store.ts';
import type { Stream } from '../wire/messages.ts';

const nothing = new Uint8Array(0);

/** Readers waiting for a task to write or to end. */
export class OutputWatch {
  readonly #waiting = new Map<string, Set<() => void>>();

  wait(taskId: string): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(taskId) ?? new Set();
      this.#waiting.set(taskId, waiting);
      waiting.add(resolve);
    });
  }

  /** Something changed about the task's output. */
  notify(taskId: string): void {
    const waiting = this.#waiting.get(taskId);
    if (waiting === undefined) return;
    this.#waiting.delete(taskId);
    for (const resolve of waiting) resolve();
  }

  notifyAll(): void {
    for (const taskId of [...this.#waiting.keys()]) this.notify(taskId);
  }
}

interface Sources {
  readonly store: Store;
  readonly outputs: OutputStore;
  readonly blobs: BlobStore;
  readonly watch: OutputWatch;
  liveTask(id: string): Task | undefined;
  /** The dispatcher goes down: followers are let go. */
  isClosing(): boolean;
}

/** Up to `max` bytes of a stored stream from `from`; the row's head and tail stand in when the blob is gone. */
export function readStored(blobs: BlobStore, stored: StoredOutput, from: number, max: number): Uint8Array {
  if (stored.blob === null) return stored.bytes.subarray(from, from + max);
  if (from >= stored.totalBytes) return nothing;
  return blobs.read(stored.blob, from, max);
}

export function openCursor(
  sources: Sources,
  wanted: { id: string; stream: Stream; from: number; follow: boolean },
  row: TaskRow,
): OutputCursor {
  const { id, stream, follow } = wanted;
  let position = wanted.from;
  let attempt = row.task.attempt;
  let closed = false;

  const readLive = (max: number): Uint8Array | null => {
    const live = sources.liveTask(id);
    if (live === undefined || live.phase === 'idle' || live.attempt !== attempt) return null;
    return sources.outputs.read(id, attempt, stream, position, max);
  };

  const readEnded = (max: number): Uint8Array => {
    const stored = sources.store.task(id)?.[stream] ?? null;
    return stored === null ? nothing : readStored(sources.blobs, stored, position, max);
  };

  /** Moves on to the next attempt's output, if there is one on record: what could not be stored never happened. */
  const moveOn = (): boolean => {
    const next = sources.store.task(id)?.task.attempt ?? attempt;
    if (next === attempt) return false;
    if (attempt > 0) position = 0;
    attempt = next;
    return true;
  };

  const hasEnded = (): boolean => {
    const status = sources.liveTask(id)?.status ?? sources.store.task(id)?.task.status;
    return status === undefined || isFinal(status);
  };

  return {
    read(max) {
      for (;;) {
        if (closed) return null;
        const live = readLive(max);
        const bytes = live ?? readEnded(max);
        position += bytes.length;
        if (bytes.length > 0) return bytes;
        if (live === null && moveOn()) continue;
        return !follow || hasEnded() || sources.isClosing() ? null : nothing;
      }
    },
    next() {
      return closed || hasEnded() || sources.isClosing() ? Promise.resolve() : sources.watch.wait(id);
    },
    close() {
      closed = true;
      sources.watch.notify(id);
    },
  };
}
