/**
 * How a task ended, with all that it wrote; and the error that stands for one that did not end well.
 */

import type { TaskView } from '../api/schemas.ts';
import type { Client } from '../client/client.ts';
import type { ReadOptions } from './bytes.ts';
import { ByteStream } from './bytes.ts';

type StreamName = 'stdout' | 'stderr';

/** A task that has ended, and its output as far as it was kept (`max_output`). */
export class TaskOutput {
  readonly task: TaskView;
  readonly stdoutBytes: Uint8Array<ArrayBuffer>;
  readonly stderrBytes: Uint8Array<ArrayBuffer>;

  constructor(task: TaskView, stdout: Uint8Array<ArrayBuffer>, stderr: Uint8Array<ArrayBuffer>) {
    this.task = task;
    this.stdoutBytes = stdout;
    this.stderrBytes = stderr;
  }

  /** Standard output as text. */
  get stdout(): string {
    return new TextDecoder().decode(this.stdoutBytes);
  }

  /** Standard error as text. */
  get stderr(): string {
    return new TextDecoder().decode(this.stderrBytes);
  }

  /** Null where the program did not exit by itself. */
  get exitCode(): number | null {
    return this.task.exit_code;
  }

  /** True when it exited with 0. */
  get ok(): boolean {
    return this.task.status === 'completed';
  }

  /** Itself when all went well. Throws `TaskFailed`. */
  orThrow(): this {
    if (this.ok) return this;
    throw new TaskFailed(this);
  }
}

/** A task ended, and not well: its program failed, ran out of time, was cancelled, or could not be run. */
export class TaskFailed extends Error {
  override readonly name = 'TaskFailed';
  readonly task: TaskView;
  readonly output: TaskOutput;

  constructor(output: TaskOutput) {
    const { id, name, status, reason } = output.task;
    const said = output.stderr.trimEnd().split('\n').at(-1) ?? '';
    const called = name === null ? `Task ${id}` : `Task ${id} ("${name}")`;
    super(`${called} ${status.replace('_', ' ')}: ${reason ?? 'no reason is known'}${said === '' ? '' : `; ${said}`}`);
    this.task = output.task;
    this.output = output;
  }
}

/** One stream of a task from its first byte to its end, waiting for what is still to come. */
export function followed(client: Client, id: string, stream: StreamName): ByteStream {
  return new ByteStream(({ signal }) => client.output(id, { stream, follow: true, signal }));
}

/** The whole stream, where the task's own answer shows it; null where it may be cut, or is no text. */
function shown(tail: string, bytes: number): Uint8Array<ArrayBuffer> | null {
  if (tail.includes('\uFFFD')) return null;
  const encoded = new TextEncoder().encode(tail);
  return encoded.length === bytes ? encoded : null;
}

/** The output of a task that has ended; asks for a stream only where the task itself does not show all of it. */
export async function outputOf(client: Client, task: TaskView, options: ReadOptions): Promise<TaskOutput> {
  const [stdout, stderr] = await Promise.all([
    shown(task.stdout_tail, task.stdout_bytes) ?? followed(client, task.id, 'stdout').bytes(options),
    shown(task.stderr_tail, task.stderr_bytes) ?? followed(client, task.id, 'stderr').bytes(options),
  ]);
  return new TaskOutput(task, stdout, stderr);
}
