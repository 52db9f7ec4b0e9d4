import { expect, test } from 'bun:test';
import { backoffMsMax } from '../../../src/core/backoff.ts';
import { violations } from '../../../src/core/invariants.ts';
import { type RememberedWorker, restore } from '../../../src/core/restore.ts';
import { emptyCounts } from '../../../src/core/state.ts';
import type { Task } from '../../../src/core/task.ts';
import { declaration, noonWall, policy, requirement, spec, task } from './samples.ts';

const a = '000000000001';
const b = '000000000002';

const remembered: RememberedWorker = {
  declaration: declaration('w1'),
  name: 'attic',
  publicKey: 'key',
  firstSeenAt: 1,
  lastSeenAt: 2,
  draining: true,
};

function restored(tasks: readonly Task[], workers: readonly RememberedWorker[] = [remembered]) {
  const counts = emptyCounts();
  for (const { status } of tasks) counts[status] += 1;
  const state = restore(policy, { tasks, workers, counts, paused: true }, { at: 1000, wall: noonWall });
  expect(violations(state)).toEqual([]);
  return state;
}

test('restore() takes a worker with work in hand to be on its way back, and forgets the others', () => {
  const requires = requirement({ cpuCores: 2 });
  const held = task(a, { phase: 'assigned', attempt: 1, workerId: 'w1', spec: spec({ requires }) });
  const state = restored([held], [remembered, { ...remembered, declaration: declaration('w2') }]);
  expect([...state.workers.keys()]).toEqual(['w1']);
  const worker = state.workers.get('w1');
  expect(worker).toMatchObject({ name: 'attic', session: null, draining: true, heardAt: 1000 });
  expect(worker?.reserved.cpuCores).toBe(2);
  expect(state.paused).toBe(true);
});

test('restore() makes a handed-out task ready when its worker is not on record', () => {
  const running = task(a, { status: 'running', phase: 'started', attempt: 1, workerId: 'gone' });
  const state = restored([running, task(b, { phase: 'assigned', attempt: 1, workerId: 'gone' })]);
  expect(state.counts).toMatchObject({ running: 0, queued: 2 });
  expect([state.ready.has(a), state.ready.has(b)]).toEqual([true, true]);
});

test('restore() turns the wall clock of a backoff into scheduler time, within its bounds', () => {
  const due = (notBefore: number): number | null => restored([task(a, { notBefore })]).tasks.get(a)?.notBefore ?? null;
  expect(due(noonWall + 5000)).toBe(6000);
  expect(due(noonWall - 5000)).toBe(1000);
  expect(due(noonWall + 86_400_000)).toBe(1000 + backoffMsMax);
});

test('restore() knows again who waits for whom', () => {
  const state = restored([task(a), task(b, { status: 'blocked', waitingFor: new Set([a]) })]);
  expect([...(state.dependents.get(a) ?? [])].map(({ id }) => id)).toEqual([b]);
  expect(state.ready.has(b)).toBe(false);
});
