/**
 * What a worker says of attempts: the words both drivers, the scheduler and the wire share.
 * Instants in them are the worker's wall clock (ms since 1970): for records, never for decisions.
 */

import type { TaskFile } from './files.ts';
import type { AttemptOutcome, AttemptUsage } from './task.ts';

/** Names one attempt. */
export interface AttemptKey {
  readonly taskId: string;
  readonly attempt: number;
}

/** An attempt a joining worker still holds: waiting in its backlog, running, or ended and not yet acknowledged. */
export interface HeldAttempt extends AttemptKey {
  readonly phase: 'waiting' | 'running' | 'ended';
  /** It was not given to the worker by the dispatcher, which may not know of it yet: `adopted` tells it. */
  readonly adopted?: true;
}

/** One line of a `report`. */
export type ReportEntry =
  | (AttemptKey & { readonly kind: 'started'; readonly startedAt: number })
  | (AttemptKey & {
      readonly kind: 'ended';
      readonly startedAt: number;
      readonly outcome: AttemptOutcome;
      readonly usage: AttemptUsage;
      /** The last bytes of each stream, following all `output` sent before; up to `inlineOutputBytesMax`. */
      readonly stdout: Uint8Array;
      readonly stderr: Uint8Array;
      /** Files collected; the worker keeps their blobs until the end is acknowledged. */
      readonly outputs: readonly TaskFile[];
      /** Why something that was to be collected was not: one sentence each, naming it. At most `problemsMax`. */
      readonly outputProblems: readonly string[];
      /** The worker keeps all of them beyond the acknowledgement, until it is told to let go. */
      readonly outputsStay?: true;
    })
  /** Not started and given back. */
  | (AttemptKey & { readonly kind: 'returned' });
