/**
 * Waiting for tasks to end, by the feed of events: no polling. After a gap in the feed all that is still awaited is
 * read again, so that a restart of the dispatcher in between loses nobody's end.
 */

import type { TaskView } from '../api/schemas.ts';
import { isFinal } from '../core/task.ts';
import type { FeedItem } from './events.ts';

/** What waiting needs of a client; reads wait for a dispatcher that is away. */
export interface WaitSource {
  events(): AsyncIterable<FeedItem>;
  task(id: string): Promise<TaskView>;
  batchTasks(batchId: string): AsyncIterable<TaskView>;
}

/** Tasks read side by side after a gap. */
const readsAtOnce = 8;

/**
 * Each of `ids` once, when it has ended, in the order of their ends (all that ended before: first).
 * `batches`: batches that hold them all; many are then read by the page. Throws `not_found` for an unknown id.
 */
export async function* endedTasks(
  source: WaitSource,
  ids: readonly string[],
  batches: readonly string[] = [],
): AsyncGenerator<TaskView, void, undefined> {
  const pending = new Set(ids);
  if (pending.size === 0) return;
  for await (const item of source.events()) {
    if (item.kind === 'gap') {
      for await (const task of readPending(source, pending, batches)) {
        if (isFinal(task.status) && pending.delete(task.id)) yield task;
      }
    } else if (item.event.kind === 'task' && pending.has(item.event.id) && isFinalName(item.event.status)) {
      const task = await source.task(item.event.id);
      if (isFinal(task.status) && pending.delete(task.id)) yield task;
    }
    if (pending.size === 0) return;
  }
}

function isFinalName(status: string): boolean {
  return isFinal(status as TaskView['status']);
}

async function* readPending(
  source: WaitSource,
  pending: ReadonlySet<string>,
  batches: readonly string[],
): AsyncGenerator<TaskView, void, undefined> {
  if (batches.length > 0) {
    for (const batch of batches) yield* source.batchTasks(batch);
    return;
  }
  const ids = [...pending];
  for (let i = 0; i < ids.length; i += readsAtOnce) {
    yield* await Promise.all(ids.slice(i, i + readsAtOnce).map((id) => source.task(id)));
  }
}
