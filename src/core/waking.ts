/**
 * Who is to be woken: workers that are away, could run what waits, and told how their machine is woken. Pure.
 *
 *   at once      when nobody who is here and takes work is made for a task that waits
 *   after 15 s   when others are, and have had no room for it so long
 *   never        drained ones; ones that somebody stopped; ones whose card is known not to listen
 *
 * No more of them are called than the waiting tasks need slots, those aside that did not come after three tries. A try is
 * repeated after 30 s, after another 90 s, then every 10 min, 24 times in all: a device that was switched off or given
 * away is not called for ever. When no work waits for it any more, or it has come, the count begins anew.
 */

import { isOpen, matches, suits } from './placement.ts';
import type { RememberedWorker } from './restore.ts';
import type { SchedulerState } from './state.ts';
import type { Requirement, Task } from './task.ts';

/** How often a worker was called since work waits for it; `lastAt` is scheduler time, ms. */
export interface Calls {
  readonly tries: number;
  readonly lastAt: number;
}

/** Tasks that others could run wait this long before somebody is woken for them. */
export const patienceMs = 15_000;
const pausesMs = [30_000, 90_000] as const;
const pauseMs = 600_000;
export const triesMax = 24;
/** Tries after which nobody counts on a device any more. */
const doubtfulTries = 3;

/** When the next try is due, scheduler time in ms; Infinity = never again. */
export function nextTryAt(calls: Calls | undefined): number {
  if (calls === undefined) return Number.NEGATIVE_INFINITY;
  if (calls.tries >= triesMax) return Number.POSITIVE_INFINITY;
  return calls.lastAt + (pausesMs[calls.tries - 1] ?? pauseMs);
}

/** It may be woken without anybody asking for it. */
export function isWakeable({
  declaration: { wake },
  draining,
}: Pick<RememberedWorker, 'declaration' | 'draining'>): boolean {
  return wake?.unasked === true && !draining && wake.by.some(({ armed }) => armed !== false);
}

/** Those of `away` that waiting work needs, in the order of `away`, at scheduler time `at` (ms). */
export function needed(
  state: SchedulerState,
  { away, calls }: { away: readonly RememberedWorker[]; calls: ReadonlyMap<string, Calls> },
  at: number,
): RememberedWorker[] {
  if (state.paused || state.closing || state.ready.size === 0) return [];
  const wanted = [...state.ready.firsts()].filter(({ task, readyAt }) => {
    return at - readyAt >= patienceMs || !hasWorkerFor(state, task.spec.requires);
  });
  const chosen: RememberedWorker[] = [];
  let room = state.ready.size;
  for (const worker of away) {
    if (room <= 0) break;
    if (!isWakeable(worker) || !wanted.some(({ task }) => suits(worker.declaration, task.spec.requires))) continue;
    chosen.push(worker);
    if ((calls.get(worker.declaration.id)?.tries ?? 0) < doubtfulTries) room -= worker.declaration.slots;
  }
  return chosen;
}

function hasWorkerFor(state: SchedulerState, requires: Requirement): boolean {
  for (const worker of state.workers.values()) if (isOpen(worker) && matches(worker, requires)) return true;
  return false;
}

/** A worker that sleeps and is made for a task, and how it stands with waking it, as part of a sentence. */
export interface Sleeper {
  readonly id: string;
  readonly name: string;
  readonly state: string;
}

/** Those of `away` that are made for `task`, at scheduler time `at` (ms). */
export function sleepersFor(
  task: Task,
  { away, calls }: { away: readonly RememberedWorker[]; calls: ReadonlyMap<string, Calls> },
  at: number,
): Sleeper[] {
  const suited = away.filter((worker) => isWakeable(worker) && suits(worker.declaration, task.spec.requires));
  return suited.map(({ declaration: { id }, name }) => {
    const called = calls.get(id);
    if (called === undefined) return { id, name, state: 'it is asleep, and is woken when work needs it' };
    const times = called.tries === 1 ? 'once' : `${called.tries} times`;
    const ago = Math.max(0, Math.round((at - called.lastAt) / 1000));
    const rest = called.tries >= triesMax ? '; it is not called any more' : '';
    return { id, name, state: `it is asleep, and was called ${times}, the last time ${ago} s ago${rest}` };
  });
}
