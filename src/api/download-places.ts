/**
 * How many may be handed the program at once, and how often an address may ask: whoever asks needs no token, so a stranger
 * on the network could otherwise keep the disk and the network of the dispatcher busy.
 */

import { TokenBuckets } from '../core/token-bucket.ts';
import type { Clock } from '../ports/time.ts';
import { RateLimitedError } from './problem.ts';

/** Downloads at once, of all and of one address. A further one is told when to come back, and the scripts do. */
const downloadsMax = 8;
const downloadsOfOneMax = 3;
/** Requests of one address: at once, and a second. */
const requestsAtOnce = 60;
const requestsPerSecond = 2;
/** Addresses that are remembered. */
const keysMax = 4096;
/** When somebody may try again who found all places taken. */
const againMs = 3000;

export class DownloadPlaces {
  readonly #clock: Pick<Clock, 'steady'>;
  readonly #requests = new TokenBuckets({ ratePerSecond: requestsPerSecond, burst: requestsAtOnce, keysMax });
  /** By address. */
  readonly #taken = new Map<string, number>();
  #count = 0;

  constructor(clock: Pick<Clock, 'steady'>) {
    this.#clock = clock;
  }

  /** Counts a request. Error: `rate_limited`. */
  ask(from: string | null): void {
    const waitMs = this.#requests.take(from ?? '', this.#clock.steady());
    if (waitMs !== null) throw new RateLimitedError('This address asks too often.', waitMs);
  }

  /** A place for one download; call what it returns when that is over, once or more often. Error: `rate_limited`. */
  take(from: string | null): () => void {
    const key = from ?? '';
    const ofOne = this.#taken.get(key) ?? 0;
    if (this.#count >= downloadsMax || ofOne >= downloadsOfOneMax) {
      const who = ofOne >= downloadsOfOneMax ? 'This address' : 'Others';
      throw new RateLimitedError(`${who} download as much as may be at once: try again in a moment.`, againMs);
    }
    this.#count += 1;
    this.#taken.set(key, ofOne + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#count -= 1;
      const left = (this.#taken.get(key) ?? 1) - 1;
      if (left === 0) this.#taken.delete(key);
      else this.#taken.set(key, left);
    };
  }

  /** Downloads that go on. */
  get count(): number {
    return this.#count;
  }
}
