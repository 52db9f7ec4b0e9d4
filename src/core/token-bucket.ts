/**
 * Token buckets: how often each of many keys may do something. A bucket holds up to `burst` tokens, gains `ratePerSecond`
 * of them evenly, and each act takes some; when too few are left, the answer is how long to wait for them.
 *
 * Pure: the time is handed in. Memory is bounded: a key that is not known has a full bucket, and beyond `keysMax` the
 * bucket unused for longest is forgotten. Whoever can act under more than `keysMax` keys is therefore not held up by this.
 * Time that steps back gains nothing and takes nothing.
 */

import { assert } from '../base/assert.ts';

export interface BucketRule {
  /** Above 0. */
  readonly ratePerSecond: number;
  /** At least 1. */
  readonly burst: number;
  /** Keys remembered at once, at least 1. */
  readonly keysMax: number;
}

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

export class TokenBuckets {
  readonly #rule: BucketRule;
  /** In order of last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(rule: BucketRule) {
    assert(rule.ratePerSecond > 0 && rule.burst >= 1 && rule.keysMax >= 1, 'a bucket fills, and holds a token');
    this.#rule = rule;
  }

  /** Keys remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes `amount` tokens of `key` and answers null; or, when it holds fewer, takes none and answers after how many ms it will not. */
  take(key: string, nowMs: number, amount = 1): number | null {
    const waitMs = this.waitMs(key, nowMs, amount);
    if (waitMs === null) this.#put(key, { tokens: this.#tokensOf(key, nowMs) - amount, at: this.#timeOf(key, nowMs) });
    return waitMs;
  }

  /** Puts back what was taken for an act that turned out not to count. */
  giveBack(key: string, nowMs: number, amount = 1): void {
    const tokens = Math.min(this.#rule.burst, this.#tokensOf(key, nowMs) + amount);
    this.#put(key, { tokens, at: this.#timeOf(key, nowMs) });
  }

  /** What `take` would answer. An `amount` above the burst never comes together: such a caller asks for the burst. */
  waitMs(key: string, nowMs: number, amount = 1): number | null {
    assert(amount >= 0 && amount <= this.#rule.burst, 'no more is asked for than a bucket holds');
    // A billionth of a token is the rounding of the sums that filled the bucket.
    const missing = amount - this.#tokensOf(key, nowMs) - 1e-9;
    return missing <= 0 ? null : Math.ceil((missing / this.#rule.ratePerSecond) * 1000);
  }

  #timeOf(key: string, nowMs: number): number {
    return Math.max(nowMs, this.#buckets.get(key)?.at ?? nowMs);
  }

  #tokensOf(key: string, nowMs: number): number {
    const { burst, ratePerSecond } = this.#rule;
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return burst;
    return Math.min(burst, bucket.tokens + (Math.max(0, nowMs - bucket.at) / 1000) * ratePerSecond);
  }

  #put(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size <= this.#rule.keysMax) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}
