/** Waiting for tasks of one's own or of a selection, with a line that says how many have ended. */

import type { TaskView } from '../api/schemas.ts';
import type { WaitOptions } from '../client/client.ts';
import type { CommandContext } from './context.ts';
import { withCount } from './progress.ts';

/** As `client.waitFor`: the tasks in the order of `ids`. Throws what the client throws. */
export function waitForTasks(
  { client, terminal }: Pick<CommandContext, 'client' | 'terminal'>,
  ids: readonly string[],
  options: WaitOptions = {},
): Promise<TaskView[]> {
  return withCount(terminal, { noun: 'tasks', done: 'ended', total: ids.length, alone: true }, async (add) => {
    const found = new Map<string, TaskView>();
    for await (const task of client.ended(ids, options)) {
      found.set(task.id, task);
      add(1);
    }
    return ids.flatMap((id) => found.get(id) ?? []);
  });
}
