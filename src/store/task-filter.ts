/**
 * Which tasks a filter means, as conditions of SQL. Which index leads is `read.ts`'s to decide; nothing is read here.
 *
 * Words that are searched for are looked at in each task the other conditions leave: there is no index of them. SQLite's
 * LIKE holds letters of ASCII alike in either case, and others apart (sqlite.org/lang_expr.html#like).
 */

import { and, eq, gte, lt, or, type SQL, sql } from 'drizzle-orm';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';
import { firstIdAt } from '../core/ids.ts';
import type { TaskFilter } from '../ports/store.ts';
import { tasks } from './schema.ts';

/** Greater than any character of an id. */
const afterIds = '\u{10ffff}';

/** Values as one, for `IN`: a list of any length is one statement and one binding. */
function listed(values: readonly string[]): SQL {
  return sql`(SELECT value FROM json_each(${JSON.stringify(values)}))`;
}

/** For LIKE: anything that holds `text`, whose own `%` and `_` are no wildcards. */
const holding = (text: string): string => `%${text.replace(/[\\%_]/g, '\\$&')}%`;

/** Name, command, an argument, or the beginning of the id holds the word. */
function withWord(word: string): SQL | undefined {
  const like = (value: SQL | SQLiteColumn, text: string): SQL => sql`${value} LIKE ${holding(text)} ESCAPE '\\'`;
  const { name, command, spec, id } = tasks;
  // The stored JSON first: it is taken apart only where it can hold the word. Only `argv` counts of it: not variables.
  const written = like(spec, JSON.stringify(word).slice(1, -1));
  const argument = sql`EXISTS (SELECT 1 FROM json_each(${spec}, '$.argv') WHERE ${like(sql`value`, word)})`;
  return or(
    like(name, word),
    like(command, word),
    and(written, argument),
    sql`substr(${id}, 1, ${word.length}) = ${word}`,
  );
}

/**
 * The filter's conditions, `id` being the column that leads. An id's time is never before its task's creation, so `since`
 * bounds the ids too, and the walk ends there.
 */
export function conditions(filter: TaskFilter, before: string | null, id: SQLiteColumn): SQL | undefined {
  const { statuses, workerId, batchId, since, idPrefix, words, owner } = filter;
  return and(
    before === null ? undefined : lt(id, before),
    idPrefix === undefined ? undefined : and(gte(id, idPrefix), lt(id, idPrefix + afterIds)),
    since === undefined ? undefined : and(gte(id, firstIdAt(since)), gte(tasks.createdAt, since)),
    statuses === undefined ? undefined : sql`+${tasks.status} IN ${listed(statuses)}`,
    workerId === undefined ? undefined : eq(tasks.workerId, workerId),
    batchId === undefined ? undefined : eq(tasks.batchId, batchId),
    // One owner may have very many batches: then the batch leads.
    owner === undefined ? undefined : batchId === undefined ? eq(tasks.owner, owner) : sql`+${tasks.owner} = ${owner}`,
    // Last: they cost most.
    ...(words ?? []).map(withWord),
  );
}
