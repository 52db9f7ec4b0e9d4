import { describe, expect, test } from 'bun:test';
import type { RememberedWorker } from '../../../src/core/restore.ts';
import { emptyState, type SchedulerState } from '../../../src/core/state.ts';
import type { Requirement } from '../../../src/core/task.ts';
import { type Calls, needed, nextTryAt, patienceMs, sleepersFor, triesMax } from '../../../src/core/waking.ts';
import type { Wake, Worker, WorkerDeclaration } from '../../../src/core/worker.ts';
import { declaration, noonWall, policy, requirement, spec, task, worker } from './samples.ts';

const card = { mac: '00:1a:2b:3c:4d:5e', broadcast: null, armed: null };
const wake: Wake = { by: [card], unasked: true };
const never = new Map<string, Calls>();

function away(id: string, wanted: Partial<WorkerDeclaration> = {}): RememberedWorker {
  const has = declaration(id, { wake, ...wanted });
  return { declaration: has, name: id, publicKey: id, firstSeenAt: noonWall, lastSeenAt: noonWall, draining: false };
}

/** Tasks that became ready at 0, each with what it requires, and workers that are here. */
function waiting(requires: readonly Partial<Requirement>[], here: readonly Worker[] = []): SchedulerState {
  const state = emptyState(policy);
  for (const each of here) state.workers.set(each.id, each);
  requires.forEach((wanted, i) => {
    state.ready.add(task(`t${i}`, { spec: spec({ requires: requirement(wanted) }) }), 0);
  });
  return state;
}

const ids = (state: SchedulerState, sleeping: readonly RememberedWorker[], at = 0, calls = never): string[] =>
  needed(state, { away: sleeping, calls }, at).map(({ name }) => name);

describe('needed()', () => {
  test('is nobody while nothing waits, and while nothing is placed anyway', () => {
    expect(ids(waiting([]), [away('w')])).toEqual([]);
    expect(ids({ ...waiting([{}]), paused: true }, [away('w')])).toEqual([]);
    expect(ids({ ...waiting([{}]), closing: true }, [away('w')])).toEqual([]);
  });

  test('is at once whoever alone could run what waits', () => {
    const small = worker('here', { cpuCores: 1 });
    expect(ids(waiting([{ cpuCores: 4 }], [small]), [away('w'), away('tiny', { cpuCores: 2 })])).toEqual(['w']);
    expect(ids(waiting([{}], [worker('drained', {}, { draining: true })]), [away('w')])).toEqual(['w']);
  });

  test('is after a while whoever could help those that are here', () => {
    const state = waiting([{}], [worker('busy')]);
    expect(ids(state, [away('w')], patienceMs - 1)).toEqual([]);
    expect(ids(state, [away('w')], patienceMs)).toEqual(['w']);
  });

  test('is nobody who is drained, was stopped by somebody, told of no card, or whose card does not listen', () => {
    const sleeping = [
      { ...away('drained'), draining: true },
      away('stopped', { wake: { ...wake, unasked: false } }),
      { ...away('silent'), declaration: declaration('silent') },
      away('deaf', { wake: { ...wake, by: [{ ...card, armed: false }] } }),
    ];
    expect(ids(waiting([{}]), sleeping)).toEqual([]);
  });

  test('is no more than the tasks need slots, those that never come aside', () => {
    const sleeping = [away('a', { slots: 2 }), away('b', { slots: 2 }), away('c')];
    expect(ids(waiting([{}, {}]), sleeping)).toEqual(['a']);
    expect(ids(waiting([{}, {}, {}]), sleeping)).toEqual(['a', 'b']);
    const dead = new Map([['a', { tries: 3, lastAt: 0 }]]);
    expect(ids(waiting([{}]), sleeping, 0, dead)).toEqual(['a', 'b']);
  });
});

test('nextTryAt() is at once, 30 s and 120 s after that, then every 10 min, and never again in the end', () => {
  expect(nextTryAt(undefined)).toBe(Number.NEGATIVE_INFINITY);
  const times = [0];
  for (let tries = 1; tries < triesMax; tries++) times.push(nextTryAt({ tries, lastAt: times.at(-1) ?? 0 }));
  expect(times.slice(0, 5)).toEqual([0, 30_000, 120_000, 720_000, 1_320_000]);
  expect(nextTryAt({ tries: triesMax, lastAt: 0 })).toBe(Number.POSITIVE_INFINITY);
});

test('sleepersFor() says how it stands with each that is made for the task', () => {
  const calls = new Map([
    ['b', { tries: 1, lastAt: 1000 }],
    ['c', { tries: triesMax, lastAt: 0 }],
  ]);
  const sleeping = [away('a'), away('b'), away('c'), away('arm', { arch: 'arm64' })];
  const wanted = task('t', { spec: spec({ requires: requirement({ arch: 'x64' }) }) });
  expect(sleepersFor(wanted, { away: sleeping, calls }, 6000).map(({ state }) => state)).toEqual([
    'it is asleep, and is woken when work needs it',
    'it is asleep, and was called once, the last time 5 s ago',
    'it is asleep, and was called 24 times, the last time 6 s ago; it is not called any more',
  ]);
});
