/**
 * By what a worker shows that it may join: one of several proofs, the best first. Another one is tried only when every
 * address was dialled with the present one and it turned out not to be valid; after the last comes the first again.
 */

import type { LinkEnd, Proof } from '../ports/links.ts';

export class Proofs {
  readonly #known: () => readonly [Proof, ...Proof[]];
  readonly #addresses: () => number;
  #at = 0;
  #dials = 0;

  /** `known` is asked before each dial. `addresses`: how many are dialled in turn at present. */
  constructor(known: () => readonly [Proof, ...Proof[]], addresses: () => number) {
    this.#known = known;
    this.#addresses = addresses;
  }

  /** The proof that was or will be shown. */
  get present(): Proof {
    const [best, ...others] = this.#known();
    return others[this.#at - 1] ?? best;
  }

  /** Every address was dialled with the present proof. */
  get isTriedOut(): boolean {
    return this.#dials >= this.#addresses();
  }

  /** The proof for a dial that begins now. */
  take(): Proof {
    this.#dials += 1;
    return this.present;
  }

  /** Goes on to the next proof when `end` speaks against the present one. False when there is none that comes after it. */
  fallBack({ code }: LinkEnd): boolean {
    if (!this.isTriedOut || (code !== 'wrong_secret' && code !== 'wrong_key')) return false;
    const count = this.#known().length;
    if (count === 1) return false;
    this.#at = (this.#at + 1) % count;
    this.#dials = 0;
    return this.#at > 0;
  }

  /** There is a new best one. */
  renewed(): void {
    this.#at = 0;
    this.#dials = 0;
  }
}
