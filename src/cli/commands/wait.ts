/** `wait SELECTOR...`: stays until all these tasks have ended. */

import type { ClientAction } from '../command.ts';
import { writeTasks } from '../print.ts';
import { lookFor, parseSelector } from '../selectors.ts';
import type { lookOptions } from '../shared-options.ts';
import { waitForTasks } from '../waiting.ts';

export const wait: ClientAction<typeof lookOptions> = async (context, values, words) => {
  const selectors = words.map(parseSelector);
  const selected = await lookFor(context, selectors, ['blocked', 'queued', 'running']);
  const tasks = await waitForTasks(
    context,
    selected.map((task) => task.id),
  );
  await writeTasks(context, tasks, values.output);
  return tasks.every((task) => task.status === 'completed') ? 0 : 1;
};
