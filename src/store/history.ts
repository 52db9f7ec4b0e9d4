/**
 * What overviews ask for beside tasks themselves: pages of batches, and the attempts of tasks that ended lately; and the notifications on their way. Writes
 * nothing. Each question walks one index in the order of its answer and stops at its limit.
 *
 * Known limit: a page of one owner's batches walks newest first over everybody's, and counting a batch reads its tasks.
 */

import { and, count, desc, eq, gte, inArray, lt, sql } from 'drizzle-orm';
import type { DeliveryRecord } from '../core/notification.ts';
import { type TaskStatus, taskStatuses } from '../core/task.ts';
import type { BatchRow, Store } from '../ports/store.ts';
import type { Connection } from './connection.ts';
import { attemptOf } from './rows.ts';
import { attempts, batches, deliveries, tasks } from './schema.ts';

type Orm = Connection['orm'];

/** No task in any state. */
function noCounts(): Record<TaskStatus, number> {
  return Object.fromEntries(taskStatuses.map((status) => [status, 0])) as Record<TaskStatus, number>;
}

/** How many tasks of a batch are in which state. */
function countsOf(orm: Orm, batchId: string): Record<TaskStatus, number> {
  const counts = noCounts();
  const counted = orm
    .select({ status: tasks.status, count: count() })
    .from(tasks)
    .where(eq(tasks.batchId, batchId))
    // The `+` keeps the planner from walking the index of open tasks.
    .groupBy(sql`+${tasks.status}`);
  for (const row of counted.all()) counts[row.status] = row.count;
  return counts;
}

/** As `Store.batch`. */
export function batchOf(orm: Orm, id: string): BatchRow | null {
  const batch = orm.select().from(batches).where(eq(batches.id, id)).get();
  return batch === undefined ? null : batchRowOf(orm, batch);
}

/** As `Store.batchHead`. */
export function batchHeadOf(orm: Orm, id: string): ReturnType<Store['batchHead']> {
  const { owner, notify } = batches;
  const batch = orm.select({ owner, notify }).from(batches).where(eq(batches.id, id)).get();
  return batch === undefined ? null : { owner: batch.owner, ...toldOf(batch) };
}

function toldOf({ notify }: Pick<typeof batches.$inferSelect, 'notify'>): Pick<BatchRow, 'notify'> {
  return notify === null ? {} : { notify: JSON.parse(notify) as readonly string[] };
}

function batchRowOf(orm: Orm, { notify, ...batch }: typeof batches.$inferSelect): BatchRow {
  return { ...batch, ...toldOf({ notify }), counts: countsOf(orm, batch.id) };
}

/** As `Store.deliveries`. */
export function deliveriesOf(orm: Orm): ReturnType<Store['deliveries']> {
  const found = orm.select().from(deliveries).orderBy(deliveries.createdAt, deliveries.id).all();
  return found.map(({ notice, ...record }) => ({ ...record, notice: JSON.parse(notice) as DeliveryRecord['notice'] }));
}

/** As `Store.batches`. */
export function batchesOf(orm: Orm, ...[{ owner }, { limit, before }]: Parameters<Store['batches']>): BatchRow[] {
  const matching = and(
    before === null ? undefined : lt(batches.id, before),
    owner === undefined ? undefined : eq(batches.owner, owner),
  );
  const found = orm.select().from(batches).where(matching).orderBy(desc(batches.id)).limit(limit).all();
  return found.map((batch) => batchRowOf(orm, batch));
}

/** As `Store.endedAttempts`. */
export function endedAttemptsOf(
  orm: Orm,
  ...[{ since, owner }, limit]: Parameters<Store['endedAttempts']>
): ReturnType<Store['endedAttempts']> {
  const ended = orm
    .select({ id: tasks.id, name: tasks.name, command: tasks.command, status: tasks.status })
    .from(tasks)
    .where(
      and(
        sql`${tasks.completedAt} IS NOT NULL`,
        gte(tasks.completedAt, since),
        // One owner's tasks may be very many, those that ended lately are few.
        owner === undefined ? undefined : sql`+${tasks.owner} = ${owner}`,
      ),
    )
    .orderBy(desc(tasks.completedAt))
    .limit(limit)
    .all();
  const byId = new Map(ended.map((task) => [task.id, task]));
  const ids = sql`(SELECT value FROM json_each(${JSON.stringify([...byId.keys()])}))`;
  const rows = orm.select().from(attempts).where(inArray(attempts.taskId, ids)).orderBy(desc(attempts.endedAt)).all();
  return rows.slice(0, limit).flatMap((row) => {
    const task = byId.get(row.taskId);
    return task === undefined ? [] : [{ record: attemptOf(row), name: task.name, command: task.command }];
  });
}
