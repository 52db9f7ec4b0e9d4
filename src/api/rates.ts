/**
 * How often one may call: token buckets for tokens that do not hold, for submissions, and for codes that are guessed.
 * What is counted, and under which key:
 *
 *   tokens that do not hold   the address         20 at once, then one every 3 s; one that holds is not held up
 *   submissions               subject of token    `submitRate` tasks a second, 10 s of them at once; a batch counts its
 *                                                 tasks, and one larger than the bucket takes all that a full one holds
 *   devices not found         who asks            20 at once, then one every 3 s
 *
 * Whoever owns the dispatcher submits without limit. A refusal says when to come back, and takes nothing.
 */

import { TokenBuckets } from '../core/token-bucket.ts';
import { type Actor, ownerOf } from '../core/trust.ts';
import type { Clock } from '../ports/time.ts';
import { RateLimitedError } from './problem.ts';

/** Mistakes anybody may make without being held up, and seconds for each further one. */
const mistakesMax = 20;
const secondsPerMistake = 3;
/** Seconds of submissions that may come at once. */
const submitBurstSeconds = 10;
/** Addresses, and subjects, that are remembered. */
const keysMax = 4096;

export class Rates {
  readonly #clock: Clock;
  readonly #logins = mistakes();
  readonly #devices = mistakes();
  readonly #submissions: TokenBuckets | null;
  readonly #submitBurst: number;

  /** `submitRate`: tasks a second for each subject, 0 = no limit. */
  constructor({ clock, submitRate }: { readonly clock: Clock; readonly submitRate: number }) {
    this.#clock = clock;
    this.#submitBurst = submitBurstSeconds * submitRate;
    this.#submissions =
      submitRate === 0 ? null : new TokenBuckets({ ratePerSecond: submitRate, burst: this.#submitBurst, keysMax });
  }

  /**
   * Counts a token that did not hold. Error: `rate_limited`, when too many from that address did not. One that holds is not
   * held up: whoever shares the address (this machine's, above all) must not be able to lock its owner out, and guessing
   * at 256 bits is hopeless at any rate.
   */
  loginFailed(from: string | null): void {
    const waitMs = this.#logins.take(addressKey(from), this.#clock.steady());
    if (waitMs !== null) throw tooMany('Too many tokens from this address were not valid', waitMs);
  }

  /**
   * Counts a try to name a waiting device by its code, id or name; what `deviceFound` takes back. Many may be on their
   * way at once, so each counts from the start. Error: `rate_limited`.
   */
  tryDevice(actor: Actor): void {
    const waitMs = this.#devices.take(actor.name, this.#clock.steady());
    if (waitMs !== null) throw tooMany('Too many codes of devices were wrong', waitMs);
  }

  deviceFound(actor: Actor): void {
    this.#devices.giveBack(actor.name, this.#clock.steady());
  }

  /** Counts a submission of that many tasks. Error: `rate_limited`. */
  submit(actor: Actor, tasks: number): void {
    if (this.#submissions === null || ownerOf(actor) === null) return;
    const waitMs = this.#submissions.take(actor.name, this.#clock.steady(), Math.min(tasks, this.#submitBurst));
    if (waitMs !== null) throw tooMany(`"${actor.name}" submits too many tasks a second`, waitMs);
  }
}

function mistakes(): TokenBuckets {
  return new TokenBuckets({ ratePerSecond: 1 / secondsPerMistake, burst: mistakesMax, keysMax });
}

/** All whose address is not known share one. */
function addressKey(from: string | null): string {
  return from ?? '';
}

function tooMany(what: string, waitMs: number): RateLimitedError {
  return new RateLimitedError(`${what}: try again in ${Math.ceil(waitMs / 1000)} s.`, waitMs);
}
