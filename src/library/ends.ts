/**
 * The ends of tasks, for everybody in this program who waits for one: a single feed of events, open while somebody waits.
 *
 * Invariant: whoever waits is told, also when the task ended before it was asked for, when events were missed, and when
 * the dispatcher started anew in between. A task submitted while the feed stands needs no read to begin with: its end
 * comes through the feed, or is among those that came by lately (`mark`).
 */

import type { TaskView } from '../api/schemas.ts';
import type { Sleep } from '../client/backoff.ts';
import type { Client } from '../client/client.ts';
import { isTransient } from '../client/http.ts';
import { isFinal } from '../core/task.ts';
import type { ReadOptions } from './bytes.ts';
import { patiently } from './patience.ts';

/** Reads side by side. */
const readsMax = 8;
/** Ends nobody waited for that are remembered. */
const recentMax = 20_000;

/** Told once, of the end or of what prevents knowing it. */
export interface Waiter {
  readonly resolve: (task: TaskView) => void;
  readonly reject: (reason: unknown) => void;
}

export class Ends {
  readonly #client: Pick<Client, 'events' | 'task'>;
  readonly #sleep: Sleep;
  readonly #waiting = new Map<string, Set<Waiter>>();
  /** Tasks that ended in the feed and for which nobody waited, since `#era` began. */
  readonly #recent = new Set<string>();
  /** To be read, as they may have ended. */
  readonly #due = new Set<string>();
  #reads = 0;
  #era = 0;
  #stands = false;
  #holds = 0;
  #stop: AbortController | null = null;

  constructor(client: Pick<Client, 'events' | 'task'>, sleep: Sleep) {
    this.#client = client;
    this.#sleep = sleep;
  }

  /** Keeps the feed open until what it returns is called. */
  hold(): () => void {
    this.#holds += 1;
    if (this.#stop === null) {
      this.#stop = new AbortController();
      void this.#follow(this.#stop.signal);
    }
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holds -= 1;
      if (this.#holds === 0) this.#close();
    };
  }

  /** A place in the feed from which on no end is missed; null while the feed does not stand. */
  mark(): number | null {
    return this.#stands ? this.#era : null;
  }

  /**
   * Tells `waiter` of the task's end, or why it cannot be known, unless what it returns is called before. For whoever
   * holds the feed open; `since`: `mark()` from before the task was submitted.
   */
  watch(id: string, waiter: Waiter, since: number | null = null): () => void {
    const waiters = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiters.add(waiter));
    // While the feed does not stand yet, its beginning is what has everything read.
    if (this.#stands && (since !== this.#era || this.#recent.has(id))) this.#look(id);
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiting.get(id) === waiters) this.#waiting.delete(id);
    };
  }

  /** The task once it has ended. Waits for a dispatcher that is away. Throws `not_found`, and what lasts. */
  async of(id: string, { signal }: ReadOptions = {}): Promise<TaskView> {
    signal?.throwIfAborted();
    const release = this.hold();
    // One of its own: runtimes warn of many listeners at one signal, and many tasks may be waited for with the same.
    const own = signal === undefined ? null : AbortSignal.any([signal]);
    let leave = (): void => {};
    try {
      return await new Promise<TaskView>((resolve, reject) => {
        const unwatch = this.watch(id, { resolve, reject });
        const onAbort = (): void => reject(own?.reason);
        own?.addEventListener('abort', onAbort, { once: true });
        leave = () => {
          unwatch();
          // A time limit that somebody listens to would keep the program alive.
          own?.removeEventListener('abort', onAbort);
        };
      });
    } finally {
      leave();
      release();
    }
  }

  #close(): void {
    this.#due.clear();
    this.#stop?.abort();
    this.#stop = null;
    this.#stands = false;
  }

  async #follow(stop: AbortSignal): Promise<void> {
    try {
      for await (const item of this.#client.events({ signal: stop })) {
        if (stop.aborted) return;
        if (item.kind === 'gap') this.#begin();
        else if (item.event.kind === 'task' && isFinal(item.event.status as TaskView['status'])) {
          if (this.#waiting.has(item.event.id)) this.#look(item.event.id);
          else this.#remember(item.event.id);
        }
      }
    } catch (error) {
      if (stop.aborted) return;
      // What comes next may try again, with a feed of its own.
      this.#close();
      for (const id of [...this.#waiting.keys()]) this.#settle(id, ({ reject }) => reject(error));
    }
  }

  #begin(): void {
    this.#stands = true;
    this.#era += 1;
    this.#recent.clear();
    for (const id of this.#waiting.keys()) this.#look(id);
  }

  #remember(id: string): void {
    if (this.#recent.size === recentMax) {
      // Earlier marks no longer tell anything.
      this.#recent.clear();
      this.#era += 1;
    }
    this.#recent.add(id);
  }

  #look(id: string): void {
    this.#due.add(id);
    while (this.#reads < readsMax) {
      const [next] = this.#due;
      if (next === undefined) return;
      this.#due.delete(next);
      void this.#read(next);
    }
  }

  async #read(id: string): Promise<void> {
    this.#reads += 1;
    const signal = this.#stop?.signal;
    try {
      const task = await patiently(() => this.#client.task(id, { signal }), {
        sleep: this.#sleep,
        signal,
        goesOn: isTransient,
      });
      if (isFinal(task.status)) this.#settle(id, ({ resolve }) => resolve(task));
    } catch (error) {
      // Given up with its feed: whoever waits by now has another, which has everything read.
      if (signal?.aborted !== true) this.#settle(id, ({ reject }) => reject(error));
    } finally {
      this.#reads -= 1;
      const [next] = this.#due;
      if (next !== undefined) this.#look(next);
    }
  }

  #settle(id: string, tell: (waiter: Waiter) => void): void {
    const waiters = this.#waiting.get(id);
    this.#waiting.delete(id);
    for (const waiter of waiters ?? []) tell(waiter);
  }
}
