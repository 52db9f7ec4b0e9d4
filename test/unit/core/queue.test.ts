import { expect, test } from 'bun:test';
import { nextId } from '../../../src/core/ids.ts';
import { type Head, ReadyQueue } from '../../../src/core/queue.ts';
import { compareRank, rankOf } from '../../../src/core/rank.ts';
import type { Requirement, Task } from '../../../src/core/task.ts';
import { noonWall, requirement, spec, task } from './samples.ts';
import { pick, seeded } from './seeded.ts';

function ready(id: string, priority = 0, requires: Requirement = requirement()): Task {
  return task(id, { spec: spec({ priority, requires }) });
}

/** The classes in the order in which a pass takes them; all are given back. */
function heads(queue: ReadyQueue): Head[] {
  const taken: Head[] = [];
  for (let head = queue.take(); head !== null; head = queue.take()) taken.push(head);
  for (const { group } of taken) queue.giveBack(group);
  return taken;
}

function firstIds(queue: ReadyQueue): string[] {
  return heads(queue).map(({ entry }) => entry.id);
}

test('ReadyQueue.take() is null when nothing is ready', () => {
  expect(new ReadyQueue().take()).toBeNull();
});

test('ReadyQueue.take() gives classes in the rank order of their first tasks', () => {
  const queue = new ReadyQueue();
  queue.add(ready('000000000001', 0, requirement({ cpuCores: 1 })), 0);
  queue.add(ready('000000000002', 50), 0);
  expect(firstIds(queue)).toEqual(['000000000002', '000000000001']);
  queue.remove('000000000002');
  expect(firstIds(queue)).toEqual(['000000000001']);
  expect(queue.has('000000000002')).toBe(false);
  expect(queue.size).toBe(1);
});

test('ReadyQueue.giveBack() goes on with the next task of the class', () => {
  const queue = new ReadyQueue();
  queue.add(ready('000000000001', 50, requirement({ gpu: 1 })), 0);
  queue.add(ready('000000000002', 50, requirement({ gpu: 1 })), 0);
  queue.add(ready('000000000003'), 0);
  const first = queue.take();
  expect(first?.entry.id).toBe('000000000001');
  queue.remove('000000000001');
  if (first !== null) queue.giveBack(first.group);
  expect(firstIds(queue)).toEqual(['000000000002', '000000000003']);
});

test('ReadyQueue.add() of a more important task moves its class forward, also while a pass holds it', () => {
  const queue = new ReadyQueue();
  queue.add(ready('000000000001', 0, requirement({ gpu: 1 })), 0);
  queue.add(ready('000000000002', 10), 0);
  queue.add(ready('000000000003', 20, requirement({ gpu: 1 })), 0);
  expect(firstIds(queue)).toEqual(['000000000003', '000000000002']);
  const held = queue.take();
  queue.add(ready('000000000004', 30, requirement({ gpu: 1 })), 0);
  if (held !== null) queue.giveBack(held.group);
  expect(firstIds(queue)).toEqual(['000000000004', '000000000002']);
});

test('ReadyQueue makes one class of equal requirements, whatever the order of their labels', () => {
  const queue = new ReadyQueue();
  queue.add(ready('000000000001', 0, requirement({ labels: { a: '1', b: '2' } })), 0);
  queue.add(ready('000000000002', 0, requirement({ labels: { b: '2', a: '1' } })), 0);
  expect(firstIds(queue)).toEqual(['000000000001']);
});

test('ReadyQueue tells requirements apart that only look alike when joined', () => {
  const queue = new ReadyQueue();
  queue.add(ready('000000000001', 0, requirement({ labels: { a: 'b', c: 'd' } })), 0);
  queue.add(ready('000000000002', 0, requirement({ labels: { a: 'b,c,d' } })), 0);
  expect(firstIds(queue)).toEqual(['000000000001', '000000000002']);
});

test('ReadyQueue keeps the instant of the last add of a task that left and came back', () => {
  const queue = new ReadyQueue();
  const back = ready('000000000001');
  queue.add(back, 10);
  queue.remove(back.id);
  queue.add(back, 20);
  expect(heads(queue)[0]?.entry.readyAt).toBe(20);
  queue.remove(back.id);
  expect(queue.take()).toBeNull();
});

/** The order as anybody would write it down. */
function naiveFirst(live: ReadonlyMap<string, Task>): string | null {
  const ranked = [...live.values()].map(({ id, spec: { priority } }) => ({ id, rank: rankOf(id, priority) }));
  return ranked.sort(compareRank)[0]?.id ?? null;
}

test.each([1, 2, 3])('ReadyQueue agrees with a sorted list of live tasks, seed %p', (seed) => {
  const draw = seeded(seed);
  const queue = new ReadyQueue();
  const live = new Map<string, Task>();
  const gone: Task[] = [];
  const classes = [requirement(), requirement({ cpuCores: 1 }), requirement({ labels: { k: 'v' } })];
  let last = '';
  for (let n = 0; n < 2000; n++) {
    const chance = draw(10);
    if (chance < 5) {
      last = nextId(last, noonWall + n * 10_000);
      const added = ready(last, draw(5) - 2, pick(draw, classes));
      live.set(last, added);
      queue.add(added, n);
    } else if (chance < 6 && gone.length > 0) {
      const back = gone.splice(draw(gone.length), 1)[0] as Task;
      live.set(back.id, back);
      queue.add(back, n);
    } else if (live.size > 0) {
      const id = chance < 9 ? (naiveFirst(live) as string) : pick(draw, [...live.keys()]);
      gone.push(live.get(id) as Task);
      live.delete(id);
      queue.remove(id);
    }
    expect(firstIds(queue)[0] ?? null).toBe(naiveFirst(live));
    expect(queue.size).toBe(live.size);
  }
});
