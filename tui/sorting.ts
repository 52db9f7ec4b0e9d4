/**
 * Orders of the task list. The dispatcher gives tasks newest first, page by page; every other order is made here, of the
 * newest `sortedMax` tasks that fit the filter. Each is a total one: equal tasks stand newest first. Pure.
 */

import { limits } from '../src/api/limits.ts';
import type { TaskView } from '../src/api/schemas.ts';
import { statuses } from './filter.ts';

/** Tasks that are sorted at most: one page of the API. */
export const sortedMax = limits.pageMax;

const sortKeys = ['age', 'status', 'time', 'priority', 'exit', 'worker', 'name'] as const;
export type SortKey = (typeof sortKeys)[number];

export interface Sort {
  readonly by: SortKey;
  readonly reversed: boolean;
}

export const newestFirst: Sort = { by: 'age', reversed: false };

/** How each order is called. */
export const sortTitles: Readonly<Record<SortKey, string>> = {
  ...{ age: 'newest first', status: 'by state', time: 'longest first', priority: 'most urgent first' },
  ...{ exit: 'by exit', worker: 'by worker', name: 'by name' },
};

/** True for the order the dispatcher keeps. */
export function isNewestFirst({ by, reversed }: Sort): boolean {
  return by === 'age' && !reversed;
}

/** How long the task ran, or runs already, ms; null when it never started. */
export function runTimeOf(task: TaskView, now: number): number | null {
  if (task.duration_ms !== null) return task.duration_ms;
  return task.started_at === null || task.status !== 'running' ? null : now - Date.parse(task.started_at);
}

/** How a task ended: exit code, or signal; '' when it did not, or in another way. */
export function exitOf({ exit_code, signal }: TaskView): string {
  return exit_code === null ? (signal?.replace(/^SIG/, '') ?? '') : String(exit_code);
}

type Compare = (one: TaskView, other: TaskView) => number;

const byText =
  (text: (task: TaskView) => string): Compare =>
  (one, other) => {
    const [a, b] = [text(one), text(other)];
    // What has none comes last.
    if (a === '' || b === '') return a === b ? 0 : a === '' ? 1 : -1;
    return a < b ? -1 : a > b ? 1 : 0;
  };

function comparing(by: SortKey, now: number, workerOf: (task: TaskView) => string): Compare {
  const time = (task: TaskView): number => runTimeOf(task, now) ?? -1;
  const compares: Readonly<Record<SortKey, Compare>> = {
    age: () => 0,
    status: (one, other) => statuses.indexOf(one.status) - statuses.indexOf(other.status),
    time: (one, other) => time(other) - time(one),
    priority: (one, other) => other.priority - one.priority,
    exit: (one, other) => (one.exit_code ?? 1000) - (other.exit_code ?? 1000) || byText(exitOf)(one, other),
    worker: byText(workerOf),
    name: byText(({ name, command, argv }) => name ?? command ?? argv?.join(' ') ?? ''),
  };
  return compares[by];
}

/** `tasks` in this order. `now`: ms since 1970. */
export function sorted(
  tasks: readonly TaskView[],
  { by, reversed }: Sort,
  { now, workerOf }: { readonly now: number; readonly workerOf: (task: TaskView) => string },
): readonly TaskView[] {
  if (isNewestFirst({ by, reversed })) return tasks;
  const compare = comparing(by, now, workerOf);
  const total: Compare = (one, other) => compare(one, other) || (one.id > other.id ? -1 : one.id < other.id ? 1 : 0);
  return tasks.toSorted(reversed ? (one, other) => total(other, one) : total);
}

/** The next order in the round. */
export function nextSort({ by }: Sort): Sort {
  return { by: sortKeys[(sortKeys.indexOf(by) + 1) % sortKeys.length] ?? 'age', reversed: false };
}
