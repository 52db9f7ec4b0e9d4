/** Processes of tasks: what is started, what it is kept within, and how it ended. */

import type { AttemptOutcome, StdinSpec, TerminalSize } from '../core/task.ts';
import type { Stream } from '../wire/messages.ts';
import type { TaskUser } from './files.ts';

/** What to start. `env` is complete: nothing is inherited. */
export interface LaunchPlan {
  readonly argv: readonly string[];
  /** Windows: the words go to the program joined by spaces as they are, since it reads its command line in its own way. */
  readonly isVerbatim?: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /**
   * With a terminal, all three streams are that terminal, and the first program of the task, which the plan's chain sees
   * to, makes it its session's own.
   */
  readonly stdin: StdinSpec;
  /** Marks every process of the tree, by environment, so that none is overlooked. */
  readonly marker: string;
  /** Contents of the descriptors from 3 on, readable from their beginning by the first program alone. */
  readonly descriptors: readonly Uint8Array[];
  /** Account to start as; null = the worker's own. */
  readonly user: TaskUser | null;
  /** File mode creation mask; null = the worker's own. */
  readonly umask: number | null;
  /** Added to the niceness of the worker, 0 … 19. */
  readonly nice: number;
  /** The first programs of the chain that are not the task's: TERM passes them over, and goes to what they started. */
  readonly wrappers: number;
  readonly limits: LaunchLimits;
  /** Directories whose content counts as the attempt's disk use. */
  readonly directories: readonly string[];
}

/** What the launcher keeps the tree within, beside what the plan's own programs do. Null = not its part. */
export interface LaunchLimits {
  readonly cpuTimeMs: number | null;
  readonly memoryBytes: number | null;
  readonly diskBytes: number | null;
  readonly processes: number | null;
}

/** A limit that ended an attempt, or that it ran into before it ended by itself. */
export type LimitExceeded = Omit<Extract<AttemptOutcome, { kind: 'limit_exceeded' }>, 'kind'>;

export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly cpuMs: number | null;
  readonly memoryPeakBytes: number | null;
  readonly writtenBytes: number | null;
  /** The limit that ended it; null when none did. */
  readonly limitExceeded: LimitExceeded | null;
}

/** A process tree that runs. */
export interface Launched {
  readonly pid: number;
  /** Writes to standard input; resolves true when taken, false when the process takes no more. */
  writeStdin(data: Uint8Array): Promise<boolean>;
  /** Ends the input. A terminal has no end: its end-of-file character is typed instead. */
  closeStdin(): void;
  /** Gives its terminal another size, which the programs in it are told (SIGWINCH); nothing happens without one. */
  resize(size: TerminalSize): void;
  /** Asks the whole tree to end (TERM; where it has a terminal, HUP as well, as shells ignore the other there). */
  terminate(): void;
  /** Ends the whole tree (KILL). Idempotent. */
  kill(): void;
  /** Resolves once, after the main process ended, nothing of its tree runs any more and its output was delivered. */
  readonly ended: Promise<ProcessEnd>;
}

/**
 * Starts processes. Each gets its own session; the whole tree ends with the main process, also what double-forked or
 * called setsid; and also when the worker itself is killed.
 * `onOutput` is called with bytes as they come; while the promise it returns is pending, the process is not read from.
 */
export interface Launcher {
  /** Throws `OctasklyError('io')` when the program cannot be started; nothing runs then. */
  launch(plan: LaunchPlan, onOutput: (stream: Stream, data: Uint8Array) => Promise<void> | undefined): Launched;
}

/** What this process has used since its start, and what it holds; null = cannot be read on this system. */
export interface ProcessFigures {
  readonly cpuUserSeconds: number;
  readonly cpuSystemSeconds: number;
  readonly residentBytes: number;
  readonly virtualBytes: number | null;
  readonly openFiles: number | null;
  readonly openFilesMax: number | null;
  /** Since 1970. */
  readonly startedAtSeconds: number;
}
