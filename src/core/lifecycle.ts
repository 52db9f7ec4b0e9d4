/**
 * One task's way through its states: the only code that changes `status`, and with it the counts, the ready set, the
 * delayed set, the dependents and the worker's books. Everything that decides calls these small steps.
 *
 *   admit      new → blocked | queued | cancelled (a dependency has failed)
 *   makeReady  → in the ready set, or delayed until its backoff has passed
 *   assign     ready → handed to a worker         unassign   the reverse bookkeeping
 *   passOn     handed to a worker → to another one, which has it from the first
 *   adopt      new → running: a worker began it on a peer's word
 *   settle     an attempt ended → final, or back to ready
 *   finish     → final: it leaves the state, and its dependents move on
 */

import { assert } from '../base/assert.ts';
import type { AttemptKey } from './attempt.ts';
import { backoffMs } from './backoff.ts';
import type { Effect, SubmittedTask } from './events.ts';
import { nextAttempt } from './fence.ts';
import { hold, release } from './placement.ts';
import type { SchedulerState } from './state.ts';
import {
  type AttemptOutcome,
  type AttemptUsage,
  describeOutcome,
  type FinalStatus,
  isFinal,
  lossesMax,
  newTask,
  statusOf,
  type Task,
  type TaskSpec,
  type TaskStatus,
} from './task.ts';
import type { Worker } from './worker.ts';

/** One step of the scheduler in progress: the state, the instant, and the effects so far. */
export interface Step {
  readonly state: SchedulerState;
  readonly at: number;
  readonly wall: number;
  readonly effects: Effect[];
}

/** Workers remembered as unlucky for a task. */
const avoidMax = 5;

export function save(step: Step, task: Task, isNew = false): void {
  step.effects.push({ kind: 'saveTask', task, isNew });
}

function setStatus(step: Step, task: Task, status: TaskStatus): void {
  if (task.status === status) return;
  assert(!isFinal(task.status), `task ${task.id} has ended as ${task.status} and cannot become ${status}`);
  step.state.counts[task.status] -= 1;
  step.state.counts[status] += 1;
  task.status = status;
}

function publishTask(step: Step, task: Task): void {
  const { id, status, workerId, reason } = task;
  step.effects.push({ kind: 'publish', what: 'task', id, status, workerId, detail: reason });
}

export function admit(step: Step, { id, spec, ended }: SubmittedTask): void {
  const { state } = step;
  const task = newTask(id, spec, step.wall);
  state.tasks.set(id, task);
  state.counts.queued += 1;
  save(step, task, true);
  for (const dependency of spec.dependsOn) {
    if (state.tasks.has(dependency)) waitFor(state, task, dependency);
  }
  // Neither live nor on record as ended: it came just before in this submission and was cancelled as it was admitted.
  const endOf = (dependency: string): TaskStatus | undefined =>
    state.tasks.has(dependency) ? undefined : (ended.get(dependency) ?? 'cancelled');
  const broken = spec.dependsOn.find((dependency) => dependencyFailed(task, endOf(dependency)));
  if (broken !== undefined) {
    finish(step, task, 'cancelled', `its dependency ${broken} ended as ${endOf(broken)}`);
  } else if (task.waitingFor.size > 0) {
    setStatus(step, task, 'blocked');
    publishTask(step, task);
  } else {
    state.ready.add(task, step.at);
    publishTask(step, task);
  }
}

function dependencyFailed(task: Task, status: TaskStatus | undefined): boolean {
  return status !== undefined && status !== 'completed' && task.spec.onDependencyFailure === 'cancel';
}

/** Notes that a live task waits for another live task. */
export function waitFor(state: SchedulerState, task: Task, dependency: string): void {
  task.waitingFor.add(dependency);
  let waiting = state.dependents.get(dependency);
  if (waiting === undefined) {
    waiting = new Set();
    state.dependents.set(dependency, waiting);
  }
  waiting.add(task);
}

/** Puts a queued task where placement finds it: into the ready set, or among the delayed. */
function makeReady(step: Step, task: Task): void {
  if (task.notBefore !== null && task.notBefore > step.at) {
    step.state.delayed.push({ at: task.notBefore, task });
  } else {
    task.notBefore = null;
    step.state.ready.add(task, step.at);
  }
}

/** Gives a ready task its next attempt on `worker`. */
export function assign(step: Step, task: Task, worker: Worker): void {
  const readyAt = step.state.ready.remove(task.id) ?? step.at;
  task.attempt = nextAttempt(step.state.fence, task);
  task.phase = 'assigned';
  task.workerId = worker.id;
  task.reason = null;
  hold(worker, task, step.at);
  save(step, task);
  const waitedMs = step.at - readyAt;
  step.effects.push({ kind: 'assign', workerId: worker.id, task, attempt: task.attempt, waitedMs });
}

function unassign(step: Step, task: Task): void {
  const worker = task.workerId === null ? undefined : step.state.workers.get(task.workerId);
  if (worker?.assigned.delete(task.id) === true) release(worker, task.spec.requires);
  task.phase = 'idle';
}

/** Gives a task whose attempt never started its next one, on a worker that has got it from the one before. */
export function passOn(step: Step, task: Task, worker: Worker): void {
  const previous = task.attempt;
  unassign(step, task);
  task.attempt = nextAttempt(step.state.fence, task);
  task.phase = 'assigned';
  task.workerId = worker.id;
  hold(worker, task, step.at);
  save(step, task);
  const key = { taskId: task.id, attempt: task.attempt };
  step.effects.push({ kind: 'grant', workerId: worker.id, key, previous });
}

/** Takes in a task that runs on `worker` already: its attempt 1. */
export function adopt(step: Step, { id, spec }: { id: string; spec: TaskSpec }, worker: Worker): void {
  const task = newTask(id, { ...spec, adopted: true }, step.wall);
  step.state.tasks.set(id, task);
  step.state.counts.queued += 1;
  task.attempt = 1;
  task.phase = 'assigned';
  task.workerId = worker.id;
  hold(worker, task, step.at);
  save(step, task, true);
  markStarted(step, task);
}

/** The worker was seen to run the attempt. */
export function markStarted(step: Step, task: Task): void {
  if (task.phase === 'started') return;
  task.phase = 'started';
  task.startedAt = step.wall;
  setStatus(step, task, 'running');
  save(step, task);
  publishTask(step, task);
}

/** The task a report is about, or null when the report is of an attempt that is no longer the current one. */
export function reportedTask(step: Step, worker: Worker, key: AttemptKey): Task | null {
  const task = worker.assigned.get(key.taskId)?.task;
  if (task !== undefined && task.attempt === key.attempt) return task;
  step.state.staleReports += 1;
  return null;
}

/** An attempt that never started is taken back: nothing happened, it does not count as lost. */
export function takeBack(step: Step, task: Task): void {
  unassign(step, task);
  task.workerId = null;
  if (task.cancelRequested) {
    finish(step, task, 'cancelled', task.reason ?? 'cancelled');
    return;
  }
  setStatus(step, task, 'queued');
  makeReady(step, task);
  save(step, task);
}

/** The current attempt ended with `outcome`: decides between a final state and another attempt. */
export function settle(step: Step, task: Task, outcome: AttemptOutcome, usage: AttemptUsage | null): void {
  const workerId = task.workerId ?? '';
  if (task.startedAt === null && usage !== null && outcome.kind !== 'spawn_failed') {
    task.startedAt = step.wall - Math.round(usage.durationMs);
  }
  step.effects.push({
    kind: 'saveAttempt',
    record: {
      taskId: task.id,
      attempt: task.attempt,
      workerId,
      startedAt: task.startedAt,
      endedAt: step.wall,
      outcome,
      usage,
    },
  });
  unassign(step, task);
  task.outcome = outcome;
  task.usage = usage;
  const sentence = describeOutcome(outcome);
  if (task.cancelRequested && statusOf(outcome) !== 'completed') {
    finish(step, task, 'cancelled', task.reason ?? 'cancelled');
  } else if (outcome.kind === 'lost') {
    task.losses += 1;
    avoidWorker(task, workerId);
    // Whoever asked is gone with the worker, or is told by it to this day: nobody waits for another run.
    if (task.spec.adopted === true) finish(step, task, 'failed', sentence);
    else if (task.losses >= lossesMax)
      finish(step, task, 'failed', `${task.losses} attempts were lost; the last: ${outcome.why}`);
    else tryAgain(step, task, `attempt ${task.attempt} was ${sentence}`);
  } else if (statusOf(outcome) === 'completed' || outcome.kind === 'cancelled') {
    finish(step, task, statusOf(outcome), outcome.kind === 'cancelled' ? (task.reason ?? 'cancelled') : null);
  } else {
    task.failures += 1;
    avoidWorker(task, workerId);
    if (task.failures > task.spec.retryCount) {
      finish(step, task, statusOf(outcome), sentence);
    } else {
      const waitMs = backoffMs(task.id, { baseMs: task.spec.retryDelayMs, failures: task.failures });
      task.notBefore = step.at + waitMs;
      tryAgain(step, task, `attempt ${task.attempt} ${sentence}; tried again after ${(waitMs / 1000).toFixed(1)} s`);
    }
  }
}

function avoidWorker(task: Task, workerId: string): void {
  task.avoid = [...task.avoid.filter((id) => id !== workerId), workerId].slice(-avoidMax);
}

function tryAgain(step: Step, task: Task, reason: string): void {
  task.reason = reason;
  task.startedAt = null;
  setStatus(step, task, 'queued');
  makeReady(step, task);
  save(step, task);
  publishTask(step, task);
}

/** Ends a task and lets its dependents move on, however long the chain. */
export function finish(step: Step, task: Task, status: FinalStatus, reason: string | null): void {
  const ended: { task: Task; status: FinalStatus; reason: string | null }[] = [{ task, status, reason }];
  for (let next = ended.pop(); next !== undefined; next = ended.pop()) {
    leave(step, next.task, next.status, next.reason);
    const waiting = step.state.dependents.get(next.task.id) ?? new Set<Task>();
    step.state.dependents.delete(next.task.id);
    for (const dependent of waiting) {
      dependent.waitingFor.delete(next.task.id);
      if (isFinal(dependent.status)) continue;
      if (dependencyFailed(dependent, next.status)) {
        ended.push({
          task: dependent,
          status: 'cancelled',
          reason: `its dependency ${next.task.id} ended as ${next.status}`,
        });
      } else if (dependent.waitingFor.size === 0) {
        setStatus(step, dependent, 'queued');
        makeReady(step, dependent);
        save(step, dependent);
        publishTask(step, dependent);
      }
    }
  }
}

function leave(step: Step, task: Task, status: FinalStatus, reason: string | null): void {
  if (isFinal(task.status)) return;
  const { state } = step;
  state.ready.remove(task.id);
  for (const dependency of task.waitingFor) state.dependents.get(dependency)?.delete(task);
  task.waitingFor.clear();
  setStatus(step, task, status);
  task.notBefore = null;
  task.reason = reason;
  task.completedAt = step.wall;
  state.tasks.delete(task.id);
  save(step, task);
  publishTask(step, task);
}
