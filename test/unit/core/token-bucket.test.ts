/** Token buckets against a naive twin, and their bounds. */

import { describe, expect, test } from 'bun:test';
import { TokenBuckets } from '../../../src/core/token-bucket.ts';
import { seeded } from './seeded.ts';

describe('TokenBuckets', () => {
  const rule = { ratePerSecond: 2, burst: 3, keysMax: 10 };

  test('take() gives the burst at once, then one each interval, and says how long to wait', () => {
    const buckets = new TokenBuckets(rule);
    expect([1, 2, 3, 4].map(() => buckets.take('a', 1000))).toEqual([null, null, null, 500]);
    expect(buckets.take('a', 1499)).toBe(1);
    expect(buckets.take('a', 1500)).toBeNull();
    expect(buckets.take('a', 1500)).toBe(500);
  });

  test('take() keeps keys apart', () => {
    const buckets = new TokenBuckets({ ...rule, burst: 1 });
    expect([buckets.take('a', 0), buckets.take('b', 0), buckets.take('a', 0)]).toEqual([null, null, 500]);
  });

  test('take() takes several or none', () => {
    const buckets = new TokenBuckets(rule);
    expect(buckets.take('a', 0, 2)).toBeNull();
    expect(buckets.take('a', 0, 2)).toBe(500);
    expect(buckets.take('a', 0, 1)).toBeNull();
    expect(() => buckets.take('a', 0, 4)).toThrow();
  });

  test('take() never holds more than the burst', () => {
    const buckets = new TokenBuckets(rule);
    buckets.take('a', 0);
    expect([1, 2, 3, 4].map(() => buckets.take('a', 1e9))).toEqual([null, null, null, 500]);
  });

  test('waitMs() tells and takes nothing', () => {
    const buckets = new TokenBuckets({ ...rule, burst: 1 });
    expect([buckets.waitMs('a', 0), buckets.waitMs('a', 0), buckets.size]).toEqual([null, null, 0]);
    buckets.take('a', 0);
    expect([buckets.waitMs('a', 0), buckets.waitMs('a', 100), buckets.waitMs('a', 500)]).toEqual([500, 400, null]);
  });

  test('giveBack() undoes a take, and fills no bucket beyond the burst', () => {
    const buckets = new TokenBuckets({ ...rule, burst: 1 });
    buckets.take('a', 0);
    buckets.giveBack('a', 0);
    buckets.giveBack('a', 0);
    expect([buckets.take('a', 0), buckets.take('a', 0)]).toEqual([null, 500]);
  });

  test('take() gains nothing from a clock that steps back', () => {
    const buckets = new TokenBuckets({ ...rule, burst: 1 });
    buckets.take('a', 10_000);
    expect(buckets.take('a', 0)).toBe(500);
    expect(buckets.take('a', 10_500)).toBeNull();
  });

  test('take() forgets the key unused for longest and no more', () => {
    const buckets = new TokenBuckets({ ...rule, burst: 1, keysMax: 2 });
    buckets.take('a', 0);
    buckets.take('b', 0);
    buckets.take('a', 500);
    buckets.take('c', 500);
    expect(buckets.size).toBe(2);
    expect(['a', 'b', 'c'].map((key) => buckets.waitMs(key, 500))).toEqual([500, null, 500]);
    for (let n = 0; n < 1000; n++) buckets.take(`k${n}`, 0);
    expect(buckets.size).toBe(2);
  });

  test('take() lets through what a list of all that was taken would', () => {
    const draw = seeded(7);
    const { ratePerSecond, burst } = { ratePerSecond: 4, burst: 5 };
    const buckets = new TokenBuckets({ ratePerSecond, burst, keysMax: 1 });
    let tokens = burst;
    let last = 0;
    for (let now = 0, n = 0; n < 5000; n++) {
      now += draw(8) * 125;
      const amount = draw(burst + 1);
      tokens = Math.min(burst, tokens + ((now - last) / 1000) * ratePerSecond);
      last = now;
      const expected = tokens >= amount;
      if (expected) tokens -= amount;
      expect(buckets.take('k', now, amount) === null).toBe(expected);
    }
  });
});
