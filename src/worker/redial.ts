/** When and where to dial next: addresses in turn, waits that double up to a cap, with jitter. */

import type { Random } from '../ports/time.ts';

const waitMsMin = 200;
const waitMsMax = 15_000;

/** Where a dispatcher listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export class Redial {
  readonly #addresses: readonly Address[];
  readonly #random: Random;
  #tries = 0;
  #leastMs = 0;

  /** `addresses` holds at least one. */
  constructor(addresses: readonly Address[], random: Random) {
    this.#addresses = addresses;
    this.#random = random;
  }

  /** Every address was tried since the last success. */
  get allTried(): boolean {
    return this.#tries >= this.#addresses.length;
  }

  next(): Address {
    const address = this.#addresses[this.#tries % this.#addresses.length] as Address;
    this.#tries += 1;
    return address;
  }

  succeeded(): void {
    // The address that worked is the one to try first next time.
    this.#tries = (this.#tries - 1) % this.#addresses.length;
  }

  /** The other side asked for this much patience. */
  waitAtLeast(ms: number): void {
    this.#leastMs = ms;
  }

  /** Wait before the next dial: the first round of addresses quickly, then doubling; between half and the whole. */
  waitMs(): number {
    const round = Math.floor((this.#tries - 1) / this.#addresses.length);
    const full = Math.min(waitMsMax, waitMsMin * 2 ** Math.min(Math.max(0, round), 10));
    const jitter = (this.#random.bytes(1)[0] ?? 0) / 256;
    const waitMs = Math.max(this.#leastMs, full * (0.5 + jitter / 2));
    this.#leastMs = 0;
    return waitMs;
  }
}
