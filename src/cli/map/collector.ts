/**
 * What is left of ended jobs, taken one at a time: a line in the joblog, output printed in one piece or written to
 * `--results`, and the judgement of `--halt`. While one job is being printed the next one waits, so memory does not grow
 * with output; with `-k`, jobs that wait for their turn keep next to nothing.
 */

import { harmless } from '../../base/harmless.ts';
import { type CommandContext, shownOn } from '../context.ts';
import type { Bar } from './bar.ts';
import type { HaltCount } from './halt.ts';
import type { Job, JobEnd } from './job.ts';
import { joblogLine } from './joblog.ts';
import type { Results } from './results.ts';
import { LinePrefix } from './tagging.ts';

/** Longest output that a job keeps while it waits for its turn, bytes. */
const keptBytesMax = 512;
/** Most characters of a command in a sentence. */
const commandShownMax = 200;

export interface Collecting {
  readonly keepOrder: boolean;
  /** File of the joblog. */
  readonly joblog: string | undefined;
  readonly results: Results | null;
  readonly count: HaltCount;
  readonly bar: Bar;
  /** `-v`: each command stands before its output. */
  readonly showsCommands: boolean;
  /** `-t`: each command is printed to standard error when it is submitted. */
  readonly isTraced: boolean;
}

function light(end: JobEnd): JobEnd {
  const lightOf = ({ bytes, whole }: JobEnd['stdout']) => ({ bytes, whole: bytes > keptBytesMax ? null : whole });
  return { ...end, stdout: lightOf(end.stdout), stderr: lightOf(end.stderr) };
}

export class Collector {
  private readonly context: CommandContext;
  private readonly how: Collecting;
  private turn: Promise<unknown> = Promise.resolve();
  private nextPlace = 0;
  /** Ended before their turn; null: there is nothing to print. */
  private readonly early = new Map<number, JobEnd | null>();
  private isClosed = false;

  constructor(context: CommandContext, how: Collecting) {
    this.context = context;
    this.how = how;
  }

  /** These jobs are the dispatcher's now. */
  async submitted(jobs: readonly Job[]): Promise<void> {
    if (!this.how.isTraced) return;
    await this.how.bar.clear();
    const { stderr } = this.context.terminal;
    await stderr.write(jobs.map(({ command }) => `${shownOn(stderr, command)}\n`).join(''));
  }

  /** Resolves when it was this job's turn, with what `--halt` says then. Throws what printing throws. */
  add(end: JobEnd, signal: AbortSignal): Promise<'go on' | 'soon' | 'now'> {
    return this.inTurn(() => this.take(end, signal));
  }

  /** The job at `place` will not come. */
  skip(place: number, signal: AbortSignal): Promise<void> {
    return this.inTurn(() => this.printInOrder(place, null, signal));
  }

  private inTurn<T>(action: () => Promise<T>): Promise<T> {
    const done = this.turn.then(action);
    this.turn = done.catch(() => {});
    return done;
  }

  private async take(end: JobEnd, signal: AbortSignal): Promise<'go on' | 'soon' | 'now'> {
    if (this.isClosed) return 'now';
    const { joblog, keepOrder, results, count } = this.how;
    if (results !== null) await results.write(end, signal);
    // After the results: what the log names is there.
    if (joblog !== undefined) await this.context.terminal.appendText(joblog, joblogLine(end));
    if (keepOrder) await this.printInOrder(end.job.place, end, signal);
    else await this.print(end, signal);
    const { order, counts } = count.add(end.status);
    if (counts !== null) await this.say(`This job ${counts}: ${shown(end.job.command)}`);
    this.isClosed = order === 'now';
    return order;
  }

  private async printInOrder(place: number, end: JobEnd | null, signal: AbortSignal): Promise<void> {
    this.early.set(place, end === null || place === this.nextPlace ? end : light(end));
    for (let next = this.early.get(this.nextPlace); next !== undefined; next = this.early.get(this.nextPlace)) {
      this.early.delete(this.nextPlace);
      this.nextPlace += 1;
      if (next !== null) await this.print(next, signal);
    }
  }

  private async print(end: JobEnd, signal: AbortSignal): Promise<void> {
    if (this.how.results === null) await this.printOutput(end, signal);
    if (end.message !== null) await this.say(`Job ${end.job.number} (${shown(end.job.command)}): ${end.message}.`);
  }

  private async printOutput({ job, id, ...outputs }: JobEnd, signal: AbortSignal): Promise<void> {
    const { client, terminal } = this.context;
    if (this.how.showsCommands) {
      const line = new TextEncoder().encode(`${shownOn(terminal.stdout, job.command)}\n`);
      await terminal.stdout.write(job.tag === null ? line : new LinePrefix(`${job.tag}\t`).push(line));
    }
    for (const stream of ['stdout', 'stderr'] as const) {
      const { bytes, whole } = outputs[stream];
      if (bytes === 0) continue;
      const prefix = job.tag === null ? null : new LinePrefix(`${job.tag}\t`);
      // Following an ended task ends at once, and survives a dispatcher that is away.
      const chunks = whole === null ? client.output(id, { stream, follow: true, signal }) : [whole];
      for await (const chunk of chunks) {
        if (terminal[stream].isTTY) await this.how.bar.clear();
        await terminal[stream].write(prefix?.push(chunk) ?? chunk);
      }
    }
  }

  private async say(sentence: string): Promise<void> {
    await this.how.bar.clear();
    await this.context.terminal.stderr.write(`octaskly: ${sentence.replace(/\.+$/, '.')}\n`);
  }
}

function shown(command: string): string {
  const text = harmless(command);
  return text.length > commandShownMax ? `${text.slice(0, commandShownMax)}…` : text;
}
