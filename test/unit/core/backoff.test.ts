import { expect, test } from 'bun:test';
import { backoffMs, backoffMsMax } from '../../../src/core/backoff.ts';

test('backoffMs() lies between half of and the whole doubled base', () => {
  for (let failures = 1; failures <= 8; failures++) {
    const full = 1000 * 2 ** (failures - 1);
    for (let n = 0; n < 200; n++) {
      const waitMs = backoffMs(`task${n}`, { baseMs: 1000, failures });
      expect(waitMs).toBeGreaterThanOrEqual(full / 2);
      expect(waitMs).toBeLessThanOrEqual(full);
    }
  }
});

test('backoffMs() is never more than its cap, however many failures', () => {
  for (const failures of [20, 100, 10_000])
    expect(backoffMs('t', { baseMs: 60_000, failures })).toBeLessThanOrEqual(backoffMsMax);
  expect(backoffMs('t', { baseMs: 60_000, failures: 10_000 })).toBeGreaterThanOrEqual(backoffMsMax / 2);
});

test('backoffMs() is the same every time, and zero without a base', () => {
  expect(backoffMs('t', { baseMs: 1000, failures: 3 })).toBe(backoffMs('t', { baseMs: 1000, failures: 3 }));
  expect(backoffMs('t', { baseMs: 0, failures: 3 })).toBe(0);
});

test('backoffMs() spreads tasks that failed together', () => {
  const waits = Array.from({ length: 100 }, (_, n) => backoffMs(`00000000000${n}`, { baseMs: 10_000, failures: 1 }));
  const quarters = [0, 1, 2, 3].map((quarter) => {
    const from = 5000 + quarter * 1250;
    return waits.filter((waitMs) => waitMs >= from && waitMs < from + 1250).length;
  });
  for (const count of quarters) expect(count).toBeGreaterThan(5);
});
