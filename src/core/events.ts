/**
 * What can happen to the scheduler, and what it may ask for.
 *
 * An event is a fact in the past tense. `at` is scheduler time (ms, never going back: every decision uses it); `wall`
 * is the clock on the wall (ms since 1970: it only ends up in records).
 * An effect is an order to the driver, which obeys in this order: all saves in one transaction, then what goes to
 * workers, then what is published. A crash in between loses nothing: what is to be sent follows from what was saved.
 */

import type { AttemptKey, HeldAttempt, ReportEntry } from './attempt.ts';
import type { AttemptRecord, Task, TaskSpec, TaskStatus } from './task.ts';
import type { WakeAddress, Worker, WorkerDeclaration, WorkerVitals } from './worker.ts';

interface Stamped {
  readonly at: number;
  readonly wall: number;
}

export interface SubmittedTask {
  readonly id: string;
  readonly spec: TaskSpec;
  /** Status of each of `spec.dependsOn` that is not a live task of the scheduler and not submitted before it here. */
  readonly ended: ReadonlyMap<string, TaskStatus>;
}

/** An attempt that its worker gave to the worker `to`. */
export interface HandedOver extends AttemptKey {
  readonly to: string;
}

export type SchedulerEvent = Stamped &
  (
    | { readonly kind: 'tasksSubmitted'; readonly tasks: readonly SubmittedTask[] }
    | { readonly kind: 'cancelRequested'; readonly taskIds: readonly string[]; readonly reason: string }
    | {
        readonly kind: 'workerJoined';
        readonly session: number;
        readonly address: string;
        readonly publicKey: string;
        readonly declaration: WorkerDeclaration;
        readonly held: readonly HeldAttempt[];
        /** What is on record of a worker the scheduler does not know at present. */
        readonly remembered: { readonly draining: boolean; readonly firstSeenAt: number } | null;
      }
    | {
        readonly kind: 'workerHeard';
        readonly workerId: string;
        readonly session: number;
        readonly vitals: WorkerVitals | null;
      }
    | {
        readonly kind: 'workerReported';
        readonly workerId: string;
        readonly session: number;
        readonly entries: readonly ReportEntry[];
      }
    /** It gave these to peers, which keep them until they are granted. */
    | {
        readonly kind: 'workerHandedOver';
        readonly workerId: string;
        readonly session: number;
        readonly entries: readonly HandedOver[];
      }
    /** It runs, or has run, tasks that a peer gave it. None of them is on record as ended. */
    | {
        readonly kind: 'tasksAdopted';
        readonly workerId: string;
        readonly session: number;
        readonly tasks: readonly { readonly id: string; readonly spec: TaskSpec }[];
      }
    /** Its link broke; it may come back. */
    | { readonly kind: 'workerDisconnected'; readonly workerId: string; readonly session: number }
    /** It said that it takes no more work. */
    | { readonly kind: 'workerLeaving'; readonly workerId: string; readonly session: number }
    /** Its conditions for work do not hold: `why` is part of a sentence. Null: they do again. */
    | { readonly kind: 'workerRests'; readonly workerId: string; readonly session: number; readonly why: string | null }
    /** How its machine can be woken when it sleeps. */
    | {
        readonly kind: 'workerWakeable';
        readonly workerId: string;
        readonly session: number;
        readonly by: readonly WakeAddress[];
      }
    /** It hung up in good order and holds nothing. */
    | { readonly kind: 'workerLeft'; readonly workerId: string; readonly session: number }
    /** An operator shut it out: what it still holds is lost. `why` is a sentence without full stop. */
    | { readonly kind: 'workerKicked'; readonly workerId: string; readonly why: string }
    | { readonly kind: 'drainRequested'; readonly workerId: string; readonly draining: boolean }
    | { readonly kind: 'pauseRequested'; readonly paused: boolean }
    | { readonly kind: 'closingRequested' }
    /** `lateMs`: how much later than asked for the driver got to run; a stalled driver must not blame its workers. */
    | { readonly kind: 'timePassed'; readonly lateMs: number }
  );

export type Effect =
  | { readonly kind: 'saveTask'; readonly task: Task; readonly isNew: boolean }
  | { readonly kind: 'saveAttempt'; readonly record: AttemptRecord }
  | { readonly kind: 'saveWorker'; readonly worker: Worker }
  | { readonly kind: 'savePaused'; readonly paused: boolean }
  | {
      readonly kind: 'assign';
      readonly workerId: string;
      readonly task: Task;
      readonly attempt: number;
      /** Since it was ready. */
      readonly waitedMs: number;
    }
  /** What a peer handed to the worker as attempt `previous` is from now on attempt `key.attempt`, and may start. */
  | { readonly kind: 'grant'; readonly workerId: string; readonly key: AttemptKey; readonly previous: number }
  /** An operator wants no new work there, or wants it again. */
  | { readonly kind: 'drain'; readonly workerId: string; readonly draining: boolean }
  | { readonly kind: 'recall'; readonly workerId: string; readonly key: AttemptKey }
  | { readonly kind: 'cancel'; readonly workerId: string; readonly key: AttemptKey }
  | { readonly kind: 'abandon'; readonly workerId: string; readonly key: AttemptKey }
  /** The worker is in; `resume` are its held attempts that go on. */
  | {
      readonly kind: 'welcome';
      readonly workerId: string;
      readonly session: number;
      readonly resume: readonly AttemptKey[];
    }
  | {
      readonly kind: 'refuse';
      readonly session: number;
      readonly code: 'full' | 'duplicate_id';
      readonly detail: string;
    }
  /** A newer link of the same worker took over. */
  | { readonly kind: 'replaceSession'; readonly session: number }
  | {
      readonly kind: 'publish';
      readonly what: 'task' | 'worker' | 'dispatcher';
      readonly id: string;
      readonly status: string;
      readonly workerId: string | null;
      readonly detail: string | null;
    };
