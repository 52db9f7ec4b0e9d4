import { describe, expect, test } from 'bun:test';
import { simulate } from './simulate.ts';

/** A few seconds' worth; `bun run sim` takes as many as one likes. */
const seeds = Array.from({ length: 60 }, (_, index) => index + 1);

describe('a simulated world', () => {
  test('simulate() keeps every promise, whatever breaks, and repeats itself from its seed', () => {
    for (const seed of seeds) {
      const first = simulate(seed);
      expect({ seed, failure: first.failure }).toEqual({ seed, failure: null });
      expect({ seed, digest: simulate(seed).digest }).toEqual({ seed, digest: first.digest });
    }
  }, 120_000);

  test('simulate() tells different stories from different seeds', () => {
    const digests = seeds.slice(0, 5).map((seed) => simulate(seed).digest);
    expect(new Set(digests).size).toBe(digests.length);
  });
});
