/**
 * Forgetting what is old: ended tasks with their attempts, tags, output, emptied batches, blobs no row refers to any more,
 * and idempotency keys. Bounded by a limit, so that one call holds up the thread for a moment only; writes nothing when
 * there is nothing to forget.
 *
 * Invariant: the greatest id ever given out is remembered although its row goes.
 */

import { and, count, eq, inArray, isNotNull, lt, max, ne, notExists, notInArray, sql } from 'drizzle-orm';
import { type FinalStatus, finalStatuses } from '../core/task.ts';
import type { ForgottenTasks } from '../ports/store.ts';
import type { Connection } from './connection.ts';
import { batches, blobs, idempotency, inputBlobs, marks, outputs, tasks } from './schema.ts';

interface Pruned extends ForgottenTasks {
  readonly tasks: number;
  /** Blobs whose files can go. */
  readonly blobs: readonly string[];
}

type Orm = Connection['orm'];

/** Which ended tasks. */
export interface Prunable {
  /** They ended before this, wall ms. */
  readonly wallMs: number;
  /** They ended so. */
  readonly statuses: readonly FinalStatus[];
}

/** Deletes up to `limit` of these tasks. Runs inside the caller's transaction. */
export function prune(orm: Orm, prunable: Prunable, limit: number): Pruned {
  const { wallMs } = prunable;
  pruneIdempotency(orm, wallMs, limit);
  const old = orm
    .select({
      ...{ id: tasks.id, status: tasks.status, batchId: tasks.batchId },
      ...{ stdoutBlob: tasks.stdoutBlob, stderrBlob: tasks.stderrBlob },
    })
    .from(tasks)
    .where(isPrunable(orm, prunable))
    .orderBy(tasks.completedAt)
    .limit(limit)
    .all();
  if (old.length === 0) return { tasks: 0, ended: {}, blobs: [], orphaned: [] };
  rememberLastId(orm);
  const ids = old.map(({ id }) => id);
  const files = [inputBlobs, outputs].flatMap((table) =>
    orm
      .selectDistinct({ blob: table.blob })
      .from(table)
      .where(inArray(table.taskId, listed(ids)))
      .all()
      .map(({ blob }) => blob),
  );
  const orphaned = orm
    .selectDistinct({ taskId: tasks.id, attempt: tasks.attempt, workerId: outputs.keptAt })
    .from(outputs)
    .innerJoin(tasks, eq(tasks.id, outputs.taskId))
    .where(and(inArray(outputs.taskId, listed(ids)), isNotNull(outputs.keptAt)))
    .all()
    .flatMap(({ workerId, ...key }) => (workerId === null ? [] : [{ ...key, workerId }]));
  orm
    .delete(tasks)
    .where(inArray(tasks.id, listed(ids)))
    .run();
  pruneBatches(orm, unique(old.map(({ batchId }) => batchId)));
  const candidates = unique([...files, ...old.flatMap(({ stdoutBlob, stderrBlob }) => [stdoutBlob, stderrBlob])]);
  const ended = Object.fromEntries(
    [...Map.groupBy(old, ({ status }) => status)].map(([status, rows]) => [status, rows.length]),
  );
  return { tasks: old.length, ended, blobs: pruneBlobs(orm, candidates), orphaned };
}

/** What `prune` would delete: tasks, and the blobs that no other row refers to. */
export function prunableOf(orm: Orm, prunable: Prunable): { tasks: number; blobs: readonly string[] } {
  const ids = orm.select({ id: tasks.id }).from(tasks).where(isPrunable(orm, prunable));
  const [counted] = orm.select({ tasks: count() }).from(ids.as('old')).all();
  const references = (others: boolean) => {
    const whose = (id: typeof tasks.id | typeof outputs.taskId | typeof inputBlobs.taskId) =>
      others ? notInArray(id, ids) : inArray(id, ids);
    const stdout = orm
      .select({ blob: tasks.stdoutBlob })
      .from(tasks)
      .where(and(isNotNull(tasks.stdoutBlob), whose(tasks.id)));
    const stderr = orm
      .select({ blob: tasks.stderrBlob })
      .from(tasks)
      .where(and(isNotNull(tasks.stderrBlob), whose(tasks.id)));
    const left = orm
      .select({ blob: outputs.blob })
      .from(outputs)
      .where(and(isNotNull(outputs.blob), whose(outputs.taskId)));
    const brought = orm.select({ blob: inputBlobs.blob }).from(inputBlobs).where(whose(inputBlobs.taskId));
    return [stdout, stderr, left, brought];
  };
  const kept = new Set(references(true).flatMap((each) => each.all().map(({ blob }) => blob)));
  const gone = references(false).flatMap((each) => each.all().map(({ blob }) => blob));
  return { tasks: counted?.tasks ?? 0, blobs: unique(gone.filter((blob) => !kept.has(blob))) };
}

function isPrunable(orm: Orm, { wallMs, statuses }: Prunable) {
  const isOfThese = statuses.length < finalStatuses.length ? inArray(tasks.status, [...statuses]) : undefined;
  return and(lt(tasks.completedAt, wallMs), isOfThese, notExists(keptForOthers(orm)));
}

/** Files of a task in `tasks` that are only with a worker, and that another task has as inputs: with the row went the way to them. */
function keptForOthers(orm: Orm) {
  return orm
    .select({ blob: outputs.blob })
    .from(outputs)
    .innerJoin(inputBlobs, eq(inputBlobs.blob, outputs.blob))
    .where(and(eq(outputs.taskId, tasks.id), isNotNull(outputs.keptAt), ne(inputBlobs.taskId, outputs.taskId)));
}

function listed(values: readonly string[]) {
  return sql`(SELECT value FROM json_each(${JSON.stringify(values)}))`;
}

function unique(values: readonly (string | null)[]): string[] {
  return [...new Set(values)].filter((value) => value !== null);
}

function rememberLastId(orm: Orm): void {
  const newest = [
    orm
      .select({ id: max(tasks.id) })
      .from(tasks)
      .get()?.id,
    orm
      .select({ id: max(batches.id) })
      .from(batches)
      .get()?.id,
  ];
  for (const value of unique(newest.map((id) => id ?? null))) {
    const set = { value: sql`max(${marks.value}, ${value})` };
    orm.insert(marks).values({ name: 'last_id', value }).onConflictDoUpdate({ target: marks.name, set }).run();
  }
}

function pruneBatches(orm: Orm, ids: readonly string[]): void {
  if (ids.length === 0) return;
  const members = orm.select({ id: tasks.id }).from(tasks).where(eq(tasks.batchId, batches.id));
  orm
    .delete(batches)
    .where(and(inArray(batches.id, listed(ids)), notExists(members)))
    .run();
}

/** Deletes those of the blobs `hashes` that no row refers to, and gives their names. Inside the caller's transaction. */
export function pruneBlobs(orm: Orm, hashes: readonly string[]): string[] {
  if (hashes.length === 0) return [];
  const used = (column: typeof tasks.stdoutBlob | typeof tasks.stderrBlob) =>
    orm
      .select({ id: tasks.id })
      .from(tasks)
      .where(and(isNotNull(column), eq(column, blobs.hash)));
  const brought = orm.select({ blob: inputBlobs.blob }).from(inputBlobs).where(eq(inputBlobs.blob, blobs.hash));
  const left = orm.select({ blob: outputs.blob }).from(outputs).where(eq(outputs.blob, blobs.hash));
  const unused = and(
    notExists(used(tasks.stdoutBlob)),
    notExists(used(tasks.stderrBlob)),
    notExists(brought),
    notExists(left),
  );
  const gone = orm.delete(blobs).where(and(inArray(blobs.hash, listed(hashes)), unused));
  return gone
    .returning({ hash: blobs.hash })
    .all()
    .map(({ hash }) => hash);
}

function pruneIdempotency(orm: Orm, wallMs: number, limit: number): void {
  const old = orm
    .select({ key: idempotency.key })
    .from(idempotency)
    .where(lt(idempotency.createdAt, wallMs))
    .orderBy(idempotency.createdAt)
    .limit(limit);
  orm.delete(idempotency).where(inArray(idempotency.key, old)).run();
}
