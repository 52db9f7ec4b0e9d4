/** The scheduler's state after a restart, from what was saved: workers are taken to be on their way back. */

import { backoffMsMax } from './backoff.ts';
import type { AttemptFence } from './fence.ts';
import { waitFor } from './lifecycle.ts';
import { hold } from './placement.ts';
import { emptyState, type Policy, type SchedulerState } from './state.ts';
import type { Task, TaskStatus } from './task.ts';
import { idleWorker, type WorkerDeclaration } from './worker.ts';

/** A worker as it is remembered over restarts. */
export interface RememberedWorker {
  readonly declaration: WorkerDeclaration;
  readonly name: string;
  readonly publicKey: string;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
  readonly draining: boolean;
}

export interface Saved {
  /** Live tasks in order of submission; `notBefore` is wall-clock ms. */
  readonly tasks: readonly Task[];
  readonly workers: readonly RememberedWorker[];
  readonly counts: Readonly<Record<TaskStatus, number>>;
  readonly paused: boolean;
  readonly fence?: AttemptFence | null;
}

/** Rebuilds the state at scheduler time `at` and wall-clock time `wall`, both ms. */
export function restore(policy: Policy, saved: Saved, { at, wall }: { at: number; wall: number }): SchedulerState {
  const state = emptyState(policy, saved.fence);
  Object.assign(state.counts, saved.counts);
  state.paused = saved.paused;
  const remembered = new Map(saved.workers.map((worker) => [worker.declaration.id, worker]));
  for (const task of saved.tasks) state.tasks.set(task.id, task);
  for (const task of saved.tasks) {
    if (task.phase !== 'idle') holdBy(state, task, { remembered, at });
    else if (task.waitingFor.size > 0) for (const id of [...task.waitingFor]) waitFor(state, task, id);
    else if (task.notBefore !== null) {
      task.notBefore = at + Math.min(Math.max(0, task.notBefore - wall), backoffMsMax);
      state.delayed.push({ at: task.notBefore, task });
    } else state.ready.add(task, at);
  }
  return state;
}

function holdBy(
  state: SchedulerState,
  task: Task,
  { remembered, at }: { remembered: ReadonlyMap<string, RememberedWorker>; at: number },
): void {
  const known = task.workerId === null ? undefined : remembered.get(task.workerId);
  if (known === undefined) {
    // Without a record of its worker nobody can come back for it.
    if (task.status === 'running') {
      state.counts.running -= 1;
      state.counts.queued += 1;
      task.status = 'queued';
    }
    task.phase = 'idle';
    state.ready.add(task, at);
    return;
  }
  const { id } = known.declaration;
  const worker = state.workers.get(id) ?? idleWorker(known, at);
  state.workers.set(id, worker);
  hold(worker, task, at);
}
