/**
 * Where and when to dial next: addresses in turn, each once a round, with waits that double from round to round up to a
 * cap, with jitter. The addresses may change at any time: what is new is dialled in the present round, what is gone is
 * not dialled any more. It opens no connection.
 */

import type { Random } from '../ports/time.ts';

const waitMsMin = 200;
const waitMsMax = 15_000;
const doublingsMax = 10;
/** In every such round, addresses where it was of no use to try again are tried all the same. */
const roundsToHope = 8;

/** Where a dispatcher listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where dispatchers are to be looked for, which may change at any time. */
export interface Whereabouts {
  /** At least one, best first. */
  addresses(): readonly Address[];
  /** Somebody is still being looked for: that all known addresses are the wrong ones says nothing yet. */
  isSearching(): boolean;
  /** Calls `listener` when there are other addresses than before; `lost`: one is not there any more. Returns what ends that. */
  onNews(listener: (lost: boolean) => void): () => void;
  /** The dispatcher sought was met there. Does not throw. */
  reached(address: Address): void;
}

const keyOf = ({ host, port }: Address): string => `${host} ${port}`;

export class Redial {
  readonly #addresses: () => readonly Address[];
  readonly #random: Random;
  /** Dialled in this round. */
  readonly #tried = new Set<string>();
  /** Dials that have not come to an end. */
  readonly #open = new Set<string>();
  /** Addresses where the last dial showed that trying again is of no use. */
  readonly #hopeless = new Set<string>();
  #round = 0;
  #allTried = false;
  #leastMs = 0;
  /** Where it worked last. */
  #best: string | null = null;

  /** `addresses` is asked before each dial, and gives at least one. */
  constructor(addresses: () => readonly Address[], random: Random) {
    this.#addresses = addresses;
    this.#random = random;
  }

  /** Every address was tried since the last success. */
  get allTried(): boolean {
    return this.#allTried || this.#inTurn().every((address) => this.#tried.has(keyOf(address)));
  }

  /** There is an address that was not dialled in this round. */
  get hasUntried(): boolean {
    return this.#untried() !== undefined;
  }

  /** Wherever somebody is said to be, trying again is of no use. */
  get isHopeless(): boolean {
    return this.#inTurn().every((address) => this.#hopeless.has(keyOf(address)));
  }

  /** The address to dial now; null when all are being dialled. Every dial must be told by `ended`. */
  next(): Address | null {
    let address = this.#untried();
    if (address === undefined) {
      if (this.#inTurn().every((one) => this.#open.has(keyOf(one)))) return null;
      this.#beginRound();
      address = this.#untried();
      if (address === undefined) return null;
    }
    this.#tried.add(keyOf(address));
    this.#open.add(keyOf(address));
    return address;
  }

  /** A dial came to an end, or the link that came of it did. `hopeless`: trying the same again is of no use. */
  ended(address: Address, { hopeless }: { readonly hopeless: boolean }): void {
    this.#open.delete(keyOf(address));
    if (hopeless) this.#hopeless.add(keyOf(address));
    else this.#hopeless.delete(keyOf(address));
  }

  /** What it is dialled with is another thing now: what was hopeless need not be any more. */
  renewed(): void {
    this.#hopeless.clear();
  }

  /** The address that worked is the one to try first next time. */
  succeeded(address: Address): void {
    this.#best = keyOf(address);
    this.#round = 0;
    this.#allTried = false;
    this.#tried.clear();
    this.#hopeless.clear();
  }

  /** The other side asked for this much patience. */
  waitAtLeast(ms: number): void {
    this.#leastMs = ms;
  }

  /** Wait before the next dial: the first round of addresses quickly, then doubling; between half and the whole. */
  waitMs(): number {
    const full = Math.min(waitMsMax, waitMsMin * 2 ** Math.min(this.#round, doublingsMax));
    const jitter = (this.#random.bytes(1)[0] ?? 0) / 256;
    const waitMs = Math.max(this.#leastMs, full * (0.5 + jitter / 2));
    this.#leastMs = 0;
    return waitMs;
  }

  /** In most rounds addresses without hope are left out: strangers there need not be bothered again and again. */
  #beginRound(): void {
    this.#allTried = true;
    this.#round += 1;
    this.#tried.clear();
    const present = new Set(this.#inTurn().map(keyOf));
    for (const key of this.#hopeless) if (!present.has(key)) this.#hopeless.delete(key);
    if (this.#round % roundsToHope === 0 || this.isHopeless) return;
    for (const key of this.#hopeless) this.#tried.add(key);
  }

  #inTurn(): readonly Address[] {
    const addresses = this.#addresses();
    const best = addresses.find((address) => keyOf(address) === this.#best);
    return best === undefined ? addresses : [best, ...addresses.filter((address) => address !== best)];
  }

  #untried(): Address | undefined {
    return this.#inTurn().find((one) => !this.#tried.has(keyOf(one)) && !this.#open.has(keyOf(one)));
  }
}
