/** `wait SELECTOR...`: stays until all these tasks have ended. */

import type { lookOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { writeTasks } from '../print.ts';
import { parseSelector, selectTasks } from '../selectors.ts';

export const wait: ClientAction<typeof lookOptions> = async (context, values, words) => {
  const { client } = context;
  const selectors = words.map(parseSelector);
  const selected = await selectTasks(client, selectors, ['blocked', 'queued', 'running']);
  const tasks = await client.waitFor(selected.map((task) => task.id));
  await writeTasks(context, tasks, values.output);
  return tasks.every((task) => task.status === 'completed') ? 0 : 1;
};
