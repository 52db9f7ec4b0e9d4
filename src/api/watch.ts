/**
 * The feed of events as server-sent events (WHATWG HTML, section 9.2): `id`, `event` (the entry's kind), `data` (JSON).
 * A `reset` event says that events may be missing: what one follows is to be read anew; its id is where the feed goes on.
 * A comment every `heartbeatMs` keeps the connection and shows a dead one. The first bytes are sent once the
 * subscription stands. It ends when its reader is not let in any more. A reader who leaves more than `eventQueueLengthMax` unread is ended and may come back with the last
 * id it saw; nothing waits for it and what it left is dropped.
 */

import type { Timer } from '../ports/time.ts';
import type { Backend } from './backend.ts';
import { type Lasting, whileHolds } from './lasting.ts';

export const heartbeatMs = 15_000;
/** Characters of events that wait for one reader; a replay must fit too. */
export const eventQueueLengthMax = 4 * 1024 * 1024;
/** What a browser waits before it connects again. */
const retryMs = 1000;

const encoder = new TextEncoder();

export interface EventOptions extends Lasting {
  /** Where the reader left off; null = from now on. */
  readonly lastId: string | null;
  /** Only events of this one's tasks are told; null = all events. */
  readonly owner: string | null;
  /** False: it ends after what happened up to now, and tells a reader without a place where that is. */
  readonly follow: boolean;
}

/** No event has this id: who asks for what came after it is told where the feed is. */
const nowhere = 'none';

/** Follows the feed until the reader leaves, is not let in any more, or `Backend.subscribe` ends it. */
export function eventBody(backend: Backend, options: EventOptions): ReadableStream<Uint8Array> {
  let queue: string[] = [];
  let queuedLength = 0;
  let open = true;
  let wake = (): void => undefined;
  let unsubscribe = (): void => undefined;
  let stopAsking = (): void => undefined;
  let timer: Timer | null = null;

  const end = (): void => {
    open = false;
    timer?.cancel();
    stopAsking();
    unsubscribe();
    wake();
  };
  const push = (text: string): void => {
    if (!open) return;
    queue.push(text);
    queuedLength += text.length;
    // What is there at once has the bound of the feed itself.
    if (options.follow && queuedLength > eventQueueLengthMax) {
      queue = [];
      end();
    }
    wake();
  };
  const beat = (): void => {
    timer = options.clock.after(heartbeatMs, () => {
      push(':\n\n');
      if (open) beat();
    });
  };

  push(`retry: ${retryMs}\n\n`);
  unsubscribe = backend.subscribe(options.lastId ?? (options.follow ? null : nowhere), {
    onEntry({ id, event, owner }) {
      if (options.owner !== null && options.owner !== owner) return;
      push(`id: ${id}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
    },
    onReset: (lastId) => push(`id: ${lastId}\nevent: reset\ndata: {}\n\n`),
    onEnd: end,
  });
  // It may have ended while the replay was handed over, before there was anything to unsubscribe.
  if (!open) unsubscribe();
  else if (options.follow) {
    beat();
    stopAsking = whileHolds(options, end);
  } else end();

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (open && queue.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        if (queue.length > 0) controller.enqueue(encoder.encode(queue.join('')));
        queue = [];
        queuedLength = 0;
        if (!open) controller.close();
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
