/** What a person ordered, done at the dispatcher: each order becomes calls of the client, and a sentence about them. */

import { unreachable } from '../src/base/assert.ts';
import { OctasklyError, reasonOf } from '../src/base/errors.ts';
import type { Client } from '../src/client/client.ts';
import type { Order } from './model.ts';

/** Orders that change something at the dispatcher. */
export type Deed = Extract<
  Order,
  { readonly kind: 'cancel' | 'retry' | 'drain' | 'undrain' | 'approve' | 'reject' | 'pause' | 'resume' }
>;

/** Calls under way at once, for an order about many tasks. */
const parallelMax = 8;

/** Does `work` for each; resolves with their results. Throws when some failed, and says how many and why. */
async function forEach<T>(ids: readonly string[], work: (id: string) => Promise<T>): Promise<T[]> {
  const [only] = ids;
  if (ids.length === 1 && only !== undefined) return [await work(only)];
  const left = [...ids];
  const done: T[] = [];
  const failed: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      try {
        done.push(await work(id));
      } catch (error) {
        failed.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: parallelMax }, lane));
  const [first] = failed;
  if (first === undefined) return done;
  const code = first instanceof OctasklyError ? first.code : 'internal';
  throw new OctasklyError(code, `${done.length} of ${ids.length} done. ${failed.length} failed: ${reasonOf(first)}`);
}

/** Does it, and says what was done. Throws `OctasklyError`. */
export async function perform(deed: Deed, client: Client): Promise<string> {
  switch (deed.kind) {
    case 'cancel':
      await forEach(deed.ids, (id) => client.cancel(id));
      return deed.ids.length === 1 ? `Asked task ${deed.ids[0]} to end.` : `Asked ${deed.ids.length} tasks to end.`;
    case 'retry': {
      const tasks = await forEach(deed.ids, (id) => client.retry(id));
      return tasks.length === 1 ? `Submitted again as task ${tasks[0]?.id}.` : `Submitted ${tasks.length} tasks again.`;
    }
    case 'drain':
      await client.drain(deed.id);
      return `${deed.name} gets no further tasks.`;
    case 'undrain':
      await client.undrain(deed.id);
      return `${deed.name} gets tasks again.`;
    case 'approve':
      await client.trust.approve(deed.id);
      return `${deed.name} may join now.`;
    case 'reject':
      await client.trust.reject(deed.id);
      return `${deed.name} was turned away.`;
    case 'pause':
      await client.pause();
      return 'No further tasks are handed out; what runs goes on.';
    case 'resume':
      await client.resume();
      return 'Tasks are handed out again.';
    default:
      return unreachable(deed);
  }
}
