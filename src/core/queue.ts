/**
 * The ready set: tasks that could be placed this instant, in rank order, grouped by what they require.
 *
 * Tasks with the same requirement stand or fall together: when the first of such a class finds no worker, none of the
 * class does, so a placement pass looks at each class once, not at each task: it takes classes in the order of their
 * first tasks and gives them back. Removal is lazy, of tasks and of classes: what is not up to date is skipped when it
 * surfaces.
 */

import { Heap } from './heap.ts';
import { limitsAsked } from './isolation.ts';
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
  readonly key: string;
  readonly requires: Requirement;
  readonly entries: Heap<ReadyEntry>;
  /** Its first task as the order of classes has it; null while a placement pass holds the class. */
  listed: ReadyEntry | null;
}

/** A class with its first task. */
export interface Head {
  readonly group: RequirementClass;
  readonly entry: ReadyEntry;
}

/** Keys by requirement: tasks that ask for nothing share one, and most ask for nothing. */
const knownKeys = new WeakMap<Requirement, string>();

function classKey(requires: Requirement): string {
  const known = knownKeys.get(requires);
  if (known !== undefined) return known;
  const key = makeClassKey(requires);
  knownKeys.set(requires, key);
  return key;
}

function makeClassKey(requires: Requirement): string {
  const labels = Object.entries(requires.labels).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const { level, network, limits } = requires.isolation;
  return JSON.stringify([
    // Which limits, not how tight: that is all placement looks at.
    [level, network, ...limitsAsked(limits)],
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
  readonly #order = new Heap<Head>((a, b) => compareRank(a.entry, b.entry));

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
      group = { key, requires: task.spec.requires, entries: new Heap<ReadyEntry>(compareRank), listed: null };
      this.#classes.set(key, group);
    }
    const entry = { rank: rankOf(task.id, task.spec.priority), id: task.id, task, readyAt };
    this.#live.set(task.id, entry);
    group.entries.push(entry);
    if (group.listed === null || compareRank(entry, group.listed) <= 0) this.#list(group, entry);
  }

  /** Since when it was ready, scheduler time in ms; null when it was not. */
  remove(id: string): number | null {
    const readyAt = this.#live.get(id)?.readyAt ?? null;
    this.#live.delete(id);
    return readyAt;
  }

  /** What is required by ready tasks, each with the first task that requires it. */
  *firsts(): Iterable<ReadyEntry> {
    for (const group of this.#classes.values()) {
      const first = this.#first(group);
      if (first !== undefined) yield first;
    }
  }

  /** Takes the class whose first task is the first of all out of the order; null when none is left in it. */
  take(): Head | null {
    for (let head = this.#order.pop(); head !== undefined; head = this.#order.pop()) {
      const { group, entry } = head;
      if (group.listed !== entry) continue;
      const first = this.#first(group);
      if (first === entry) {
        group.listed = null;
        return head;
      }
      this.giveBack(group);
    }
    return null;
  }

  /** Puts a class back into the order, with what is its first task now. */
  giveBack(group: RequirementClass): void {
    const first = this.#first(group);
    if (first === undefined) this.#classes.delete(group.key);
    else if (group.listed !== first) this.#list(group, first);
  }

  #list(group: RequirementClass, entry: ReadyEntry): void {
    group.listed = entry;
    this.#order.push({ group, entry });
  }

  #first(group: RequirementClass): ReadyEntry | undefined {
    for (;;) {
      const entry = group.entries.peek();
      if (entry === undefined || this.#live.get(entry.id) === entry) return entry;
      group.entries.pop();
    }
  }
}
