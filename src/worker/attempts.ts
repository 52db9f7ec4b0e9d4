/**
 * The attempts of a worker: what waits here, what runs, and what has ended and is not stored yet.
 *
 * An attempt is here once at most: the same assignment twice is one run, a newer attempt of a task ends the older. What
 * ended is kept until the dispatcher has stored it. Nothing is decided about tasks except when to start the next of the
 * backlog; all else is told from outside. Which link it is told by, and when to take no more, is the worker's part.
 *
 * A task adopted on a peer's word is an attempt like the others, except that the dispatcher has to be told of it first:
 * on every new link, unless the dispatcher says that it knows.
 */

import type { AttemptKey, HeldAttempt } from '../core/attempt.ts';
import { type AttemptOutcome, describeOutcome, type TerminalSize } from '../core/task.ts';
import type { WorkerLink } from '../ports/links.ts';
import type { Log } from '../ports/time.ts';
import type { AdoptedTask, Assignment, DispatcherMessage } from '../wire/messages.ts';
import { Backlog, type Capacity } from './backlog.ts';
import { type Execution, type ExecutionEvents, type ExecutorParts, execute, type Result } from './executor.ts';
import type { StdinChunk, StdinProgress } from './input.ts';
import type { KeptOutputs } from './kept-outputs.ts';
import { Reporter } from './reporter.ts';
import { cancelledUnstarted } from './unstarted.ts';

/** Most adopted tasks whose end is not stored: without a dispatcher nobody takes them. */
const adoptedMax = 256;

type Resume = Extract<DispatcherMessage, { kind: 'welcome' }>['resume'];

interface Parts extends ExecutorParts {
  readonly capacity: Capacity;
  readonly kept: KeptOutputs;
  readonly log: Log;
  /** Something ended or was forgotten. */
  onChange(): void;
}

export class Attempts {
  readonly #parts: Parts;
  readonly #backlog: Backlog;
  readonly #reporter: Reporter;
  readonly #running = new Map<string, { readonly assignment: Assignment; readonly execution: Execution }>();
  readonly #adopted = new Map<string, AdoptedTask>();
  #link: WorkerLink | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#backlog = new Backlog(parts.capacity);
    this.#reporter = new Reporter(parts.clock);
  }

  /** What waits here. */
  get backlog(): Backlog {
    return this.#backlog;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Nothing runs or is about to. */
  get isIdle(): boolean {
    return this.#backlog.running === 0;
  }

  /** Attempts that run or whose end is not stored. */
  get unstored(): number {
    return this.#reporter.size;
  }

  held(): HeldAttempt[] {
    const waiting = this.#backlog.keys().map((key): HeldAttempt => ({ ...key, phase: 'waiting' }));
    const others = this.#reporter.held().map((held): HeldAttempt => {
      return this.#adopted.has(held.taskId) ? { ...held, adopted: true } : held;
    });
    return [...waiting, ...others];
  }

  // ------------------------------------------------------------------------------------------------- the link

  /** The dispatcher has welcomed the worker: goes on from what it has. */
  attach(link: WorkerLink, resume: Resume): void {
    this.#link = link;
    const known = new Set(resume.map(({ taskId }) => taskId));
    const tasks = [...this.#adopted.values()].filter(({ assignment }) => !known.has(assignment.taskId));
    if (tasks.length > 0) link.send({ kind: 'adopted', tasks });
    // Of those that are not acknowledged the dispatcher may not know yet.
    const kept = this.#parts.kept.keys().filter((key) => !this.#isUnstored(key));
    if (kept.length > 0) link.send({ kind: 'kept', attempts: kept });
    this.#reporter.attach(link, resume);
  }

  #isUnstored({ taskId, attempt }: AttemptKey): boolean {
    return this.#reporter.attemptOf(taskId) === attempt;
  }

  /** Nobody wants the files of these any more. */
  letGo(keys: readonly AttemptKey[]): void {
    this.#parts.kept.release(keys.filter((key) => !this.#isUnstored(key)));
  }

  detach(): void {
    this.#link = null;
    this.#reporter.detach();
  }

  drained(): void {
    this.#reporter.flush();
  }

  // ------------------------------------------------------------------------------------------------ as it is told

  /** Takes an attempt into the backlog; `refuse`: gives it back at once. `startNext` has to follow. */
  assign(assignment: Assignment, refuse = false): void {
    const { taskId, attempt } = assignment;
    const known = this.attemptOf(taskId);
    if (known !== null && known >= attempt) return;
    if (known !== null) this.abandon({ taskId, attempt: known });
    if (refuse) this.giveBack({ taskId, attempt });
    else this.#backlog.add(assignment);
  }

  /** The attempt of a task that waits, runs or has ended here. */
  attemptOf(taskId: string): number | null {
    return this.#backlog.attemptOf(taskId) ?? this.#reporter.attemptOf(taskId);
  }

  /** Reports an attempt as not started. */
  giveBack({ taskId, attempt }: AttemptKey): void {
    this.#reporter.notStarted({ kind: 'returned', taskId, attempt });
  }

  /** Gives back everything that waits. */
  giveBackAll(): void {
    for (const key of this.#backlog.clear()) this.giveBack(key);
  }

  recall(key: AttemptKey): void {
    if (this.take(key)) this.giveBack(key);
  }

  /** Takes a waiting attempt out of the backlog; false when it does not wait here. */
  take({ taskId, attempt }: AttemptKey): boolean {
    return this.#backlog.attemptOf(taskId) === attempt && this.#backlog.remove(taskId);
  }

  cancel(key: AttemptKey): void {
    if (this.take(key)) this.#reporter.notStarted(cancelledUnstarted(key, this.#parts.clock.wall()));
    else if (this.isRunning(key)) this.#running.get(key.taskId)?.execution.cancel();
  }

  /** The attempt is not ours any more: ends it if it runs, and says nothing of it. */
  abandon(key: AttemptKey): void {
    if (!this.take(key) && this.isRunning(key)) this.#running.get(key.taskId)?.execution.kill();
    this.#forget(key);
    this.#parts.kept.release([key]);
  }

  /** The ends of these are stored. */
  stored(keys: readonly AttemptKey[]): void {
    for (const key of keys) if (!this.isRunning(key)) this.#forget(key);
  }

  /** Passes on what the dispatcher sent for a task's stdin, and tells it how far that was taken. */
  async feed({ taskId, attempt, ...chunk }: AttemptKey & StdinChunk, link: WorkerLink): Promise<void> {
    const taken = await this.writeStdin({ taskId, attempt }, chunk);
    link.send({ kind: 'stdinTaken', taskId, attempt, ...taken });
  }

  async writeStdin({ taskId, attempt }: AttemptKey, chunk: StdinChunk): Promise<StdinProgress> {
    const execution = this.isRunning({ taskId, attempt }) ? this.#running.get(taskId)?.execution : undefined;
    return (await execution?.writeStdin(chunk)) ?? { offset: 0, open: false };
  }

  /** Gives the terminal of a running attempt another size. */
  resize({ taskId, attempt }: AttemptKey, size: TerminalSize): void {
    if (this.isRunning({ taskId, attempt })) this.#running.get(taskId)?.execution.resize(size);
  }

  /** Ends everything that runs, at once; it is reported with `outcome`. */
  killAll(outcome: AttemptOutcome): string[] {
    const running = [...this.#running.values()];
    for (const { execution } of running) {
      execution.cancel(outcome);
      execution.kill();
    }
    return running.map(({ assignment }) => assignment.taskId);
  }

  /** Nobody wants to hear of anything here any more. */
  abandonAll(): void {
    this.#backlog.clear();
    for (const { assignment } of [...this.#running.values()]) this.abandon(assignment);
  }

  // ------------------------------------------------------------------------------------------------- running

  isRunning({ taskId, attempt }: AttemptKey): boolean {
    return this.#running.get(taskId)?.assignment.attempt === attempt;
  }

  /** Starts of the backlog what has room. */
  startNext(): void {
    for (let next = this.#backlog.start(); next !== null; next = this.#backlog.start()) this.#start(next);
  }

  /**
   * Begins a task on a peer's word, beside what waits, and tells the dispatcher; null when there is no room for it, or
   * too many such tasks wait for a dispatcher. `watcher` reads its output
   * besides, and must discard the execution in the end.
   */
  adopt(task: AdoptedTask, watcher: ExecutionEvents): Execution | null {
    const { assignment } = task;
    if (this.attemptOf(assignment.taskId) !== null || this.#adopted.size >= adoptedMax) return null;
    if (!this.#backlog.occupy(assignment.spec.requires)) return null;
    this.#adopted.set(assignment.taskId, task);
    this.#link?.send({ kind: 'adopted', tasks: [task] });
    return this.#start(assignment, watcher);
  }

  #start(assignment: Assignment, watcher: ExecutionEvents | null = null): Execution {
    const { taskId, attempt, spec } = assignment;
    const key = { taskId, attempt };
    const { log } = this.#parts;
    log.debug('task starts', { task: taskId, attempt, ...(spec.name === null ? {} : { name: spec.name }) });
    const execution = execute(this.#parts, assignment, {
      onOutput: () => {
        this.#reporter.wrote();
        watcher?.onOutput();
      },
      onResult: (result) => {
        log.debug('task ended', { task: taskId, attempt, end: describeOutcome(result.outcome) });
        if (this.isRunning(key)) this.#running.delete(taskId);
        this.#backlog.release(spec.requires);
        this.startNext();
        this.#reporter.ended(key, this.#keeping(assignment, result), this.#backlog.waiting > 0);
        watcher?.onResult(result);
        this.#parts.onChange();
      },
    });
    const kept = watcher === null ? execution : shared(execution);
    this.#running.set(taskId, { assignment, execution: kept });
    this.#reporter.started(key, kept);
    return kept;
  }

  /** The result, with its files kept here where the task wants it and there is room for them. */
  #keeping({ spec, ...key }: Assignment, result: Result): Result {
    const { outputs } = result;
    if (spec.outputsAt !== 'worker' || outputs.length === 0 || !this.#isUnstored(key)) return result;
    return this.#parts.kept.keep(key, outputs) ? { ...result, outputsStay: true } : result;
  }

  #forget(key: AttemptKey): void {
    if (this.#adopted.get(key.taskId)?.assignment.attempt === key.attempt) this.#adopted.delete(key.taskId);
    this.#reporter.forget(key);
  }
}

/** An execution with two readers of its output: it is kept until both have discarded it. */
function shared(execution: Execution): Execution {
  let readers = 2;
  return {
    startedAt: execution.startedAt,
    streams: execution.streams,
    cancel: (outcome) => execution.cancel(outcome),
    kill: () => execution.kill(),
    writeStdin: (chunk) => execution.writeStdin(chunk),
    resize: (size) => execution.resize(size),
    discard: () => {
      readers -= 1;
      if (readers === 0) execution.discard();
    },
  };
}
