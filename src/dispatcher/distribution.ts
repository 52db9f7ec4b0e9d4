/**
 * How a quantity is distributed: how often it was at most this much, for a few fixed bounds, and the sum of all. What
 * Prometheus calls a histogram. Noting a value costs some nanoseconds and no memory; values themselves are not kept.
 * https://prometheus.io/docs/concepts/metric_types/#histogram
 */

/** Bounds of durations in seconds, from a commit to a day's work. */
const durationBounds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 14_400, 86_400,
] as const;

export class Distribution {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** `bounds` ascend; a value equal to one counts below it. */
  constructor(bounds: readonly number[] = durationBounds) {
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** Notes a duration. One that clocks have made negative, or none at all, counts as nothing passed. */
  noteMs(durationMs: number): void {
    const value = durationMs > 0 ? durationMs / 1000 : 0;
    const bounds = this.#bounds;
    let place = 0;
    while (place < bounds.length && value > (bounds[place] ?? 0)) place += 1;
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    this.#sum += value;
  }

  /** For each bound how many values were at most that, the number of all values, and their sum. */
  read(): { readonly below: readonly (readonly [bound: number, count: number])[]; count: number; sum: number } {
    let count = 0;
    const below = this.#bounds.map((bound, place): readonly [number, number] => {
      count += this.#counts[place] ?? 0;
      return [bound, count];
    });
    return { below, count: count + (this.#counts.at(-1) ?? 0), sum: this.#sum };
  }
}
