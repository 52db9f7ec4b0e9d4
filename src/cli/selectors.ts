/**
 * Which tasks a person means: ids, unique id prefixes, `last`, `all`, `batch:ID`, `tag:k=v`, `status:failed`.
 * A prefix that fits several tasks is an error that lists them; nothing is guessed.
 */

import type { TaskView } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import type { Client, TaskQuery } from '../client/client.ts';
import { type TaskStatus, taskStatuses } from '../core/task.ts';
import type { CommandContext } from './context.ts';
import { usage } from './parse.ts';
import { withCount } from './progress.ts';

export type Selector =
  | { readonly kind: 'id'; readonly prefix: string }
  | { readonly kind: 'last' }
  | { readonly kind: 'all' }
  | { readonly kind: 'batch'; readonly id: string }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'status'; readonly status: TaskStatus };

const idLength = 12;
const candidatesMax = 5;

export function parseStatus(word: string): TaskStatus {
  const status = taskStatuses.find((one) => one === word);
  if (status !== undefined) return status;
  throw usage(`"${word}" is not a state of tasks. The nearest is "${nearest(word, taskStatuses)}".`);
}

/** Throws `usage` for a word that is no selector. */
export function parseSelector(word: string): Selector {
  if (word === 'last' || word === 'all') return { kind: word };
  const colon = word.indexOf(':');
  const rest = word.slice(colon + 1);
  if (colon > 0 && rest !== '') {
    const kind = word.slice(0, colon);
    if (kind === 'batch') return { kind, id: rest };
    if (kind === 'status') return { kind, status: parseStatus(rest) };
    if (kind === 'tag' && rest.indexOf('=') > 0) return { kind, tag: rest };
  }
  if (/^[0-9a-hjkmnp-tv-z]{1,12}$/i.test(word)) return { kind: 'id', prefix: word.toLowerCase() };
  throw usage(
    `"${word}" does not name tasks. Give an id or the beginning of one, last, all, batch:ID, tag:k=v or status:STATE.`,
  );
}

/** The one task whose id begins with `prefix`. Throws `not_found`, or `conflict` when there are several. */
async function findTask(client: Client, prefix: string): Promise<TaskView> {
  if (prefix.length === idLength) return client.task(prefix);
  const { tasks } = await client.tasks({ id: prefix, limit: candidatesMax + 1 });
  const [only, ...others] = tasks;
  if (only === undefined) throw new OctasklyError('not_found', `There is no task whose id begins with "${prefix}".`);
  if (others.length === 0) return only;
  const shown = tasks.slice(0, candidatesMax).map((task) => task.id);
  const more = tasks.length > candidatesMax ? ' and others' : '';
  throw new OctasklyError('conflict', `"${prefix}" is the beginning of several ids: ${shown.join(', ')}${more}.`);
}

/** The task of one word: an id, a prefix or `last`. */
export async function oneTask(client: Client, word: string): Promise<TaskView> {
  const selector = parseSelector(word);
  if (selector.kind === 'id') return findTask(client, selector.prefix);
  if (selector.kind === 'last') return lastTask(client);
  throw usage(`"${word}" may name several tasks; this command takes one.`);
}

async function lastTask(client: Client): Promise<TaskView> {
  const [task] = (await client.tasks({ limit: 1 })).tasks;
  if (task === undefined) throw new OctasklyError('not_found', 'There is no task yet.');
  return task;
}

/** A selector of many as filters of a list; null for those that name one task. */
function filterOf(selector: Selector): TaskQuery | null {
  switch (selector.kind) {
    case 'id':
    case 'last':
      return null;
    case 'all':
      return {};
    case 'batch':
      return { batch: selector.id };
    case 'tag':
      return { tag: selector.tag };
    case 'status':
      return { status: [selector.status] };
  }
}

/** Throws `not_found`, also for a word that cannot be the id of a batch. */
async function checkBatch(client: Client, id: string): Promise<void> {
  try {
    await client.batch(id);
  } catch (error) {
    if (!(error instanceof OctasklyError) || !['not_found', 'bad_request', 'invalid'].includes(error.code)) throw error;
    throw new OctasklyError(
      'not_found',
      `There is no batch "${id}". 'octaskly ps -o json' names the batch of each task.`,
    );
  }
}

/** As `selectTasks`; on a terminal a line says how many were found, where that takes long. */
export function lookFor(
  { client, terminal }: Pick<CommandContext, 'client' | 'terminal'>,
  selectors: readonly Selector[],
  statuses: readonly TaskStatus[],
): Promise<readonly TaskView[]> {
  const counted = { noun: 'tasks', done: 'found', total: null, alone: true };
  return withCount(terminal, counted, (add) => selectTasks(client, selectors, statuses, add));
}

/**
 * The tasks of all selectors, each once. Of selectors of many only tasks in `statuses` are taken; a task named by its id
 * is taken in any state. `onFound` hears of those that were found by the page. Throws `usage`, `not_found`, `conflict`, and what the client throws.
 */
async function selectTasks(
  client: Client,
  selectors: readonly Selector[],
  statuses: readonly TaskStatus[],
  onFound: (count: number) => void = () => {},
): Promise<readonly TaskView[]> {
  const found = new Map<string, TaskView>();
  for (const selector of selectors) {
    const filter = filterOf(selector);
    if (filter === null) {
      const task = selector.kind === 'id' ? await findTask(client, selector.prefix) : await lastTask(client);
      found.set(task.id, task);
      continue;
    }
    const wanted = (filter.status ?? statuses).filter((status) => statuses.includes(status));
    if (selector.kind === 'batch') await checkBatch(client, selector.id);
    if (wanted.length === 0) continue;
    for await (const task of client.allTasks({ ...filter, status: wanted })) {
      found.set(task.id, task);
      onFound(1);
    }
  }
  return [...found.values()];
}
