/**
 * Which receivers may be written to just now. Pure; instants are steady ms and handed in.
 *
 * One request at a time goes to an address, so that a slow one delays itself alone; a few go to a host, and to all. Notices of
 * a share (`room.ts`) leave some of those to the others. An address that failed `failuresMax` times in a row, whatever the
 * notice, is left alone as a whole for longer and longer: what else waits for it is not tried until then, one at a time.
 */

import { Counts, type Place } from './room.ts';

/** Requests under way at once: in all, to an origin, of one share; and how many of the first two shares may not take. */
const bounds = { all: 16, origin: 4, share: 2, keptOfAll: 4, keptOfOrigin: 1 } as const;
const failuresMax = 3;
/** How long a failing address is left alone, by the failures beyond the first ones. Never longer than one notice waits itself. */
const restsMs = [15_000, 60_000, 300_000, 600_000] as const;

/** Where a request goes, and whose it is. */
export interface Target extends Place {
  readonly url: string;
}

interface Failing {
  readonly failures: number;
  readonly until: number;
}

export class Receivers {
  readonly #failing = new Map<string, Failing>();
  readonly #busyUrls = new Set<string>();
  readonly #origins = new Counts();
  readonly #shares = new Counts();
  #busy = 0;

  /** No request can be begun at all before one ends. */
  get isFull(): boolean {
    return this.#busy >= bounds.all;
  }

  /** Whether a request may be begun, as far as those under way go. */
  isFree({ url, origin, share }: Target): boolean {
    if (this.#busyUrls.has(url) || this.isFull || this.#origins.of(origin) >= bounds.origin) return false;
    if (share === null) return true;
    const leaves = this.#origins.of(origin) < bounds.origin - bounds.keptOfOrigin;
    return leaves && this.#busy < bounds.all - bounds.keptOfAll && this.#shares.of(share) < bounds.share;
  }

  /** Until when this address is left alone; 0 = it is not. */
  restsUntil(url: string): number {
    return this.#failing.get(url)?.until ?? 0;
  }

  begin(target: Target): void {
    this.#busyUrls.add(target.url);
    this.#count(target, 1);
  }

  end(target: Target): void {
    this.#busyUrls.delete(target.url);
    this.#count(target, -1);
  }

  /** It took a notice, or nothing waits for it any more. */
  recovered(url: string): void {
    this.#failing.delete(url);
  }

  /** It did not take a notice; `atLeastMs`: what it asks for itself. */
  failed(url: string, now: number, atLeastMs: number): void {
    const failures = (this.#failing.get(url)?.failures ?? 0) + 1;
    const beyond = Math.min(failures - failuresMax, restsMs.length - 1);
    const restMs = Math.max(atLeastMs, restsMs[beyond] ?? 0);
    this.#failing.set(url, { failures, until: restMs === 0 ? 0 : now + restMs });
  }

  #count({ origin, share }: Place, change: 1 | -1): void {
    this.#busy += change;
    this.#origins.add(origin, change);
    if (share !== null) this.#shares.add(share, change);
  }
}
