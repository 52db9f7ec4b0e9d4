/**
 * One attempt from launch to result.
 *
 *   launched ──> the main process ends ───────────────────────────┐
 *      │                                                          ├─> the tree is gone, output is kept ─> outcome
 *      └─> time limit or cancel ─> TERM to the tree ─ 5 s ─> KILL ┘
 *
 * Why it ended is decided here and nowhere else: whoever asked for the end first names it, whatever status the process
 * then leaves with. Output is kept byte for byte up to a limit; beyond it bytes are counted and dropped, and the process
 * is neither blocked nor killed for it. Limits and isolation are the launcher's part.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { AttemptOutcome, AttemptUsage } from '../core/task.ts';
import type { Clock, Launched, Launcher, LaunchPlan, ProcessEnd, Spool, Timer, Workspace } from '../ports.ts';
import type { Assignment, Stream } from '../wire/messages.ts';
import { taskEnvironment } from './environment.ts';

/** Time between asking a tree to end and ending it. */
export const graceMs = 5000;

export interface Streams {
  readonly stdout: Spool;
  readonly stderr: Spool;
}

export interface Result {
  readonly startedAt: number;
  readonly outcome: AttemptOutcome;
  readonly usage: AttemptUsage;
}

/** Live input: where in the stream it stands, and whether it is the last. */
interface StdinChunk {
  readonly offset: number;
  readonly data: Uint8Array;
  readonly eof: boolean;
}

/** How far the process has read its live input, and whether it takes more. */
interface StdinProgress {
  readonly offset: number;
  readonly open: boolean;
}

/** An attempt that runs. */
export interface Execution {
  readonly startedAt: number;
  readonly streams: Streams;
  /** Ends it; it is reported as cancelled, or with `outcome`. */
  cancel(outcome?: AttemptOutcome): void;
  /** Ends it at once, without grace. */
  kill(): void;
  /** Live input at `offset`: what was taken before is skipped. Resolves with how far the process has read. */
  writeStdin(chunk: StdinChunk): Promise<StdinProgress>;
}

export interface ExecutorParts {
  readonly clock: Clock;
  readonly launcher: Launcher;
  readonly workspace: Workspace;
  /** The worker's own environment, of which an allow-list is passed on. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  workerName(): string;
}

export interface ExecutionEvents {
  /** There is more output to send. */
  onOutput(): void;
  /** Once, after nothing of the tree runs any more. */
  onResult(result: Result): void;
}

/** Starts an attempt. Never throws: what cannot be started has a result too, and its `onResult` comes later. */
export function execute(parts: ExecutorParts, assignment: Assignment, events: ExecutionEvents): Execution {
  return new Running(parts, assignment, events);
}

class Running implements Execution {
  readonly startedAt: number;
  readonly streams: Streams;
  readonly #parts: ExecutorParts;
  readonly #assignment: Assignment;
  readonly #events: ExecutionEvents;
  readonly #startedSteady: number;
  #directory: string | null = null;
  #launched: Launched | null = null;
  #askedFor: AttemptOutcome | null = null;
  #timer: Timer | null = null;
  #discardedBytes = 0;
  #keepNothing = false;
  #stdinTaken = 0;
  #stdinOpen: boolean;
  /** Settles when all live input so far was taken, or refused. */
  #stdinProgress: Promise<StdinProgress> = Promise.resolve({ offset: 0, open: true });

  constructor(parts: ExecutorParts, assignment: Assignment, events: ExecutionEvents) {
    this.#parts = parts;
    this.#assignment = assignment;
    this.#events = events;
    this.startedAt = parts.clock.wall();
    this.#startedSteady = parts.clock.steady();
    this.#stdinOpen = assignment.spec.stdin.kind === 'stream';
    const key = `${assignment.taskId}.${assignment.attempt}`;
    this.streams = {
      stdout: parts.workspace.openSpool(`${key}.stdout`),
      stderr: parts.workspace.openSpool(`${key}.stderr`),
    };
    // A program that cannot be started is the task's trouble, a directory that cannot be made is this worker's: then
    // another one should try.
    let outcomeIfNot = (message: string): AttemptOutcome => ({
      kind: 'lost',
      why: `${parts.workerName()}: ${message}`,
    });
    try {
      const plan = this.#plan(key);
      outcomeIfNot = (message) => ({ kind: 'spawn_failed', message });
      this.#launched = parts.launcher.launch(plan, (stream, data) => this.#keep(stream, data));
    } catch (error) {
      if (!(error instanceof OctasklyError)) throw error;
      parts.clock.soon(() => this.#finish(outcomeIfNot(reasonOf(error)), null));
      return;
    }
    const limitMs = assignment.spec.timeoutMs;
    this.#timer = parts.clock.after(limitMs, () => this.cancel({ kind: 'timed_out', limitMs }));
    void this.#launched.ended.then((end) => this.#finish(this.#askedFor ?? outcomeOf(end), end));
  }

  cancel(outcome: AttemptOutcome = { kind: 'cancelled' }): void {
    if (this.#askedFor !== null) return;
    this.#askedFor = outcome;
    this.#timer?.cancel();
    this.#launched?.terminate();
    this.#timer = this.#parts.clock.after(graceMs, () => this.#launched?.kill());
  }

  kill(): void {
    this.#askedFor ??= { kind: 'cancelled' };
    // Its spools may be gone already.
    this.#keepNothing = true;
    this.#launched?.kill();
  }

  writeStdin(chunk: StdinChunk): Promise<StdinProgress> {
    // One after the other: what comes twice is answered when it was really taken, not before.
    this.#stdinProgress = this.#stdinProgress.then(() => this.#writeStdin(chunk));
    return this.#stdinProgress;
  }

  async #writeStdin(chunk: StdinChunk): Promise<StdinProgress> {
    const skip = this.#stdinTaken - chunk.offset;
    const rest = skip <= 0 ? chunk.data : chunk.data.subarray(skip);
    if (this.#stdinOpen && skip >= 0 && this.#launched !== null) {
      if (rest.length > 0) {
        if (await this.#launched.writeStdin(rest)) this.#stdinTaken += rest.length;
        else this.#stdinOpen = false;
      }
      if (chunk.eof && this.#stdinOpen) {
        this.#stdinOpen = false;
        this.#launched.closeStdin();
      }
    }
    return { offset: this.#stdinTaken, open: this.#stdinOpen };
  }

  #plan(key: string): LaunchPlan {
    const { workspace, environment, workerName } = this.#parts;
    const { spec } = this.#assignment;
    const directory = workspace.createDir();
    this.#directory = directory;
    const env = taskEnvironment(this.#assignment, { own: environment, directory, workerName: workerName() });
    return {
      argv: spec.argv ?? ['/bin/sh', '-c', spec.command ?? ''],
      env,
      cwd:
        spec.workdir === null
          ? directory
          : spec.workdir.startsWith('/')
            ? spec.workdir
            : `${directory}/${spec.workdir}`,
      stdin: spec.stdin,
      marker: key,
    };
  }

  #keep(stream: Stream, data: Uint8Array): undefined {
    const spool = this.streams[stream];
    const room = this.#keepNothing ? 0 : Math.max(0, this.#assignment.spec.maxOutputBytes - spool.size);
    const kept = data.length <= room ? data : data.subarray(0, room);
    this.#discardedBytes += data.length - kept.length;
    if (kept.length === 0) return;
    try {
      spool.append(kept);
    } catch (error) {
      if (!(error instanceof OctasklyError)) throw error;
      // A full disk must not end the task; what follows a hole would be worthless, so nothing more is kept.
      this.#keepNothing = true;
      this.#discardedBytes += kept.length;
      return;
    }
    this.#events.onOutput();
  }

  #finish(outcome: AttemptOutcome, end: ProcessEnd | null): void {
    this.#timer?.cancel();
    this.#stdinOpen = false;
    if (this.#directory !== null) void this.#parts.workspace.removeDir(this.#directory);
    this.#events.onResult({
      startedAt: this.startedAt,
      outcome,
      usage: {
        // Microseconds are as fine as it is true.
        durationMs: Math.round(Math.max(0, this.#parts.clock.steady() - this.#startedSteady) * 1000) / 1000,
        cpuMs: end?.cpuMs ?? null,
        memoryPeakBytes: end?.memoryPeakBytes ?? null,
        stdoutBytes: this.streams.stdout.size,
        stderrBytes: this.streams.stderr.size,
        discardedBytes: this.#discardedBytes,
      },
    });
  }
}

function outcomeOf(end: ProcessEnd): AttemptOutcome {
  if (end.signal !== null) return { kind: 'signaled', signal: end.signal };
  return { kind: 'exited', exitCode: end.exitCode ?? 255 };
}
