/**
 * From what somebody asks for to tasks the scheduler can admit: ids are given, names of tasks in the same batch become
 * ids, and what is waited for comes first. Pure: what is known of other tasks comes in as functions.
 */

import type { Submission } from '../api/backend.ts';
import { type FieldError, OctasklyError } from '../base/errors.ts';
import type { SubmittedTask } from '../core/events.ts';
import { idPattern, nextId } from '../core/ids.ts';
import { isFinal, type TaskSpec, type TaskStatus } from '../core/task.ts';
import { filesOf } from './inputs.ts';

export interface Prepared {
  /** Dependencies before those that wait for them. */
  readonly tasks: readonly SubmittedTask[];
  /** In the order asked for. */
  readonly taskIds: readonly string[];
  readonly batchId: string | null;
  readonly lastId: string;
}

export interface Surroundings {
  /** Greatest id given out so far. */
  readonly lastId: string;
  readonly wall: number;
  /** The ended task this one repeats. */
  readonly retryOf: string | null;
  /** Whose the tasks are; null = the cluster owner's. */
  readonly owner: string | null;
  isLive(id: string): boolean;
  /** A task that this submission may wait for, as far as rights go. */
  isVisible(id: string): boolean;
  /** Bytes of a blob; null = it is not here. */
  readonly blobSize: (blob: string) => number | null;
  statuses(ids: readonly string[]): ReadonlyMap<string, TaskStatus>;
}

/** Errors: `invalid`, naming the place, for an unknown dependency, an ambiguous name, a circle, or a missing blob. */
export function prepare(submission: Submission, around: Surroundings): Prepared {
  let lastId = around.lastId;
  const giveId = (): string => {
    lastId = nextId(lastId, around.wall);
    return lastId;
  };
  const { batch } = submission;
  const batchId = batch === null ? null : 'joins' in batch ? batch.joins : giveId();
  const taskIds = submission.tasks.map(giveId);
  const byName = batchId === null ? new Map<string, string | null>() : namesOf(submission, taskIds);
  const waitsFor = submission.tasks.map((task, index) =>
    task.dependsOn.map((wanted, place) => resolve(wanted, byName, pathOf(submission, index, `depends_on.${place}`))),
  );
  const own = new Set(taskIds);
  const isLive = (id: string): boolean => around.isLive(id) && around.isVisible(id);
  const elsewhere = [...new Set(waitsFor.flat().filter((id) => !own.has(id) && !isLive(id)))];
  const seen = elsewhere.filter((id) => around.isVisible(id));
  const statuses = seen.length === 0 ? new Map<string, TaskStatus>() : around.statuses(seen);
  const { retryOf, owner } = around;
  const { inputs, wrong } = filesOf(submission, around.blobSize, (index, place) =>
    pathOf(submission, index, `inputs.${place}`),
  );
  const [first] = wrong;
  if (first !== undefined) throw invalid(first.path, first.message, wrong);
  const tasks = submission.tasks.map((task, index): SubmittedTask => {
    const dependsOn = waitsFor[index] ?? [];
    const ended = new Map<string, TaskStatus>();
    dependsOn.forEach((id, place) => {
      if (own.has(id) || isLive(id)) return;
      const status = statuses.get(id);
      if (status === undefined || !isFinal(status)) {
        throw invalid(pathOf(submission, index, `depends_on.${place}`), `there is no task ${id} to wait for`);
      }
      ended.set(id, status);
    });
    const spec: TaskSpec = { ...task, inputs: inputs[index] ?? [], dependsOn, batchId, retryOf, owner };
    return { id: taskIds[index] ?? '', spec, ended };
  });
  return { tasks: inOrderOfNeed(tasks, own), taskIds, batchId, lastId };
}

function pathOf(submission: Submission, index: number, place: string): string {
  return submission.batch === null ? place : `tasks.${index}.${place}`;
}

function invalid(path: string, message: string, fields: readonly FieldError[] = [{ path, message }]): OctasklyError {
  return new OctasklyError('invalid', `The submission cannot be accepted: ${path}: ${message}.`, { fields });
}

/** Names of a batch's tasks and their ids; null marks a name that two of them carry. */
function namesOf(submission: Submission, taskIds: readonly string[]): Map<string, string | null> {
  const names = new Map<string, string | null>();
  submission.tasks.forEach((task, index) => {
    if (task.name !== null) names.set(task.name, names.has(task.name) ? null : (taskIds[index] ?? null));
  });
  return names;
}

function resolve(wanted: string, byName: ReadonlyMap<string, string | null>, path: string): string {
  const named = byName.get(wanted);
  if (named === null) throw invalid(path, `more than one task of the batch is named "${wanted}"`);
  if (named !== undefined) return named;
  if (!idPattern.test(wanted)) throw invalid(path, `"${wanted}" is neither the id of a task nor a name in this batch`);
  return wanted;
}

/** Orders tasks so that each comes after those of `own` it waits for. Error: `invalid` for a circle. */
function inOrderOfNeed(tasks: readonly SubmittedTask[], own: ReadonlySet<string>): readonly SubmittedTask[] {
  if (tasks.every(({ spec }) => spec.dependsOn.length === 0)) return tasks;
  const missing = new Map<string, number>();
  const waiting = new Map<string, SubmittedTask[]>();
  for (const task of tasks) {
    const inside = task.spec.dependsOn.filter((id) => own.has(id));
    missing.set(task.id, inside.length);
    for (const id of inside) {
      const list = waiting.get(id);
      if (list === undefined) waiting.set(id, [task]);
      else list.push(task);
    }
  }
  const ordered = tasks.filter(({ id }) => missing.get(id) === 0);
  for (let i = 0; i < ordered.length; i++) {
    for (const task of waiting.get(ordered[i]?.id ?? '') ?? []) {
      const left = (missing.get(task.id) ?? 0) - 1;
      missing.set(task.id, left);
      if (left === 0) ordered.push(task);
    }
  }
  if (ordered.length === tasks.length) return ordered;
  const done = new Set(ordered.map(({ id }) => id));
  const stuck = tasks.filter(({ id }) => !done.has(id)).map(({ id, spec }) => spec.name ?? id);
  throw invalid('tasks', `these tasks wait for each other in a circle: ${stuck.slice(0, 5).join(', ')}`);
}
