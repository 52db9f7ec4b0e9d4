/**
 * What must hold after every step, whatever happened: checked by tests and the simulation, not in production.
 * Returns sentences about what does not hold; none = all is well.
 */

import { asksForAmounts } from './placement.ts';
import { emptyCounts, type SchedulerState } from './state.ts';
import { isFinal, type Task, type TaskStatus } from './task.ts';
import type { Worker } from './worker.ts';

const liveStatuses: readonly TaskStatus[] = ['blocked', 'queued', 'running'];

export function violations(state: SchedulerState): string[] {
  const found: string[] = [];
  const counts = emptyCounts();
  for (const [id, task] of state.tasks) {
    counts[task.status] += 1;
    if (id !== task.id) found.push(`task ${task.id} is filed under ${id}`);
    found.push(...taskViolations(state, task).map((sentence) => `task ${id}: ${sentence}`));
  }
  for (const status of liveStatuses) {
    if (counts[status] !== state.counts[status])
      found.push(`${counts[status]} tasks are ${status}, the count says ${state.counts[status]}`);
  }
  for (const worker of state.workers.values()) {
    found.push(...workerViolations(state, worker).map((sentence) => `worker ${worker.id}: ${sentence}`));
  }
  for (const entry of state.ready.entries()) {
    if (state.tasks.get(entry.id) !== entry.task) found.push(`the ready set holds ${entry.id}, which is not live`);
  }
  return found;
}

function taskViolations(state: SchedulerState, task: Task): string[] {
  const found: string[] = [];
  const ready = state.ready.has(task.id);
  const worker = task.workerId === null ? undefined : state.workers.get(task.workerId);
  const assigned = worker?.assigned.get(task.id)?.task === task;
  if (isFinal(task.status)) found.push('it has ended and is still here');
  if ((task.phase !== 'idle') !== assigned) found.push(`phase ${task.phase}, but its worker's books say otherwise`);
  if ((task.status === 'running') !== (task.phase === 'started')) found.push(`${task.status} in phase ${task.phase}`);
  if ((task.status === 'blocked') !== task.waitingFor.size > 0)
    found.push(`${task.status}, waits for ${task.waitingFor.size}`);
  const shouldBeReady = task.status === 'queued' && task.phase === 'idle' && task.notBefore === null;
  if (ready !== shouldBeReady)
    found.push(ready ? 'in the ready set without being ready' : 'ready, but not in the ready set');
  for (const dependency of task.waitingFor) {
    if (!state.tasks.has(dependency)) found.push(`waits for ${dependency}, which is not live`);
  }
  return found;
}

function workerViolations(state: SchedulerState, worker: Worker): string[] {
  const found: string[] = [];
  const sum = { cpuCores: 0, memoryMb: 0, gpu: 0 };
  // What it adopted came without being asked: until it has ended, the worker may hold more than it has.
  const unasked = { cpuCores: 0, memoryMb: 0, gpu: 0 };
  let amounts = 0;
  for (const { task } of worker.assigned.values()) {
    if (state.tasks.get(task.id) !== task) found.push(`holds ${task.id}, which is not live`);
    if (task.workerId !== worker.id) found.push(`holds ${task.id}, which says ${task.workerId}`);
    const { requires, adopted } = task.spec;
    if (asksForAmounts(requires) && adopted !== true) amounts += 1;
    for (const key of ['cpuCores', 'memoryMb', 'gpu'] as const) {
      sum[key] += requires[key];
      if (adopted === true) unasked[key] += requires[key];
    }
  }
  if (amounts > worker.declaration.slots)
    found.push(`${amounts} tasks with reserved amounts, ${worker.declaration.slots} slots`);
  for (const key of ['cpuCores', 'memoryMb', 'gpu'] as const) {
    if (Math.abs(sum[key] - worker.reserved[key]) > 1e-6)
      found.push(`${key} reserved ${worker.reserved[key]}, should be ${sum[key]}`);
    if (sum[key] - unasked[key] > worker.declaration[key] + 1e-6)
      found.push(`${key} overcommitted: ${sum[key]} of ${worker.declaration[key]}`);
  }
  return found;
}
