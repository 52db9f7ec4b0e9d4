/**
 * The end of a worker that leaves: it goes once nothing runs or waits here, all ends are stored, and the files that stayed
 * here were brought to the dispatcher. What cannot be delivered is waited for as long as files are asked for, and a while
 * longer, also when the link breaks in the middle; then it goes all the same. Results are lost with it, files that stayed
 * are not: they wait on disk.
 */

import type { Clock, Timer } from '../ports/time.ts';
import type { Attempts } from './attempts.ts';
import type { KeptOutputs } from './kept-outputs.ts';
import type { Staging } from './staging.ts';

/** What cannot be delivered is waited for this long after files were last asked for. */
const farewellMs = 15_000;

interface Parts {
  readonly clock: Clock;
  readonly attempts: Pick<Attempts, 'isIdle' | 'backlog' | 'unstored'>;
  readonly staging: Pick<Staging, 'wasAskedWithin'>;
  readonly kept: Pick<KeptOutputs, 'size'>;
  isJoined(): boolean;
  onStatus(sentence: string): void;
  /** All is delivered. */
  goodbye(): void;
  /** It ends; with a sentence on what could not be delivered. */
  finish(failure: string | null): void;
}

export class Farewell {
  readonly #parts: Parts;
  #timer: Timer | null = null;
  #isHurried = false;
  /** The dispatcher was there when this worker began to leave, and may be asking for files. */
  #isGiving = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Something ended, or was taken: goes if nothing is left to do. */
  look(): void {
    const { clock, attempts, goodbye } = this.#parts;
    this.#isGiving ||= this.#parts.isJoined();
    if (!attempts.isIdle || attempts.backlog.waiting > 0) return;
    if (attempts.unstored > 0 || this.#hasToGive) {
      this.#timer ??= clock.after(farewellMs, () => this.#giveUp());
      return;
    }
    goodbye();
    this.#finish(null);
  }

  /** Waits for no files any more. */
  hurry(): void {
    this.#isHurried = true;
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  get #hasToGive(): boolean {
    const { kept, isJoined, staging } = this.#parts;
    const isHeard = isJoined() || (this.#isGiving && staging.wasAskedWithin(farewellMs));
    return kept.size > 0 && isHeard && !this.#isHurried;
  }

  #giveUp(): void {
    this.#timer = null;
    const left = this.#parts.attempts.unstored;
    const detail = `The results of ${left} tasks could not be delivered; they will run again elsewhere.`;
    // Files may take longer than any fixed time.
    if ((left > 0 || this.#hasToGive) && this.#parts.staging.wasAskedWithin(farewellMs)) this.look();
    else this.#finish(left === 0 ? null : detail);
  }

  #finish(failure: string | null): void {
    const { kept, onStatus, finish } = this.#parts;
    const tasks = kept.size === 1 ? 'a task' : `${kept.size} tasks`;
    if (kept.size > 0) onStatus(`Files of ${tasks} stay here; they can be had when this worker is back.`);
    finish(failure);
  }
}
