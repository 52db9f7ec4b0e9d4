/**
 * The log of a simulated world. Every line goes into a running hash, so that two runs of a seed can be compared; the
 * lines themselves are only kept, or printed, when somebody wants to read them.
 */

import type { Timeline } from './clock.ts';

/** Lines kept for the story told with a failure. */
const keptMax = 60;

export class Journal {
  lines = 0;
  readonly #timeline: Timeline;
  readonly #print: ((line: string) => void) | null;
  readonly #kept: string[] = [];
  #digest = 0n;

  constructor(timeline: Timeline, print: ((line: string) => void) | null) {
    this.#timeline = timeline;
    this.#print = print;
  }

  /** Hash of all lines so far. */
  get digest(): string {
    return this.#digest.toString(16);
  }

  /** The last lines. */
  get tail(): readonly string[] {
    return this.#kept.slice(-keptMax);
  }

  note(who: string, what: string): void {
    const line = `${this.#timeline.now.toFixed(3).padStart(12)} ${who.padEnd(4)} ${what}`;
    this.lines += 1;
    this.#digest = BigInt(Bun.hash(line, this.#digest));
    this.#kept.push(line);
    if (this.#kept.length > 4 * keptMax) this.#kept.splice(0, 3 * keptMax);
    this.#print?.(line);
  }
}
