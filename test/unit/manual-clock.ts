/** A clock that a test moves by hand. Nothing runs inside the call that set it. */

import type { Clock, Timer } from '../../src/ports/time.ts';

interface Set {
  readonly at: number;
  readonly action: () => void;
}

export class ManualClock implements Clock {
  wallOffset = Date.UTC(2026, 10, 21, 12);
  #now = 0;
  #timers: Set[] = [];
  #soon: (() => void)[] = [];

  steady(): number {
    return this.#now;
  }

  wall(): number {
    return this.wallOffset + this.#now;
  }

  after(delayMs: number, action: () => void): Timer {
    const set = { at: this.#now + delayMs, action };
    this.#timers.push(set);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((each) => each !== set);
      },
    };
  }

  soon(action: () => void): void {
    this.#soon.push(action);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Runs one burst: what was put off until now, not what that puts off in turn. True when there was something. */
  burst(): boolean {
    const actions = this.#soon;
    this.#soon = [];
    for (const action of actions) action();
    return actions.length > 0;
  }

  /** Runs bursts until nothing is put off any more. */
  settle(): void {
    for (let count = 0; this.burst(); count++) if (count > 1000) throw new Error('the clock never comes to rest');
  }

  /** Moves on by `ms`, running timers in order and what they put off. */
  advance(ms: number): void {
    const until = this.#now + ms;
    this.settle();
    for (let count = 0; ; count++) {
      if (count > 10_000) throw new Error('timers never come to rest');
      const next = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
      this.settle();
    }
    this.#now = until;
  }

  /** Stands still for `ms`: nothing runs, and what was due is late. */
  stall(ms: number): void {
    this.#now += ms;
  }
}
