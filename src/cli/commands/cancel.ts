/** `cancel SELECTOR...`: asks for the end of tasks and prints the ids it asked for. */

import { isFinal } from '../../core/task.ts';
import type { lookOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { note } from '../context.ts';
import { writeTasks } from '../print.ts';
import { parseSelector, selectTasks } from '../selectors.ts';
import { eachOf } from '../several.ts';

export const cancel: ClientAction<typeof lookOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  const selected = await selectTasks(client, words.map(parseSelector), ['blocked', 'queued', 'running']);
  const tasks = selected.filter((task) => !isFinal(task.status));
  await eachOf(tasks, (task) => client.cancel(task.id));
  for (const task of selected) {
    if (isFinal(task.status)) await note(terminal, `Task ${task.id} has ended already: ${task.status}.`);
  }
  if (values.output === 'json') await writeTasks(context, tasks, 'json');
  else await writeTasks(context, tasks, 'quiet');
  return 0;
};
