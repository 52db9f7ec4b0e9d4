/**
 * The jobs of one `map` that are not submitted yet, in their order and by batches: rows of arguments become jobs with a
 * command and files; those that are done already are left out, those that were refused come again.
 */

import { limits } from '../../api/limits.ts';
import { harmless } from '../../base/harmless.ts';
import { sleep } from '../../client/backoff.ts';
import { usage } from '../parse.ts';
import type { Arguments } from './arguments.ts';
import type { Job } from './job.ts';
import type { JobFileFinder } from './job-files.ts';
import { Slots } from './pace.ts';
import type { JobFacts } from './placeholders.ts';

/** Characters of commands in one batch: well below the body limit, whatever they are encoded as. */
const batchLengthMax = limits.bodyBytesMax / 8;
/** Bytes to upload before a batch, beyond what all jobs share: the first jobs are to start soon. */
const batchUploadMax = 64 * 2 ** 20;
/** So long a job that is ready waits for the next arguments, which may come at any time. */
const gatherMs = 20;

export interface JobForm {
  commandOf(job: JobFacts): string;
  /** Null: its output has no tag. */
  tagOf(job: JobFacts): string | null;
  /** True: it need not run. */
  isDone(job: JobFacts): Promise<boolean> | boolean;
  readonly finder: Pick<JobFileFinder, 'of'>;
  /** Slots are counted: some text has `{%}`. */
  readonly hasSlots: boolean;
}

/** Linux takes no longer word in the arguments of a program, its NUL included: execve(2), MAX_ARG_STRLEN. */
const commandBytesMax = 131_071;
/** Most characters of an argument in a sentence. */
const argShownMax = 40;

function checkLength(command: string, { args, number }: JobFacts): void {
  // A character takes three bytes at most.
  const bytes = command.length * 3 <= commandBytesMax ? 0 : new TextEncoder().encode(command).length;
  if (bytes <= commandBytesMax) return;
  const longest = args.reduce((best, arg) => (arg.length > best.length ? arg : best), '');
  throw usage(
    `The command of job ${number} has ${bytes} bytes, with an argument of ${longest.length} characters that begins with ` +
      `"${harmless(longest.slice(0, argShownMax))}"; at most ${commandBytesMax} are possible. Bring long data along in a file with --in.`,
  );
}

type Row = IteratorResult<readonly string[], void>;

export class JobQueue {
  /** Jobs left out. */
  skipped = 0;
  private readonly rows: Arguments['rows'];
  /** Arguments may be long in coming. */
  private readonly isSlow: boolean;
  private readonly form: JobForm;
  private readonly waiting: Job[] = [];
  private readonly slots = new Slots();
  private pending: Promise<Row> | null = null;
  private number = 0;
  private place = 0;
  private countMax: number = limits.batchTasksMax;

  constructor({ rows, total }: Pick<Arguments, 'rows' | 'total'>, form: JobForm) {
    this.rows = rows;
    this.isSlow = total === null;
    this.form = form;
  }

  /** The next jobs that fit into one batch, at most `room`; empty when there are no more. */
  async take(room: number, signal: AbortSignal): Promise<readonly Job[]> {
    const taken: Job[] = [];
    const most = Math.min(this.countMax, room);
    const gathered = this.isSlow ? pause(gatherMs, signal) : null;
    for (let length = 0, bytes = 0; taken.length < most && length < batchLengthMax && bytes < batchUploadMax; ) {
      const job = this.waiting.shift() ?? (await this.next(taken.length > 0 ? gathered : null, signal));
      if (job === null) break;
      taken.push(job);
      length += job.command.length + job.files.length;
      bytes += job.files.ownBytes;
    }
    return taken;
  }

  /** A batch that was refused for its size: the next ones are smaller. */
  putBack(batch: readonly Job[]): void {
    this.waiting.unshift(...batch);
    this.countMax = Math.max(1, Math.floor(batch.length / 2));
  }

  /** The job has ended: its slot is another's. */
  release(job: Job): void {
    if (this.form.hasSlots) this.slots.release(job.slot);
  }

  /** Null: there are no more, or none came before `gathered`. */
  private async next(gathered: Promise<null> | null, signal: AbortSignal): Promise<Job | null> {
    for (;;) {
      signal.throwIfAborted();
      this.pending ??= this.rows.next();
      // Standard input may never say more, and must not hold up an interruption.
      const coming = this.isSlow ? orAborted(this.pending, signal) : this.pending;
      const row = await (gathered === null ? coming : Promise.race([coming, gathered]));
      if (row === null || row.done === true) return null;
      this.pending = null;
      const job = await this.jobOf(row.value, signal);
      if (job !== null) return job;
    }
  }

  private async jobOf(args: readonly string[], signal: AbortSignal): Promise<Job | null> {
    const { form } = this;
    this.number += 1;
    const { number } = this;
    if (await form.isDone({ args, number, slot: 0 })) {
      this.skipped += 1;
      return null;
    }
    const facts: JobFacts = { args, number, slot: form.hasSlots ? this.slots.take() : 0 };
    const command = form.commandOf(facts);
    checkLength(command, facts);
    const files = await form.finder.of(facts, signal);
    this.place += 1;
    return { ...facts, command, tag: form.tagOf(facts), files, place: this.place - 1 };
  }
}

async function pause(delayMs: number, signal: AbortSignal): Promise<null> {
  await sleep(delayMs, signal).catch(() => {});
  return null;
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
