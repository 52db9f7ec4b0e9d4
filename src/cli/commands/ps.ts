/** `ps`: lists tasks by the filters. */

import { limits } from '../../api/limits.ts';
import type { TaskView } from '../../api/schemas.ts';
import type { psOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { note } from '../context.ts';
import { countOf, queryOf } from '../filter.ts';
import { writeTasks } from '../print.ts';
import { withCount } from '../progress.ts';

export const ps: ClientAction<typeof psOptions> = async (context, values) => {
  const { client, terminal } = context;
  const { limit } = values;
  const query = await queryOf(client, values, terminal.now());
  // Where a page is enough nobody waits, and the count is worth a question only if there may be more.
  const whole = limit > limits.pageMax ? await countOf(client, query) : null;
  const total = whole === null ? null : Math.min(limit, whole);
  const counted = { noun: 'tasks', done: 'read', total, alone: true };
  const names = new Map<string, string>();
  // A dispatcher of an older version gives none.
  const onWorkerNames = (given: Readonly<Record<string, string>> = {}): void => {
    for (const [id, name] of Object.entries(given)) names.set(id, name);
  };
  const tasks = await withCount(terminal, counted, async (add) => {
    const found: TaskView[] = [];
    const page = { ...query, limit: Math.min(limit, limits.pageMax) };
    for await (const task of client.allTasks(page, { onWorkerNames })) {
      found.push(task);
      add(1);
      if (found.length === limit) break;
    }
    return found;
  });
  await writeTasks(context, tasks, values.output, names);
  if (tasks.length === limit && terminal.stderr.isTTY && values.output === 'table') {
    const all = whole ?? (await countOf(client, query));
    const of = all === null ? '' : ` of ${all.toLocaleString('en')}`;
    if (all === null || all > limit) await note(terminal, `${limit.toLocaleString('en')}${of} shown; -l N shows more.`);
  }
  return 0;
};
