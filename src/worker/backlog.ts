/**
 * What waits on a worker for a slot: attempts in the scheduler's rank order, started as soon as a slot and what they ask
 * for are free. The first in order is never overtaken, so the worker starts what the dispatcher expects it to. Pure.
 */

import { compareRank, rankOf } from '../core/rank.ts';
import type { Requirement } from '../core/task.ts';
import type { Assignment } from '../wire/messages.ts';

export interface Capacity {
  readonly slots: number;
  readonly cpuCores: number;
  readonly memoryMb: number;
  readonly gpu: number;
}

interface Waiting {
  readonly rank: number;
  readonly id: string;
  readonly assignment: Assignment;
}

export class Backlog {
  readonly #capacity: Capacity;
  /** In rank order. */
  #waiting: Waiting[] = [];
  /** Tasks of attempts that wait here but are not to be started: a peer was asked to take them. */
  readonly #aside = new Set<string>();
  #running = 0;
  readonly #used = { cpuCores: 0, memoryMb: 0, gpu: 0 };

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Attempts that wait and could be given to a peer. */
  get offerable(): number {
    return this.#waiting.length - this.#aside.size;
  }

  /** Slots in which nothing runs. */
  get free(): number {
    return Math.max(0, this.#capacity.slots - this.#running);
  }

  get running(): number {
    return this.#running;
  }

  add(assignment: Assignment): void {
    const { taskId: id, spec } = assignment;
    const entry = { rank: rankOf(id, spec.priority), id, assignment };
    // Most work arrives in order: look for its place from the end.
    let place = this.#waiting.length;
    while (place > 0 && compareRank(this.#waiting[place - 1] as Waiting, entry) > 0) place -= 1;
    this.#waiting.splice(place, 0, entry);
  }

  /** Takes a waiting attempt out; false when it does not wait here. */
  remove(taskId: string): boolean {
    const place = this.#waiting.findIndex(({ id }) => id === taskId);
    if (place >= 0) this.#waiting.splice(place, 1);
    this.#aside.delete(taskId);
    return place >= 0;
  }

  keys(): { taskId: string; attempt: number }[] {
    return this.#waiting.map(({ assignment: { taskId, attempt } }) => ({ taskId, attempt }));
  }

  /** The attempt of a task that waits here, null when it does not. */
  attemptOf(taskId: string): number | null {
    return this.#waiting.find(({ id }) => id === taskId)?.assignment.attempt ?? null;
  }

  /** Takes everything out. */
  clear(): Assignment[] {
    const all = this.#waiting.map(({ assignment }) => assignment);
    this.#waiting = [];
    this.#aside.clear();
    return all;
  }

  /** The last `max` in order, the very last first, without those set aside. */
  youngest(max: number): Assignment[] {
    const offerable = this.#waiting.filter(({ id }) => !this.#aside.has(id));
    return offerable
      .slice(Math.max(0, offerable.length - max))
      .reverse()
      .map(({ assignment }) => assignment);
  }

  /** What waits here is not started until it is put back. */
  setAside(taskId: string): void {
    this.#aside.add(taskId);
  }

  putBack(taskId: string): void {
    this.#aside.delete(taskId);
  }

  /** Takes a slot and what is asked for past all that waits; false when they are not free. */
  occupy(requires: Requirement): boolean {
    if (this.free === 0 || !this.#fits(requires)) return false;
    this.#running += 1;
    this.#account(requires, 1);
    return true;
  }

  /** The next attempt that can start now; it occupies its slot until `release`. */
  start(): Assignment | null {
    const place = this.#waiting.findIndex(({ id }) => !this.#aside.has(id));
    const next = this.#waiting[place]?.assignment;
    if (next === undefined || !this.occupy(next.spec.requires)) return null;
    this.#waiting.splice(place, 1);
    return next;
  }

  release(requires: Requirement): void {
    this.#running -= 1;
    this.#account(requires, -1);
  }

  #fits(requires: Requirement): boolean {
    return (['cpuCores', 'memoryMb', 'gpu'] as const).every(
      (key) => requires[key] === 0 || this.#used[key] + requires[key] <= this.#capacity[key] + 1e-6,
    );
  }

  #account(requires: Requirement, sign: 1 | -1): void {
    for (const key of ['cpuCores', 'memoryMb', 'gpu'] as const) this.#used[key] += sign * requires[key];
  }
}
