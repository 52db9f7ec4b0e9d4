/** `retry`: submits ended tasks again and prints the ids of the new ones. */

import type { TaskView } from '../../api/schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import type { retryOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { note } from '../context.ts';
import { usage } from '../parse.ts';
import { writeTasks } from '../print.ts';
import { withCount } from '../progress.ts';
import { lookFor, parseSelector, type Selector } from '../selectors.ts';
import { chunksOf, eachOf } from '../several.ts';

/** Ids are printed so many at once, in the order of their tasks. */
const printedAtOnce = 64;

const allFailed: readonly Selector[] = [
  { kind: 'status', status: 'failed' },
  { kind: 'status', status: 'timed_out' },
];

export const retry: ClientAction<typeof retryOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  if (!values.failed && words.length === 0)
    throw usage('Something is missing: octaskly retry SELECTOR... or --failed.');
  const isJson = values.output === 'json';
  const selectors = [...(values.failed ? allFailed : []), ...words.map(parseSelector)];
  const selected = await lookFor(context, selectors, ['failed', 'timed_out', 'cancelled']);
  const refused: string[] = [];
  const retried: TaskView[] = [];
  const again = async (task: TaskView): Promise<TaskView | null> => {
    try {
      return await client.retry(task.id);
    } catch (error) {
      // One that cannot be repeated does not hold up the others.
      if (!(error instanceof OctasklyError) || error.code !== 'conflict') throw error;
      refused.push(error.message);
      return null;
    }
  };
  const counted = { noun: 'tasks', done: 'submitted again', total: selected.length, alone: isJson };
  await withCount(terminal, counted, async (add) => {
    for (const chunk of chunksOf(selected, printedAtOnce)) {
      const tried = (await eachOf(chunk, again)).filter((task) => task !== null);
      add(chunk.length);
      retried.push(...tried);
      if (!isJson) await writeTasks(context, tried, 'quiet');
    }
  });
  if (isJson) await writeTasks(context, retried, 'json');
  for (const message of refused) await note(terminal, message);
  return refused.length === 0 ? 0 : 1;
};
