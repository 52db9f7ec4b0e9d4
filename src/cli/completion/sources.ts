/** What only the dispatcher knows of what a line may go on with: tasks, workers, batches, tokens. One question each. */

import type { TaskView } from '../../api/schemas.ts';
import type { Client } from '../../client/client.ts';
import { taskStatuses } from '../../core/task.ts';
import type { Completes } from '../option.ts';
import type { Given } from '../parse.ts';
import { commandOf } from '../request.ts';
import { oneTask } from '../selectors.ts';

/** A word, and what it is. */
export type Candidate = readonly [word: string, about: string];

type Known = Exclude<Completes, readonly string[] | 'file' | 'directory' | 'command' | 'page'>;

export interface Knowledge {
  /** A client of the dispatcher the line names. */
  connect(given: ReadonlyMap<string, readonly Given[]>): Promise<Client>;
}

interface Question {
  connect(): Promise<Client>;
  /** The beginning of the word. */
  readonly typed: string;
  /** The words before it, without options. */
  readonly before: readonly string[];
}

/** Newest tasks that are offered. */
const tasksMax = 50;
const idPrefix = /^[0-9a-hjkmnp-tv-z]{0,12}$/;

/** Candidates of a kind; more than begin with what was typed. Throws what the client throws. */
export async function fetchCandidates(kind: Known, question: Question): Promise<readonly Candidate[]> {
  const client = await question.connect();
  switch (kind) {
    case 'task':
      return [...(await tasksOf(client, question.typed)), ['last', 'the newest task']];
    case 'selector':
      return selectors(client, question.typed);
    case 'batch':
      return distinct(await newest(client), ({ batch_id: batch, name }) =>
        batch === null ? [] : [[batch, name ?? '']],
      );
    case 'tag':
      return distinct(await newest(client), tagsOf);
    case 'output': {
      const task = await oneTask(client, question.before[0] ?? '');
      return (await client.outputFiles(task.id)).outputs.map(({ path }) => [path, '']);
    }
    case 'worker':
      return (await client.workers()).workers.map(({ name, status }) => [name, status]);
    case 'token':
      return (await client.trust.tokens()).tokens.map(({ name, role }) => [name, role]);
    case 'invite':
      return (await client.trust.invites()).invites.map(({ id, status }) => [id, status]);
    case 'approval':
      return (await client.trust.approvals()).approvals.map(({ code, name }) => [code.replace(/\D/g, ''), name]);
  }
}

async function newest(client: Client): Promise<readonly TaskView[]> {
  return (await client.tasks({ limit: tasksMax })).tasks;
}

async function tasksOf(client: Client, typed: string): Promise<readonly Candidate[]> {
  if (!idPrefix.test(typed)) return [];
  const { tasks } = await client.tasks({ limit: tasksMax, ...(typed === '' ? {} : { id: typed }) });
  return tasks.map((task) => [task.id, `${task.status} ${task.name ?? commandOf(task)}`]);
}

async function selectors(client: Client, typed: string): Promise<readonly Candidate[]> {
  const prefixed = (prefix: string, candidates: readonly Candidate[]): readonly Candidate[] =>
    candidates.map(([word, about]) => [`${prefix}${word}`, about]);
  if (typed.startsWith('status:'))
    return prefixed(
      'status:',
      taskStatuses.map((status) => [status, '']),
    );
  if (typed.startsWith('batch:')) return prefixed('batch:', await fetchOf('batch'));
  if (typed.startsWith('tag:')) return prefixed('tag:', await fetchOf('tag'));
  const forms: readonly Candidate[] = [
    ['last', 'the newest task'],
    ['all', 'all tasks'],
    ['status:', 'all in this state'],
    ['batch:', 'all of this batch'],
    ['tag:', 'all with this tag'],
  ];
  return [...forms, ...(await tasksOf(client, typed))];

  function fetchOf(kind: Known): Promise<readonly Candidate[]> {
    return fetchCandidates(kind, { connect: async () => client, typed: '', before: [] });
  }
}

const tagsOf = ({ tags }: TaskView): readonly Candidate[] =>
  Object.entries(tags).map(([key, value]) => [`${key}=${value}`, '']);

function distinct(tasks: readonly TaskView[], of: (task: TaskView) => readonly Candidate[]): readonly Candidate[] {
  return [...new Map(tasks.flatMap(of))];
}
