/**
 * One attempt from its area to its result.
 *
 *   staged (when it has inputs) ──> launched ──> the main process ends ──> collected (when it has outputs) ──> result
 *      │                               └─> time limit or cancel ─> TERM to the tree ─ 5 s ─> KILL ┘
 *      └─> cancel, or an input that cannot be had ──> result, nothing was launched
 *
 * Why it ended is decided here and nowhere else: whoever asked for the end first names it, whatever status the process
 * then leaves with; next comes a limit it exceeded, then the process itself. Output is kept byte for byte up to a limit;
 * beyond it bytes are counted and dropped, and the process is neither blocked nor killed for it. How an attempt is kept
 * apart is the sandbox's part, its limits the launcher's, its files the staging's.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { TaskFile } from '../core/files.ts';
import type { SandboxLevel } from '../core/isolation.ts';
import { type AttemptOutcome, type AttemptUsage, isFed, type TerminalSize } from '../core/task.ts';
import type { CollectedFiles, Spool, TaskArea, Workspace } from '../ports/files.ts';
import type { Launched, Launcher, LaunchPlan, ProcessEnd } from '../ports/processes.ts';
import type { Clock, Timer } from '../ports/time.ts';
import type { Assignment, Stream } from '../wire/messages.ts';
import { LiveInput, type StdinChunk, type StdinProgress } from './input.ts';
import type { Prepared, Sandbox } from './sandbox.ts';
import type { Stage, Staging } from './staging.ts';

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
  readonly outputs: readonly TaskFile[];
  readonly outputProblems: readonly string[];
  /** The files are kept here until the dispatcher lets go of them. */
  readonly outputsStay?: true;
}

/** An attempt that was begun. */
export interface Execution {
  readonly startedAt: number;
  readonly streams: Streams;
  /** Ends it; it is reported as cancelled, or with `outcome`. */
  cancel(outcome?: AttemptOutcome): void;
  /** Ends it at once, without grace. */
  kill(): void;
  /** Live input at `offset`: what was taken before is skipped. Resolves with how far the process has read. */
  writeStdin(chunk: StdinChunk): Promise<StdinProgress>;
  /** The size of its terminal from now on; ignored where there is none. */
  resize(size: TerminalSize): void;
  /** Nobody wants to hear of it any more: frees its output and the blobs it holds. Idempotent. */
  discard(): void;
}

export interface ExecutorParts {
  readonly clock: Clock;
  readonly launcher: Launcher;
  readonly workspace: Workspace;
  readonly sandbox: Sandbox;
  readonly staging: Staging;
  workerName(): string;
}

export interface ExecutionEvents {
  /** There is more output to send. */
  onOutput(): void;
  /** Once, after nothing of the tree runs any more. */
  onResult(result: Result): void;
}

/** Begins an attempt. Never throws: what cannot be started has a result too, and its `onResult` comes later. */
export function execute(parts: ExecutorParts, assignment: Assignment, events: ExecutionEvents): Execution {
  return new Running(parts, assignment, events);
}

class Running implements Execution {
  readonly startedAt: number;
  readonly streams: Streams;
  readonly #parts: ExecutorParts;
  readonly #assignment: Assignment;
  readonly #events: ExecutionEvents;
  readonly #input: LiveInput;
  readonly #process = Promise.withResolvers<Launched | null>();
  /** When the command began; before that, the attempt. */
  #beganSteady: number;
  #area: TaskArea | null = null;
  /** Set while inputs are staged. */
  #stage: Stage | null = null;
  /** After a stage was given up: resolves when nothing is written into the area any more. */
  #unstaged: Promise<void> | null = null;
  #level: SandboxLevel | null = null;
  #launched: Launched | null = null;
  #askedFor: AttemptOutcome | null = null;
  /** The outcome is settled: nobody can ask for another any more. */
  #isOver = false;
  #timer: Timer | null = null;
  #discardedBytes = 0;
  #keepNothing = false;
  /** Files whose blobs are held until `discard`. */
  #held: readonly TaskFile[] = [];
  #isDiscarded = false;

  constructor(parts: ExecutorParts, assignment: Assignment, events: ExecutionEvents) {
    this.#parts = parts;
    this.#assignment = assignment;
    this.#events = events;
    this.startedAt = parts.clock.wall();
    this.#beganSteady = parts.clock.steady();
    this.#input = new LiveInput(this.#process.promise, isFed(assignment.spec.stdin));
    const key = `${assignment.taskId}.${assignment.attempt}`;
    this.streams = {
      stdout: parts.workspace.openSpool(`${key}.stdout`),
      stderr: parts.workspace.openSpool(`${key}.stderr`),
    };
    this.#begin(key);
  }

  cancel(outcome: AttemptOutcome = { kind: 'cancelled' }): void {
    if (this.#askedFor !== null || this.#isOver) return;
    this.#askedFor = outcome;
    this.#timer?.cancel();
    if (this.#stage !== null) {
      this.#giveUp(this.#stage, outcome);
      return;
    }
    this.#launched?.terminate();
    this.#timer = this.#parts.clock.after(graceMs, () => this.#launched?.kill());
  }

  kill(): void {
    // Its spools may be gone already.
    this.#keepNothing = true;
    if (this.#stage !== null) this.cancel();
    this.#askedFor ??= { kind: 'cancelled' };
    this.#launched?.kill();
  }

  writeStdin(chunk: StdinChunk): Promise<StdinProgress> {
    return this.#input.write(chunk);
  }

  resize(size: TerminalSize): void {
    void this.#process.promise.then((launched) => launched?.resize(size));
  }

  discard(): void {
    this.#isDiscarded = true;
    this.#keepNothing = true;
    this.streams.stdout.discard();
    this.streams.stderr.discard();
    this.#parts.staging.release(this.#held);
    this.#held = [];
  }

  // ------------------------------------------------------------------------------------------------ the beginning

  #begin(key: string): void {
    const { workspace, sandbox, workerName } = this.#parts;
    const { spec } = this.#assignment;
    try {
      const prepared = sandbox.prepare(spec.requires.isolation);
      const area = workspace.createArea(prepared.area);
      this.#area = area;
      const around = { prepared, area, marker: key, workerName: workerName() };
      const plan = sandbox.plan(this.#assignment, around);
      if (spec.inputs.length === 0) this.#launch(plan, prepared);
      else this.#stageInputs(area, () => this.#launch(plan, prepared));
    } catch (error) {
      if (!(error instanceof OctasklyError)) throw error;
      // A directory that cannot be made is this worker's trouble, and another one should try; all else is the task's.
      const isWorkers = this.#area === null && error.code !== 'refused';
      const message = reasonOf(error);
      this.#endSoon(
        isWorkers ? { kind: 'lost', why: `${workerName()}: ${message}` } : { kind: 'spawn_failed', message },
      );
    }
  }

  #stageInputs(area: TaskArea, then: () => void): void {
    const { staging, clock } = this.#parts;
    const { inputs } = this.#assignment.spec;
    staging.hold(inputs);
    this.#held = inputs;
    const stage = staging.stage(inputs, area);
    this.#stage = stage;
    stage.done.then(
      () => {
        if (this.#stage !== stage) return;
        this.#stage = null;
        this.#beganSteady = clock.steady();
        then();
      },
      (error: unknown) => {
        if (this.#stage !== stage) return;
        this.#stage = null;
        this.#endSoon({ kind: 'spawn_failed', message: reasonOf(error) });
      },
    );
  }

  #giveUp(stage: Stage, outcome: AttemptOutcome): void {
    stage.cancel();
    this.#stage = null;
    this.#unstaged = stage.settled;
    this.#endSoon(outcome);
  }

  #launch(plan: LaunchPlan, prepared: Prepared): void {
    const { launcher, clock } = this.#parts;
    let launched: Launched;
    try {
      launched = launcher.launch(plan, (stream, data) => this.#keep(stream, data));
    } catch (error) {
      if (!(error instanceof OctasklyError)) throw error;
      this.#endSoon({ kind: 'spawn_failed', message: reasonOf(error) });
      return;
    }
    this.#launched = launched;
    this.#level = prepared.level;
    const limitMs = this.#assignment.spec.timeoutMs;
    this.#timer = clock.after(limitMs, () => this.cancel({ kind: 'timed_out', limitMs }));
    this.#process.resolve(launched);
    void launched.ended.then((end) => this.#ended(end));
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

  // ------------------------------------------------------------------------------------------------- the end

  /** Nothing was launched. */
  #endSoon(outcome: AttemptOutcome): void {
    this.#isOver = true;
    const usage = this.#usage(null);
    this.#parts.clock.soon(() => this.#finish(outcome, usage));
  }

  /** The process is gone, with all of its tree: takes its files, if it left by itself or by a limit. */
  #ended(end: ProcessEnd): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#input.close();
    const { staging } = this.#parts;
    const { outputs } = this.#assignment.spec;
    const outcome = this.#askedFor ?? outcomeOf(end);
    const usage = this.#usage(end);
    const isUnwanted = this.#isDiscarded || outcome.kind === 'cancelled' || outcome.kind === 'lost';
    if (outputs.length === 0 || isUnwanted || this.#area === null) {
      this.#finish(outcome, usage);
      return;
    }
    void staging.collect(outputs, this.#area).then((collected) => {
      if (this.#isDiscarded) staging.release(collected.files);
      else this.#held = [...this.#held, ...collected.files];
      this.#finish(outcome, usage, collected);
    });
  }

  #finish(outcome: AttemptOutcome, usage: AttemptUsage, collected: CollectedFiles = { files: [], problems: [] }): void {
    this.#input.close();
    this.#process.resolve(this.#launched);
    this.#removeArea();
    const { files: outputs, problems: outputProblems } = collected;
    this.#events.onResult({ startedAt: this.startedAt, outcome, usage, outputs, outputProblems });
  }

  #removeArea(): void {
    const { workspace } = this.#parts;
    const area = this.#area;
    if (area === null) return;
    if (this.#unstaged === null) void workspace.removeArea(area);
    else void this.#unstaged.then(() => workspace.removeArea(area));
  }

  #usage(end: ProcessEnd | null): AttemptUsage {
    return {
      // Microseconds are as fine as it is true.
      durationMs: Math.round(Math.max(0, this.#parts.clock.steady() - this.#beganSteady) * 1000) / 1000,
      cpuMs: end?.cpuMs ?? null,
      memoryPeakBytes: end?.memoryPeakBytes ?? null,
      stdoutBytes: this.streams.stdout.size,
      stderrBytes: this.streams.stderr.size,
      discardedBytes: this.#discardedBytes,
      writtenBytes: end?.writtenBytes ?? null,
      sandboxLevel: this.#level,
    };
  }
}

function outcomeOf(end: ProcessEnd): AttemptOutcome {
  if (end.limitExceeded !== null) return { kind: 'limit_exceeded', ...end.limitExceeded };
  if (end.signal !== null) return { kind: 'signaled', signal: end.signal };
  return { kind: 'exited', exitCode: end.exitCode ?? 255 };
}
