/**
 * How many tasks started and ended in each of the last seconds, counted from the event stream. Pure; what happened while
 * the stream was away is not counted: this is a picture of the pace, the counts of the dispatcher are the truth.
 */

import type { FeedEvent } from '../src/api/schemas.ts';

/** Seconds that are remembered. */
export const secondsKept = 240;
/** Seconds a rate is taken over. */
const rateSeconds = 10;

/** What a stretch of the event stream held. */
export interface Tally {
  readonly started: number;
  readonly completed: number;
  /** Ended in any other way. */
  readonly failed: number;
}

export const emptyTally: Tally = { started: 0, completed: 0, failed: 0 };

/** Counts by second, the oldest first; the last one is the second that runs. */
export interface Rates {
  /** Seconds since 1970 of the last entry. */
  readonly second: number;
  readonly perSecond: readonly Tally[];
}

const ends: ReadonlySet<string> = new Set(['failed', 'timed_out', 'cancelled']);

/** `tally` with one more event. */
export function counted(tally: Tally, event: FeedEvent): Tally {
  if (event.kind !== 'task') return tally;
  if (event.status === 'running') return { ...tally, started: tally.started + 1 };
  if (event.status === 'completed') return { ...tally, completed: tally.completed + 1 };
  return ends.has(event.status) ? { ...tally, failed: tally.failed + 1 } : tally;
}

/** `nowMs`: ms since 1970. */
export function emptyRates(nowMs: number): Rates {
  return { second: Math.floor(nowMs / 1000), perSecond: Array.from({ length: secondsKept }, () => emptyTally) };
}

/** `rates` brought to the instant `nowMs`, with `tally` added to its second. A clock set back starts anew. */
export function advance(rates: Rates, nowMs: number, tally: Tally = emptyTally): Rates {
  const second = Math.floor(nowMs / 1000);
  const passed = second - rates.second;
  if (passed < 0 || passed >= secondsKept) return addLast(emptyRates(nowMs), tally);
  if (passed === 0) return addLast(rates, tally);
  const empty = Array.from({ length: passed }, () => emptyTally);
  return addLast({ second, perSecond: [...rates.perSecond.slice(passed), ...empty] }, tally);
}

function addLast(rates: Rates, tally: Tally): Rates {
  if (tally === emptyTally) return rates;
  const last = rates.perSecond.at(-1) ?? emptyTally;
  const sum: Tally = {
    started: last.started + tally.started,
    completed: last.completed + tally.completed,
    failed: last.failed + tally.failed,
  };
  return { ...rates, perSecond: [...rates.perSecond.slice(0, -1), sum] };
}

/** Mean per second over the last ten whole seconds. */
export function rateOf(rates: Rates, what: keyof Tally): number {
  const seconds = rates.perSecond.slice(-rateSeconds - 1, -1);
  return seconds.reduce((sum, tally) => sum + tally[what], 0) / rateSeconds;
}
