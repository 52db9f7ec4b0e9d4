/**
 * The connections of a listener that are not authenticated yet, in the order in which they came, and who has to make room
 * when there are too many: the oldest one of the address that has most of them. So connections that hang or trickle cost a
 * bounded amount and keep nobody out: whoever comes next gets a place, and an address with few of them loses none to an
 * address with many.
 *
 * What this does not stop: somebody who opens connections at a rate at which `perAddressMax` of them come in while an
 * honest node from the same address shakes hands (a few ms). Such a node is told to try again.
 */

export interface StrangerLimits {
  /** Most connections of a listener that are not authenticated yet. */
  readonly unauthenticatedMax: number;
  /** Most of them from one address. */
  readonly unauthenticatedPerAddressMax: number;
}

export class Strangers<T> {
  readonly #limits: StrangerLimits;
  /** No set is empty. */
  readonly #byAddress = new Map<string, Set<T>>();
  #size = 0;

  constructor(limits: StrangerLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes one more in; returns the one that has to go for it, which is no longer among them, or null. */
  add(address: string, stranger: T): T | null {
    const { unauthenticatedMax, unauthenticatedPerAddressMax } = this.#limits;
    const ofAddress = this.#byAddress.get(address);
    let crowd: readonly [string, Set<T>] | null = null;
    if (ofAddress !== undefined && ofAddress.size >= unauthenticatedPerAddressMax) crowd = [address, ofAddress];
    else if (this.#size >= unauthenticatedMax) crowd = this.#largest();
    const leaving = crowd === null ? null : this.#takeOldest(...crowd);
    const joined = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, joined.add(stranger));
    this.#size += 1;
    return leaving;
  }

  /** It is authenticated, or gone. Idempotent. */
  delete(address: string, stranger: T): void {
    const ofAddress = this.#byAddress.get(address);
    if (ofAddress?.delete(stranger) !== true) return;
    this.#size -= 1;
    if (ofAddress.size === 0) this.#byAddress.delete(address);
  }

  #largest(): readonly [string, Set<T>] | null {
    let largest: readonly [string, Set<T>] | null = null;
    for (const entry of this.#byAddress) if (largest === null || entry[1].size > largest[1].size) largest = entry;
    return largest;
  }

  #takeOldest(address: string, crowd: Set<T>): T | null {
    for (const oldest of crowd) {
      this.delete(address, oldest);
      return oldest;
    }
    return null;
  }
}
