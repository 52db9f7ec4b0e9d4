/**
 * What happened since the start, counted where it happens: plain numbers, never more of them, whoever asks for them and
 * however rarely (`metrics.ts` gives them their names). A turn notes its news; they count once the turn is stored.
 * A restart begins at 0, as Prometheus expects of counters.
 */

import type { Effect } from '../core/events.ts';
import { type AttemptOutcome, type FinalStatus, finalStatuses } from '../core/task.ts';
import { type RefusalCode, refusalCodes } from '../wire/messages.ts';
import { Distribution } from './distribution.ts';
import type { News } from './news.ts';

/** How an attempt can end, as it is counted. */
export const attemptEnds = [
  'succeeded',
  'failed',
  'signaled',
  'timed_out',
  'limit_exceeded',
  'cancelled',
  'spawn_failed',
  'lost',
] as const;
export type AttemptEnd = (typeof attemptEnds)[number];

/** How a worker came to an attempt: given by the dispatcher, by a peer with its consent, or by a peer unasked. */
export const placementWays = ['assigned', 'handed_over', 'adopted'] as const;
export type PlacementWay = (typeof placementWays)[number];

function endOf(outcome: AttemptOutcome): AttemptEnd {
  if (outcome.kind !== 'exited') return outcome.kind;
  return outcome.exitCode === 0 ? 'succeeded' : 'failed';
}

function zeros<Key extends string>(keys: readonly Key[]): Record<Key, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>;
}

export class Tally {
  submitted = 0;
  recalled = 0;
  readonly ended: Record<FinalStatus, number> = zeros(finalStatuses);
  readonly placed: Record<PlacementWay, number> = zeros(placementWays);
  readonly attempts: Record<AttemptEnd, number> = zeros(attemptEnds);
  /** Nodes that asked to join, or had joined, and were told that they may not. */
  readonly joinsRefused: Record<RefusalCode, number> = zeros(refusalCodes);
  readonly queueWait = new Distribution();
  readonly launch = new Distribution();
  readonly run = new Distribution();
  readonly result = new Distribution();
  readonly commit = new Distribution();

  /** Counts what a turn told that was stored at `now`, ms of the steady clock. */
  take({ effects, launchesMs, endsHeardAt }: News, now: number): void {
    for (const effect of effects) this.#count(effect);
    for (const launchMs of launchesMs) this.launch.noteMs(launchMs);
    for (const heardAt of endsHeardAt) this.result.noteMs(now - heardAt);
  }

  #count(effect: Effect): void {
    switch (effect.kind) {
      case 'assign':
        this.placed.assigned += 1;
        this.queueWait.noteMs(effect.waitedMs);
        return;
      case 'grant':
        this.placed.handed_over += 1;
        return;
      case 'recall':
        this.recalled += 1;
        return;
      case 'saveTask':
        if (!effect.isNew) return;
        this.submitted += 1;
        if (effect.task.spec.adopted === true) this.placed.adopted += 1;
        return;
      case 'saveAttempt': {
        const { outcome, usage } = effect.record;
        this.attempts[endOf(outcome)] += 1;
        if (usage !== null && outcome.kind !== 'spawn_failed') this.run.noteMs(usage.durationMs);
        return;
      }
      case 'publish':
        // Most that is published is no end.
        if (effect.what === 'task' && effect.status in this.ended) this.ended[effect.status as FinalStatus] += 1;
        return;
      default:
        return;
    }
  }
}
