/**
 * What the scheduler knows: plain data, changed by `step` alone, but for the counts of ended tasks that are deleted
 * (`forget`).
 *
 * Only live tasks are here; an ended task leaves with its last `save`. A worker is here from its first join (or from
 * the database after a restart) until it is silent for too long with nothing assigned to it.
 */

import type { AttemptFence } from './fence.ts';
import { Heap } from './heap.ts';
import { ReadyQueue } from './queue.ts';
import { type FinalStatus, finalStatuses, type Task, type TaskStatus, taskStatuses } from './task.ts';
import type { Worker } from './worker.ts';

/** Numbers an operator chooses. */
export interface Policy {
  /** Most workers with a link at once. */
  readonly workersMax: number;
  /** Most tasks waiting (blocked or queued). */
  readonly queueMax: number;
  /** Silence after which a worker is lost. */
  readonly silenceMs: number;
}

export interface SchedulerState {
  readonly policy: Policy;
  readonly tasks: Map<string, Task>;
  readonly workers: Map<string, Worker>;
  readonly ready: ReadyQueue;
  /** Queued tasks that wait for their backoff to pass. May hold entries of tasks that no longer do. */
  readonly delayed: Heap<{ readonly at: number; readonly task: Task }>;
  /** Live tasks that wait for the key. */
  readonly dependents: Map<string, Set<Task>>;
  /** Tasks on record, ended ones too. */
  readonly counts: Record<TaskStatus, number>;
  paused: boolean;
  /** The dispatcher goes down: nothing new is placed. */
  closing: boolean;
  /** Null = nothing was ever restored. */
  readonly fence: AttemptFence | null;
  /** Reports that were ignored because a newer attempt exists or the task has ended. */
  staleReports: number;
}

export function emptyCounts(): Record<TaskStatus, number> {
  return Object.fromEntries(taskStatuses.map((status) => [status, 0])) as Record<TaskStatus, number>;
}

export function emptyState(policy: Policy, fence: AttemptFence | null = null): SchedulerState {
  return {
    policy,
    fence,
    tasks: new Map(),
    workers: new Map(),
    ready: new ReadyQueue(),
    delayed: new Heap<{ readonly at: number; readonly task: Task }>((a, b) => a.at - b.at),
    dependents: new Map(),
    counts: emptyCounts(),
    paused: false,
    closing: false,
    staleReports: 0,
  };
}

/** Ended tasks were deleted: how many, by how they had ended. Nothing waits for an ended task, so nothing follows. */
export function forget({ counts }: SchedulerState, ended: Readonly<Partial<Record<FinalStatus, number>>>): void {
  for (const status of finalStatuses) counts[status] -= ended[status] ?? 0;
}

/** Tasks that count against `queueMax`. */
export function waitingCount(state: SchedulerState): number {
  return state.counts.blocked + state.counts.queued;
}
