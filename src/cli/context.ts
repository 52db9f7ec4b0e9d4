/**
 * What a command may touch: a client, a terminal and files, all interfaces, so that every command runs in a test without
 * a process. `runtime/terminal.ts` is the real terminal.
 */

import type { AuditFindingView } from '../api/trust-schemas.ts';
import { harmless } from '../base/harmless.ts';
import type { Client, ClientOptions } from '../client/client.ts';
import type { TaskSpec, TerminalSize } from '../core/task.ts';
import type { LocalFiles } from './files.ts';
import type { ProgramUpdate } from './update.ts';
import { wrapped } from './wrap.ts';

/** Thrown by `Sink.write` when the reader is gone (`| head`): not an error, the end. */
export class BrokenPipe extends Error {
  override readonly name = 'BrokenPipe';
}

export interface Sink {
  readonly isTTY: boolean;
  /** Cells of a line; null when it is no terminal. */
  readonly columns: number | null;
  /** Resolves when the system took all bytes (back-pressure). Throws `BrokenPipe`, `OctasklyError('io')`. */
  write(data: Uint8Array | string): Promise<void>;
}

export interface Source {
  readonly isTTY: boolean;
  /** Closed, or the null device: there is nothing to pass on. */
  readonly isEmpty: boolean;
  /** The bytes to the end; ends early, without an error, when `signal` aborts. Read once. */
  chunks(signal?: AbortSignal): AsyncIterable<Uint8Array>;
}

/** Standard input as the keyboard of a terminal. */
export interface Keyboard {
  size(): TerminalSize;
  /**
   * From here on each key is read as it is pressed, unseen, Ctrl-C among them, and what is written is shown as it is; until
   * what this returns is called, or the process ends.
   */
  raw(): () => void;
  /** Returns what ends the listening. */
  onResize(listener: () => void): () => void;
}

/** The signals that ask a command to end. */
export type InterruptSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** What is to be done around a stop of this process (Ctrl-Z). */
export interface Suspension {
  /** The process stops when this has resolved or failed, or after a second. */
  before(): Promise<void>;
  /** It goes on. */
  after(): void;
}

export interface Terminal {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: Source;
  /** Null where standard input is no terminal. */
  readonly keyboard: Keyboard | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDir: string;
  /** Shows a message on the desktop; false when that cannot be done here. Never throws. Absent where there is none. */
  notifyDesktop?(title: string, text: string): Promise<boolean>;
  /**
   * Has a terminal given back with these bytes, and its settings as they are now, should this process be killed or crash.
   * `take` when it has its new settings, `give` when it was given back. Absent where nothing can. Never throws.
   */
  guard?(bytes: string): { take(): void; give(): void };
  /** Cells that `text` takes on a terminal. */
  textWidth(text: string): number;
  /** Milliseconds since 1970. */
  now(): number;
  /** While listened to, these signals do not end the process. Returns what ends the listening. */
  onSignal(listener: (signal: InterruptSignal) => void): () => void;
  /** Tells of Ctrl-Z before it stops the process. Returns what ends the listening. Absent where no process is stopped so. */
  onSuspend?(suspension: Suspension): () => void;
  /** Null when there is no such file. Throws `OctasklyError('io')`. */
  readText(path: string): Promise<string | null>;
  /** Likewise, its bytes. */
  readBytes(path: string): Promise<Uint8Array | null>;
  /** Replaces or creates the file. Throws `OctasklyError('io')`. */
  writeText(path: string, text: string): Promise<void>;
  /** Throws `OctasklyError('io')`. */
  appendText(path: string, text: string): Promise<void>;
}

export interface CommandContext {
  readonly client: Client;
  /** Another client of the same dispatcher, for a command that has its own way to tell of a loss. */
  connect(options: Pick<ClientOptions, 'onLost' | 'timeoutMs'>): Client;
  readonly terminal: Terminal;
  readonly files: LocalFiles;
  /** Null where the runtime reads no YAML. Throws for malformed text. */
  readonly parseYaml: ((text: string) => unknown) | null;
  /** Checks the chain of the record in a database file of this machine. Throws `OctasklyError`. */
  verifyRecord(file: string): Promise<AuditFindingView>;
  /** Replaces the file of this program. Throws `OctasklyError`. */
  updateProgram(request: ProgramUpdate): Promise<number>;
}

/** A task for a worker that is found by its beacons and asked directly. */
export interface PeerTask {
  readonly spec: Omit<
    TaskSpec,
    'retryCount' | 'retryDelayMs' | 'dependsOn' | 'onDependencyFailure' | 'tags' | 'batchId' | 'retryOf' | 'owner'
  >;
  readonly terminal: Terminal;
  readonly dataDir: string;
  readonly discoveryPort: number;
  readonly interfaces: readonly string[];
}

/** One line on standard error, marked as ours; on a terminal in as many as it needs, none broken within a word, and with nothing of a stranger's that moves its cursor. */
export function note(terminal: Terminal, message: string): Promise<void> {
  const { stderr } = terminal;
  const text = `octaskly: ${message}`;
  if (!stderr.isTTY || !stderr.columns) return stderr.write(`${text}\n`);
  const look = { width: stderr.columns, textWidth: (part: string) => terminal.textWidth(part) };
  return stderr.write(
    text
      .split('\n')
      .map((line) => wrapped(harmless(line), look))
      .join(''),
  );
}

/** Text that somebody else may have written, as this sink may have it: a terminal gets nothing that moves its cursor. */
export function shownOn(sink: Sink, text: string): string {
  return sink.isTTY ? harmless(text) : text;
}

const isOff = (value: string): boolean => value === '0' || value === 'false';

/**
 * Colour only where a person looks and did not refuse it: NO_COLOR (no-color.org) refuses, before all others; FORCE_COLOR
 * and CLICOLOR_FORCE want it also in a pipe; CLICOLOR=0 (bixense.com/clicolors) and TERM=dumb do without.
 */
export function hasColor({ stdout, env }: Pick<Terminal, 'stdout' | 'env'>): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return !isOff(env.FORCE_COLOR);
  if (env.CLICOLOR_FORCE && !isOff(env.CLICOLOR_FORCE)) return true;
  return stdout.isTTY && env.TERM !== 'dumb' && env.CLICOLOR !== '0';
}

/** Cells of a line on a terminal; null where standard output is none, or the terminal does not know (it says 0). */
export function columnsOf({ stdout }: Pick<Terminal, 'stdout'>): number | null {
  return stdout.isTTY ? stdout.columns || null : null;
}
