/** `retry`: submits ended tasks again and prints the ids of the new ones. */

import type { ClientAction } from '../command.ts';
import type { retryOptions } from '../options.ts';
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
  const tasks = await eachOf(selected, (task) => client.retry(task.id));
  await writeTasks(context, tasks, values.output === 'json' ? 'json' : 'quiet');
  return 0;
};
