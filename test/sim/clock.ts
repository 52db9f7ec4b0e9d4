/**
 * Virtual time: one queue of what is going to happen for the whole world, and machines that live in it.
 *
 * A machine is one running program: its clock runs at its own pace and its wall clock may jump; while it is busy (a slow
 * disk) what happens to it waits in line; once it is dead nothing happens to it any more. Promises settle between two
 * events and never across them, so the order of everything follows from the queue alone.
 */

import { drainMicrotasks } from 'bun:jsc';
import { Heap } from '../../src/core/heap.ts';
import type { Clock, Timer } from '../../src/ports/time.ts';
import type { Dice } from './dice.ts';

interface Happening {
  readonly at: number;
  readonly order: number;
  action: (() => void) | null;
}

export class Timeline {
  /** Milliseconds since the world began. */
  now = 0;
  #order = 0;
  readonly #queue = new Heap<Happening>((a, b) => a.at - b.at || a.order - b.order);

  /** Lets `action` happen at `time`, or now if that has passed. */
  at(time: number, action: () => void): Timer {
    this.#order += 1;
    const happening: Happening = { at: Math.max(time, this.now), order: this.#order, action };
    this.#queue.push(happening);
    return {
      cancel: () => {
        happening.action = null;
      },
    };
  }

  /** Lets the next thing happen; false when nothing is left. */
  step(): boolean {
    for (;;) {
      const next = this.#queue.pop();
      if (next === undefined) return false;
      const { action } = next;
      if (action === null) continue;
      this.now = next.at;
      action();
      return true;
    }
  }
}

/** Thrown by a port in the middle of a program's work: the program dies on the spot. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

/** How a machine's clocks differ from the world's. */
export interface Pace {
  readonly startsAtMs: number;
  /** Its seconds for each of the world's. */
  readonly rate: number;
  wallOffsetMs: number;
}

/** The world begins at this instant of the wall clock, ms since 1970. */
const worldBeginsAt = Date.UTC(2026, 5, 1);

/** What a machine needs of the world. */
interface Surroundings {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly pace: Pace;
  /** The program died by a `Crash`. */
  onCrash(): void;
  /** After each thing that happened to it. */
  afterwards(): void;
}

export class Machine {
  readonly name: string;
  alive = true;
  /** Timers that are set and have neither fired nor been cancelled. */
  timers = 0;
  /** Timers ever set that were due at once: many of them are a program that spins. */
  hurriedTimers = 0;
  readonly clock: Clock;
  readonly #around: Surroundings;
  #busyUntil = 0;
  readonly #inLine: (() => void)[] = [];

  constructor(name: string, around: Surroundings) {
    this.name = name;
    this.#around = around;
    const { pace, dice } = around;
    const steady = () => pace.startsAtMs + this.instant * pace.rate;
    this.clock = {
      steady,
      wall: () => Math.floor(worldBeginsAt + this.instant * pace.rate + pace.wallOffsetMs),
      after: (delayMs, action) => this.#timer(Math.max(0, delayMs) / pace.rate, action),
      soon: (action) => this.schedule(this.instant + (dice.chance(0.3) ? dice.between(0, 3) : 0), action),
    };
  }

  /** The world's time as this machine sees it: later than the world's while it is busy. */
  get instant(): number {
    return Math.max(this.#around.timeline.now, this.#busyUntil);
  }

  /** It hangs for so long from now on, whatever else it does in that time. */
  stall(ms: number): void {
    this.#busyUntil = Math.max(this.#busyUntil, this.#around.timeline.now + ms);
  }

  /** It does nothing else for so long. */
  work(ms: number): void {
    this.#busyUntil = this.instant + ms;
  }

  /** Lets something happen to this machine at `time`, if it lives then. */
  schedule(time: number, action: () => void): Timer {
    return this.#around.timeline.at(time, () => this.#happen(action));
  }

  #timer(delayMs: number, action: () => void): Timer {
    this.timers += 1;
    if (delayMs < 1) this.hurriedTimers += 1;
    let set = true;
    const unset = (): void => {
      if (set) this.timers -= 1;
      set = false;
    };
    const timer = this.schedule(this.instant + delayMs + this.#around.dice.between(0, 1), () => {
      if (!set) return;
      unset();
      action();
    });
    return {
      cancel: () => {
        unset();
        timer.cancel();
      },
    };
  }

  #happen(action: () => void): void {
    if (!this.alive) return;
    const { timeline } = this.#around;
    if (this.#inLine.length === 0 && this.#busyUntil <= timeline.now) {
      this.#perform(action);
      return;
    }
    this.#inLine.push(action);
    if (this.#inLine.length === 1) timeline.at(this.#busyUntil, () => this.#catchUp());
  }

  #catchUp(): void {
    const { timeline } = this.#around;
    if (!this.alive) return;
    if (this.#busyUntil <= timeline.now) {
      const action = this.#inLine.shift();
      if (action !== undefined) this.#perform(action);
    }
    if (this.#inLine.length > 0) timeline.at(this.#busyUntil, () => this.#catchUp());
  }

  #perform(action: () => void): void {
    try {
      action();
      drainMicrotasks();
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#around.onCrash();
      return;
    }
    this.#around.afterwards();
  }
}
