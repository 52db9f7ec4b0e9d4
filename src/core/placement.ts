/**
 * Who gets what: the same code decides and explains.
 *
 * A worker has slots, and amounts of cores, memory and GPUs that are reserved while a task that asks for them runs.
 * They are never overcommitted. A task that asks for no amounts may also be sent ahead of time into a worker's backlog,
 * so that a freed slot starts it without a round trip; a task that asks for amounts is placed only when it can start.
 * Among workers that can start a task, the one with the largest free share of its slots and of what is asked gets it;
 * workers where it failed before come last; ties go by id.
 */

import { isolationMismatches, keepsDemand } from './isolation.ts';
import { rankOf } from './rank.ts';
import type { Requirement, Task } from './task.ts';
import { type Worker, type WorkerDeclaration, workerStatus } from './worker.ts';

/** A backlog covers about this much time of a worker's average work: several round trips on a slow network. */
const backlogCoverMs = 20;
/** What an attempt is taken to last before the first has ended. */
const assumedDurationMs = 100;
const backlogMax = 512;

/** How many attempts a worker may hold beyond its slots: enough to bridge a round trip, so more for short tasks. */
export function backlogLimit(worker: Worker): number {
  const mean = Math.max(worker.meanDurationMs ?? assumedDurationMs, 0.1);
  return Math.min(backlogMax, Math.ceil((worker.declaration.slots * backlogCoverMs) / mean));
}

export function asksForAmounts(requires: Requirement): boolean {
  return requires.cpuCores > 0 || requires.memoryMb > 0 || requires.gpu > 0;
}

/** Enters a task into the worker's books at scheduler time `at` (ms): it is assigned, and its amounts are reserved. */
export function hold(worker: Worker, task: Task, at: number): void {
  const { priority, requires } = task.spec;
  worker.lowestPriority = worker.assigned.size === 0 ? priority : Math.min(worker.lowestPriority, priority);
  worker.assigned.set(task.id, { task, rank: rankOf(task.id, priority), assignedAt: at, recalled: false });
  worker.reserved.cpuCores += requires.cpuCores;
  worker.reserved.memoryMb += requires.memoryMb;
  worker.reserved.gpu += requires.gpu;
}

export function release(worker: Worker, requires: Requirement): void {
  worker.reserved.cpuCores -= requires.cpuCores;
  worker.reserved.memoryMb -= requires.memoryMb;
  worker.reserved.gpu -= requires.gpu;
}

const amounts = [
  { key: 'cpuCores', unit: 'cores' },
  { key: 'memoryMb', unit: 'MB of memory' },
  { key: 'gpu', unit: 'GPUs' },
] as const;

/** Reasons that will not pass by waiting: the worker is not made for this task. Empty = it is. */
export function mismatches(worker: Worker, requires: Requirement): string[] {
  const has = worker.declaration;
  const reasons: string[] = [];
  for (const { key, unit } of amounts) {
    if (requires[key] > has[key]) reasons.push(`it has ${has[key]} ${unit}, the task asks for ${requires[key]}`);
  }
  if (requires.platform !== null && requires.platform !== has.platform)
    reasons.push(`its platform is ${has.platform}, the task asks for ${requires.platform}`);
  if (requires.arch !== null && requires.arch !== has.arch)
    reasons.push(`its architecture is ${has.arch}, the task asks for ${requires.arch}`);
  for (const [label, value] of Object.entries(requires.labels)) {
    const own = has.labels[label];
    if (own === undefined) reasons.push(`it has no label ${label}, the task asks for ${label}=${value}`);
    else if (own !== value) reasons.push(`its label ${label} is ${own}, the task asks for ${value}`);
  }
  reasons.push(...isolationMismatches(has.isolation, requires.isolation));
  return reasons;
}

/** Made for the task; says the same as `mismatches` without building sentences. */
export function matches(worker: Worker, requires: Requirement): boolean {
  return suits(worker.declaration, requires);
}

/** What was declared is made for the task. */
export function suits(has: WorkerDeclaration, requires: Requirement): boolean {
  if (requires.cpuCores > has.cpuCores || requires.memoryMb > has.memoryMb || requires.gpu > has.gpu) return false;
  if (requires.platform !== null && requires.platform !== has.platform) return false;
  if (requires.arch !== null && requires.arch !== has.arch) return false;
  for (const label in requires.labels) if (has.labels[label] !== requires.labels[label]) return false;
  return keepsDemand(has.isolation, requires.isolation);
}

/** What is asked for is free now (slots apart). Shares of a core are compared with a tolerance for rounding. */
export function amountsFree(worker: Worker, requires: Requirement): boolean {
  return amounts.every(
    ({ key }) => requires[key] === 0 || worker.declaration[key] - worker.reserved[key] - requires[key] > -1e-6,
  );
}

/** Reasons that may pass by waiting. Empty = it could start the task now. */
export function hindrances(worker: Worker, requires: Requirement): string[] {
  const reasons: string[] = [];
  const status = workerStatus(worker);
  if (status === 'silent') reasons.push('it has no connection to the dispatcher now');
  if (worker.leaving) reasons.push('it is about to stop');
  else if (worker.draining) reasons.push('it is draining');
  else if (worker.resting !== null) reasons.push(`it takes no work now: ${worker.resting}`);
  const { slots } = worker.declaration;
  if (worker.assigned.size >= slots)
    reasons.push(slots === 1 ? 'its one slot is taken' : `all of its ${slots} slots are taken`);
  for (const { key, unit } of amounts) {
    // Below nothing while it runs what it adopted beside what it was given.
    const free = Math.max(0, worker.declaration[key] - worker.reserved[key]);
    if (requires[key] > 0 && requires[key] - free > 1e-6)
      reasons.push(`${free} of its ${worker.declaration[key]} ${unit} are free, the task asks for ${requires[key]}`);
  }
  return reasons;
}

/** Takes new work at all. */
export function isOpen(worker: Worker): boolean {
  return worker.session !== null && !worker.draining && !worker.leaving && worker.resting === null;
}

/** Share of the worker that stays free, 0 … 1: the scarcest of slots and reserved amounts. Below 0 = backlog. */
function freeShare(worker: Worker): number {
  const { declaration, reserved } = worker;
  let share = (declaration.slots - worker.assigned.size) / declaration.slots;
  if (reserved.cpuCores > 0) share = Math.min(share, 1 - reserved.cpuCores / declaration.cpuCores);
  if (reserved.memoryMb > 0) share = Math.min(share, 1 - reserved.memoryMb / declaration.memoryMb);
  if (reserved.gpu > 0) share = Math.min(share, 1 - reserved.gpu / declaration.gpu);
  return share;
}

/** Larger is better: workers that can start the task by free share (0 … 1), then avoided ones, then backlogs. */
function scoreOf(worker: Worker, avoid: readonly string[]): number {
  const share = freeShare(worker);
  if (worker.assigned.size >= worker.declaration.slots) return share - 1;
  return avoid.includes(worker.id) ? -0.5 : Math.max(0, share);
}

export interface PlacementScope {
  /** Not even a free slot of these may be used: they are kept for a task that waits too long. */
  readonly closed: ReadonlySet<Worker>;
  /** No work may be sent ahead to these: an earlier task waits for one of their slots. */
  readonly noBacklog: ReadonlySet<Worker>;
}

/** It could take such a task now: to start it, or, when it asks for no amounts, into its backlog. */
export function hasRoomFor(worker: Worker, requires: Requirement): boolean {
  const free = worker.declaration.slots - worker.assigned.size;
  if (free <= 0 && (asksForAmounts(requires) || -free >= backlogLimit(worker))) return false;
  return amountsFree(worker, requires);
}

/** The worker to give a task to, or null when none can take it now. */
export function chooseWorker(
  workers: Iterable<Worker>,
  wanted: { readonly requires: Requirement; readonly avoid: readonly string[] },
  scope: PlacementScope,
): Worker | null {
  const mayWait = !asksForAmounts(wanted.requires);
  let best: Worker | null = null;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const worker of workers) {
    if (!isOpen(worker) || scope.closed.has(worker)) continue;
    const free = worker.declaration.slots - worker.assigned.size;
    if (free <= 0 && (!mayWait || scope.noBacklog.has(worker) || -free >= backlogLimit(worker))) continue;
    if (!matches(worker, wanted.requires) || !amountsFree(worker, wanted.requires)) continue;
    const score = scoreOf(worker, wanted.avoid);
    if (score > bestScore || (score === bestScore && best !== null && worker.id < best.id)) {
      best = worker;
      bestScore = score;
    }
  }
  return best;
}
