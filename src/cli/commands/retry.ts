/** `retry`: submits ended tasks again and prints the ids of the new ones. */

import { OctasklyError } from '../../base/errors.ts';
import type { retryOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { note } from '../context.ts';
import { usage } from '../parse.ts';
import { writeTasks } from '../print.ts';
import { parseSelector, type Selector, selectTasks } from '../selectors.ts';
import { eachOf } from '../several.ts';

const allFailed: readonly Selector[] = [
  { kind: 'status', status: 'failed' },
  { kind: 'status', status: 'timed_out' },
];

export const retry: ClientAction<typeof retryOptions> = async (context, values, words) => {
  const { client } = context;
  if (!values.failed && words.length === 0)
    throw usage('Something is missing: octaskly retry SELECTOR... or --failed.');
  const selectors = [...(values.failed ? allFailed : []), ...words.map(parseSelector)];
  const selected = await selectTasks(client, selectors, ['failed', 'timed_out', 'cancelled']);
  const refused: string[] = [];
  const tried = await eachOf(selected, async (task) => {
    try {
      return await client.retry(task.id);
    } catch (error) {
      // One that cannot be repeated does not hold up the others.
      if (!(error instanceof OctasklyError) || error.code !== 'conflict') throw error;
      refused.push(error.message);
      return null;
    }
  });
  await writeTasks(
    context,
    tried.filter((task) => task !== null),
    values.output === 'json' ? 'json' : 'quiet',
  );
  for (const message of refused) await note(context.terminal, message);
  return refused.length === 0 ? 0 : 1;
};
