/**
 * A task somebody has in hand: its id, and all that can be asked of it. It holds nothing open: handles of any number of
 * tasks cost nothing, and one can be made again from the id (`Octaskly.task`).
 */

import type { Explanation, TaskView, TaskWithAttempts } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import type { Sleep } from '../client/backoff.ts';
import type { Client } from '../client/client.ts';
import type { ByteStream, ReadOptions } from './bytes.ts';
import type { Ends } from './ends.ts';
import { TaskFile } from './files.ts';
import { followed, outputOf, type TaskOutput } from './output.ts';

/** What all handles of one `Octaskly` share. */
export interface Shared {
  readonly client: Client;
  readonly ends: Ends;
  readonly sleep: Sleep;
}

/** A piece of output, of one stream or the other. */
export interface OutputPiece {
  readonly from: 'stdout' | 'stderr';
  readonly bytes: Uint8Array;
}

/** The files of a task that has ended. */
export interface TaskFiles {
  readonly files: readonly TaskFile[];
  /** Why something that was to be collected was not. */
  readonly problems: readonly string[];
}

/** Calls throw `OctasklyError`; `not_found` when the task is gone. Those that wait also wait for a dispatcher that is away. */
export class TaskHandle {
  readonly id: string;
  readonly #shared: Shared;
  readonly #feeding: Promise<void>;

  /** `feeding`: settles when the task has all the input it was given. */
  constructor(shared: Shared, id: string, feeding: Promise<void> = Promise.resolve()) {
    this.id = id;
    this.#shared = shared;
    this.#feeding = feeding;
    // Told to whoever waits; nobody has to.
    feeding.catch(() => {});
  }

  /** Standard output from its first byte on, live, until the task ends. */
  get stdout(): ByteStream {
    return followed(this.#shared.client, this.id, 'stdout');
  }

  /** The same of standard error. */
  get stderr(): ByteStream {
    return followed(this.#shared.client, this.id, 'stderr');
  }

  /** Both streams live, each in its own order. Leaving the loop early ends the reading, not the task. */
  stream(options: ReadOptions = {}): AsyncGenerator<OutputPiece, void, undefined> {
    return merged(this, options);
  }

  /** How it stands now, with its attempts. */
  show(options: ReadOptions = {}): Promise<TaskWithAttempts> {
    return this.#shared.client.task(this.id, options);
  }

  /** The task, once it has ended, well or not. */
  async wait(options: ReadOptions = {}): Promise<TaskView> {
    const [task] = await Promise.all([this.#shared.ends.of(this.id, options), this.#feeding]);
    return task;
  }

  /** How it ended and what it wrote, once it has ended, well or not. */
  async output(options: ReadOptions = {}): Promise<TaskOutput> {
    return outputOf(this.#shared.client, await this.wait(options), options);
  }

  /** The files it left, once it has ended. */
  async files(options: ReadOptions = {}): Promise<TaskFiles> {
    await this.wait(options);
    const { outputs, problems } = await this.#shared.client.outputFiles(this.id, options);
    return { files: outputs.map((file) => new TaskFile(this.#shared.client, this.id, file)), problems };
  }

  /** The file it left at `path`, once it has ended. Throws `not_found`, saying why it was not collected. */
  async file(path: string, options: ReadOptions = {}): Promise<TaskFile> {
    const { files, problems } = await this.files(options);
    const found = files.find((file) => file.path === path);
    if (found !== undefined) return found;
    throw new OctasklyError('not_found', [`Task ${this.id} left no file "${path}".`, ...problems].join(' '));
  }

  /** Asks for its end; resolves when that is on record. One that has ended stays as it is. */
  cancel(options: ReadOptions = {}): Promise<void> {
    return this.#shared.client.cancel(this.id, { ...options, patient: true });
  }

  /** Submits it once more, as a new task. Throws `conflict` while it has not ended. */
  async retry(options: ReadOptions = {}): Promise<TaskHandle> {
    return new TaskHandle(this.#shared, (await this.#shared.client.retry(this.id, options)).id);
  }

  /** Why it waits, worker by worker, or what ended it and what to do about it. */
  explain(options: ReadOptions = {}): Promise<Explanation> {
    return this.#shared.client.explain(this.id, options);
  }
}

type Step = { readonly from: OutputPiece['from']; readonly next: IteratorResult<Uint8Array> };

async function* merged(
  task: Pick<TaskHandle, 'stdout' | 'stderr'>,
  { signal }: ReadOptions,
): AsyncGenerator<OutputPiece, void, undefined> {
  const stop = new AbortController();
  const options = { signal: signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]) };
  const steps = new Map<OutputPiece['from'], Promise<Step>>();
  const chunks = {
    stdout: task.stdout.chunks(options)[Symbol.asyncIterator](),
    stderr: task.stderr.chunks(options)[Symbol.asyncIterator](),
  };
  const advance = (from: OutputPiece['from']): void => {
    steps.set(
      from,
      chunks[from].next().then((next) => ({ from, next })),
    );
  };
  try {
    advance('stdout');
    advance('stderr');
    while (steps.size > 0) {
      const { from, next } = await Promise.race(steps.values());
      if (next.done === true) steps.delete(from);
      else {
        advance(from);
        yield { from, bytes: next.value };
      }
    }
  } finally {
    for (const pending of steps.values()) pending.catch(() => {});
    stop.abort();
  }
}
