/**
 * What a dispatcher says of attempts that a worker has, passed on to them. Deliberately not here: taking attempts, and what
 * else is said over the link (`worker.ts`). Invariant: what is no attempt of this worker's any more changes nothing.
 */

import { unreachable } from '../base/assert.ts';
import type { WorkerLink } from '../ports/links.ts';
import type { DispatcherMessage } from '../wire/messages.ts';
import type { Attempts } from './attempts.ts';

/** Messages about attempts that were assigned before. */
export type AttemptOrder = Extract<
  DispatcherMessage,
  { kind: 'recall' | 'cancel' | 'abandon' | 'ack' | 'release' | 'stdin' | 'resize' }
>;

/** Does as it is told; what has to be answered is, over `link`. */
export function obey(order: AttemptOrder, attempts: Attempts, link: WorkerLink): void {
  switch (order.kind) {
    case 'recall':
      for (const key of order.attempts) attempts.recall(key);
      return;
    case 'cancel':
      for (const key of order.attempts) attempts.cancel(key);
      return;
    case 'abandon':
      for (const key of order.attempts) attempts.abandon(key);
      attempts.startNext();
      return;
    case 'ack':
      attempts.stored(order.attempts);
      return;
    case 'release':
      attempts.letGo(order.attempts);
      return;
    case 'stdin':
      void attempts.feed(order, link);
      return;
    case 'resize':
      attempts.resize(order, order);
      return;
    default:
      unreachable(order);
  }
}
