/**
 * What goes from a worker to the dispatcher (or to a peer that asked for a task) about its attempts: that they started, what they write, how they ended.
 *
 * Everything is kept until the dispatcher says that it is stored (`ack`), and sent again after a rejoin from where the
 * dispatcher says it has got to (`resume`). Starts and output wait a few milliseconds for company, so that a short task
 * is one line of one message; so do ends while there is work waiting here. An idle worker sends ends at once.
 * Output is sent at the link's pace: what the link does not take stays in the spools. An end follows its attempt's
 * output; the last bytes travel inside it.
 */

import type { AttemptKey, ReportEntry } from '../core/attempt.ts';
import type { Spool } from '../ports/files.ts';
import type { Clock, Timer } from '../ports/time.ts';
import { inlineOutputBytesMax, outputChunkBytesMax, type Stream, type WorkerMessage } from '../wire/messages.ts';
import type { Execution, Result, Streams } from './executor.ts';

/** How long starts and output wait for company. */
const companyMs = 5;
/** Lines in one report; more make another message. */
const entriesPerReport = 256;

/** Where reports go: the dispatcher's link, or that of a peer who asked for a task. */
export interface ReportLink {
  readonly congested: boolean;
  send(message: Extract<WorkerMessage, { kind: 'report' | 'output' }>): void;
}

/** An attempt as far as it is reported. */
type Reportable = Pick<Execution, 'streams' | 'startedAt' | 'discard'>;

interface Reported extends AttemptKey {
  readonly execution: Reportable;
  readonly streams: Streams;
  readonly startedAt: number;
  startSent: boolean;
  result: Result | null;
  endSent: boolean;
  /** Bytes of each stream that were sent on the present link, or are known to have arrived. */
  readonly sent: Record<Stream, number>;
}

const streamNames = ['stdout', 'stderr'] as const;

export class Reporter {
  readonly #clock: Clock;
  readonly #attempts = new Map<string, Reported>();
  /** Lines that are about nothing kept here: returned attempts, ends of attempts that never started. */
  #loose: ReportEntry[] = [];
  #link: ReportLink | null = null;
  #company: Timer | null = null;
  #flushing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Attempts that run or whose end is not acknowledged. */
  get size(): number {
    return this.#attempts.size;
  }

  /** The attempt of a task that runs here or has ended here, null when there is none. */
  attemptOf(taskId: string): number | null {
    return this.#attempts.get(taskId)?.attempt ?? null;
  }

  held(): (AttemptKey & { readonly phase: 'running' | 'ended' })[] {
    return [...this.#attempts.values()].map(({ taskId, attempt, result }) => {
      return { taskId, attempt, phase: result === null ? 'running' : 'ended' };
    });
  }

  started(key: AttemptKey, execution: Reportable): void {
    const { streams, startedAt } = execution;
    this.#attempts.set(key.taskId, {
      ...key,
      execution,
      streams,
      startedAt,
      startSent: false,
      result: null,
      endSent: false,
      sent: { stdout: 0, stderr: 0 },
    });
    this.#flushLater();
  }

  wrote(): void {
    this.#flushLater();
  }

  /** `busy`: there is enough work here for now, so that nobody waits for the freed slot and the end may wait for company. */
  ended(key: AttemptKey, result: Result, busy: boolean): void {
    const reported = this.#find(key);
    if (reported === null) return;
    reported.result = result;
    if (busy) this.#flushLater();
    else this.flush();
  }

  /** The attempt was given back, or ended before it started. */
  notStarted(entry: ReportEntry): void {
    this.#loose.push(entry);
    this.flush();
  }

  /** The end is stored, or nobody wants to hear of the attempt any more. */
  forget(key: AttemptKey): void {
    const reported = this.#find(key);
    if (reported === null) return;
    this.#attempts.delete(key.taskId);
    reported.execution.discard();
  }

  /** A new link: goes on from what the dispatcher has. */
  attach(
    link: ReportLink,
    resume: readonly (AttemptKey & { readonly stdout: number; readonly stderr: number })[],
  ): void {
    this.#link = link;
    for (const reported of this.#attempts.values()) {
      reported.startSent = false;
      reported.endSent = false;
      reported.sent.stdout = 0;
      reported.sent.stderr = 0;
    }
    for (const { stdout, stderr, ...key } of resume) {
      const reported = this.#find(key);
      if (reported === null) continue;
      reported.sent.stdout = Math.min(stdout, reported.streams.stdout.size);
      reported.sent.stderr = Math.min(stderr, reported.streams.stderr.size);
    }
    this.flush();
  }

  detach(): void {
    this.#link = null;
    // What was given back on a broken link is found out when the worker joins again.
    this.#loose = [];
  }

  /** Sends what there is, once the present burst is taken in. */
  flush(): void {
    if (this.#flushing || this.#link === null) return;
    this.#flushing = true;
    this.#clock.soon(() => {
      this.#flushing = false;
      this.#company?.cancel();
      this.#company = null;
      this.#send();
    });
  }

  #flushLater(): void {
    if (this.#flushing || this.#company !== null || this.#link === null) return;
    this.#company = this.#clock.after(companyMs, () => {
      this.#company = null;
      this.flush();
    });
  }

  #find({ taskId, attempt }: AttemptKey): Reported | null {
    const reported = this.#attempts.get(taskId);
    return reported?.attempt === attempt ? reported : null;
  }

  #send(): void {
    const link = this.#link;
    if (link === null) return;
    let entries = this.#loose;
    this.#loose = [];
    const add = (entry: ReportEntry): void => {
      entries.push(entry);
      if (entries.length < entriesPerReport) return;
      link.send({ kind: 'report', entries });
      entries = [];
    };
    const runs: Reported[] = [];
    for (const reported of this.#attempts.values()) {
      const { taskId, attempt, result, endSent, startSent, startedAt } = reported;
      if (endSent) continue;
      if (result !== null && this.#isLittle(reported)) add(this.#end(reported, result));
      else {
        runs.push(reported);
        if (!startSent) add({ kind: 'started', taskId, attempt, startedAt });
        reported.startSent = true;
      }
    }
    // Starts go before output: the dispatcher takes output of attempts it knows to run.
    if (entries.length > 0) link.send({ kind: 'report', entries });
    entries = [];
    for (const reported of runs) {
      if (!this.#sendOutput(link, reported)) return;
      if (reported.result !== null) link.send({ kind: 'report', entries: [this.#end(reported, reported.result)] });
    }
  }

  /** Little enough is left of both streams to travel inside the end. */
  #isLittle({ streams, sent }: Reported): boolean {
    return streamNames.every((stream) => streams[stream].size - sent[stream] <= inlineOutputBytesMax);
  }

  #end(reported: Reported, result: Result): ReportEntry {
    const { taskId, attempt, streams, sent } = reported;
    reported.endSent = true;
    const rest = (spool: Spool, from: number): Uint8Array => spool.read(from, spool.size - from);
    const stdout = rest(streams.stdout, sent.stdout);
    const stderr = rest(streams.stderr, sent.stderr);
    sent.stdout += stdout.length;
    sent.stderr += stderr.length;
    return { kind: 'ended', taskId, attempt, ...result, stdout, stderr };
  }

  /** Sends output at the link's pace; false when the link is full: `flush` again when it drains. */
  #sendOutput(link: ReportLink, { taskId, attempt, streams, sent }: Reported): boolean {
    for (const stream of streamNames) {
      const spool = streams[stream];
      while (sent[stream] < spool.size) {
        if (link.congested) return false;
        const data = spool.read(sent[stream], outputChunkBytesMax);
        link.send({ kind: 'output', taskId, attempt, stream, offset: sent[stream], data });
        sent[stream] += data.length;
      }
    }
    return true;
  }
}
