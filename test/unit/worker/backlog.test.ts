import { expect, test } from 'bun:test';
import { nextId } from '../../../src/core/ids.ts';
import { compareRank, rankOf } from '../../../src/core/rank.ts';
import type { Assignment } from '../../../src/wire/messages.ts';
import { Backlog } from '../../../src/worker/backlog.ts';
import { noonWall, requirement } from '../core/samples.ts';
import { seeded } from '../core/seeded.ts';
import { assignment } from './fakes.ts';

const capacity = { slots: 2, cpuCores: 4, memoryMb: 1000, gpu: 1 };
const id = (n: number): string => String(n).padStart(12, '0');

function filled(...assignments: Assignment[]): Backlog {
  const backlog = new Backlog(capacity);
  for (const each of assignments) backlog.add(each);
  return backlog;
}

test('start() gives attempts in rank order, as many as there are slots', () => {
  const backlog = filled(assignment(id(2)), assignment(id(3), 1, { priority: 50 }), assignment(id(1)));
  expect([backlog.start()?.taskId, backlog.start()?.taskId, backlog.start()]).toEqual([id(3), id(1), null]);
  expect([backlog.running, backlog.waiting]).toEqual([2, 1]);
  backlog.release(requirement());
  expect(backlog.start()?.taskId).toBe(id(2));
});

test('start() never lets a smaller attempt overtake the first', () => {
  const large = assignment(id(1), 1, { requires: requirement({ cpuCores: 3 }) });
  const next = assignment(id(2), 1, { requires: requirement({ cpuCores: 3 }) });
  const backlog = filled(large, next, assignment(id(3)));
  expect(backlog.start()).toBe(large);
  expect(backlog.start()).toBeNull();
  backlog.release(large.spec.requires);
  expect(backlog.start()).toBe(next);
  expect(backlog.start()?.taskId).toBe(id(3));
});

test('start() adds up shares of a core without losing the last to rounding', () => {
  const tenths = Array.from({ length: 10 }, (_, n) =>
    assignment(id(n), 1, { requires: requirement({ cpuCores: 0.1 }) }),
  );
  const backlog = new Backlog({ ...capacity, slots: 20, cpuCores: 1 });
  for (const tenth of tenths) backlog.add(tenth);
  for (const tenth of tenths) expect(backlog.start()).toBe(tenth);
});

test('remove(), attemptOf() and keys() know what waits, and only that', () => {
  const backlog = filled(assignment(id(1), 3), assignment(id(2)));
  expect(backlog.attemptOf(id(1))).toBe(3);
  expect(backlog.start()?.taskId).toBe(id(1));
  expect(backlog.attemptOf(id(1))).toBeNull();
  expect(backlog.remove(id(1))).toBe(false);
  expect(backlog.keys()).toEqual([{ taskId: id(2), attempt: 1 }]);
  expect(backlog.remove(id(2))).toBe(true);
  expect(backlog.waiting).toBe(0);
});

test('clear() gives everything that waits and leaves what runs', () => {
  const backlog = filled(assignment(id(1)), assignment(id(2)));
  backlog.start();
  expect(backlog.clear().map(({ taskId }) => taskId)).toEqual([id(2)]);
  expect([backlog.waiting, backlog.running]).toEqual([0, 1]);
});

test.each([1, 2])('add() agrees with sorting, seed %p', (seed) => {
  const draw = seeded(seed);
  const backlog = new Backlog({ ...capacity, slots: 1000 });
  const all: { id: string; rank: number }[] = [];
  let last = '';
  for (let n = 0; n < 500; n++) {
    last = nextId(last, noonWall + n * 30_000);
    const priority = draw(201) - 100;
    all.push({ id: last, rank: rankOf(last, priority) });
    backlog.add(assignment(last, 1, { priority }));
  }
  const order = [...all].sort(compareRank).map((each) => each.id);
  expect(backlog.keys().map(({ taskId }) => taskId)).toEqual(order);
});
