/**
 * The ready set: tasks that could be placed this instant, in rank order, grouped by what they require.
 *
 * Tasks with the same requirement stand or fall together: when the first of such a class finds no worker, none of the
 * class does, so a placement pass looks at each class once, not at each task. Removal is lazy: an entry whose task has
 * left the set, or has entered it anew, is skipped when it surfaces.
 */

import { Heap } from './heap.ts';
import { compareRank, type Ranked, rankOf } from './rank.ts';
import type { Requirement, Task } from './task.ts';

/** A ready task with its place in the order. */
export interface ReadyEntry extends Ranked {
  readonly task: Task;
  /** Since when it is ready, scheduler time in ms. */
  readonly readyAt: number;
}

/** All ready tasks that require the same. */
export interface RequirementClass {
  readonly requires: Requirement;
  readonly entries: Heap<ReadyEntry>;
}

function classKey(requires: Requirement): string {
  const labels = Object.entries(requires.labels).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return JSON.stringify([
    requires.cpuCores,
    requires.memoryMb,
    requires.gpu,
    requires.platform,
    requires.arch,
    ...labels,
  ]);
}

export class ReadyQueue {
  readonly #live = new Map<string, ReadyEntry>();
  readonly #classes = new Map<string, RequirementClass>();

  get size(): number {
    return this.#live.size;
  }

  has(id: string): boolean {
    return this.#live.has(id);
  }

  entries(): Iterable<ReadyEntry> {
    return this.#live.values();
  }

  add(task: Task, readyAt: number): void {
    const key = classKey(task.spec.requires);
    let group = this.#classes.get(key);
    if (group === undefined) {
      group = { requires: task.spec.requires, entries: new Heap<ReadyEntry>(compareRank) };
      this.#classes.set(key, group);
    }
    const entry = { rank: rankOf(task.id, task.spec.priority), id: task.id, task, readyAt };
    this.#live.set(task.id, entry);
    group.entries.push(entry);
  }

  remove(id: string): void {
    this.#live.delete(id);
  }

  /** The first ready task of each class that `skip` does not name, and among those the first of all. */
  first(skip: ReadonlySet<RequirementClass>): { group: RequirementClass; entry: ReadyEntry } | null {
    let best: { group: RequirementClass; entry: ReadyEntry } | null = null;
    for (const [key, group] of this.#classes) {
      if (skip.has(group)) continue;
      const entry = this.#head(group);
      if (entry === undefined) this.#classes.delete(key);
      else if (best === null || compareRank(entry, best.entry) < 0) best = { group, entry };
    }
    return best;
  }

  #head(group: RequirementClass): ReadyEntry | undefined {
    for (;;) {
      const entry = group.entries.peek();
      if (entry === undefined || this.#live.get(entry.id) === entry) return entry;
      group.entries.pop();
    }
  }
}
