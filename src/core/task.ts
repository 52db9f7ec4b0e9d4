/**
 * What a task is: the words of the product as types, and which state may follow which.
 *
 *   submitted ─┬─> blocked ──> queued ──> running ──┬─> completed   (exit 0)
 *              └──────────────────^          │      ├─> failed      (another exit, a signal, a limit, 5 losses)
 *                                 └──────────┘      ├─> timed_out
 *                          retry, loss, return      └─> cancelled   (also straight from blocked and queued)
 *
 * A task is one command somebody asked for; an attempt is one try at it, numbered from 1, and the number is also the
 * fencing token: a report that carries an older number is ignored. This file holds data and total functions only.
 */

import type { TaskFile } from './files.ts';
import { type IsolationDemand, noDemand, type SandboxLevel } from './isolation.ts';
import type { NotifyTarget } from './notification.ts';

export const taskStatuses = ['blocked', 'queued', 'running', 'completed', 'failed', 'timed_out', 'cancelled'] as const;
export type TaskStatus = (typeof taskStatuses)[number];

/** States that never change again. */
export const finalStatuses = ['completed', 'failed', 'timed_out', 'cancelled'] as const;
export type FinalStatus = (typeof finalStatuses)[number];

export function isFinal(status: TaskStatus): status is FinalStatus {
  return (finalStatuses as readonly TaskStatus[]).includes(status);
}

/** Named priorities; any whole number from -100 to 100 is a priority too. */
export const priorities = { low: -50, normal: 0, high: 50, critical: 100 } as const;

/** Where the files a task leaves are kept: brought to the dispatcher as it ends, or where they were made until wanted. */
export const outputPlaces = ['dispatcher', 'worker'] as const;
export type OutputPlace = (typeof outputPlaces)[number];

/** A lost attempt does not use up a retry, but after this many losses the task fails. */
export const lossesMax = 5;

/** What a task needs of a worker. Zero or null means: no demand. Amounts are reserved while the task runs. */
export interface Requirement {
  /** Cores, may be fractional. */
  readonly cpuCores: number;
  readonly memoryMb: number;
  /** Number of GPUs. */
  readonly gpu: number;
  readonly labels: Readonly<Record<string, string>>;
  /** `linux`, `darwin`, `win32`, `android`. */
  readonly platform: string | null;
  /** `x64`, `arm64`, `arm`. */
  readonly arch: string | null;
  /** Kept, or the task is not placed there. */
  readonly isolation: IsolationDemand;
}

/** A requirement of nothing. Shared, since most tasks require nothing. */
export const noRequirement: Requirement = {
  cpuCores: 0,
  memoryMb: 0,
  gpu: 0,
  labels: {},
  platform: null,
  arch: null,
  isolation: noDemand,
};

/** How large a terminal is, in characters: 1 … `terminalSideMax` each. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export const terminalSideMax = 4096;

/** What a terminal may be called (`TERM`): a name, never a path to a description of somebody's own. */
export const terminalNamePattern = /^[A-Za-z0-9][A-Za-z0-9+._-]{0,62}$/;

/** Standard input: closed, a text given with the task, or fed by the submitter while it runs, which a terminal is too. */
export type StdinSpec =
  | { readonly kind: 'closed' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'stream' }
  /** A terminal of the task's own: what is fed are keys, and all of its output is standard output. */
  | (TerminalSize & { readonly kind: 'terminal'; readonly term: string });

/** Somebody feeds it while it runs. */
export function isFed(stdin: StdinSpec): boolean {
  return stdin.kind === 'stream' || stdin.kind === 'terminal';
}

/** What was asked for. Never changes after submission. */
export interface TaskSpec {
  /** For the shell (`/bin/sh -c`); null when `argv` is given. */
  readonly command: string | null;
  /** Program and arguments without a shell; null when `command` is given. */
  readonly argv: readonly string[] | null;
  readonly name: string | null;
  /** -100 … 100, larger first. */
  readonly priority: number;
  /** Wall-clock limit of one attempt. */
  readonly timeoutMs: number;
  /** Further attempts after a failed one. */
  readonly retryCount: number;
  /** Base of the exponential backoff between attempts. */
  readonly retryDelayMs: number;
  readonly env: Readonly<Record<string, string>>;
  /** Directory to run in: relative to the task directory, or absolute on the worker; null = the task directory. */
  readonly workdir: string | null;
  readonly stdin: StdinSpec;
  /** Files put into the task directory before the command starts. */
  readonly inputs: readonly TaskFile[];
  /** Paths or globs below the task directory: what is collected after the command has ended. */
  readonly outputs: readonly string[];
  /** Where what is collected is kept. */
  readonly outputsAt: OutputPlace;
  /** Bytes kept of each output stream; more is counted and discarded. */
  readonly maxOutputBytes: number;
  readonly requires: Requirement;
  readonly dependsOn: readonly string[];
  readonly onDependencyFailure: 'cancel' | 'run';
  readonly tags: Readonly<Record<string, string>>;
  readonly batchId: string | null;
  /** The ended task this one repeats. */
  readonly retryOf: string | null;
  /** Whose it is: the subject of the token it was submitted with; null = the cluster owner's. */
  readonly owner: string | null;
  /** A worker began it on a peer's word, for whoever asked and while they wait: it is never tried again by itself. */
  readonly adopted?: true;
  /** Who is told of its end; empty = nobody, not even those the dispatcher tells. */
  readonly notify?: readonly NotifyTarget[];
  /** It lives with whoever follows it: cancelled when nobody has for a while. */
  readonly attached?: true;
}

/** How one attempt ended. */
export type AttemptOutcome =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'signaled'; readonly signal: string }
  | { readonly kind: 'timed_out'; readonly limitMs: number }
  /** `limit` is named as in the API; both values are in its unit (seconds, MiB, a number). */
  | { readonly kind: 'limit_exceeded'; readonly limit: string; readonly limitValue: number; readonly reached: number }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'spawn_failed'; readonly message: string }
  /** Its worker went away, or stopped it to go away itself. */
  | { readonly kind: 'lost'; readonly why: string };

/** What an attempt used, as far as the worker could measure it; null = not known. */
export interface AttemptUsage {
  readonly durationMs: number;
  readonly cpuMs: number | null;
  readonly memoryPeakBytes: number | null;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  /** Bytes of output that were counted but not kept. */
  readonly discardedBytes: number;
  /** Bytes its processes wrote to storage. */
  readonly writtenBytes: number | null;
  /** The level it really ran at; null when it never started. */
  readonly sandboxLevel: SandboxLevel | null;
}

/** One finished attempt, as it is recorded. Times are wall-clock ms since 1970. */
export interface AttemptRecord {
  readonly taskId: string;
  readonly attempt: number;
  readonly workerId: string;
  readonly startedAt: number | null;
  readonly endedAt: number;
  readonly outcome: AttemptOutcome;
  readonly usage: AttemptUsage | null;
}

/** A task of the scheduler: what was asked, and where it stands. Times ending in `At` are wall-clock ms since 1970. */
export interface Task {
  readonly id: string;
  readonly spec: TaskSpec;
  status: TaskStatus;
  readonly createdAt: number;
  /** Number of the current or last attempt; 0 = none was made. */
  attempt: number;
  /** Where the current attempt is: nowhere, handed to a worker (perhaps waiting in its backlog), or seen to run there. */
  phase: 'idle' | 'assigned' | 'started';
  /** Worker of the current or last attempt. */
  workerId: string | null;
  /** Workers whose attempts failed or were lost, newest last, at most 5: another one is preferred for the next attempt. */
  avoid: readonly string[];
  failures: number;
  losses: number;
  /** Not to be placed before this instant (scheduler time, ms); null = at once. */
  notBefore: number | null;
  /** Dependencies not yet ended. */
  readonly waitingFor: Set<string>;
  cancelRequested: boolean;
  startedAt: number | null;
  completedAt: number | null;
  outcome: AttemptOutcome | null;
  usage: AttemptUsage | null;
  /** A sentence on why it stands as it does, for ended and retried tasks. */
  reason: string | null;
}

/** A task as it is when it is submitted, at wall-clock time `createdAt`: queued, nothing tried yet. */
export function newTask(id: string, spec: TaskSpec, createdAt: number): Task {
  return {
    id,
    spec,
    status: 'queued',
    createdAt,
    attempt: 0,
    phase: 'idle',
    workerId: null,
    avoid: [],
    failures: 0,
    losses: 0,
    notBefore: null,
    waitingFor: new Set(),
    cancelRequested: false,
    startedAt: null,
    completedAt: null,
    outcome: null,
    usage: null,
    reason: null,
  };
}

/** The final state an outcome leads to when no attempt follows. */
export function statusOf(outcome: AttemptOutcome): FinalStatus {
  switch (outcome.kind) {
    case 'exited':
      return outcome.exitCode === 0 ? 'completed' : 'failed';
    case 'timed_out':
      return 'timed_out';
    case 'cancelled':
      return 'cancelled';
    case 'signaled':
    case 'limit_exceeded':
    case 'spawn_failed':
    case 'lost':
      return 'failed';
  }
}

/** The value of a limit with the unit its name implies. */
function withUnit(limit: string, value: number): string {
  if (limit.endsWith('_mb')) return `${value} MB`;
  return limit === 'cpu_time_limit' ? `${value} s` : String(value);
}

/** One sentence on an outcome, for people. */
export function describeOutcome(outcome: AttemptOutcome): string {
  switch (outcome.kind) {
    case 'exited':
      return `exited with status ${outcome.exitCode}`;
    case 'signaled':
      return `ended by signal ${outcome.signal}`;
    case 'timed_out':
      return `exceeded its time limit of ${outcome.limitMs / 1000} s`;
    case 'limit_exceeded':
      return `exceeded its ${outcome.limit} of ${withUnit(outcome.limit, outcome.limitValue)} (reached ${outcome.reached})`;
    case 'cancelled':
      return 'cancelled';
    case 'spawn_failed':
      return `could not be started: ${outcome.message}`;
    case 'lost':
      return `lost: ${outcome.why}`;
  }
}
