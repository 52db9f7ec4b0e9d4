/**
 * The engine: an inbox, and turns that empty it. Everything that happens to the dispatcher, from wherever, is put into
 * the inbox and taken in a turn of its own pace; this is what makes group commit and batching free.
 *
 * Storage that fails is treated as a crash: the turn is dropped, everybody who waits for it is told, links are closed,
 * and until a probe write succeeds nothing is accepted. Then the state is loaded anew, workers come back and say what
 * they hold: the same way as after a power cut, so there is only one way of recovering, and it is well trodden.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import { fenceIn, fenceSetting } from '../core/fence.ts';
import { restore } from '../core/restore.ts';
import { nextDeadline } from '../core/scheduler.ts';
import type { Policy, SchedulerState } from '../core/state.ts';
import type { Loaded, Store } from '../ports/store.ts';
import type { Clock, Log, Timer } from '../ports/time.ts';
import { writeJournal } from './journal.ts';
import { Tally } from './tally.ts';
import { Turn } from './turn.ts';

/** Something that happened. `handle` takes part in a turn; `abort` is told when the turn could not be saved. */
export interface InboxItem {
  handle(turn: Turn): void;
  abort(error: OctasklyError): void;
}

/** What is read of the store beside the scheduler's state. */
export type Stored = Pick<Loaded, 'workers' | 'nodes' | 'invites' | 'tokens'>;

/** What the engine's owner does with a turn that is saved. */
export interface Outlets {
  /** Adds what must be stored along with what the turn changed. */
  complete(turn: Turn): void;
  /** Sends and publishes what the turn gathered. */
  deliver(turn: Turn): void;
  /** The state is void: links must be closed. */
  reset(detail: string): void;
  /** Storage works again, and this is what it holds. */
  reloaded(stored: Stored): void;
}

/** Most items in one turn: bounds the size of a transaction and the time between turns. */
const itemsPerTurn = 1024;
const probeMsMin = 500;
const probeMsMax = 15_000;
const timerMsMax = 2 ** 31 - 1;

interface Parts {
  readonly clock: Clock;
  readonly store: Store;
  readonly log: Log;
  readonly policy: Policy;
}

export class Engine {
  state: SchedulerState;
  /** Greatest id given out. */
  lastId: string;
  /** Why nothing can be stored at present; null = all is well. */
  trouble: OctasklyError | null = null;
  /** What happened since the start. */
  readonly tally = new Tally();
  /** What was on record at the start, beside the scheduler's state. */
  readonly stored: Stored;
  readonly #parts: Parts;
  readonly #outlets: Outlets;
  #inbox: InboxItem[] = [];
  #scheduled = false;
  #stopped = false;
  #wake: { timer: Timer; at: number } | null = null;
  #probeMs = probeMsMin;

  /** Loads the state. Errors: what `Store.load` throws. */
  constructor(parts: Parts, outlets: Outlets) {
    this.#parts = parts;
    this.#outlets = outlets;
    const loaded = this.#load();
    this.state = loaded.state;
    this.lastId = loaded.lastId;
    this.stored = loaded.stored;
    this.#setWake(parts.clock.steady());
  }

  /** Appends to the inbox; it is taken soon, never within this call. */
  put(item: InboxItem): void {
    if (this.#stopped) {
      item.abort(new OctasklyError('shutting_down', 'The dispatcher is shutting down.'));
      return;
    }
    this.#inbox.push(item);
    this.#schedule();
  }

  /** Runs `action` within a turn; settles when the turn is stored. An error of `action` concerns its caller alone. */
  inTurn<T>(action: (turn: Turn) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.put({
        handle: (turn) => {
          let answer: T;
          try {
            answer = action(turn);
          } catch (error) {
            if (!(error instanceof OctasklyError) || error.code === 'storage_unavailable') throw error;
            reject(error);
            return;
          }
          turn.afterwards(() => resolve(answer));
        },
        abort: reject,
      });
    });
  }

  /** Takes what is in the inbox, then nothing more. */
  stop(): void {
    while (this.#inbox.length > 0) this.#turn();
    this.#stopped = true;
    this.#wake?.timer.cancel();
    this.#wake = null;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#parts.clock.soon(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#stopped || this.#inbox.length === 0) return;
    const items = this.#inbox.length <= itemsPerTurn ? this.#inbox : this.#inbox.slice(0, itemsPerTurn);
    this.#inbox = items === this.#inbox ? [] : this.#inbox.slice(itemsPerTurn);
    if (this.#inbox.length > 0) this.#schedule();
    if (this.trouble !== null) {
      for (const item of items) item.abort(this.trouble);
      return;
    }
    const { clock } = this.#parts;
    const turn = new Turn(this.state, { at: clock.steady(), wall: clock.wall() });
    try {
      for (const item of items) item.handle(turn);
      this.#outlets.complete(turn);
      this.#commit(turn);
    } catch (error) {
      if (!(error instanceof OctasklyError)) throw error;
      this.#fail(error, items);
      return;
    }
    this.#outlets.deliver(turn);
    turn.finish();
    this.#setWake(turn.at);
  }

  #commit(turn: Turn): void {
    const { clock, store } = this.#parts;
    const changes = turn.changes();
    const startedAt = clock.steady();
    if (changes.length > 0) store.commit(changes);
    const now = clock.steady();
    if (changes.length > 0) this.tally.commit.noteMs(now - startedAt);
    this.tally.take(turn.news, now);
    writeJournal(this.#parts.log, turn);
  }

  #fail(error: OctasklyError, items: readonly InboxItem[]): void {
    this.#parts.log.error('storing failed; nothing is accepted until it works again', { reason: reasonOf(error) });
    this.trouble = error;
    for (const item of items) item.abort(error);
    this.#outlets.reset(error.message);
    this.#wake?.timer.cancel();
    this.#wake = null;
    this.#probeMs = probeMsMin;
    this.#probeLater();
  }

  #probeLater(): void {
    this.#parts.clock.after(this.#probeMs, () => {
      if (this.#stopped) return;
      try {
        this.#parts.store.probe();
        const loaded = this.#load();
        this.state = loaded.state;
        this.lastId = loaded.lastId;
        this.#outlets.reloaded(loaded.stored);
      } catch (error) {
        this.#parts.log.debug('storing still fails', { reason: reasonOf(error) });
        this.#probeMs = Math.min(this.#probeMs * 2, probeMsMax);
        this.#probeLater();
        return;
      }
      this.trouble = null;
      this.#parts.log.info('storing works again');
      this.#setWake(this.#parts.clock.steady());
    });
  }

  #load(): { state: SchedulerState; lastId: string; stored: Stored } {
    const { clock, store, policy } = this.#parts;
    const { tasks, counts, lastId, settings, workers, nodes, invites, tokens } = store.load();
    const paused = settings.get('paused') === 'true';
    const stored = { workers, nodes, invites, tokens };
    const stamp = { at: clock.steady(), wall: clock.wall() };
    const fence = fenceIn(settings.get(fenceSetting) ?? null);
    return { state: restore(policy, { tasks, workers, counts, paused, fence }, stamp), lastId, stored };
  }

  /** Sees to it that `timePassed` comes when time alone changes something. A timer that is early does no harm. */
  #setWake(steppedAt: number): void {
    const at = nextDeadline(this.state, steppedAt);
    if (this.#wake !== null && this.#wake.at <= at) return;
    this.#wake?.timer.cancel();
    this.#wake = null;
    if (at === Number.POSITIVE_INFINITY) return;
    const delayMs = Math.min(Math.max(0, at - this.#parts.clock.steady()), timerMsMax);
    const timer = this.#parts.clock.after(delayMs, () => {
      this.#wake = null;
      const lateMs = Math.max(0, this.#parts.clock.steady() - at);
      this.put({ handle: (turn) => turn.apply({ kind: 'timePassed', lateMs }), abort: () => undefined });
    });
    this.#wake = { timer, at };
  }
}
