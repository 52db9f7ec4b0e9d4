/**
 * Live input on its way to a running task: one chunk at a time, and the one who feeds it waits until the process took
 * it. So a slow process slows its feeder down, and the dispatcher holds one chunk for each task at most.
 *
 * A feeder that goes away must not leave a task waiting for ever: when no chunk came for `feederSilenceMs`, the input is
 * ended, as if the feeder had said so. A feeder with nothing to pass on says so by empty chunks.
 */

import { OctasklyError } from '../base/errors.ts';
import type { AttemptKey } from '../core/attempt.ts';
import type { TerminalSize } from '../core/task.ts';
import type { Clock, Timer } from '../ports/time.ts';
import type { DispatcherMessage } from '../wire/messages.ts';

/** Input is ended after this long without a chunk, counted from the submission, or from when the last one was taken. */
export const feederSilenceMs = 60_000;

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

/** The input of one live task. */
interface Input {
  /** The chunk that nobody has taken yet. */
  waiting: Waiting | null;
  /** How far the input has got. */
  offset: number;
  /** What its terminal was resized to last. */
  size: TerminalSize | null;
  patience: Timer | null;
}

interface Parts {
  readonly clock: Clock;
  /** Sends to the worker that runs the attempt, if it is connected. */
  send(taskId: string, message: DispatcherMessage): void;
  /** The attempt of a task that runs now, null when none does. */
  running(taskId: string): AttemptKey | null;
}

export class LiveStdin {
  readonly #parts: Parts;
  readonly #inputs = new Map<string, Input>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** A task with live input is there: somebody should begin to feed it. */
  expect(taskId: string): void {
    const input: Input = { waiting: null, offset: 0, size: null, patience: null };
    this.#inputs.set(taskId, input);
    this.#wait(taskId, input);
  }

  /** Offers the next chunk to a live task. Errors: `conflict` while one is on its way, or when nothing more is taken. */
  write(taskId: string, chunk: StdinChunk): Promise<void> {
    const input = this.#inputs.get(taskId);
    if (input === undefined) return Promise.reject(conflict(`Task ${taskId} reads no more input.`));
    if (input.waiting !== null) {
      return Promise.reject(conflict(`Input for task ${taskId} is already on its way; send one chunk at a time.`));
    }
    return new Promise((resolve, reject) => this.#offer(taskId, input, { chunk, resolve, reject }));
  }

  /** The attempt runs (or its worker is back): what waits for it is sent. */
  started({ taskId, attempt }: AttemptKey): void {
    const { waiting = null, size = null } = this.#inputs.get(taskId) ?? {};
    if (size !== null) this.#parts.send(taskId, { kind: 'resize', taskId, attempt, ...size });
    if (waiting !== null) this.#parts.send(taskId, { kind: 'stdin', taskId, attempt, ...waiting.chunk });
  }

  /** Gives a live task's terminal another size, now or when it has started. */
  resize(taskId: string, size: TerminalSize): void {
    const input = this.#inputs.get(taskId);
    if (input === undefined) return;
    input.size = size;
    const attempt = this.#parts.running(taskId);
    if (attempt !== null) this.#parts.send(taskId, { kind: 'resize', ...attempt, ...size });
  }

  /** The process took bytes up to `offset`, or will take no more. */
  taken({ taskId, offset, open }: { taskId: string; offset: number; open: boolean }): void {
    const input = this.#inputs.get(taskId);
    if (input === undefined || input.waiting === null) return;
    const { chunk, resolve, reject } = input.waiting;
    const end = chunk.offset + chunk.data.length;
    if (open && offset >= chunk.offset && offset < end) return;
    input.waiting = null;
    input.offset = Math.max(input.offset, offset);
    if (open && !chunk.eof) this.#wait(taskId, input);
    if (offset >= end) resolve();
    else if (open)
      reject(conflict(`Task ${taskId} has read its input up to byte ${offset} only; a new attempt starts at 0.`));
    else reject(conflict(`Task ${taskId} reads no more input.`));
  }

  /** The task ended: nobody will take what waits. */
  ended(taskId: string): void {
    const input = this.#inputs.get(taskId);
    if (input === undefined) return;
    this.#inputs.delete(taskId);
    input.patience?.cancel();
    input.waiting?.reject(conflict(`Task ${taskId} has ended and reads no more input.`));
  }

  endAll(): void {
    for (const taskId of [...this.#inputs.keys()]) this.ended(taskId);
  }

  #offer(taskId: string, input: Input, waiting: Waiting): void {
    input.patience?.cancel();
    input.waiting = waiting;
    const attempt = this.#parts.running(taskId);
    if (attempt !== null) this.started(attempt);
  }

  #wait(taskId: string, input: Input): void {
    input.patience?.cancel();
    input.patience = this.#parts.clock.after(feederSilenceMs, () => {
      const chunk = { offset: input.offset, data: new Uint8Array(0), eof: true };
      this.#offer(taskId, input, { chunk, resolve: () => undefined, reject: () => undefined });
    });
  }
}

function conflict(message: string): OctasklyError {
  return new OctasklyError('conflict', message);
}
