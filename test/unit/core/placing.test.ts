import { expect, test } from 'bun:test';
import { nextId } from '../../../src/core/ids.ts';
import { hinderedMax } from '../../../src/core/placing.ts';
import { step } from '../../../src/core/scheduler.ts';
import { emptyState } from '../../../src/core/state.ts';
import { noonWall, policy, requirement, submitted, worker } from './samples.ts';

/** Ids of what is placed when the only worker's memory is taken and `hindered` kinds of tasks wait for some of it. */
function placedBehind(hindered: number): number {
  const state = emptyState(policy);
  state.workers.set('w1', worker('w1', { slots: 4, memoryMb: 4096 }));
  let last = '';
  const task = (memoryMb: number) => {
    last = nextId(last, noonWall);
    return submitted(last, { requires: requirement({ memoryMb }) });
  };
  const tasks = [task(4096), ...Array.from({ length: hindered }, (_, n) => task(n + 1)), task(0)];
  const effects = step(state, { kind: 'tasksSubmitted', at: 0, wall: noonWall, tasks });
  return effects.filter(({ kind }) => kind === 'assign').length;
}

test('place() looks past tasks that wait for room, up to hinderedMax kinds of them', () => {
  expect(placedBehind(hinderedMax - 1)).toBe(2);
  expect(placedBehind(hinderedMax)).toBe(1);
});
