/**
 * The event feed: what happened, in order, to whoever listens; a listener that comes back gets what it missed.
 *
 * The last `keptMax` entries are kept in memory, no more: a listener that was away for longer, or across a restart, is
 * told to read everything anew. An id is `<run>-<number>`; the run differs between starts of the dispatcher.
 */

import type { FeedEntry } from '../api/backend.ts';
import type { FeedEvent } from '../api/schemas.ts';

export const keptMax = 8192;

export interface Subscriber {
  onEntry(entry: FeedEntry): void;
  /** What follows does not connect to what the subscriber knows: read anew. `lastId` is the present position. */
  onReset(lastId: string): void;
  onEnd(): void;
}

export class Feed {
  readonly #run: string;
  readonly #kept: FeedEntry[] = [];
  readonly #subscribers = new Set<Subscriber>();
  #next = 1;

  /** `run` names this start of the dispatcher; letters and digits. */
  constructor(run: string) {
    this.#run = run;
  }

  /** `owner`: of an event about a task, whose it is. */
  publish(event: FeedEvent, owner: string | null): void {
    const entry = { id: `${this.#run}-${this.#next}`, event, owner };
    this.#kept[this.#next % keptMax] = entry;
    this.#next += 1;
    for (const subscriber of this.#subscribers) subscriber.onEntry(entry);
  }

  /** Replays what came after `lastId` (null = from now on), then delivers live. Returns what ends the subscription. */
  subscribe(lastId: string | null, subscriber: Subscriber): () => void {
    if (lastId !== null) this.#replay(lastId, subscriber);
    this.#subscribers.add(subscriber);
    return () => {
      this.#subscribers.delete(subscriber);
    };
  }

  #replay(lastId: string, subscriber: Subscriber): void {
    const [, run, number] = /^(\w+)-(\d+)$/.exec(lastId) ?? [];
    const seen = Number(number);
    const oldest = Math.max(1, this.#next - keptMax);
    if (run !== this.#run || !Number.isInteger(seen) || seen < oldest - 1 || seen >= this.#next) {
      subscriber.onReset(`${this.#run}-${this.#next - 1}`);
      return;
    }
    for (let n = seen + 1; n < this.#next; n++) {
      const entry = this.#kept[n % keptMax];
      if (entry !== undefined) subscriber.onEntry(entry);
    }
  }

  /** Ends all subscriptions. */
  close(): void {
    for (const subscriber of this.#subscribers) subscriber.onEnd();
    this.#subscribers.clear();
  }
}
