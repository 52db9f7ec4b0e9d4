import { expect, test } from 'bun:test';
import { type AttemptFence, fenceBeyond, fenceIn, fenceText, nextAttempt } from '../../../src/core/fence.ts';
import { restore } from '../../../src/core/restore.ts';
import { step } from '../../../src/core/scheduler.ts';
import { newTask } from '../../../src/core/task.ts';
import { declaration, noonWall, policy, spec } from './samples.ts';

const fence: AttemptFence = { lastId: '000000000005', attempt: 1003 };

test('nextAttempt() grows by one, and jumps the fence once for the tasks it is about', () => {
  expect(nextAttempt(null, { id: '000000000001', attempt: 2 })).toBe(3);
  expect(nextAttempt(fence, { id: '000000000006', attempt: 0 })).toBe(1);
  expect(nextAttempt(fence, { id: '000000000005', attempt: 0 })).toBe(1004);
  expect(nextAttempt(fence, { id: '000000000005', attempt: 1004 })).toBe(1005);
});

test('fenceBeyond() is beyond every number given out, also before an earlier restore', () => {
  expect(fenceBeyond({ lastId: '000000000009', attemptMax: 3 }, null)).toEqual({
    lastId: '000000000009',
    attempt: 1003,
  });
  expect(fenceBeyond({ lastId: '000000000009', attemptMax: 3 }, fence).attempt).toBe(2003);
});

test('fenceIn() reads what fenceText() wrote, and nothing else', () => {
  expect(fenceIn(fenceText(fence))).toEqual(fence);
  expect(fenceIn(fenceText({ lastId: '', attempt: 1000 }))).toEqual({ lastId: '', attempt: 1000 });
  for (const text of [null, '', 'x', '12', '-1 a', '1 2 3']) expect(fenceIn(text)).toBeNull();
});

/** A task that had been handed out to w1 as attempt 1 when the state was saved, and what w1 holds when it comes back. */
function afterRestore(heldAttempt: number | null) {
  const id = fence.lastId;
  const task = {
    ...newTask(id, spec(), noonWall),
    attempt: 1,
    workerId: 'w1',
    phase: 'started',
    status: 'running',
  } as const;
  const remembered = { name: 'w1', publicKey: 'k', firstSeenAt: noonWall, lastSeenAt: noonWall, draining: false };
  const counts = { blocked: 0, queued: 0, running: 1, completed: 0, failed: 0, timed_out: 0, cancelled: 0 };
  const workers = [{ ...remembered, declaration: declaration('w1') }];
  const state = restore(policy, { tasks: [task], workers, counts, paused: false, fence }, { at: 0, wall: noonWall });
  const held = heldAttempt === null ? [] : [{ taskId: id, attempt: heldAttempt, phase: 'running' } as const];
  const joined = { session: 1, address: 'a', publicKey: 'k', remembered: null, held, declaration: declaration('w1') };
  return step(state, { kind: 'workerJoined', at: 1, wall: noonWall, ...joined });
}

test('a worker that still holds the attempt that was saved goes on with it', () => {
  const effects = afterRestore(1);
  expect(effects).toContainEqual(
    expect.objectContaining({ kind: 'welcome', resume: [{ taskId: fence.lastId, attempt: 1 }] }),
  );
  expect(effects.some(({ kind }) => kind === 'assign' || kind === 'abandon')).toBe(false);
});

test('what a worker holds by a number given out since is abandoned, and never given out again', () => {
  const effects = afterRestore(2);
  expect(effects).toContainEqual(
    expect.objectContaining({ kind: 'abandon', key: { taskId: fence.lastId, attempt: 2 } }),
  );
  expect(effects.find(({ kind }) => kind === 'assign')).toMatchObject({ attempt: 1004 });
});
