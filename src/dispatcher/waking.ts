/**
 * Wakes workers whose machines sleep, when work waits that needs them (`core/waking.ts` says when and how often), or when
 * somebody asks for it. A call is a few packets; whether they were heard shows by the worker coming back, or not.
 *
 * Invariants: looks at most once a second, and every 5 s while work waits and somebody is away or was just called; nobody is
 * called in the first seconds after the start, when workers that are there come back by themselves. What was called how
 * often is not kept over a restart.
 */

import { OctasklyError } from '../base/errors.ts';
import type { RememberedWorker } from '../core/restore.ts';
import type { SchedulerState } from '../core/state.ts';
import type { Task } from '../core/task.ts';
import { type Calls, needed, nextTryAt, type Sleeper, sleepersFor } from '../core/waking.ts';
import type { Waker } from '../ports/discovery.ts';
import type { Timer } from '../ports/time.ts';
import type { Feed } from './feed.ts';
import type { DispatcherParts } from './parts.ts';

const lookMs = 1000;
const lookAgainMs = 5000;
/** A call is forgotten this long after work waited no more: work that comes and goes does not call anew each time. */
const forgetMs = 120_000;
const settlingMsMax = 30_000;

/** Whom it concerns, and who is told. */
interface Around {
  state(): SchedulerState;
  /** Members on record that the scheduler does not know. */
  away(): readonly RememberedWorker[];
  readonly feed: Pick<Feed, 'publish'>;
}

interface Parts extends Around, Pick<DispatcherParts, 'clock' | 'log' | 'policy'> {
  readonly wake: Waker;
  /** False: only who is asked for is woken. */
  readonly unasked: boolean;
}

/** Null where the dispatcher was not given the means. */
export function wakingOf(parts: DispatcherParts, around: Around): Waking | null {
  return parts.waking === undefined ? null : new Waking({ ...parts, ...parts.waking, ...around });
}

export class Waking {
  readonly #parts: Parts;
  readonly #settledAt: number;
  readonly #calls = new Map<string, Calls>();
  #timer: Timer | null = null;
  #closed = false;
  /** Workers called since the start. */
  total = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#settledAt = parts.clock.steady() + Math.min(settlingMsMax, parts.policy.silenceMs);
  }

  /** Something changed. */
  turned(): void {
    const { unasked, state } = this.#parts;
    for (const id of this.#calls.keys()) if (state().workers.has(id)) this.#calls.delete(id);
    if (unasked && (state().ready.size > 0 || this.#calls.size > 0)) this.#lookIn(lookMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** How often a worker was called since work waits for it, `lastAt` as wall-clock ms; null = not. */
  callsOf(workerId: string): Calls | null {
    const calls = this.#calls.get(workerId);
    if (calls === undefined) return null;
    const { clock } = this.#parts;
    return { tries: calls.tries, lastAt: clock.wall() - (clock.steady() - calls.lastAt) };
  }

  /** Those that sleep and could run the task. */
  sleepers(task: Task): Sleeper[] {
    const { away, clock, unasked } = this.#parts;
    return unasked ? sleepersFor(task, { away: away(), calls: this.#calls }, clock.steady()) : [];
  }

  /** Calls a worker now; how many packets that were. Error: `conflict` where it cannot be called. */
  async call(workerId: string): Promise<number> {
    const worker = this.#parts.away().find(({ declaration }) => declaration.id === workerId);
    if (worker === undefined) {
      throw new OctasklyError(
        'conflict',
        'This worker is connected, or was until a moment ago: there is nothing to wake.',
      );
    }
    if (worker.declaration.wake === undefined) {
      const why = 'it told of no network card, as one does that runs on the same machine or an earlier version';
      throw new OctasklyError('conflict', `Nobody knows how to wake worker ${worker.name}: ${why}.`);
    }
    const packets = await this.#call(worker);
    if (packets > 0) return packets;
    throw new OctasklyError(
      'conflict',
      `No packet to wake worker ${worker.name} could leave: see the dispatcher's log.`,
    );
  }

  #lookIn(delayMs: number): void {
    if (this.#closed || this.#timer !== null) return;
    const waitMs = Math.max(delayMs, this.#settledAt - this.#parts.clock.steady());
    this.#timer = this.#parts.clock.after(waitMs, () => {
      this.#timer = null;
      this.#look();
    });
  }

  #look(): void {
    const at = this.#parts.clock.steady();
    const away = this.#parts.away();
    const wanted = needed(this.#parts.state(), { away, calls: this.#calls }, at);
    const ids = new Set(wanted.map(({ declaration }) => declaration.id));
    for (const [id, { lastAt }] of this.#calls) if (!ids.has(id) && at - lastAt >= forgetMs) this.#calls.delete(id);
    for (const worker of wanted) {
      if (nextTryAt(this.#calls.get(worker.declaration.id)) <= at) void this.#call(worker);
    }
    const isWaiting =
      this.#parts.state().ready.size > 0 && away.some(({ declaration }) => declaration.wake !== undefined);
    if (isWaiting || this.#calls.size > 0) this.#lookIn(lookAgainMs);
  }

  async #call({ declaration: { id, wake }, name }: RememberedWorker): Promise<number> {
    const { clock, log, feed } = this.#parts;
    const tries = (this.#calls.get(id)?.tries ?? 0) + 1;
    this.#calls.set(id, { tries, lastAt: clock.steady() });
    this.total += 1;
    const packets = await this.#parts.wake(wake?.by ?? []);
    const detail = packets > 0 ? `it was called, try ${tries}` : 'it could not be called: no packet could leave';
    log.info('waking a worker', { worker: name, try: tries, packets });
    const at = new Date(clock.wall()).toISOString();
    feed.publish({ kind: 'worker', id, status: 'waking', at, worker_id: id, detail }, null);
    return packets;
  }
}
