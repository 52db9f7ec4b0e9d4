/**
 * The scheduler: `step(state, event)` takes a fact, changes the state, and returns what the driver must do.
 *
 * It is synchronous, total and deterministic: no clock, no randomness, no I/O. The same events give the same effects,
 * which is what the simulation and the traces in the tests rely on. There is no polling: placement runs after each
 * event, and `nextDeadline` says when time alone would change something.
 *
 *  event                 what it does
 *  tasksSubmitted        admits the tasks: blocked, queued, or cancelled when a dependency has failed
 *  cancelRequested       ends waiting tasks at once, asks the worker to end a handed-out one
 *  workerJoined          compares what it holds with what it was given: goes on, takes back, counts as lost, abandons
 *  workerHeard           a sign of life
 *  workerReported        started, ended or returned attempts; reports of older attempts are counted and ignored
 *  workerHandedOver      attempts go on at the peer that has them, by the next number; or anywhere
 *  tasksAdopted          tasks a worker began on a peer's word are taken in as they run
 *  workerDisconnected    nothing moves yet: it keeps running its tasks and may come back within the silence limit
 *  workerLeaving         its backlog is asked back, if it does not see to that itself
 *  workerRests           as leaving, until it takes work again
 *  workerWakeable        remembered, for when it sleeps
 *  workerLeft            what it still holds is placed elsewhere, and it is not woken unasked
 *  workerKicked          an operator shut it out: what it holds is lost
 *  drainRequested        as leaving, remembered until undone
 *  pauseRequested        nothing new is placed; backlogs are asked back
 *  timePassed            backoffs end; silent workers are lost; stuck backlogs are shared out
 *
 * Fencing: an attempt's number only ever grows, and it is saved before it is sent.
 */

import { unreachable } from '../base/assert.ts';
import type { ReportEntry } from './attempt.ts';
import type { Effect, SchedulerEvent } from './events.ts';
import { onAdopted, onHandedOver } from './handover.ts';
import { admit, finish, markStarted, reportedTask, type Step, save, settle, takeBack } from './lifecycle.ts';
import { lose, onWorkerJoined, publishWorker } from './membership.ts';
import { isOpen } from './placement.ts';
import { place, placementDeadline, recallBacklog } from './placing.ts';
import type { SchedulerState } from './state.ts';
import { handsOver, type Worker, workerStatus } from './worker.ts';

/** A driver that ran this much later than it asked for was stalled itself: its workers' silence counts from now on. */
const stallMs = 2000;
/** Weight of the newest duration in a worker's moving average. */
const durationWeight = 0.2;

/** Takes one event. Effects are in the order in which the driver must obey them within each kind. */
export function step(state: SchedulerState, event: SchedulerEvent): Effect[] {
  const current: Step = { state, at: event.at, wall: event.wall, effects: [] };
  apply(current, event);
  if (!state.paused && !state.closing) place(current);
  return current.effects;
}

/**
 * The instant (scheduler time) at which a `timePassed` would change something; Infinity = only events can.
 * `at` is the instant of the last step.
 */
export function nextDeadline(state: SchedulerState, at: number): number {
  let due = state.paused || state.closing ? Number.POSITIVE_INFINITY : placementDeadline(state, at);
  due = Math.min(due, state.delayed.peek()?.at ?? due);
  for (const worker of state.workers.values()) due = Math.min(due, worker.heardAt + state.policy.silenceMs);
  return due;
}

function apply(current: Step, event: SchedulerEvent): void {
  const { state } = current;
  switch (event.kind) {
    case 'tasksSubmitted':
      for (const task of event.tasks) admit(current, task);
      return;
    case 'cancelRequested':
      for (const id of event.taskIds) onCancelRequested(current, id, event.reason);
      return;
    case 'workerJoined':
      onWorkerJoined(current, event);
      return;
    case 'workerHeard': {
      const worker = liveWorker(current, event);
      if (worker !== null && event.vitals !== null) worker.vitals = event.vitals;
      return;
    }
    case 'workerReported': {
      const worker = liveWorker(current, event);
      if (worker !== null) for (const entry of event.entries) onReport(current, worker, entry);
      return;
    }
    case 'workerHandedOver':
    case 'tasksAdopted':
      onArranged(current, event);
      return;
    case 'workerDisconnected':
      onWorkerDisconnected(current, event);
      return;
    case 'workerLeaving':
    case 'workerRests':
      onUnwilling(current, event);
      return;
    case 'workerWakeable':
      onWakeable(current, event);
      return;
    case 'workerLeft':
      onWorkerLeft(current, event);
      return;
    case 'workerKicked': {
      const worker = state.workers.get(event.workerId);
      if (worker !== undefined) lose(current, worker, event.why);
      return;
    }
    case 'drainRequested':
      onDrainRequested(current, event.workerId, event.draining);
      return;
    case 'pauseRequested':
      state.paused = event.paused;
      current.effects.push({ kind: 'savePaused', paused: event.paused });
      if (event.paused) for (const worker of state.workers.values()) recallBacklog(current, worker);
      publishDispatcher(current, event.paused ? 'paused' : 'running');
      return;
    case 'closingRequested':
      state.closing = true;
      for (const worker of state.workers.values()) recallBacklog(current, worker);
      publishDispatcher(current, 'closing');
      return;
    case 'timePassed':
      onTimePassed(current, event.lateMs);
      return;
    default:
      unreachable(event);
  }
}

/** What workers arranged among themselves. */
function onArranged(
  current: Step,
  event: Extract<SchedulerEvent, { readonly kind: 'workerHandedOver' | 'tasksAdopted' }>,
): void {
  const worker = liveWorker(current, event);
  if (worker === null) return;
  if (event.kind === 'tasksAdopted') for (const task of event.tasks) onAdopted(current, worker, task);
  else for (const entry of event.entries) onHandedOver(current, worker, entry);
}

/** The worker, if this is its present link; a sign of life either way. */
function liveWorker(current: Step, from: { workerId: string; session: number }): Worker | null {
  const worker = current.state.workers.get(from.workerId);
  if (worker === undefined || worker.session !== from.session) return null;
  worker.heardAt = current.at;
  worker.lastSeenAt = current.wall;
  return worker;
}

function onCancelRequested(current: Step, id: string, reason: string): void {
  const task = current.state.tasks.get(id);
  if (task === undefined || task.cancelRequested) return;
  if (task.phase === 'idle') {
    finish(current, task, 'cancelled', reason);
    return;
  }
  task.cancelRequested = true;
  task.reason = reason;
  save(current, task);
  if (task.workerId !== null) {
    current.effects.push({ kind: 'cancel', workerId: task.workerId, key: { taskId: id, attempt: task.attempt } });
  }
}

function onReport(current: Step, worker: Worker, entry: ReportEntry): void {
  const task = reportedTask(current, worker, entry);
  if (task === null) return;
  switch (entry.kind) {
    case 'started':
      markStarted(current, task);
      return;
    case 'returned':
      // An attempt that was seen to run cannot have been returned unstarted: a stray duplicate.
      if (task.phase === 'assigned') takeBack(current, task);
      return;
    case 'ended':
      worker.meanDurationMs =
        worker.meanDurationMs === null
          ? entry.usage.durationMs
          : worker.meanDurationMs * (1 - durationWeight) + entry.usage.durationMs * durationWeight;
      settle(current, task, entry.outcome, entry.usage);
      return;
    default:
      unreachable(entry);
  }
}

function onWorkerDisconnected(current: Step, from: { workerId: string; session: number }): void {
  const worker = liveWorker(current, from);
  if (worker === null) return;
  worker.session = null;
  worker.vitals = null;
  current.effects.push({ kind: 'saveWorker', worker });
  publishWorker(current, worker, 'silent', 'its connection broke');
}

function onWakeable(current: Step, event: Extract<SchedulerEvent, { kind: 'workerWakeable' }>): void {
  const worker = liveWorker(current, event);
  if (worker === null) return;
  worker.declaration = { ...worker.declaration, wake: { by: event.by, unasked: true } };
  current.effects.push({ kind: 'saveWorker', worker });
}

function onWorkerLeft(current: Step, from: { workerId: string; session: number }): void {
  const worker = liveWorker(current, from);
  if (worker === null) return;
  const { wake } = worker.declaration;
  if (wake !== undefined) worker.declaration = { ...worker.declaration, wake: { ...wake, unasked: false } };
  lose(current, worker, 'its worker stopped');
}

/** It takes no new work any more, or for the time being; or it does again. */
function onUnwilling(current: Step, event: Extract<SchedulerEvent, { kind: 'workerLeaving' | 'workerRests' }>): void {
  const worker = liveWorker(current, event);
  if (worker === null) return;
  if (event.kind === 'workerLeaving') worker.leaving = true;
  else worker.resting = event.why;
  if (!isOpen(worker) && !handsOver(worker)) recallBacklog(current, worker);
  const why =
    worker.resting === null ? 'it takes work again' : `it takes no work for the time being: ${worker.resting}`;
  publishWorker(current, worker, workerStatus(worker), worker.leaving ? 'it is about to stop' : why);
}

function onDrainRequested(current: Step, workerId: string, draining: boolean): void {
  const worker = current.state.workers.get(workerId);
  if (worker === undefined || worker.draining === draining) return;
  worker.draining = draining;
  current.effects.push({ kind: 'saveWorker', worker });
  if (worker.session !== null) current.effects.push({ kind: 'drain', workerId, draining });
  if (draining && !handsOver(worker)) recallBacklog(current, worker);
  publishWorker(current, worker, workerStatus(worker), null);
}

function onTimePassed(current: Step, lateMs: number): void {
  const { state, at } = current;
  if (lateMs > stallMs) for (const worker of state.workers.values()) worker.heardAt = at;
  for (let next = state.delayed.peek(); next !== undefined && next.at <= at; next = state.delayed.peek()) {
    state.delayed.pop();
    const { task } = next;
    if (task.status !== 'queued' || task.notBefore !== next.at) continue;
    task.notBefore = null;
    state.ready.add(task, at);
  }
  for (const worker of [...state.workers.values()]) {
    if (at - worker.heardAt >= state.policy.silenceMs) {
      lose(current, worker, `its worker ${worker.name} was silent for ${Math.round(state.policy.silenceMs / 1000)} s`);
    }
  }
}

function publishDispatcher(current: Step, status: string): void {
  current.effects.push({ kind: 'publish', what: 'dispatcher', id: 'dispatcher', status, workerId: null, detail: null });
}
