/**
 * Workers coming and going.
 *
 * A join is also how both sides find out what really happened while they were apart: the worker says what it holds, the
 * scheduler knows what it was given. What both know goes on; what only the scheduler knows never arrived (taken back)
 * or died with the worker's process (lost); what only the worker knows is somebody else's by now (abandoned).
 */

import type { AttemptKey, HeldAttempt } from './attempt.ts';
import type { SchedulerEvent } from './events.ts';
import { markStarted, type Step, settle, takeBack } from './lifecycle.ts';
import { uniqueName } from './names.ts';
import { recallBacklog } from './placing.ts';
import { idleWorker, type Worker } from './worker.ts';

type Joined = Extract<SchedulerEvent, { kind: 'workerJoined' }>;

/** A link that said nothing for this long is taken to be dead when its worker's id shows up on a new one. */
const deadLinkMs = 15_000;

export function onWorkerJoined(current: Step, event: Joined): void {
  const { state } = current;
  const known = state.workers.get(event.declaration.id);
  const refusal = refusalOf(current, event, known);
  if (refusal !== null) {
    current.effects.push({ kind: 'refuse', session: event.session, ...refusal });
    return;
  }
  if (known !== undefined && known.session !== null) {
    current.effects.push({ kind: 'replaceSession', session: known.session });
  }
  const worker = known ?? newWorker(current, event);
  if (known !== undefined && known.declaration.processId !== event.declaration.processId) {
    bury(current, known, `worker ${known.name} was restarted`);
  }
  state.workers.set(worker.id, worker);
  worker.declaration = event.declaration;
  worker.session = event.session;
  worker.address = event.address;
  worker.publicKey = event.publicKey;
  worker.heardAt = current.at;
  worker.lastSeenAt = current.wall;
  worker.leaving = false;
  worker.resting = null;
  const resume = compareHoldings(current, worker, event.held);
  current.effects.push({ kind: 'saveWorker', worker });
  current.effects.push({ kind: 'welcome', workerId: worker.id, session: event.session, resume });
  publishWorker(current, worker, worker.draining ? 'draining' : 'online', null);
  askAgain(current, worker);
}

/** What was asked of the worker before its link broke may not have arrived. */
function askAgain(current: Step, worker: Worker): void {
  for (const assigned of worker.assigned.values()) {
    assigned.recalled = false;
    const { id, attempt, cancelRequested } = assigned.task;
    if (cancelRequested) current.effects.push({ kind: 'cancel', workerId: worker.id, key: { taskId: id, attempt } });
  }
  if (worker.draining) current.effects.push({ kind: 'drain', workerId: worker.id, draining: true });
  if (worker.draining || current.state.paused || current.state.closing) recallBacklog(current, worker);
}

function refusalOf(
  current: Step,
  event: Joined,
  known: Worker | undefined,
): { code: 'full' | 'duplicate_id'; detail: string } | null {
  const { state, at } = current;
  const sameProcess = known?.declaration.processId === event.declaration.processId;
  if (known !== undefined && known.session !== null && !sameProcess && at - known.heardAt < deadLinkMs) {
    return {
      code: 'duplicate_id',
      detail: `A worker with this id is connected from ${known.address}. If this device's data directory was copied from another one (a cloned SD card), start it once with --new-identity.`,
    };
  }
  // One that is silent and still has work keeps its place: what it runs would be lost.
  const others = [...state.workers.values()].filter((worker) => worker !== known);
  const places = others.filter(({ session, assigned }) => session !== null || assigned.size > 0).length;
  if (places < state.policy.workersMax) return null;
  return {
    code: 'full',
    detail: `The dispatcher already has ${places} workers, its --max-workers. This worker waits for a place.`,
  };
}

function newWorker({ state, at, wall }: Step, { declaration, remembered, publicKey }: Joined): Worker {
  const names = new Set([...state.workers.values()].map((worker) => worker.name));
  const name = uniqueName(declaration.name, names);
  const { draining, firstSeenAt } = remembered ?? { draining: false, firstSeenAt: wall };
  return idleWorker({ declaration, name, publicKey, firstSeenAt, lastSeenAt: wall, draining }, at);
}

/** Settles what the worker holds against what it was given; returns what goes on. */
function compareHoldings(current: Step, worker: Worker, held: readonly HeldAttempt[]): AttemptKey[] {
  const resume: AttemptKey[] = [];
  const holding = new Map(held.map((entry) => [entry.taskId, entry]));
  for (const { task } of [...worker.assigned.values()]) {
    const entry = holding.get(task.id);
    if (entry?.attempt === task.attempt) {
      if (entry.phase !== 'waiting') markStarted(current, task);
      resume.push({ taskId: task.id, attempt: task.attempt });
    } else if (task.phase === 'started') {
      settle(current, task, { kind: 'lost', why: `worker ${worker.name} does not hold it any more` }, null);
    } else {
      takeBack(current, task);
    }
  }
  for (const { taskId, attempt, adopted } of held) {
    // One it adopted may be new here, and is judged when it tells of it.
    if (adopted === true) continue;
    if (worker.assigned.get(taskId)?.task.attempt === attempt) continue;
    current.effects.push({ kind: 'abandon', workerId: worker.id, key: { taskId, attempt } });
  }
  return resume;
}

/** The worker is gone, and with it its process. */
export function lose(current: Step, worker: Worker, why: string): void {
  if (worker.session !== null) current.effects.push({ kind: 'replaceSession', session: worker.session });
  bury(current, worker, why);
  current.state.workers.delete(worker.id);
  worker.session = null;
  current.effects.push({ kind: 'saveWorker', worker });
  publishWorker(current, worker, 'offline', why);
}

/**
 * A worker's process is no more. What it was seen to run is lost, and so is what must have been next to run (the first
 * `slots` of its attempts): a task that kills its worker before it is reported must not go round for ever. The rest is
 * taken back.
 */
function bury(current: Step, worker: Worker, why: string): void {
  let place = 0;
  for (const { task } of [...worker.assigned.values()]) {
    place += 1;
    if (task.phase === 'started' || (!worker.leaving && place <= worker.declaration.slots)) {
      settle(current, task, { kind: 'lost', why }, null);
    } else {
      takeBack(current, task);
    }
  }
}

export function publishWorker(current: Step, worker: Worker, status: string, detail: string | null): void {
  const { id } = worker;
  current.effects.push({ kind: 'publish', what: 'worker', id, status, workerId: id, detail });
}
