/**
 * What a command may touch: a client, a terminal and files, all interfaces, so that every command runs in a test without
 * a process. `runtime/terminal.ts` is the real terminal.
 */

import type { Client, ClientOptions } from '../client/client.ts';
import type { TaskSpec } from '../core/task.ts';
import type { AuditFinding } from '../core/trust.ts';
import type { LocalFiles } from './files.ts';

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

/** The signals that ask a command to end. */
export type InterruptSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

export interface Terminal {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: Source;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDir: string;
  /** Cells that `text` takes on a terminal. */
  textWidth(text: string): number;
  /** Milliseconds since 1970. */
  now(): number;
  /** While listened to, these signals do not end the process. Returns what ends the listening. */
  onSignal(listener: (signal: InterruptSignal) => void): () => void;
  /** Null when there is no such file. Throws `OctasklyError('io')`. */
  readText(path: string): Promise<string | null>;
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
  verifyRecord(file: string): Promise<AuditFinding>;
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

/** One line on standard error, marked as ours. */
export function note(terminal: Terminal, message: string): Promise<void> {
  return terminal.stderr.write(`octaskly: ${message}\n`);
}

/** Colour only where a person looks and did not refuse it (no-color.org). */
export function hasColor(terminal: Terminal): boolean {
  return terminal.stdout.isTTY && !terminal.env.NO_COLOR && terminal.env.TERM !== 'dumb';
}
