/**
 * Chance from a seed (sfc32): the only source of randomness in a simulated world, so that a seed names one history.
 * Not for secrets. Each part of the world rolls dice of its own (`fork`), so that a change in one does not reshuffle all.
 */

export class Dice {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  /** `seed` is any whole number. */
  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 12; i++) this.roll();
  }

  /** 0 ≤ value < 1. */
  roll(): number {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.roll() < p;
  }

  /** `least` ≤ value < `most`. */
  between(least: number, most: number): number {
    return least + this.roll() * (most - least);
  }

  /** Whole, `least` ≤ value ≤ `most`. */
  whole(least: number, most: number): number {
    return Math.floor(this.between(least, most + 1));
  }

  /** One of `items`, which is not empty. */
  pick<T>(items: readonly T[]): T {
    return items[this.whole(0, items.length - 1)] as T;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.whole(0, 255));
  }

  /** Dice that roll independently of these from now on. */
  fork(): Dice {
    return new Dice(this.whole(0, 2 ** 32 - 1));
  }
}
