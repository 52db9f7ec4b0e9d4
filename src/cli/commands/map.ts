/**
 * `map CMD ::: ARG...`: one task for each combination of arguments, submitted in batches, printed as they end.
 *
 * Submitting and collecting go on at once, so any number of jobs passes through a queue of any size: a refusal for a
 * full queue is waited out, with smaller batches. Files that a batch brings are uploaded before it. The output of a job is printed in one piece, and while it is being
 * printed the next one waits, so memory does not grow with output.
 */

import { limits } from '../../api/limits.ts';
import type { TaskRequest, TaskView } from '../../api/schemas.ts';
import { OctasklyError } from '../../base/errors.ts';
import { Backoff, reconnectDelays, sleep } from '../../client/backoff.ts';
import type { mapOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { type CommandContext, note } from '../context.ts';
import { JobFileFinder, type JobFiles } from '../job-files.ts';
import { joblogLine, joblogTitle } from '../joblog.ts';
import { parsePair } from '../option.ts';
import { bringBack } from '../outputs.ts';
import { usage } from '../parse.ts';
import { type ArgumentSource, combinations, expand, splitSources } from '../placeholders.ts';
import { requestOf } from '../request.ts';
import { eachOf } from '../several.ts';
import { exitOfSignal } from '../status.ts';
import { LinePrefix } from '../tagging.ts';
import { linesOf, readAll } from '../text.ts';
import { Uploader } from '../upload.ts';

interface Job {
  readonly number: number;
  readonly args: readonly string[];
  readonly command: string;
}

/** A job whose files are known. */
interface ReadyJob extends Job {
  readonly files: JobFiles;
}

interface Printing {
  readonly tagged: boolean;
  readonly keepOrder: boolean;
  readonly joblog: string | undefined;
}

/** Failed jobs that can be told apart by the exit status. */
const failedToldMax = 100;
/** Characters of commands in one batch: well below the body limit, whatever they are encoded as. */
const batchLengthMax = limits.bodyBytesMax / 8;
/** Bytes to upload before a batch, beyond what all jobs share: the first jobs are to start soon. */
const batchUploadMax = 64 * 2 ** 20;

async function argumentsOf({ terminal }: CommandContext, source: ArgumentSource): Promise<readonly string[]> {
  if (source.kind === 'words') return source.words;
  if (source.path === '-') return linesOf(await readAll(terminal.stdin.chunks()));
  const text = await terminal.readText(source.path);
  if (text === null) throw usage(`There is no file ${source.path}.`);
  return linesOf(text);
}

function* jobsOf(template: string, lists: readonly (readonly string[])[]): Generator<Job, void, undefined> {
  let number = 0;
  for (const args of combinations(lists)) {
    number += 1;
    yield { number, args, command: expand(template, args, number) };
  }
}

/** Prints ended jobs one at a time and counts the failed ones. */
class Collector {
  failed = 0;
  private readonly context: CommandContext;
  private readonly printing: Printing;
  private turn: Promise<void> = Promise.resolve();
  private nextNumber = 1;
  private readonly early = new Map<number, readonly [Job, TaskView]>();

  constructor(context: CommandContext, printing: Printing) {
    this.context = context;
    this.printing = printing;
  }

  /** Resolves when it was this job's turn and its files are here. */
  async add(job: Job, task: TaskView, signal: AbortSignal): Promise<void> {
    const isAllHere = await bringBack(this.context, { id: task.id, patterns: task.outputs, shown: false, signal });
    if (task.status !== 'completed' || !isAllHere) this.failed += 1;
    this.turn = this.turn.then(() => this.take(job, task, signal));
    return this.turn;
  }

  private async take(job: Job, task: TaskView, signal: AbortSignal): Promise<void> {
    const { joblog, keepOrder } = this.printing;
    if (joblog !== undefined) await this.context.terminal.appendText(joblog, joblogLine(job.number, task, job.command));
    if (!keepOrder) return this.print(job, task, signal);
    this.early.set(job.number, [job, task]);
    for (let next = this.early.get(this.nextNumber); next !== undefined; next = this.early.get(this.nextNumber)) {
      this.early.delete(this.nextNumber);
      this.nextNumber += 1;
      await this.print(...next, signal);
    }
  }

  private async print(job: Job, task: TaskView, signal: AbortSignal): Promise<void> {
    const { client, terminal } = this.context;
    for (const stream of ['stdout', 'stderr'] as const) {
      if (task[`${stream}_bytes`] === 0) continue;
      const prefix = this.printing.tagged ? new LinePrefix(`${job.args.join(' ')}\t`) : null;
      const whole = wholeOutput(task, stream);
      if (whole !== null) {
        await terminal[stream].write(prefix?.push(whole) ?? whole);
        continue;
      }
      // Following an ended task ends at once, and survives a dispatcher that is away.
      for await (const chunk of client.output(task.id, { stream, follow: true, signal })) {
        await terminal[stream].write(prefix?.push(chunk) ?? chunk);
      }
    }
  }
}

/** An output that the task's own view shows in full, byte for byte: most are short, and need not be asked for. */
function wholeOutput(task: TaskView, stream: 'stdout' | 'stderr'): Uint8Array | null {
  const tail = task[`${stream}_tail`];
  const bytes = new TextEncoder().encode(tail);
  // What is no UTF-8 shows as U+FFFD.
  return bytes.length === task[`${stream}_bytes`] && !tail.includes('\ufffd') ? bytes : null;
}

interface Submission {
  readonly shared: Omit<TaskRequest, 'command' | 'argv'>;
  readonly finder: JobFileFinder;
  readonly name: string;
  readonly batchIds: string[];
}

/** The jobs in their order, by batches; those that were refused come again. */
class JobQueue {
  private readonly jobs: Iterator<Job, void>;
  private readonly finder: JobFileFinder;
  private readonly waiting: ReadyJob[] = [];
  countMax: number = limits.batchTasksMax;

  constructor(jobs: Iterator<Job, void>, finder: JobFileFinder) {
    this.jobs = jobs;
    this.finder = finder;
  }

  /** The next jobs that fit into one batch; empty when there are no more. */
  async take(signal: AbortSignal): Promise<readonly ReadyJob[]> {
    const taken: ReadyJob[] = [];
    for (
      let length = 0, bytes = 0;
      taken.length < this.countMax && length < batchLengthMax && bytes < batchUploadMax;
    ) {
      const job = this.waiting.shift() ?? (await this.next(signal));
      if (job === null) break;
      taken.push(job);
      length += job.command.length + job.files.length;
      bytes += job.files.ownBytes;
    }
    return taken;
  }

  /** A batch that was refused for its size: the next ones are smaller. */
  putBack(batch: readonly ReadyJob[]): void {
    this.waiting.unshift(...batch);
    this.countMax = Math.max(1, Math.floor(batch.length / 2));
  }

  private async next(signal: AbortSignal): Promise<ReadyJob | null> {
    const job = this.jobs.next().value;
    return job === undefined ? null : { ...job, files: await this.finder.of(job.args, job.number, signal) };
  }
}

/** Submits all jobs, waiting while the queue is full, and hands each batch to `onBatch`. */
async function submitJobs(
  context: CommandContext,
  jobs: Iterator<Job, void>,
  { shared, finder, name, batchIds }: Submission,
  onBatch: (batchId: string, jobsById: ReadonlyMap<string, Job>) => void,
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff(reconnectDelays);
  const queue = new JobQueue(jobs, finder);
  const uploader = new Uploader(context);
  for (let batch = await queue.take(signal); batch.length > 0; batch = await queue.take(signal)) {
    const tasks = batch.map((job) => ({ ...shared, ...job.files.request, command: job.command }));
    // Once output is printed, a line that is drawn over itself would be in its way.
    const shown = batchIds.length === 0;
    await uploader.upload(
      batch.flatMap((job) => job.files.inputs),
      { shown, signal },
    );
    try {
      const answer = await context.client.submitBatch({ ...(name === '' ? {} : { name }), tasks }, { signal });
      batchIds.push(answer.id);
      onBatch(answer.id, new Map(answer.task_ids.flatMap((id, i) => (batch[i] === undefined ? [] : [[id, batch[i]]]))));
      backoff.reset();
    } catch (error) {
      if (!(error instanceof OctasklyError) || !/^(?:queue_full|rate_limited)$/.test(error.code)) throw error;
      queue.putBack(batch);
      await sleep(backoff.next(), signal);
    }
  }
}

async function runJobs(
  context: CommandContext,
  jobs: Iterator<Job, void>,
  submission: Submission,
  collector: Collector,
  stop: AbortController,
): Promise<void> {
  const { client } = context;
  const { signal } = stop;
  const collecting: Promise<void>[] = [];
  const collect = async (batchId: string, jobsById: ReadonlyMap<string, Job>): Promise<void> => {
    for await (const task of client.ended([...jobsById.keys()], { batches: [batchId], signal })) {
      const job = jobsById.get(task.id);
      if (job !== undefined) await collector.add(job, task, signal);
    }
  };
  const endAll = (error: unknown): never => {
    stop.abort(error);
    throw error;
  };
  const submitting = submitJobs(
    context,
    jobs,
    submission,
    (batchId, jobsById) => {
      const one = collect(batchId, jobsById).catch(endAll);
      // Looked at below; until then a failure must not count as unhandled.
      one.catch(() => {});
      collecting.push(one);
    },
    signal,
  );
  await submitting.catch(endAll);
  await Promise.all(collecting);
}

export const map: ClientAction<typeof mapOptions> = async (context, values, words) => {
  const { client, terminal } = context;
  const { command, sources } = splitSources(words);
  const files = values.argFile.map((path) => ({ kind: 'file', path }) as const);
  const named: readonly ArgumentSource[] = [...files, ...sources];
  if (named.length === 0 && terminal.stdin.isTTY)
    throw usage('Arguments are missing: give them behind :::, with -a FILE or on standard input.');
  const lists: (readonly string[])[] = [];
  for (const source of named.length === 0 ? [{ kind: 'file', path: '-' } as const] : named) {
    lists.push(await argumentsOf(context, source));
  }
  const template = command.join(' ');
  const jobs = jobsOf(template, lists);
  if (values.dryRun) {
    for (const job of jobs) await terminal.stdout.write(`${job.command}\n`);
    return 0;
  }
  const tags = values.tag.flatMap((text) => {
    const pair = parsePair(text);
    return 'value' in pair ? [pair.value] : [];
  });
  const shared = await requestOf(client, values, tags);
  const finder = new JobFileFinder(context, values);
  const submission = { shared, finder, name: (values.name ?? template).slice(0, 200), batchIds: [] as string[] };
  const printing = { tagged: values.tag.includes(''), keepOrder: values.keepOrder, joblog: values.joblog };
  if (values.joblog !== undefined) await terminal.writeText(values.joblog, joblogTitle);
  const collector = new Collector(context, printing);
  const stop = new AbortController();
  let signalStatus: number | null = null;
  const silence = terminal.onSignal((signal) => {
    signalStatus ??= exitOfSignal(signal);
    stop.abort(new Error('interrupted'));
  });
  try {
    await runJobs(context, jobs, submission, collector, stop);
    return Math.min(collector.failed, failedToldMax + 1);
  } catch (error) {
    await eachOf(submission.batchIds, (id) => client.cancelBatch(id)).catch(() => {});
    if (signalStatus === null) throw error;
    await note(terminal, 'Interrupted; what had not ended was cancelled.');
    return signalStatus;
  } finally {
    silence();
  }
};
