/**
 * One placement pass: gives ready tasks to workers, in rank order, until nothing more can be placed.
 *
 * Three rules keep backlogs (work sent ahead) from ever being worse than none:
 *  - a task that outranks work waiting in a backlog has that work asked back, when it cannot be placed otherwise;
 *  - while a task waits for a slot of a worker, nothing of lower rank is sent ahead to that worker;
 *  - a worker with a free slot and nothing to do gets what has waited too long in another one's backlog.
 * And one keeps large tasks from starving behind small ones: the first that waits for amounts longer than
 * `keepAfterMs` has the most suitable worker kept free for it.
 */

import { assign, type Step } from './lifecycle.ts';
import { amountsFree, asksForAmounts, backlogLimit, chooseWorker, isOpen, matches } from './placement.ts';
import type { ReadyEntry, RequirementClass } from './queue.ts';
import { compareRank } from './rank.ts';
import type { SchedulerState } from './state.ts';
import type { Assigned, Worker } from './worker.ts';

/** A ready task that waits this long for amounts gets a worker kept free. */
const keepAfterMs = 10_000;
/** Work that waited this long in a backlog is given to an idle worker. */
const shareOutAfterMs = 50;

/** Classes of tasks that wait for room looked at in one pass: bounds it when hardly two tasks ask for the same. */
export const hinderedMax = 256;

export function place(current: Step): void {
  const { state } = current;
  const closed = new Set<Worker>();
  const noBacklog = new Set<Worker>();
  const aside: RequirementClass[] = [];
  let hindered = 0;
  for (let head = state.ready.take(); head !== null; head = state.ready.take()) {
    const { entry, group } = head;
    const wanted = { requires: group.requires, avoid: entry.task.avoid };
    const worker = chooseWorker(state.workers.values(), wanted, { closed, noBacklog });
    if (worker !== null) {
      assign(current, entry.task, worker);
      state.ready.giveBack(group);
      continue;
    }
    aside.push(group);
    // Tasks no worker is made for hold nobody up.
    if (!makeWay(current, entry, noBacklog)) continue;
    if (closed.size === 0 && asksForAmounts(group.requires) && current.at - entry.readyAt >= keepAfterMs) {
      const kept = mostSuitable(state, group);
      if (kept !== null) closed.add(kept);
    }
    hindered += 1;
    if (hindered >= hinderedMax || isFull(state)) break;
  }
  for (const group of aside) state.ready.giveBack(group);
  shareOut(current);
}

/** No worker can take anything, whatever it asks for. */
function isFull(state: SchedulerState): boolean {
  for (const worker of state.workers.values()) {
    if (isOpen(worker) && worker.assigned.size < worker.declaration.slots + backlogLimit(worker)) return false;
  }
  return true;
}

/**
 * Asks back what waits in backlogs although `entry` goes before it, and stops more of it from being sent ahead. False
 * when no worker that takes work is made for it.
 */
function makeWay(current: Step, entry: ReadyEntry, noBacklog: Set<Worker>): boolean {
  const { requires } = entry.task.spec;
  const needsSlot = asksForAmounts(requires);
  let fits = false;
  let asked = false;
  for (const worker of current.state.workers.values()) {
    if (!isOpen(worker) || !matches(worker, requires)) continue;
    fits = true;
    if (needsSlot) noBacklog.add(worker);
    if (asked || worker.assigned.size < worker.declaration.slots || !amountsFree(worker, requires)) continue;
    const way = wayFor(entry, worker, needsSlot);
    if (way === null) continue;
    if (!way.recalled) recall(current, worker, way);
    asked = true;
  }
  return fits;
}

/**
 * The work of a backlog that should make way for `entry`: the last in the order of service, or what was asked back
 * already. Among tasks that ask for no amounts only a lower priority makes way: for age alone the round trip is too dear.
 */
function wayFor(entry: ReadyEntry, worker: Worker, needsSlot: boolean): Assigned | null {
  const { priority } = entry.task.spec;
  if (!needsSlot && worker.lowestPriority >= priority) return null;
  let last: Assigned | null = null;
  for (const assigned of worker.assigned.values()) {
    const { task, recalled, rank } = assigned;
    if (task.phase !== 'assigned') continue;
    if (recalled) return assigned;
    if (!needsSlot && task.spec.priority >= priority) continue;
    if (compareRank({ rank, id: task.id }, entry) > 0 && (last === null || rank > last.rank)) last = assigned;
  }
  return last;
}

/** The worker that could take a task of the class soonest: made for it, with the most of its slots free. */
function mostSuitable(state: SchedulerState, group: RequirementClass): Worker | null {
  let best: Worker | null = null;
  let bestShare = Number.NEGATIVE_INFINITY;
  for (const worker of state.workers.values()) {
    if (!isOpen(worker) || !matches(worker, group.requires)) continue;
    const share = (worker.declaration.slots - worker.assigned.size) / worker.declaration.slots;
    if (share > bestShare || (share === bestShare && best !== null && worker.id < best.id)) {
      best = worker;
      bestShare = share;
    }
  }
  return best;
}

function recall(current: Step, worker: Worker, assigned: Assigned): void {
  assigned.recalled = true;
  const { id, attempt } = assigned.task;
  current.effects.push({ kind: 'recall', workerId: worker.id, key: { taskId: id, attempt } });
}

/** Asks back everything a worker was given and has not started. */
export function recallBacklog(current: Step, worker: Worker): void {
  if (worker.session === null) return;
  for (const assigned of worker.assigned.values()) {
    if (assigned.task.phase === 'assigned' && !assigned.recalled) recall(current, worker, assigned);
  }
}

function hasBacklog(worker: Worker): boolean {
  return worker.session !== null && worker.assigned.size > worker.declaration.slots;
}

/** When the work waiting longest in the worker's backlog may be given to somebody else; null = it has none. */
function shareOutDue(worker: Worker): number | null {
  if (!hasBacklog(worker)) return null;
  for (const { task, recalled, assignedAt } of worker.assigned.values()) {
    if (task.phase === 'assigned' && !recalled) return assignedAt + shareOutAfterMs;
  }
  return null;
}

/** Gives idle workers what waits too long elsewhere: asks back one piece of work for each free slot that could run it. */
function shareOut(current: Step): void {
  const { state, at } = current;
  const givers = [...state.workers.values()].filter((worker) => {
    const due = shareOutDue(worker);
    return due !== null && due <= at;
  });
  if (givers.length === 0) return;
  for (const taker of state.workers.values()) {
    let free = isOpen(taker) ? taker.declaration.slots - taker.assigned.size : 0;
    for (const giver of givers) {
      if (free <= 0) break;
      const surplus = [...giver.assigned.values()].reverse();
      for (const assigned of surplus) {
        if (free <= 0) break;
        const { task, recalled } = assigned;
        if (task.phase !== 'assigned' || recalled || !matches(taker, task.spec.requires)) continue;
        recall(current, giver, assigned);
        free -= 1;
      }
    }
  }
}

/**
 * When time alone changes something in placement: work becomes due to be shared out. What was due at `at` already had
 * its turn in the last pass: if nobody could take it, only an event changes that.
 */
export function placementDeadline(state: SchedulerState, at: number): number {
  let due = Number.POSITIVE_INFINITY;
  let someIdle = false;
  for (const worker of state.workers.values()) {
    if (isOpen(worker) && worker.assigned.size < worker.declaration.slots) someIdle = true;
    const workerDue = shareOutDue(worker);
    if (workerDue !== null && workerDue > at) due = Math.min(due, workerDue);
  }
  return someIdle ? due : Number.POSITIVE_INFINITY;
}
