/**
 * Waiting between tries: exponential backoff with jitter, and a sleep that an `AbortSignal` ends.
 * Web globals only. It decides how long, never whether: that is the caller's.
 */

/** Ends early, by rejecting with the signal's reason, when `signal` aborts. `delayMs` >= 0. */
export type Sleep = (delayMs: number, signal: AbortSignal | undefined) => Promise<void>;

export const sleep: Sleep = (delayMs, signal) =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });

/** Delays of one series of tries: `baseMs`, doubled each time up to `capMs`; half of each is drawn by lot. */
export class Backoff {
  private tries = 0;
  private readonly baseMs: number;
  private readonly capMs: number;

  constructor(limits: { readonly baseMs: number; readonly capMs: number }) {
    this.baseMs = limits.baseMs;
    this.capMs = limits.capMs;
  }

  /** The next delay in ms. */
  next(): number {
    const full = Math.min(this.capMs, this.baseMs * 2 ** this.tries);
    this.tries += 1;
    return full / 2 + (Math.random() * full) / 2;
  }

  /** A try succeeded: the next delay is the first one again. */
  reset(): void {
    this.tries = 0;
  }
}

/** Between reconnections of a stream: the first comes at once to the eye, later ones are no burden. */
export const reconnectDelays = { baseMs: 100, capMs: 5000 } as const;
