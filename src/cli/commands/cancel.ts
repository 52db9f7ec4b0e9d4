/** `cancel SELECTOR...`: asks for the end of tasks and prints the ids it asked for, as it goes. */

import { limits } from '../../api/limits.ts';
import { isFinal } from '../../core/task.ts';
import type { ClientAction } from '../command.ts';
import { note } from '../context.ts';
import { writeTasks } from '../print.ts';
import { withCount } from '../progress.ts';
import { lookFor, parseSelector } from '../selectors.ts';
import { chunksOf } from '../several.ts';
import type { lookOptions } from '../shared-options.ts';

export const cancel: ClientAction<typeof lookOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  const isJson = values.output === 'json';
  const selectors = words.map(parseSelector);
  const selected = await lookFor(context, selectors, ['blocked', 'queued', 'running']);
  // First as a whole: a `map` that still adds to it is to stop, and not to fill up what is cancelled here.
  for (const selector of selectors) if (selector.kind === 'batch') await client.cancelBatch(selector.id);
  const tasks = selected.filter((task) => !isFinal(task.status));
  const counted = { noun: 'tasks', done: 'cancelled', total: tasks.length, alone: isJson };
  await withCount(terminal, counted, async (add) => {
    for (const chunk of chunksOf(tasks, limits.cancelMax)) {
      await client.cancelTasks(chunk.map(({ id }) => id));
      add(chunk.length);
      if (!isJson) await writeTasks(context, chunk, 'quiet');
    }
  });
  for (const task of selected) {
    if (isFinal(task.status)) await note(terminal, `Task ${task.id} has ended already: ${task.status}.`);
  }
  if (isJson) await writeTasks(context, tasks, 'json');
  return 0;
};
