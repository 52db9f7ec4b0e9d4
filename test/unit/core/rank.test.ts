import { expect, test } from 'bun:test';
import { firstIdAt } from '../../../src/core/ids.ts';
import { agingMsPerPoint, compareRank, rankOf } from '../../../src/core/rank.ts';
import { noonWall } from './samples.ts';

const ranked = (id: string, priority: number) => ({ id, rank: rankOf(id, priority) });
const at = (ms: number) => firstIdAt(noonWall + ms);

test('compareRank() puts the higher priority first', () => {
  expect(compareRank(ranked(at(1), 50), ranked(at(0), 0))).toBeLessThan(0);
});

test('compareRank() puts the older first within a priority', () => {
  expect(compareRank(ranked(at(0), 7), ranked(at(1), 7))).toBeLessThan(0);
});

test('compareRank() lets one point of priority weigh a minute of age, and then the id decides', () => {
  const old = ranked(at(0), 0);
  expect(compareRank(old, ranked(at(agingMsPerPoint - 1), 1))).toBeGreaterThan(0);
  expect(compareRank(old, ranked(at(agingMsPerPoint), 1))).toBeLessThan(0);
  expect(compareRank(old, ranked(at(agingMsPerPoint + 1), 1))).toBeLessThan(0);
});

test('compareRank() is zero only for the same task', () => {
  const id = at(0);
  expect(compareRank(ranked(id, 0), ranked(id, 0))).toBe(0);
  const twin = `${id.slice(0, 11)}1`;
  expect(compareRank(ranked(id, 0), ranked(twin, 0))).toBeLessThan(0);
  expect(compareRank(ranked(twin, 0), ranked(id, 0))).toBeGreaterThan(0);
});
