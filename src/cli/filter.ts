/** The filter flags of `ps` and `export` as a query of the API. */

import { OctasklyError } from '../base/errors.ts';
import type { Client, TaskQuery } from '../client/client.ts';
import { taskStatuses } from '../core/task.ts';
import type { FilterValues } from './client-options.ts';
import { findWorker } from './known-workers.ts';
import { parseDuration } from './option.ts';
import { usage } from './parse.ts';
import { parseStatus } from './selectors.ts';

/**
 * `now` in ms since 1970; a worker is looked up by what a person calls it. Throws `usage` for an unknown state, a tag that
 * is no pair, or a malformed instant, `not_found` for an unknown worker.
 */
export async function queryOf(client: Client, values: FilterValues, now: number): Promise<TaskQuery> {
  if (values.tag !== undefined && values.tag.indexOf('=') < 1) throw usage('--tag must be of the form key=value.');
  return {
    ...(values.status.length === 0
      ? {}
      : { status: values.status.flatMap((word) => word.split(',')).map(parseStatus) }),
    worker: values.worker === undefined ? undefined : await workerId(client, values.worker),
    batch: values.batch,
    tag: values.tag,
    text: values.text,
    since: values.since === undefined ? undefined : instantOf(values.since, now),
  };
}

/**
 * How many tasks a query finds, as far as the dispatcher's counts say it; null where they do not, or cannot be
 * asked.
 */
export async function countOf(client: Client, { status, ...rest }: TaskQuery): Promise<number | null> {
  if (Object.values(rest).some((filter) => filter !== undefined)) return null;
  try {
    const { tasks } = await client.stats();
    return (status ?? taskStatuses).reduce((sum, each) => sum + tasks[each], 0);
  } catch (error) {
    // Nobody asked for the count; what else is wrong, the list itself will say.
    if (error instanceof OctasklyError) return null;
    throw error;
  }
}

/** Whose role may not see workers can still name one by its id. */
async function workerId(client: Client, word: string): Promise<string> {
  try {
    return (await findWorker(client, word)).id;
  } catch (error) {
    if (error instanceof OctasklyError && error.code === 'forbidden') return word;
    throw error;
  }
}

/** ISO 8601 of an age such as `2h` before `now` (ms since 1970), or of an instant. Throws `usage` for anything else. */
export function instantOf(text: string, now: number): string {
  const age = parseDuration(text);
  if ('value' in age) return new Date(Math.max(0, now - age.value)).toISOString();
  const instant = /^\d{4}-\d{2}-\d{2}(T.*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(instant)) throw usage(`"${text}" of --since is neither an age such as 2h nor an ISO 8601 instant.`);
  return new Date(instant).toISOString();
}
