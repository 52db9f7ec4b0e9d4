/**
 * The order in which ready tasks are served: a total order of priority, then age, then id.
 *
 * Age counts: each point of priority is worth `agingMsPerPoint` of waiting, so that a stream of important tasks cannot
 * starve an unimportant one for ever. Because every task ages at the same pace, the order of two tasks never changes
 * while they wait, and a static number serves as the key of a heap.
 */

import { timeOfId } from './ids.ts';

/** One point of priority outweighs this much waiting: `high` goes before `normal` unless that is 50 minutes older. */
export const agingMsPerPoint = 60_000;

export interface Ranked {
  /** Smaller is served earlier. */
  readonly rank: number;
  readonly id: string;
}

export function rankOf(id: string, priority: number): number {
  return timeOfId(id) - priority * agingMsPerPoint;
}

/** Negative when `a` is served before `b`. Zero only for the same task. */
export function compareRank(a: Ranked, b: Ranked): number {
  if (a.rank !== b.rank) return a.rank - b.rank;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
