/** `ps`: lists tasks by the filters. */

import type { TaskView } from '../../api/schemas.ts';
import type { psOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { queryOf } from '../filter.ts';
import { writeTasks } from '../print.ts';

export const ps: ClientAction<typeof psOptions> = async (context, values) => {
  const query = { ...queryOf(values, context.terminal.now()), limit: Math.min(values.limit, 1000) };
  const tasks: TaskView[] = [];
  for await (const task of context.client.allTasks(query)) {
    tasks.push(task);
    if (tasks.length === values.limit) break;
  }
  await writeTasks(context, tasks, values.output);
  return 0;
};
