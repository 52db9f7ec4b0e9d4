/** What one turn has to tell of itself once it is stored: to the counters (`tally.ts`) and to the log (`journal.ts`). */

import type { Effect } from '../core/events.ts';
import type { Change } from '../ports/store.ts';

export class News {
  /** Everything the scheduler asked for. */
  readonly effects: Effect[] = [];
  /** What goes on record. */
  readonly entries: Extract<Change, { kind: 'audit' }>[] = [];
  /** Of attempts that were seen to start: from their placement to their start. */
  readonly launchesMs: number[] = [];
  /** Of attempts whose end is taken in: when word of it came, ms of the steady clock. */
  readonly endsHeardAt: number[] = [];
}
