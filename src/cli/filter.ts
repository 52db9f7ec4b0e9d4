/** The filter flags of `ps` and `export` as a query of the API. */

import type { TaskQuery } from '../client/client.ts';
import type { FilterValues } from './client-options.ts';
import { parseDuration } from './option.ts';
import { usage } from './parse.ts';
import { parseStatus } from './selectors.ts';

/** `now` in ms since 1970. Throws `usage` for an unknown state, a tag that is no pair, or a malformed instant. */
export function queryOf(values: FilterValues, now: number): TaskQuery {
  if (values.tag !== undefined && values.tag.indexOf('=') < 1) throw usage('--tag must be of the form key=value.');
  return {
    ...(values.status.length === 0
      ? {}
      : { status: values.status.flatMap((word) => word.split(',')).map(parseStatus) }),
    worker: values.worker,
    batch: values.batch,
    tag: values.tag,
    since: values.since === undefined ? undefined : instantOf(values.since, now),
  };
}

/** ISO 8601 of an age such as `2h` before `now` (ms since 1970), or of an instant. Throws `usage` for anything else. */
export function instantOf(text: string, now: number): string {
  const age = parseDuration(text);
  if ('value' in age) return new Date(Math.max(0, now - age.value)).toISOString();
  const instant = /^\d{4}-\d{2}-\d{2}(T.*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(instant)) throw usage(`"${text}" of --since is neither an age such as 2h nor an ISO 8601 instant.`);
  return new Date(instant).toISOString();
}
