/**
 * The filter of the task list as a person types it: words, all of which must hold. The dispatcher filters, so it holds
 * for all tasks and not only for those on the screen. Pure.
 */

import { limits } from '../src/api/limits.ts';
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

/** As the dispatcher takes them: base 32 without i, l, o and u. */
const wholeId = /^[0-9a-hjkmnp-tv-z]{12}$/;
/** They begin with the time: until long after 2100 with a digit, which hardly a name does. */
const looksLikeId = /^\d[0-9a-hjkmnp-tv-z]{11}$/;
const idPrefix = /^[0-9a-hjkmnp-tv-z]{1,12}$/;
const tagPair = /^[^=]{1,63}=.{0,255}$/;

function isStatus(word: string): word is Status {
  return statuses.some((status) => status === word);
}

type Part = TaskQuery | { readonly wrong: string };

/** What a word with a colon asks for; null where it is no such word. */
function keyed(word: string, workers: readonly WorkerView[]): Part | null {
  const [, kind = '', value = ''] = /^(worker|batch|tag|id):(.*)$/.exec(word) ?? [];
  switch (kind) {
    case 'worker':
      if (value === '') return { wrong: 'worker: wants the name or id of a worker.' };
      return { worker: workers.find(({ name }) => name === value)?.id ?? value };
    case 'batch':
      return wholeId.test(value) ? { batch: value } : { wrong: `batch: wants an id of 12 characters, not "${value}".` };
    case 'tag':
      return tagPair.test(value) ? { tag: value } : { wrong: `tag: wants NAME=VALUE, not "${value}".` };
    case 'id':
      return idPrefix.test(value) ? { id: value } : { wrong: `No id begins with "${value}".` };
    default:
      return null;
  }
}

/**
 * The filter for words like `failed`, `worker:attic-pi`, `batch:ID`, `tag:project=film`, `id:01hq`, a whole id; any other
 * word is looked for in names and commands. A sentence when the dispatcher would not take it.
 */
export function parseFilter(text: string, workers: readonly WorkerView[]): Filter | { readonly wrong: string } {
  const states = new Set<Status>();
  const words: string[] = [];
  let query: TaskQuery = {};
  for (const word of text.split(/[\s,]+/).filter((one) => one !== '')) {
    const part = keyed(word, workers);
    if (part !== null) {
      if ('wrong' in part) return part;
      const [name] = Object.keys(part);
      if (name !== undefined && name in query)
        return { wrong: `${name}: can be asked for once, and stands there twice.` };
      query = { ...query, ...part };
    } else if (isStatus(word)) states.add(word);
    else if (looksLikeId.test(word) && query.id === undefined) query = { ...query, id: word };
    else words.push(word);
  }
  const found = words.join(' ');
  if (found.length > limits.searchLengthMax) {
    return { wrong: `At most ${limits.searchLengthMax} characters can be looked for.` };
  }
  return {
    text: text.trim(),
    query: {
      ...query,
      ...(found === '' ? {} : { text: found }),
      ...(states.size === 0 ? {} : { status: [...states] }),
    },
  };
}

/** The filter one step further in the round of states: all, queued, running, ... */
export function nextState(filter: Filter): Filter {
  const round = ['', ...statuses];
  const text = round[(round.indexOf(filter.text) + 1) % round.length] ?? '';
  return isStatus(text) ? { text, query: { status: [text] } } : noFilter;
}
