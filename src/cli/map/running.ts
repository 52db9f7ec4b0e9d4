/**
 * One `map` from the first submission to the last end. Submitting and collecting go on at once, so any number of jobs
 * passes through a queue of any size: a refusal for a full queue is waited out, with smaller batches. `-j` bounds what is
 * submitted and not ended. One stream of events tells of all jobs; what ended is read and collected, a few at a time.
 *
 * Whatever stops it early, what is on its way is awaited and what is live is left in `live`, for the caller to cancel.
 */

import type { BatchAnswer, BatchRequest, TaskRequest, TaskView } from '../../api/schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import { Backoff, reconnectDelays, sleep } from '../../client/backoff.ts';
import { attendBatches } from '../attending.ts';
import { type CommandContext, note } from '../context.ts';
import { bringBack } from '../outputs.ts';
import { persisting } from '../persisting.ts';
import { shellCommand } from '../request.ts';
import { eachOf } from '../several.ts';
import { Uploader } from '../upload.ts';
import type { Collector } from './collector.ts';
import { endOf, type Job } from './job.ts';
import { type LiveJob, LiveJobs } from './live.ts';
import { type JobLimit, jobsAtOnce, RuntimeShare } from './pace.ts';
import type { JobQueue } from './queue.ts';

/** Ended jobs that are read side by side. */
const readsAtOnce = 8;
/** How long the number of slots is believed. */
const slotsMs = 5000;
/** How often running jobs are held against `--timeout` in percent. */
const overTimeEveryMs = 100;
/** How long the first submission waits for the feed of events. */
const feedMs = 250;

export interface MapPlan {
  readonly queue: JobQueue;
  readonly collector: Collector;
  readonly request: Omit<TaskRequest, 'command' | 'argv'>;
  /** Of its batches; '' = none. */
  readonly name: string;
  /** Null: no limit. */
  readonly jobLimit: JobLimit | null;
  /** Least time between two starts, ms. */
  readonly delayMs: number;
  /** The end of each job is judged before another takes its place: `--halt`. */
  readonly isJudged: boolean;
  /** `--timeout` in percent; null: not given so. */
  readonly timeoutPercent: number | null;
}

/** What `--halt now` ends the work with: no error. */
class Halted extends Error {}

/** Somebody cancelled the batch from elsewhere: the rest of its jobs is not for another one. */
function cancelledBatch(cause: OctasklyError): OctasklyError {
  const next = "'octaskly map' with --joblog and --resume goes on where an earlier call with that --joblog ended.";
  return new OctasklyError('conflict', `The batch of this map was cancelled, and no further job was started; ${next}`, {
    cause,
  });
}

export class MapRun {
  readonly live: LiveJobs;
  private readonly context: CommandContext;
  private readonly plan: MapPlan;
  private readonly stop: AbortController;
  private readonly runtimes: RuntimeShare | null;
  private readonly uploader: Uploader;
  private readonly ended: (readonly [LiveJob, TaskView | null])[] = [];
  private readonly reads = new Set<Promise<void>>();
  /** Of `reads`, those that will look at `ended` again. */
  private readers = 0;
  private slots: { readonly count: number; readonly at: number } | null = null;
  private isFirst = true;
  /** All jobs are of this one; null before the first submission. */
  private batchId: string | null = null;
  /** `--halt soon`: nothing new starts. */
  private isEnding = false;
  private isHeard = (): void => {};

  /** `stop` ends it from outside, and is aborted when it fails. */
  constructor(context: CommandContext, plan: MapPlan, stop: AbortController) {
    this.context = context;
    this.plan = plan;
    this.stop = stop;
    this.uploader = new Uploader(context);
    this.runtimes = plan.timeoutPercent === null ? null : new RuntimeShare(plan.timeoutPercent);
    this.live = new LiveJobs(plan.isJudged, () => context.terminal.now(), this.took);
  }

  /** Resolves when all jobs have ended, or `--halt` ended them. Throws what went wrong, or why `stop` was aborted. */
  async run(): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([this.stop.signal, over.signal]);
    const heard = new Promise<void>((resolve) => {
      this.isHeard = resolve;
    });
    const attending = attendBatches(this.context, () => this.live.batchIds(), signal);
    const around = [this.follow(signal), this.limitTime(signal), attending].map((work) => this.orFail(work));
    try {
      await Promise.race([heard, sleep(feedMs, this.stop.signal)]);
      await this.orFail(this.submitAll());
      await this.live.room(1, this.stop.signal);
      while (this.reads.size > 0) await Promise.all(this.reads);
      this.stop.signal.throwIfAborted();
    } catch (error) {
      if (!(this.stop.signal.aborted && this.stop.signal.reason instanceof Halted))
        throw this.stop.signal.reason ?? error;
    } finally {
      over.abort();
      await Promise.allSettled([...around, ...this.reads]);
    }
  }

  /** The first failure ends everything; what ends because of that is no failure. */
  private async orFail(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.stop.abort(error);
    }
  }

  // ------------------------------------------------------------------------------------------------------ submitting

  private async submitAll(): Promise<void> {
    const { queue, delayMs } = this.plan;
    const { signal } = this.stop;
    const backoff = new Backoff(reconnectDelays);
    while (!this.isEnding) {
      const room = await this.room(signal);
      const batch = this.isEnding ? [] : await queue.take(delayMs > 0 ? 1 : room, signal);
      if (batch.length === 0) return;
      if (await this.submit(batch, signal)) {
        backoff.reset();
        if (delayMs > 0) await sleep(delayMs, signal);
      } else {
        queue.putBack(batch);
        await sleep(backoff.next(), signal);
      }
    }
  }

  private async room(signal: AbortSignal): Promise<number> {
    const { jobLimit } = this.plan;
    if (jobLimit === null) return Number.POSITIVE_INFINITY;
    const at = this.context.terminal.now();
    if (jobLimit.percent > 0 && (this.slots === null || at - this.slots.at > slotsMs)) {
      const { slots } = await persisting(signal, () => this.context.client.stats());
      this.slots = { count: slots.total, at };
    }
    return this.live.room(jobsAtOnce(jobLimit, this.slots?.count ?? 0), signal);
  }

  /** False: the queue is full. */
  private async submit(batch: readonly Job[], signal: AbortSignal): Promise<boolean> {
    const { request } = this.plan;
    const inputs = batch.flatMap((job) => job.files.inputs);
    // Once output is printed, a line that is drawn over itself would be in its way.
    await this.uploader.upload(inputs, { shown: this.isFirst, signal });
    if (this.isEnding) return true;
    const tasks = batch.map((job) => ({
      ...request,
      ...job.files.request,
      command: shellCommand(job.command),
      attached: true,
    }));
    this.live.beginSubmission();
    try {
      // Not ended by the signal: what may have started must be known, to be cancelled.
      const { id, task_ids: ids } = await this.handIn(tasks);
      this.isFirst = false;
      const jobsById = new Map(ids.flatMap((one, i) => (batch[i] === undefined ? [] : [[one, batch[i]]])));
      if (this.live.add(id, jobsById)) await this.readBatch(id, signal);
      await this.plan.collector.submitted(batch);
      if (this.isEnding) await this.withdraw(signal);
      return true;
    } catch (error) {
      this.live.dropSubmission();
      if (!(error instanceof OctasklyError) || !/^(?:queue_full|rate_limited)$/.test(error.code)) throw error;
      return false;
    }
  }

  /** Makes the batch, or adds to it. One whose tasks were all pruned meanwhile is gone: then another begins. */
  private async handIn(tasks: BatchRequest['tasks']): Promise<BatchAnswer> {
    const { client } = this.context;
    const { name } = this.plan;
    if (this.batchId !== null) {
      try {
        return await client.submitBatch({ batch: this.batchId, tasks });
      } catch (error) {
        if (error instanceof OctasklyError && error.code === 'conflict') throw cancelledBatch(error);
        if (!(error instanceof OctasklyError) || error.code !== 'not_found') throw error;
      }
    }
    const answer = await client.submitBatch({ ...(name === '' ? {} : { name }), notify: [], tasks });
    this.batchId = answer.id;
    return answer;
  }

  // ------------------------------------------------------------------------------------------------------- following

  private async follow(signal: AbortSignal): Promise<void> {
    // Before the first answer the submission tells what is wrong, and ends.
    let isFirst = true;
    const client = this.context.connect({
      onLost: (reason) => {
        if (!isFirst) note(this.context.terminal, `${reason.replace(/\.$/, '')}; trying again.`).catch(() => {});
      },
    });
    try {
      for await (const item of client.events({ signal })) {
        isFirst = false;
        if (item.kind === 'event') this.live.event(item.event);
        else {
          this.live.missed();
          this.isHeard();
          for (const batch of this.live.batchIds()) await this.readBatch(batch, signal);
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  private readBatch(batch: string, signal: AbortSignal): Promise<void> {
    const read = async (): Promise<void> => {
      for await (const task of this.context.client.allTasks({ batch }, { signal })) this.live.read(task);
    };
    return persisting(signal, read, Number.POSITIVE_INFINITY);
  }

  private async limitTime(signal: AbortSignal): Promise<void> {
    const { runtimes } = this;
    if (runtimes === null) return;
    while (!signal.aborted) {
      await sleep(overTimeEveryMs, signal).catch(() => {});
      const limitMs = runtimes.limitMs();
      const now = this.context.terminal.now();
      const late = [...this.live.all()].filter(({ runningSince, cancelledFor }) => {
        return limitMs !== null && runningSince !== null && cancelledFor === null && now - runningSince > limitMs;
      });
      await this.cancel(late, 'time', signal);
    }
  }

  private async cancel(jobs: readonly LiveJob[], why: 'time' | 'halt', signal: AbortSignal): Promise<void> {
    for (const job of jobs) job.cancelledFor = why;
    await eachOf(jobs, ({ id }) => this.context.client.cancel(id, { patient: true, signal })).catch(
      (error: unknown) => {
        if (!signal.aborted) throw error;
      },
    );
  }

  /** Cancels what has not started. */
  private withdraw(signal: AbortSignal): Promise<void> {
    const waiting = [...this.live.all()].filter(({ runningSince }) => runningSince === null);
    return this.cancel(waiting, 'halt', signal);
  }

  // ------------------------------------------------------------------------------------------------------ collecting

  private readonly took = (job: LiveJob, task: TaskView | null): void => {
    this.plan.queue.release(job.job);
    this.ended.push([job, task]);
    if (this.readers >= readsAtOnce) return;
    this.readers += 1;
    const reading = this.orFail(this.readEnded()).finally(() => this.reads.delete(reading));
    this.reads.add(reading);
  };

  private async readEnded(): Promise<void> {
    const { signal } = this.stop;
    for (let next = this.ended.shift(); next !== undefined && !signal.aborted; next = this.ended.shift()) {
      const [live, known] = next;
      const read = () => this.context.client.task(live.id, { signal });
      await this.collect(live, known ?? (await persisting(signal, read, Number.POSITIVE_INFINITY)), signal);
    }
    this.readers -= 1;
  }

  private async collect({ job, cancelledFor }: LiveJob, task: TaskView, signal: AbortSignal): Promise<void> {
    const { collector } = this.plan;
    if (cancelledFor === 'halt' && task.started_at === null) {
      await collector.skip(job.place, signal);
      return this.live.judged();
    }
    const isOverTime = cancelledFor === 'time';
    const files = { id: task.id, patterns: task.outputs, shown: false, signal };
    const end = endOf(job, task, { isOverTime, hasFiles: await bringBack(this.context, files) });
    if (end.status === 0) this.runtimes?.add(end.runtimeMs);
    const order = await collector.add(end, signal);
    if (order === 'now') this.stop.abort(new Halted());
    if (order === 'soon' && !this.isEnding) {
      this.isEnding = true;
      await this.withdraw(signal);
    }
    this.live.judged();
  }
}
