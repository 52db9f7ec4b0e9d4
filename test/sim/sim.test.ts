import { describe, expect, test } from 'bun:test';
import { type Exchanged, nothingExchanged } from './ledger.ts';
import { simulate } from './simulate.ts';

/** Half a minute's worth at most; `bun run sim` takes as many as one likes. */
const seeds = Array.from({ length: 24 }, (_, index) => index + 1);

describe('a simulated world', () => {
  test('simulate() keeps every promise, whatever breaks, and repeats itself from its seed', () => {
    const exchanged = nothingExchanged();
    for (const seed of seeds) {
      const first = simulate(seed);
      expect({ seed, failure: first.failure }).toEqual({ seed, failure: null });
      expect({ seed, digest: simulate(seed).digest }).toEqual({ seed, digest: first.digest });
      for (const key of Object.keys(exchanged) as (keyof Exchanged)[]) exchanged[key] += first.exchanged[key];
    }
    // What is not done in any of these worlds is not shown to be safe.
    for (const count of Object.values(exchanged)) expect(count).toBeGreaterThan(0);
    expect(exchanged.granted).toBeGreaterThanOrEqual(20);
  }, 180_000);

  test('simulate() tells different stories from different seeds', () => {
    const digests = seeds.slice(0, 5).map((seed) => simulate(seed).digest);
    expect(new Set(digests).size).toBe(digests.length);
  });
});
