/**
 * Notices on their way. One is stored in the transaction of what it tells of, and forgotten in a transaction when its
 * receiver took it, so that a crash in between sends it again under the same id and loses none.
 *
 *   add ──commit──> pending ──(due, its address is free)─> being sent ──2xx, 410──> gone
 *                      ^                                        │
 *                      └── stored with the next instant ────────┴── anything else: `delaysMs`, then given up
 *
 * Bounded: notices that wait, in all and of one owner (`room.ts`; more are dropped and counted), requests at once
 * (`receivers.ts`), tries, and time. What the dispatcher tells its own destinations, and what is of no share, goes first.
 * Invariant: without notices nothing is written and no timer runs.
 */

import { reasonOf } from '../../base/errors.ts';
import { originOf } from '../../core/destination.ts';
import type { DeliveryRecord } from '../../core/notification.ts';
import type { PostAnswer } from '../../ports/postman.ts';
import type { Clock, Log, Timer } from '../../ports/time.ts';
import type { Engine } from '../engine.ts';
import { itself, putOnRecord } from '../record.ts';
import type { Turn } from '../turn.ts';
import { Receivers, type Target } from './receivers.ts';
import { Counts, Room, shareOf } from './room.ts';

/** From one try to the next; after the last there is none. About seven hours in all. */
export const delaysMs = [1000, 5000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000] as const;
/** The wait varies by this share of itself, so that what failed together does not come back together. */
const jitter = 0.2;
/** A notice that is older is not tried again: while its address is left alone it may wait for longer than its tries take. */
const ageMsMax = 36_000_000;
/** A receiver that asks for more patience than this gets this much. */
const retryAfterMsMax = 3_600_000;
/** Characters of an error that are kept. */
const errorLengthMax = 300;

/** What is of no share, what goes to the dispatcher's own destinations, and the rest. */
const ranks = [0, 1, 2] as const;
type Rank = (typeof ranks)[number];

interface Waiting {
  readonly record: DeliveryRecord;
  readonly target: Target;
  /** What goes first; one of `ranks`. */
  readonly rank: Rank;
  /** Steady ms. */
  readonly dueAt: number;
  isBeingSent: boolean;
}

/** Counts since the start. */
export interface DeliveryCounts {
  readonly pending: number;
  readonly delivered: number;
  /** Tries that failed. */
  readonly failed_tries: number;
  /** Given up after the last try. */
  readonly given_up: number;
  /** Not taken, as too many waited. */
  readonly dropped: number;
  readonly last_error: string | null;
}

interface Fresh {
  readonly turn: Turn;
  readonly records: DeliveryRecord[];
  readonly room: Room;
}

interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly engine: () => Pick<Engine, 'put'>;
  /** Destinations of the dispatcher's `--notify`. */
  readonly own: readonly string[];
  /** A few letters that tell addresses of one origin apart and give none of them away. */
  labelOf(destination: string): string;
  /** A try at this delivery ended: with null, or with what went wrong, and then whether it was the last. */
  onTried(id: string, error: string | null, isLast: boolean): void;
  /** Sends a notice as its receiver wants it. */
  send(record: DeliveryRecord): Promise<PostAnswer>;
}

export class Deliveries {
  readonly #parts: Parts;
  #waiting = new Map<string, Waiting>();
  #timer: Timer | null = null;
  #closed = false;
  #delivered = 0;
  #failedTries = 0;
  #givenUp = 0;
  #dropped = 0;
  #lastError: string | null = null;
  #room = new Room();
  #urls = new Counts();
  readonly #receivers = new Receivers();
  /** Added in the turn that is under way. */
  #fresh: Fresh | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get counts(): DeliveryCounts {
    return {
      ...{ pending: this.#waiting.size, delivered: this.#delivered, failed_tries: this.#failedTries },
      ...{ given_up: this.#givenUp, dropped: this.#dropped, last_error: this.#lastError },
    };
  }

  /** What the store holds is what there is. */
  restore(records: readonly DeliveryRecord[]): void {
    this.#waiting = new Map();
    this.#room = new Room();
    this.#urls = new Counts();
    for (const record of records) this.#wait(record);
    this.#pump();
  }

  /** Takes a notice with the turn's commit; null, or why there is no room for it, as a sentence. */
  add(turn: Turn, record: DeliveryRecord): string | null {
    const { records, room } = this.#freshOf(turn);
    const { target } = this.#targetOf(record);
    const refusal = this.#room.refusal(target, room);
    if (refusal !== null) {
      this.#dropped += 1;
      const detail = `${refusal} Further ones are dropped.`;
      if (this.#lastError !== detail) this.#parts.log.warn(detail);
      this.#lastError = detail;
      return refusal;
    }
    records.push(record);
    room.note(target, 1);
    turn.change({ kind: 'delivery', record });
    return null;
  }

  /** What is added in `turn`; all of it waits, and is looked at, once the turn is stored. */
  #freshOf(turn: Turn): Fresh {
    if (this.#fresh?.turn === turn) return this.#fresh;
    const fresh: Fresh = { turn, records: [], room: new Room() };
    this.#fresh = fresh;
    turn.afterwards(() => {
      this.#fresh = null;
      for (const record of fresh.records) this.#wait(record);
      this.#pump();
    });
    return fresh;
  }

  #targetOf(record: DeliveryRecord): Pick<Waiting, 'target' | 'rank'> {
    const { destination } = record;
    const isOwn = this.#parts.own.includes(destination);
    const share = shareOf(record, isOwn);
    const target = { url: destination, origin: originOf(destination), share };
    return { target, rank: share === null ? 0 : isOwn ? 1 : 2 };
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #wait(record: DeliveryRecord): void {
    const { clock } = this.#parts;
    // A clock that was set back must not hold anything up for longer than the longest wait.
    const delayMs = Math.min(Math.max(0, record.nextAt - clock.wall()), Math.max(...delaysMs) * (1 + jitter));
    this.#leave(record.id);
    const waiting = {
      record,
      ...this.#targetOf(record),
      dueAt: clock.steady() + delayMs,
      isBeingSent: false,
    };
    this.#waiting.set(record.id, waiting);
    this.#room.note(waiting.target, 1);
    this.#urls.add(record.destination, 1);
  }

  /** It waits no longer. */
  #leave(id: string): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    this.#room.note(waiting.target, -1);
    this.#urls.add(waiting.record.destination, -1);
  }

  /** Sends what is due, and sees to it that what is not is looked at in time. */
  #pump(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#closed) return;
    const now = this.#parts.clock.steady();
    let nextAt = Number.POSITIVE_INFINITY;
    for (const rank of ranks) {
      for (const one of this.#waiting.values()) {
        // The next answer brings us here again.
        if (this.#receivers.isFull) return;
        if (one.isBeingSent || one.rank !== rank) continue;
        const at = Math.max(one.dueAt, this.#receivers.restsUntil(one.target.url));
        if (at > now) nextAt = Math.min(nextAt, at);
        else if (this.#receivers.isFree(one.target)) this.#send(one);
      }
    }
    if (nextAt < Number.POSITIVE_INFINITY) this.#timer = this.#parts.clock.after(nextAt - now, () => this.#pump());
  }

  #send(one: Waiting): void {
    one.isBeingSent = true;
    this.#receivers.begin(one.target);
    this.#parts.send(one.record).then(
      (answer) => this.#settle(one, answer),
      (error: unknown) => this.#failed(one, reasonOf(error), 0),
    );
  }

  #settle(one: Waiting, { status, retryAfterMs }: PostAnswer): void {
    if (status >= 200 && status < 300) {
      this.#delivered += 1;
      this.#parts.onTried(one.record.id, null, true);
      this.#receivers.end(one.target);
      this.#receivers.recovered(one.target.url);
      this.#forget(one);
    } else if (status === 410) this.#failed(one, 'it answered 410: it is gone for good', null);
    else {
      const redirect = status >= 300 && status < 400 ? '; redirects are not followed' : '';
      this.#failed(one, `it answered ${status}${redirect}`, Math.min(retryAfterMs ?? 0, retryAfterMsMax));
    }
  }

  /** `atLeastMs` null: no further try. */
  #failed(one: Waiting, detail: string, atLeastMs: number | null): void {
    const { record, target } = one;
    const { clock } = this.#parts;
    this.#receivers.end(target);
    this.#receivers.failed(target.url, clock.steady(), atLeastMs ?? 0);
    if (this.#closed) return;
    this.#failedTries += 1;
    const error = `${target.origin} (${this.#parts.labelOf(record.destination)}): ${detail}`.slice(0, errorLengthMax);
    this.#lastError = error;
    const baseMs = delaysMs[record.tries];
    if (baseMs === undefined || atLeastMs === null || this.#isOld(record)) {
      this.#giveUp(one, error);
      for (const other of this.#waiting.values()) {
        if (other !== one && other.target.url === target.url && !other.isBeingSent && this.#isOld(other.record))
          this.#giveUp(other, error);
      }
      return;
    }
    this.#parts.onTried(record.id, error, false);
    this.#parts.log.debug('a notification was not delivered; it is tried again', { error, tries: record.tries + 1 });
    const delayMs = Math.max(baseMs * (1 + jitter * (2 * unevenness(record) - 1)), atLeastMs);
    const next = { ...record, tries: record.tries + 1, nextAt: clock.wall() + Math.round(delayMs) };
    this.#change(
      one,
      (turn) => turn.change({ kind: 'delivery', record: next }),
      () => this.#wait(next),
    );
  }

  #isOld({ createdAt }: DeliveryRecord): boolean {
    return this.#parts.clock.wall() - createdAt > ageMsMax;
  }

  #giveUp(one: Waiting, error: string): void {
    // What is given up unsent is not to be sent while that is stored.
    one.isBeingSent = true;
    this.#givenUp += 1;
    this.#parts.onTried(one.record.id, error, true);
    const { id, notice, tries } = one.record;
    this.#parts.log.warn('a notification could not be delivered and is given up', { event: notice.event, error });
    const details = { delivery: id, event: notice.event, tries: tries + 1, error };
    this.#forget(one, (turn) => putOnRecord(turn, { eventType: 'notification_failed', actor: itself, details }));
  }

  #forget(one: Waiting, also: (turn: Turn) => void = () => undefined): void {
    const act = (turn: Turn): void => {
      turn.change({ kind: 'deliveryEnded', id: one.record.id });
      also(turn);
    };
    this.#change(one, act, () => {
      this.#leave(one.record.id);
      if (this.#urls.of(one.target.url) === 0) this.#receivers.recovered(one.target.url);
    });
  }

  /** Stores what became of a try. When that fails, `restore` brings back what the store knows, and it is sent again. */
  #change(one: Waiting, act: (turn: Turn) => void, then: () => void): void {
    if (this.#closed) return;
    const isCurrent = (): boolean => this.#waiting.get(one.record.id) === one;
    this.#parts.engine().put({
      handle: (turn) => {
        if (!isCurrent()) {
          // `restore` was faster; what waits for the same address may go on.
          turn.afterwards(() => this.#pump());
          return;
        }
        act(turn);
        turn.afterwards(() => {
          if (isCurrent()) then();
          this.#pump();
        });
      },
      abort: () => undefined,
    });
  }
}

/** A share of 0 … 1 that follows from the delivery and the try. */
function unevenness({ id, tries }: DeliveryRecord): number {
  let hash = tries + 1;
  for (const char of id) hash = (Math.imul(hash, 31) + (char.codePointAt(0) ?? 0)) >>> 0;
  return (hash % 1000) / 999;
}
