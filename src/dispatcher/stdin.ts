/**
 * Live input on its way to a running task: one chunk at a time, and the one who feeds it waits until the process took
 * it. So a slow process slows its feeder down, and the dispatcher holds one chunk for each task at most.
 */

import { OctasklyError } from '../base/errors.ts';
import type { AttemptKey } from '../core/attempt.ts';
import type { DispatcherMessage } from '../wire/messages.ts';

export interface StdinChunk {
  readonly offset: number;
  readonly data: Uint8Array;
  readonly eof: boolean;
}

interface Waiting {
  readonly chunk: StdinChunk;
  readonly resolve: () => void;
  readonly reject: (error: OctasklyError) => void;
}

/** Sends to the worker that runs the attempt, if it is connected. */
type Send = (taskId: string, message: DispatcherMessage) => void;

export class LiveStdin {
  readonly #waiting = new Map<string, Waiting>();
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  /** Offers the next chunk. `running` is the attempt if it runs already. Error: `conflict` while one is on its way. */
  write(taskId: string, chunk: StdinChunk, running: AttemptKey | null): Promise<void> {
    if (this.#waiting.has(taskId)) {
      return Promise.reject(
        new OctasklyError('conflict', `Input for task ${taskId} is already on its way; send one chunk at a time.`),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.set(taskId, { chunk, resolve, reject });
      if (running !== null) this.started(running);
    });
  }

  /** The attempt runs (or its worker is back): what waits for it is sent. */
  started({ taskId, attempt }: AttemptKey): void {
    const waiting = this.#waiting.get(taskId);
    if (waiting !== undefined) this.#send(taskId, { kind: 'stdin', taskId, attempt, ...waiting.chunk });
  }

  /** The process took bytes up to `offset`, or will take no more. */
  taken({ taskId, offset, open }: { taskId: string; offset: number; open: boolean }): void {
    const waiting = this.#waiting.get(taskId);
    if (waiting === undefined) return;
    const { chunk, resolve, reject } = waiting;
    const end = chunk.offset + chunk.data.length;
    if (open && offset >= chunk.offset && offset < end) return;
    this.#waiting.delete(taskId);
    if (offset >= end) resolve();
    else if (open)
      reject(
        new OctasklyError(
          'conflict',
          `Task ${taskId} has read its input up to byte ${offset} only; a new attempt starts at 0.`,
        ),
      );
    else reject(new OctasklyError('conflict', `Task ${taskId} reads no more input.`));
  }

  /** The task ended: nobody will take what waits. */
  ended(taskId: string): void {
    const waiting = this.#waiting.get(taskId);
    this.#waiting.delete(taskId);
    waiting?.reject(new OctasklyError('conflict', `Task ${taskId} has ended and reads no more input.`));
  }

  endAll(): void {
    for (const taskId of [...this.#waiting.keys()]) this.ended(taskId);
  }
}
