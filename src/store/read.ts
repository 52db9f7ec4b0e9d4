/**
 * Rows into answers: single tasks, pages of them, attempts, batches, and what a restart needs. Writes nothing.
 *
 * A page is found in two steps: the ids, out of one index walked in the order of the answer, then the rows of those ids;
 * so the cost follows the page and not the table. Which index leads is decided here and not left to the planner, which
 * knows nothing of how many rows have which status. The unary `+` in SQL keeps a column from choosing an index.
 * Known limit: filters without an index of their own (`worker`, `text`, and `completed` where it is rare) walk newest
 * first until the page is full, in the worst case over all tasks.
 */

import { and, asc, count, desc, eq, getTableColumns, gt, gte, inArray, isNotNull, lt, max, sql } from 'drizzle-orm';
import type { SQLiteSelect } from 'drizzle-orm/sqlite-core';
import type { RememberedWorker } from '../core/restore.ts';
import { type AttemptRecord, isFinal, type Task, type TaskStatus, taskStatuses } from '../core/task.ts';
import type { AuditEntry, InviteRecord, NodeRecord, TokenRecord } from '../core/trust.ts';
import type { CollectedFiles } from '../ports/files.ts';
import type { AuditFilter, KeptOutput, Loaded, Store, TaskFilter, TaskRow } from '../ports/store.ts';
import type { Connection } from './connection.ts';
import { batchesOf, batchHeadOf, batchOf, endedAttemptsOf } from './history.ts';
import { attemptOf, type BareTaskRow, dependenciesOf, outputOf, taskOf, workerOf } from './rows.ts';
import {
  attempts,
  auditLog,
  batches,
  blobs,
  idempotency,
  invites,
  marks,
  nodes,
  outputs,
  settings,
  tasks,
  taskTags,
  tokens,
  workers,
} from './schema.ts';
import { conditions } from './task-filter.ts';

type Counts = Record<TaskStatus, number>;
type Page = Parameters<Store['tasks']>[1];
type AuditPage = Parameters<Store['audit']>[1];

const { stdout, stdoutSize, stdoutBlob, stderr, stderrSize, stderrBlob, ...bareColumns } = getTableColumns(tasks);

function noCounts(): Counts {
  return Object.fromEntries(taskStatuses.map((status) => [status, 0])) as Counts;
}

/** The ids bound as `ids`, a JSON list, for `IN`. */
const boundIds = sql`(SELECT value FROM json_each(${sql.placeholder('ids')}))`;

/** The queries asked for every task shown: building one anew costs many times what it takes to run it. */
function prepareQueries(connection: Connection) {
  const taskId = sql.placeholder('taskId');
  return {
    rows: connection.keep((orm) => orm.select().from(tasks).where(inArray(tasks.id, boundIds)).prepare()),
    statuses: connection.keep((orm) =>
      orm.select({ id: tasks.id, status: tasks.status }).from(tasks).where(inArray(tasks.id, boundIds)).prepare(),
    ),
    blob: connection.keep((orm) =>
      orm
        .select({ hash: blobs.hash })
        .from(blobs)
        .where(eq(blobs.hash, sql.placeholder('blob')))
        .prepare(),
    ),
    attempts: connection.keep((orm) =>
      orm.select().from(attempts).where(eq(attempts.taskId, taskId)).orderBy(attempts.attempt).prepare(),
    ),
  };
}

/** Tasks read at once at the start: some 50 ms. */
const loadPage = 10_000;

/** How far reading the tasks that wait or run is. */
export interface LoadStep {
  readonly loaded: number;
  readonly total: number;
}

export class Reads {
  readonly #connection: Connection;
  readonly #queries: ReturnType<typeof prepareQueries>;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#queries = prepareQueries(connection);
  }

  get #orm() {
    return this.#connection.orm;
  }

  task(id: string): TaskRow | null {
    return this.#rows([id])[0] ?? null;
  }

  tasks(filter: TaskFilter, page: Page): readonly TaskRow[] {
    return this.#rows(this.#pageIds(filter, page));
  }

  statuses(ids: readonly string[]): ReadonlyMap<string, TaskStatus> {
    if (ids.length === 0) return new Map();
    const rows = this.#queries.statuses.all({ ids: JSON.stringify(ids) });
    return new Map(rows.map(({ id, status }) => [id, status]));
  }

  attempts(taskId: string): readonly AttemptRecord[] {
    return this.#queries.attempts.all({ taskId }).map(attemptOf);
  }

  outputs(taskId: string): CollectedFiles {
    const rows = this.#orm.select().from(outputs).where(eq(outputs.taskId, taskId)).orderBy(outputs.path).all();
    const files = rows.flatMap(({ path, blob, bytes, executable }) =>
      blob === null ? [] : [{ path, blob, bytes, executable }],
    );
    return { files, problems: rows.flatMap(({ problem }) => problem ?? []) };
  }

  kept(of: Parameters<Store['kept']>[0]): readonly KeptOutput[] {
    const where =
      'taskId' in of
        ? eq(outputs.taskId, of.taskId)
        : 'workerId' in of
          ? eq(outputs.keptAt, of.workerId)
          : and(isNotNull(outputs.blob), eq(outputs.blob, of.blob));
    const rows = this.#orm
      .select({ file: outputs, attempt: tasks.attempt })
      .from(outputs)
      .innerJoin(tasks, eq(tasks.id, outputs.taskId))
      .where(and(where, isNotNull(outputs.keptAt)))
      .orderBy(outputs.taskId, outputs.path)
      .all();
    return rows.flatMap(({ attempt, file: { taskId, path, blob, bytes, keptAt: workerId } }) =>
      blob === null || workerId === null ? [] : [{ taskId, attempt, path, blob, bytes, workerId }],
    );
  }

  keptCounts(): ReadonlyMap<string, number> {
    const rows = this.#orm
      .select({ workerId: outputs.keptAt, files: count() })
      .from(outputs)
      .where(isNotNull(outputs.keptAt))
      .groupBy(outputs.keptAt)
      .all();
    return new Map(rows.flatMap(({ workerId, files }) => (workerId === null ? [] : [[workerId, files]])));
  }

  batch(id: string): ReturnType<Store['batch']> {
    return batchOf(this.#orm, id);
  }

  batchHead(id: string): ReturnType<Store['batchHead']> {
    return batchHeadOf(this.#orm, id);
  }

  batches(...asked: Parameters<Store['batches']>): ReturnType<Store['batches']> {
    return batchesOf(this.#orm, ...asked);
  }

  endedAttempts(...asked: Parameters<Store['endedAttempts']>): ReturnType<Store['endedAttempts']> {
    return endedAttemptsOf(this.#orm, ...asked);
  }

  setting(key: string): string | null {
    return this.#orm.select().from(settings).where(eq(settings.key, key)).get()?.value ?? null;
  }

  idempotency(key: string): ReturnType<Store['idempotency']> {
    const { bodyHash, answer } = idempotency;
    return this.#orm.select({ bodyHash, answer }).from(idempotency).where(eq(idempotency.key, key)).get() ?? null;
  }

  audit(filter: AuditFilter, { limit, after, newestFirst = false }: AuditPage): readonly AuditEntry[] {
    const { since, eventType, actor, taskId, workerId } = filter;
    const order = newestFirst ? desc(auditLog.id) : asc(auditLog.id);
    // The first page finds where to begin in the index; those after it walk on from there, in the order of the answer.
    const known = since === undefined || (after > 0 && !newestFirst);
    const start = known ? (newestFirst ? 0 : after) : this.#firstEntrySince(since) - 1;
    const matching = and(
      gt(auditLog.id, start),
      newestFirst && after > 0 ? lt(auditLog.id, after) : undefined,
      since === undefined ? undefined : sql`+${auditLog.timestamp} >= ${sql.param(since, auditLog.timestamp)}`,
      eventType === undefined ? undefined : eq(auditLog.eventType, eventType),
      actor === undefined ? undefined : eq(auditLog.actor, actor),
      taskId === undefined ? undefined : eq(auditLog.taskId, taskId),
      workerId === undefined ? undefined : eq(auditLog.workerId, workerId),
    );
    return this.#orm.select().from(auditLog).where(matching).orderBy(order).limit(limit).all();
  }

  /** A row refers to the blob. */
  usesBlob(blob: string): boolean {
    return this.#queries.blob.get({ blob }) !== undefined;
  }

  /** Gives how many tasks were read so far and of how many, page by page; then all. */
  *loading(): Generator<LoadStep, Loaded, undefined> {
    return {
      tasks: yield* this.#liveTasks(),
      workers: this.#workers(),
      nodes: this.#nodes(),
      invites: this.#invites(),
      tokens: this.#tokens(),
      settings: this.#settings(),
      counts: this.#counts(),
      lastId: this.#lastId(),
    };
  }

  // ------------------------------------------------------------------------------------------------------- pages

  /** Ids of a page, newest first. What leads: the tag, the batch, the owner, open statuses, else the ids themselves. */
  #pageIds(filter: TaskFilter, page: Page): readonly string[] {
    const { tag, batchId, owner, statuses } = filter;
    const ids = () => this.#orm.select({ id: tasks.id }).from(tasks).$dynamic();
    if (tag !== undefined) {
      const tagged = and(eq(taskTags.key, tag.key), eq(taskTags.value, tag.value));
      const matching = and(tagged, conditions(filter, page.before, taskTags.taskId));
      const query = ids().innerJoin(taskTags, eq(taskTags.taskId, tasks.id)).where(matching);
      return idsOf(query.orderBy(desc(taskTags.taskId)), page);
    }
    const matching = conditions(filter, page.before, tasks.id);
    if (batchId === undefined && owner === undefined && statuses?.every((status) => status !== 'completed')) {
      const open = statuses.flatMap((status) => {
        const leading = and(sql`${tasks.status} <> 'completed'`, eq(tasks.status, status));
        return idsOf(ids().where(and(leading, matching)).orderBy(desc(tasks.id)), page);
      });
      return open.sort().reverse().slice(0, page.limit);
    }
    return idsOf(ids().where(matching).orderBy(desc(tasks.id)), page);
  }

  #rows(ids: readonly string[]): TaskRow[] {
    if (ids.length === 0) return [];
    const rows = this.#queries.rows.all({ ids: JSON.stringify(ids) });
    const waiting = this.#waiting(rows);
    const found = new Map(
      rows.map((row) => [
        row.id,
        {
          task: taskOf(row, waiting(row)),
          stdout: outputOf(row.stdout, row.stdoutSize, row.stdoutBlob),
          stderr: outputOf(row.stderr, row.stderrSize, row.stderrBlob),
        },
      ]),
    );
    return ids.flatMap((id) => found.get(id) ?? []);
  }

  // ----------------------------------------------------------------------------------------------------- restart

  *#liveTasks(): Generator<LoadStep, Task[], undefined> {
    const found: Task[] = [];
    const open = inArray(tasks.status, ['blocked', 'queued', 'running']);
    const counted = this.#orm
      .select({ count: count() })
      .from(tasks)
      .where(and(sql`${tasks.status} <> 'completed'`, open));
    const total = counted.get()?.count ?? 0;
    for (const status of ['blocked', 'queued', 'running'] as const) {
      let page: BareTaskRow[] = [];
      let after = '';
      do {
        const leading = and(sql`${tasks.status} <> 'completed'`, eq(tasks.status, status));
        const query = this.#orm
          .select(bareColumns)
          .from(tasks)
          .where(and(leading, gt(tasks.id, after)));
        page = query.orderBy(asc(tasks.id)).limit(loadPage).all();
        const waiting = this.#waiting(page);
        for (const row of page) found.push(taskOf(row, waiting(row)));
        after = page.at(-1)?.id ?? after;
        yield { loaded: found.length, total };
      } while (page.length === loadPage);
    }
    return found.sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  /** For each row the dependencies that have not ended. One that is gone was pruned, and so had ended. */
  #waiting(rows: readonly BareTaskRow[]): (row: BareTaskRow) => Set<string> {
    const named = rows.filter((row) => row.status === 'blocked').map((row) => [row.id, dependenciesOf(row)] as const);
    const statuses = this.statuses([...new Set(named.flatMap(([, ids]) => ids))]);
    const isLive = (id: string): boolean => {
      const status = statuses.get(id);
      return status !== undefined && !isFinal(status);
    };
    const waiting = new Map(named.map(([id, ids]) => [id, new Set(ids.filter(isLive))]));
    return (row) => waiting.get(row.id) ?? new Set();
  }

  #workers(): RememberedWorker[] {
    return this.#orm.select().from(workers).orderBy(workers.id).all().map(workerOf);
  }

  #nodes(): NodeRecord[] {
    return this.#orm.select().from(nodes).orderBy(nodes.admittedAt, nodes.publicKey).all();
  }

  /** Those that ended long ago are of no use any more but as a reason to refuse. */
  #invites(): InviteRecord[] {
    const ended = sql`strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 days')`;
    const { expiresAt, createdAt, id } = invites;
    return this.#orm.select().from(invites).where(gte(expiresAt, ended)).orderBy(createdAt, id).all();
  }

  #tokens(): TokenRecord[] {
    return this.#orm.select().from(tokens).orderBy(tokens.createdAt, tokens.id).all();
  }

  #settings(): Map<string, string> {
    const rows = this.#orm.select().from(settings).all();
    return new Map(rows.map(({ key, value }) => [key, value]));
  }

  /** Completed tasks are all the others: neither they nor their number is kept anywhere else. */
  #counts(): Counts {
    const counts = noCounts();
    const open = this.#orm
      .select({ status: tasks.status, count: count() })
      .from(tasks)
      .where(sql`${tasks.status} <> 'completed'`)
      .groupBy(tasks.status)
      .all();
    const all = this.#orm.select({ count: count() }).from(tasks).get();
    counts.completed = all?.count ?? 0;
    for (const row of open) {
      counts[row.status] = row.count;
      counts.completed -= row.count;
    }
    return counts;
  }

  #lastId(): string {
    const found = [
      this.#orm
        .select({ id: max(tasks.id) })
        .from(tasks)
        .get()?.id,
      this.#orm
        .select({ id: max(batches.id) })
        .from(batches)
        .get()?.id,
      this.#orm.select({ id: marks.value }).from(marks).where(eq(marks.name, 'last_id')).get()?.id,
    ];
    return found.reduce<string>((last, id) => (id !== null && id !== undefined && id > last ? id : last), '');
  }

  // -------------------------------------------------------------------------------------------------------- record

  /** Least id of the entries since `wallMs`, beyond all others when there is none. The `+` has the index walked by time. */
  #firstEntrySince(wallMs: number): number {
    const since = gte(auditLog.timestamp, wallMs);
    const first = this.#orm
      .select({ id: sql<number | null>`min(+${auditLog.id})` })
      .from(auditLog)
      .where(since)
      .get();
    return first?.id ?? Number.MAX_SAFE_INTEGER;
  }
}

function idsOf(query: SQLiteSelect, { limit }: Page): string[] {
  const rows = query.limit(limit).all() as { id: string }[];
  return rows.map((row) => row.id);
}
