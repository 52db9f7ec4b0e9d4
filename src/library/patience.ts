/**
 * Trying again: while the dispatcher is away or starts anew, and while its queue is full. Whether a call may be made twice
 * is the caller's business: submissions carry an idempotency key, reads change nothing.
 */

import { OctasklyError } from '../base/errors.ts';
import { Backoff, reconnectDelays, type Sleep } from '../client/backoff.ts';
import { isTransient } from '../client/http.ts';

/** True while the dispatcher takes no more tasks just now. */
export function isBusy(error: unknown): boolean {
  return error instanceof OctasklyError && (error.code === 'queue_full' || error.code === 'rate_limited');
}

/** True for what may pass by itself. */
export function isPassing(error: unknown): boolean {
  return isTransient(error) || isBusy(error);
}

export interface PatienceOptions {
  readonly sleep: Sleep;
  readonly signal?: AbortSignal | undefined;
  /** Whether to try again after this error, `elapsedMs` after the first try. */
  readonly goesOn: (error: unknown, elapsedMs: number) => boolean;
}

/** Runs `action` until it succeeds, fails with what `goesOn` does not forgive, or the signal aborts. */
export async function patiently<T>(action: () => Promise<T>, { sleep, signal, goesOn }: PatienceOptions): Promise<T> {
  const backoff = new Backoff(reconnectDelays);
  for (const startedAt = performance.now(); ; ) {
    signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      if (!goesOn(error, performance.now() - startedAt)) throw error;
      await sleep(backoff.next(), signal);
    }
  }
}
