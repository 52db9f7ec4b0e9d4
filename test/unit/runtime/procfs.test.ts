import { describe, expect, test } from 'bun:test';
import { isAlive, type ProcessFacts, parseStat, withDescendants } from '../../../src/runtime/procfs.ts';

const rest = '4194304 1147 0 1 0 12 3 4 5 20 0 7 0 8812 1000 250';

describe('parseStat()', () => {
  test('reads past names with blanks, brackets and newlines', () => {
    for (const name of ['sh', 'a b', ') R 1 2 3 (', 'x)\n(y']) {
      expect(parseStat(`42 (${name}) S 7 41 40 0 -1 ${rest}`)).toEqual({
        pid: 42,
        state: 'S',
        parent: 7,
        group: 41,
        session: 40,
        startedTicks: 8812,
        threads: 7,
        cpuMs: 150,
        waitedCpuMs: 90,
        residentBytes: expect.any(Number),
      });
    }
  });

  test('gives null for what is no such line', () => {
    for (const text of ['', 'x', '42', '42 (sh', '42 (sh) S 1 2', '(sh) S 7 41 40 0 -1']) {
      expect(parseStat(text)).toBeNull();
    }
  });
});

const facts = (pid: number, parent: number, state = 'S'): ProcessFacts => ({
  pid,
  state,
  parent,
  group: pid,
  session: pid,
  startedTicks: pid,
  threads: 1,
  cpuMs: 0,
  waitedCpuMs: 0,
  residentBytes: 0,
});

test('isAlive() is false for zombies', () => {
  expect(['R', 'S', 'D', 'T', 'Z', 'X'].filter((state) => isAlive(facts(1, 0, state)))).toEqual(['R', 'S', 'D', 'T']);
});

describe('withDescendants()', () => {
  const all = new Map(
    [facts(1, 0), facts(10, 1), facts(11, 10), facts(12, 11), facts(20, 1)].map((one) => [one.pid, one]),
  );

  test('finds children of children, and only those', () => {
    expect([...withDescendants(all, [10])].sort()).toEqual([10, 11, 12]);
    expect([...withDescendants(all, [12, 20])].sort()).toEqual([12, 20]);
  });

  test('ignores roots that are gone, and ends on a circle', () => {
    expect(withDescendants(all, [99]).size).toBe(0);
    const circle = new Map([facts(1, 2), facts(2, 1)].map((one) => [one.pid, one]));
    expect(withDescendants(circle, [1]).size).toBe(2);
  });
});
