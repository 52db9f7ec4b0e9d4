/**
 * `Octaskly`: a cluster as a program sees it. Submitting, mapping, waiting, streaming and files, over the typed client of
 * the REST API (`client`), which stands open for everything else. Runs where there is `fetch`: Bun, Node from 20 on, Deno,
 * browsers.
 *
 * What survives a dispatcher that starts anew: everything that waits or follows goes on by itself; submissions are repeated
 * under one idempotency key, so that none counts twice.
 */

import type { TaskRequest } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import { sleep as realSleep, type Sleep } from '../client/backoff.ts';
import { type Client, createClient, randomKey, type SubmitOptions } from '../client/client.ts';
import type { FeedItem } from '../client/events.ts';
import { type Fetch, isTransient } from '../client/http.ts';
import { BatchHandle } from './batch.ts';
import type { ByteStream, ReadOptions } from './bytes.ts';
import { Ends } from './ends.ts';
import { environment } from './environment.ts';
import { feed } from './feeding.ts';
import { blobContent } from './files.ts';
import { type Content, upload } from './inputs.ts';
import { type MapOptions, type MapResult, type MapSource, mapped } from './map.ts';
import { outputOf, type TaskOutput } from './output.ts';
import { isBusy, isPassing, patiently } from './patience.ts';
import { type Command, requestOf, type TaskOptions, type TaskPlan } from './request.ts';
import { type OutputPiece, type Shared, TaskHandle } from './task.ts';
import { filled } from './template.ts';

export interface OctasklyOptions {
  /** Of the dispatcher's API; default `OCTASKLY_API` where there is an environment, else `http://127.0.0.1:3000`. */
  readonly url?: string;
  /** Default `OCTASKLY_TOKEN`. Not needed on the dispatcher's own machine unless it was started so. */
  readonly token?: string | null;
  /** In place of the runtime's `fetch`, for instance one that trusts a certificate of your own. */
  readonly fetch?: Fetch;
  /** Time limit of one call that neither follows nor waits, default 30,000 ms. */
  readonly timeoutMs?: number;
  /** How long a submission, or the cancelling of what was left, waits for a dispatcher that is away; default 60,000 ms. The former also while the queue is full. */
  readonly patienceMs?: number;
  /** Told when something that follows or waits loses the dispatcher; it goes on trying. */
  readonly onLost?: (reason: string) => void;
  /** Replaces the timer between tries. */
  readonly sleep?: Sleep;
}

/** Inputs that a template takes. A `File` is put into the task's directory under its name, which `{}` stands for. */
export type MapInput = string | number | File;

/** Makes the task for an input: a command, or a command with what is asked of it. */
export type MapMaker<T> = (input: T, index: number) => Command | TaskPlan;

/** Calls throw `OctasklyError` with its `code`; `unreachable` or `timeout` when there is no dispatcher to talk to. */
export class Octaskly {
  /** The whole REST API, one call a method. */
  readonly client: Client;
  readonly #shared: Shared;
  readonly #patienceMs: number;
  /** It answered once: then it is worth waiting for. */
  #answered = false;

  /** Connects to nothing yet. Throws `usage` for a malformed URL or token. */
  constructor(options: OctasklyOptions = {}) {
    this.client = createClient({
      baseUrl: options.url ?? environment('OCTASKLY_API') ?? 'http://127.0.0.1:3000',
      token: options.token === undefined ? (environment('OCTASKLY_TOKEN') ?? null) : options.token,
      ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
      ...(options.sleep === undefined ? {} : { sleep: options.sleep }),
      ...(options.onLost === undefined ? {} : { onLost: options.onLost }),
    });
    const sleep = options.sleep ?? realSleep;
    this.#shared = { client: this.client, ends: new Ends(this.client, sleep), sleep };
    this.#patienceMs = options.patienceMs ?? 60_000;
  }

  /** Hands a task in; resolves when it is stored durably. */
  async submit(command: Command, options: TaskOptions & SubmitOptions = {}): Promise<TaskHandle> {
    const { signal, idempotencyKey = randomKey(), ...asked } = options;
    const request = await this.#request(command, asked, signal);
    const send = () => this.client.submitTask(request, { idempotencyKey, signal });
    return this.#handle((await this.#patiently(send, signal)).id, asked.stdin, signal);
  }

  /** Hands tasks in together, all or none. `after` may name others of them. */
  async batch(
    plans: readonly TaskPlan[],
    options: SubmitOptions & { readonly name?: string } = {},
  ): Promise<BatchHandle> {
    const { signal, idempotencyKey = randomKey(), ...fields } = options;
    const tasks: TaskRequest[] = [];
    for (const { command, ...asked } of plans) tasks.push(await this.#request(command, sentAlong(asked), signal));
    const send = () => this.client.submitBatch({ ...fields, tasks }, { idempotencyKey, signal });
    const { id, task_ids } = await this.#patiently(send, signal);
    return new BatchHandle(this.#shared, id, task_ids);
  }

  /** Runs a command to its end. Throws `TaskFailed` when that is not a good one. The signal, or a `stdin` that fails, cancels the task. */
  async run(command: Command, options: TaskOptions & ReadOptions = {}): Promise<TaskOutput> {
    const { signal, ...asked } = options;
    const task = await this.#submitWhole(command, asked, signal);
    let output: TaskOutput;
    try {
      output = await task.output({ signal });
    } catch (error) {
      // Its input may have broken off, too: nobody else knows of the task.
      await this.#leave(task);
      throw error;
    }
    return output.orThrow();
  }

  /**
   * Runs a command and gives its output live, both streams as they come. Throws `TaskFailed` at the end when that is not a
   * good one. Leaving the loop early, or the signal, cancels the task.
   */
  async *stream(
    command: Command,
    options: TaskOptions & ReadOptions = {},
  ): AsyncGenerator<OutputPiece, void, undefined> {
    const { signal, ...asked } = options;
    const task = await this.#submitWhole(command, asked, signal);
    let isOver = false;
    try {
      yield* task.stream({ signal });
      const ended = await task.wait({ signal });
      isOver = true;
      if (ended.status !== 'completed') (await outputOf(this.client, ended, { signal })).orThrow();
    } finally {
      if (!isOver) await this.#leave(task);
    }
  }

  /**
   * Runs a command for each input: a template with `{}`, or a function that makes the task. Gives results as they come;
   * tasks that failed are results too (`output.ok`, `output.orThrow()`). Leaving the loop cancels what has not ended.
   */
  map<T extends MapInput>(
    command: Command,
    inputs: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions & Omit<TaskPlan, 'command'>,
  ): AsyncGenerator<MapResult<T>, void, undefined>;
  map<T>(
    make: MapMaker<T>,
    inputs: Iterable<T> | AsyncIterable<T>,
    options?: MapOptions & Omit<TaskPlan, 'command'>,
  ): AsyncGenerator<MapResult<T>, void, undefined>;
  map<T>(
    command: Command | MapMaker<T>,
    inputs: Iterable<T> | AsyncIterable<T>,
    options: MapOptions & Omit<TaskPlan, 'command'> = {},
  ): AsyncGenerator<MapResult<T>, void, undefined> {
    const { concurrency, keepOrder, signal, ...shared } = options;
    const request: MapSource<T>['request'] = (input, index, stop) => {
      const { command: made, ...asked } = planOf(command, input, index);
      return this.#request(made, sentAlong({ ...shared, ...asked }), stop);
    };
    const submit: MapSource<T>['submit'] = (batch, stop) => {
      const idempotencyKey = randomKey();
      return this.#patiently(() => this.client.submitBatch(batch, { idempotencyKey }), stop, 'map');
    };
    const how = { ...(concurrency === undefined ? {} : { concurrency }), keepOrder: keepOrder ?? false, signal };
    return mapped(this.#shared, { inputs, request, submit }, how);
  }

  /** The tasks, in their order, once all have ended, well or not. Waits for a dispatcher that is away. */
  wait(tasks: readonly (TaskHandle | string)[], options: ReadOptions = {}) {
    const ids = tasks.map((task) => (typeof task === 'string' ? task : task.id));
    return this.client.waitFor(ids, options);
  }

  /** A task by its id; asks nothing. */
  task(id: string): TaskHandle {
    return new TaskHandle(this.#shared, id);
  }

  /** What happens to tasks and workers, without end; after a `gap` read again what you follow. */
  events(options: ReadOptions = {}): AsyncIterable<FeedItem> {
    return this.client.events(options);
  }

  /** Brings bytes to the dispatcher, unless it has them. Its answer names them: `sha256:…`. */
  upload(content: Content, { signal }: ReadOptions = {}): Promise<string> {
    return upload(this.client, content, signal);
  }

  /** The bytes of a blob, `sha256:…`, checked against their hash. */
  blob(blob: string): ByteStream {
    return blobContent(this.client, blob);
  }

  /** As `submit`, but never given up half-way: whoever cancels has to know what. */
  async #submitWhole(command: Command, asked: TaskOptions, signal: AbortSignal | undefined): Promise<TaskHandle> {
    const request = await this.#request(command, asked, signal);
    const idempotencyKey = randomKey();
    const { id } = await this.#patiently(() => this.client.submitTask(request, { idempotencyKey }), signal);
    return this.#handle(id, asked.stdin, signal);
  }

  /** Cancels what nobody waits for any more; a dispatcher that stays away keeps nobody from leaving for ever. */
  async #leave({ id }: TaskHandle): Promise<void> {
    const goesOn = (error: unknown, elapsedMs: number) => isTransient(error) && elapsedMs < this.#patienceMs;
    await patiently(() => this.client.cancel(id), { sleep: this.#shared.sleep, goesOn }).catch(() => {});
  }

  /** With everything uploaded; uploads may be made any number of times. */
  #request(command: Command, asked: TaskOptions, signal: AbortSignal | undefined): Promise<TaskRequest> {
    const make = () => requestOf(this.client, command, asked, signal);
    return asked.inputs === undefined ? make() : this.#patiently(make, signal);
  }

  #handle(id: string, stdin: TaskOptions['stdin'], signal: AbortSignal | undefined): TaskHandle {
    const feeding = stdin === undefined || typeof stdin === 'string' ? undefined : feed(this.client, id, stdin, signal);
    return new TaskHandle(this.#shared, id, feeding);
  }

  /** Tries again while it may help; a `map` handles a full queue itself, as smaller batches may find room. */
  async #patiently<T>(send: () => Promise<T>, signal: AbortSignal | undefined, who?: 'map'): Promise<T> {
    const goesOn = (error: unknown, elapsedMs: number): boolean => {
      if (who === 'map' && isBusy(error)) return (error as { code?: unknown }).code === 'rate_limited';
      return isPassing(error) && (this.#answered || isBusy(error)) && elapsedMs < this.#patienceMs;
    };
    const answer = await patiently(send, { sleep: this.#shared.sleep, signal, goesOn });
    this.#answered = true;
    return answer;
  }
}

/** `asked` as it is, for callers without types: bytes are fed to a task by who holds it, and of many nobody does. Throws `usage`. */
function sentAlong(asked: Omit<TaskPlan, 'command'>): Omit<TaskPlan, 'command'> {
  if (asked.stdin === undefined || typeof asked.stdin === 'string') return asked;
  const instead = 'hand bytes in by "inputs", and read them with "<"';
  throw new OctasklyError('usage', `"stdin" of tasks of a batch or map should be a text: ${instead}.`);
}

function planOf<T>(command: Command | MapMaker<T>, input: T, index: number): TaskPlan {
  if (typeof command === 'function') {
    const made = command(input, index);
    return typeof made === 'object' && 'command' in made ? made : { command: made };
  }
  if (typeof File !== 'undefined' && input instanceof File) {
    // The name of a file is never an option.
    return { command: filled(command, input.name.replace(/^(?=-)/, './')), inputs: [input] };
  }
  return { command: filled(command, String(input)) };
}
