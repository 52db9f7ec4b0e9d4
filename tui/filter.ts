/**
 * The filter of the task list as a person types it: words, all of which must hold. The dispatcher filters, so it holds
 * for all tasks and not only for those on the screen. Pure.
 */

import type { TaskView, WorkerView } from '../src/api/schemas.ts';
import type { TaskQuery } from '../src/client/client.ts';

type Status = TaskView['status'];

export const statuses = [
  'blocked',
  'queued',
  'running',
  'completed',
  'failed',
  'timed_out',
  'cancelled',
] as const satisfies readonly Status[];

export interface Filter {
  /** As it was typed; '' shows all tasks. */
  readonly text: string;
  readonly query: TaskQuery;
}

export const noFilter: Filter = { text: '', query: {} };

/** Task ids are letters and digits; their beginning is enough. */
const idPrefix = /^[0-9a-z]{2,}$/;

function isStatus(word: string): word is Status {
  return statuses.some((status) => status === word);
}

/**
 * The filter for words like `failed`, `worker:attic-pi`, `batch:01hq`, `tag:project=film` or the beginning of an id; a
 * sentence when a word is none of these.
 */
export function parseFilter(text: string, workers: readonly WorkerView[]): Filter | { readonly wrong: string } {
  const states: Status[] = [];
  let query: TaskQuery = {};
  for (const word of text.split(/[\s,]+/).filter((one) => one !== '')) {
    const [, kind = '', value = ''] = /^(worker|batch|tag):(.+)$/.exec(word) ?? [];
    if (isStatus(word)) states.push(word);
    else if (kind === 'worker') query = { ...query, worker: workers.find(({ name }) => name === value)?.id ?? value };
    else if (kind === 'batch') query = { ...query, batch: value };
    else if (kind === 'tag' && value.includes('=')) query = { ...query, tag: value };
    else if (idPrefix.test(word)) query = { ...query, id: word };
    else {
      return { wrong: `"${word}" is no filter; try failed, worker:NAME, batch:ID, tag:K=V or an id.` };
    }
  }
  return { text: text.trim(), query: states.length === 0 ? query : { ...query, status: states } };
}

/** The filter one step further in the round of states: all, queued, running, ... */
export function nextState(filter: Filter): Filter {
  const round = ['', ...statuses];
  const text = round[(round.indexOf(filter.text) + 1) % round.length] ?? '';
  return isStatus(text) ? { text, query: { status: [text] } } : noFilter;
}
