/**
 * Logs of workers, read by whoever asks here: the question goes to the worker over its link, and the answer back to whoever
 * asked. Nothing is kept. Bounded: `questionsMax` questions at once, each for `answerMsMax`.
 *
 * Invariant: a question is answered by the worker it was put to, once; what comes otherwise is dropped.
 */

import { OctasklyError } from '../base/errors.ts';
import type { Clock, Timer } from '../ports/time.ts';
import type { DispatcherMessage, WorkerMessage } from '../wire/messages.ts';

/** Questions that wait for an answer, of all workers together. */
const questionsMax = 64;
const answerMsMax = 10_000;

interface Question {
  readonly workerId: string;
  readonly name: string;
  readonly timer: Timer;
  resolve(lines: readonly string[]): void;
  reject(error: OctasklyError): void;
}

interface Parts {
  readonly clock: Clock;
  /** False when the worker has no link. */
  ask(workerId: string, message: Extract<DispatcherMessage, { kind: 'logWanted' }>): boolean;
}

export class WorkerLogs {
  readonly #parts: Parts;
  readonly #questions = new Map<number, Question>();
  #next = 1;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * The last `lines` lines of the worker's log, oldest first. Errors: `worker_away`, `timeout`, `rate_limited` when too
   * many ask at once.
   */
  read({ id, name }: { readonly id: string; readonly name: string }, lines: number): Promise<readonly string[]> {
    if (this.#questions.size >= questionsMax) {
      const message = `${questionsMax} logs are being read just now: ask again in a moment.`;
      return Promise.reject(new OctasklyError('rate_limited', message));
    }
    const request = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      const late = new OctasklyError('timeout', `Worker ${name} did not answer within ${answerMsMax / 1000} s.`);
      const timer = this.#parts.clock.after(answerMsMax, () => this.#take(request)?.reject(late));
      this.#questions.set(request, { workerId: id, name, timer, resolve, reject });
      if (!this.#parts.ask(id, { kind: 'logWanted', request, lines })) this.#take(request)?.reject(awayError(name));
    });
  }

  /** An answer that came from the worker `workerId`. */
  answered(workerId: string, { request, lines }: Extract<WorkerMessage, { kind: 'logLines' }>): void {
    if (this.#questions.get(request)?.workerId === workerId) this.#take(request)?.resolve(lines);
  }

  /** The worker's link has ended: nothing of what it was asked will be answered. */
  left(workerId: string): void {
    for (const [request, question] of [...this.#questions]) {
      if (question.workerId === workerId) this.#take(request)?.reject(awayError(question.name));
    }
  }

  #take(request: number): Question | null {
    const question = this.#questions.get(request) ?? null;
    this.#questions.delete(request);
    question?.timer.cancel();
    return question;
  }
}

function awayError(name: string): OctasklyError {
  return new OctasklyError(
    'worker_away',
    `Worker ${name} is not connected, so its log cannot be read from here: try again when it is back, or look on that device.`,
  );
}
