/**
 * The jobs of one `map` that are submitted and have not ended, kept by the dispatcher's feed of events: one stream for
 * all of them, however many batches they came in.
 *
 * A job can end before the answer to its submission is here. So what the feed says of unknown tasks is kept while a
 * submission is on its way, and a batch over which the feed had a gap is read again.
 */

import type { FeedEvent, TaskView } from '../../api/schemas.ts';
import { isFinal } from '../../core/task.ts';
import type { Job } from './job.ts';

export interface LiveJob {
  readonly job: Job;
  readonly id: string;
  readonly batchId: string;
  /** Since when it runs, as this machine heard of it, ms; null: it waits. */
  runningSince: number | null;
  /** Why it was cancelled from here. */
  cancelledFor: 'time' | 'halt' | null;
}

/** Most tasks heard of during one submission; beyond, the batch is read. */
const heardMax = 100_000;

type Status = TaskView['status'];

export class LiveJobs {
  private readonly jobs = new Map<string, LiveJob>();
  /** What was heard of unknown tasks while a submission was on its way. */
  private heard: Map<string, Status> | null = null;
  private hasGap = false;
  private wake = (): void => {};
  /** Ended, but another must not take their place yet. */
  private unjudged = 0;
  private readonly isJudged: boolean;
  private readonly now: () => number;
  private readonly onEnd: (job: LiveJob, task: TaskView | null) => void;

  /**
   * `onEnd` is told of each end once; `task` is null when it is yet to be read. `isJudged`: a job takes up room until
   * `judged` is called after its end.
   */
  constructor(isJudged: boolean, now: () => number, onEnd: (job: LiveJob, task: TaskView | null) => void) {
    this.isJudged = isJudged;
    this.now = now;
    this.onEnd = onEnd;
  }

  get size(): number {
    return this.jobs.size;
  }

  all(): IterableIterator<LiveJob> {
    return this.jobs.values();
  }

  batchIds(): readonly string[] {
    return [...new Set([...this.jobs.values()].map(({ batchId }) => batchId))];
  }

  beginSubmission(): void {
    this.heard = new Map();
    this.hasGap = false;
  }

  /** The batch was refused. */
  dropSubmission(): void {
    this.heard = null;
  }

  /** Takes the submitted jobs in. True: events of theirs may have been missed, the batch must be read. */
  add(batchId: string, jobsById: ReadonlyMap<string, Job>): boolean {
    const { heard, hasGap } = this;
    this.heard = null;
    for (const [id, job] of jobsById) {
      this.jobs.set(id, { job, id, batchId, runningSince: null, cancelledFor: null });
      const status = heard?.get(id);
      if (status !== undefined) this.took(id, status);
    }
    return hasGap;
  }

  /** Events may have been missed. */
  missed(): void {
    this.hasGap = true;
  }

  event({ kind, id, status }: FeedEvent): void {
    if (kind !== 'task') return;
    if (this.jobs.has(id)) this.took(id, status as Status);
    else if (this.heard !== null) this.hear(id, status as Status);
  }

  /** The task as it was read. */
  read(task: TaskView): void {
    this.took(task.id, task.status, task);
  }

  /** What the end of a job means for the others is known. */
  judged(): void {
    if (!this.isJudged) return;
    this.unjudged -= 1;
    this.wake();
  }

  /** Resolves with how many more may be submitted when there is room below `most`, `most` = 1: when all have ended. */
  async room(most: number, signal: AbortSignal): Promise<number> {
    while (this.jobs.size + this.unjudged >= most) {
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => reject(signal.reason);
        if (signal.aborted) onAbort();
        signal.addEventListener('abort', onAbort, { once: true });
        this.wake = () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
      });
    }
    return most - this.jobs.size - this.unjudged;
  }

  private hear(id: string, status: Status): void {
    if (status !== 'running' && !isFinal(status)) return;
    if ((this.heard?.size ?? 0) >= heardMax) this.hasGap = true;
    else this.heard?.set(id, status);
  }

  private took(id: string, status: Status, task: TaskView | null = null): void {
    const live = this.jobs.get(id);
    if (live === undefined) return;
    if (status === 'running') live.runningSince ??= this.now();
    else live.runningSince = null;
    if (!isFinal(status)) return;
    this.jobs.delete(id);
    if (this.isJudged) this.unjudged += 1;
    this.onEnd(live, task);
    this.wake();
  }
}
