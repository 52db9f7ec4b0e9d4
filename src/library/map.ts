/**
 * One command over many inputs. A window of tasks is kept submitted, by the batch; the next inputs are taken when results
 * have been, so that neither an endless list of inputs nor a slow reader of results fills anybody's memory. While the
 * dispatcher's queue is full, submitting waits, and takes smaller bites.
 *
 * Invariant: when the loop over the results is left, in whatever way, no task of it goes on: what has not ended is cancelled.
 */

import { limits } from '../api/limits.ts';
import type { BatchAnswer, BatchRequest, TaskRequest, TaskView } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import { type Gatherer, gatherer } from './gather.ts';
import { outputOf, type TaskOutput } from './output.ts';
import { type Shared, TaskHandle } from './task.ts';

/** Characters of the tasks in one request, below what a request may hold even where each takes three bytes. */
const batchCharactersMax = limits.bodyBytesMax / 4;
const windowDefault = 500;
/** Before the next try when the queue has no room. */
const fullQueuePauseMs = 250;

export interface MapOptions {
  /** Tasks submitted and not yet read, 1 to 10,000; default 500. How many run at once is up to the workers. */
  readonly concurrency?: number;
  /** Results in the order of the inputs instead of that of their ends. */
  readonly keepOrder?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** How the task of one input ended, well or not. */
export interface MapResult<T> {
  readonly input: T;
  /** Of the input, from 0. */
  readonly index: number;
  readonly task: TaskHandle;
  readonly output: TaskOutput;
}

export interface MapSource<T> {
  readonly inputs: Iterable<T> | AsyncIterable<T>;
  readonly request: (input: T, index: number, signal: AbortSignal) => Promise<TaskRequest>;
  /** Submits, patient while the dispatcher is away; the signal ends the patience, not a call that is under way. */
  readonly submit: (batch: BatchRequest, signal: AbortSignal) => Promise<BatchAnswer>;
}

interface Item<T> {
  readonly input: T;
  readonly index: number;
}

/** What waits for the next thing to happen: anything that happened since it last looked counts. */
class Bell {
  #ring: (() => void) | null = null;
  #rung = false;

  ring(): void {
    this.#rung = true;
    this.#ring?.();
  }

  async heard(): Promise<void> {
    if (!this.#rung) await new Promise<void>((resolve) => (this.#ring = resolve));
    this.#rung = false;
    this.#ring = null;
  }
}

/** One run of `map`. */
class Mapping<T> {
  readonly #shared: Shared;
  readonly #source: MapSource<T>;
  readonly #gatherer: Gatherer<T>;
  readonly #window: number;
  readonly #keepOrder: boolean;
  readonly #stop = new AbortController();
  /** Batches and how many of their tasks have not ended. */
  readonly #open = new Map<string, number>();
  readonly #done = new Map<number, Item<T> & { readonly task: TaskView }>();
  /** Ends that are waited for. */
  readonly #leave = new Map<number, () => void>();
  readonly #changed = new Bell();
  readonly #room = new Bell();
  #submitted = 0;
  #read = 0;
  #isOver = false;
  #failure: { readonly reason: unknown } | null = null;

  constructor(shared: Shared, source: MapSource<T>, { concurrency = windowDefault, keepOrder = false }: MapOptions) {
    if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > limits.batchTasksMax) {
      const range = `a whole number from 1 to ${limits.batchTasksMax}`;
      throw new OctasklyError('usage', `Cannot map with concurrency ${concurrency}: it should be ${range}.`);
    }
    this.#shared = shared;
    this.#source = source;
    this.#gatherer = gatherer(source.inputs);
    this.#window = concurrency;
    this.#keepOrder = keepOrder;
  }

  async *results(signal: AbortSignal | undefined): AsyncGenerator<MapResult<T>, void, undefined> {
    const release = this.#shared.ends.hold();
    const onAbort = (): void => this.#fail(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    const filling = this.#fill();
    try {
      signal?.throwIfAborted();
      for (;;) {
        if (this.#failure !== null) throw this.#failure.reason;
        const next = this.#take();
        if (next !== null) {
          const { input, index, task } = next;
          const output = await outputOf(this.#shared.client, task, { signal });
          yield { input, index, task: new TaskHandle(this.#shared, task.id), output };
        } else if (this.#isOver && this.#read === this.#submitted) return;
        else await this.#changed.heard();
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#stop.abort();
      this.#room.ring();
      this.#gatherer.close();
      // What is being submitted just now has to be known to be cancelled.
      await filling;
      for (const leave of this.#leave.values()) leave();
      release();
      await this.#cancelRest();
    }
  }

  #take(): (Item<T> & { readonly task: TaskView }) | null {
    const [first] = this.#done.keys();
    const index = this.#keepOrder ? this.#read : first;
    const found = index === undefined ? undefined : this.#done.get(index);
    if (found === undefined) return null;
    this.#done.delete(found.index);
    this.#read += 1;
    this.#room.ring();
    return found;
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#changed.ring();
  }

  async #fill(): Promise<void> {
    // The source may let wait for its next value when nobody wants it any more.
    const left = new Promise<T[]>((resolve) =>
      this.#stop.signal.addEventListener('abort', () => resolve([]), { once: true }),
    );
    try {
      while (!this.#stop.signal.aborted) {
        const room = this.#window - (this.#submitted - this.#read);
        if (room === 0) await this.#room.heard();
        else {
          const inputs = await Promise.race([this.#gatherer.next(room), left]);
          if (inputs.length === 0) break;
          await this.#submitAll(inputs);
        }
      }
      this.#isOver = true;
      this.#changed.ring();
    } catch (reason) {
      this.#fail(reason);
    }
  }

  async #submitAll(inputs: readonly T[]): Promise<void> {
    const from = this.#submitted;
    const requests: TaskRequest[] = [];
    for (const [at, input] of inputs.entries())
      requests.push(await this.#source.request(input, from + at, this.#stop.signal));
    for (let at = 0, most = inputs.length; at < inputs.length && !this.#stop.signal.aborted; ) {
      const tasks = fitting(requests.slice(at, at + most));
      const since = this.#shared.ends.mark();
      const batch = await this.#submit({ tasks });
      if (batch === null) {
        most = Math.ceil(tasks.length / 2);
        continue;
      }
      this.#open.set(batch.id, batch.task_ids.length);
      for (const [place, id] of batch.task_ids.entries()) {
        const input = inputs[at + place] as T;
        this.#follow({ input, index: from + at + place }, id, { batch: batch.id, since });
      }
      this.#submitted += tasks.length;
      at += tasks.length;
    }
  }

  /** Null: the queue has no room for that many. */
  async #submit(request: BatchRequest): Promise<BatchAnswer | null> {
    try {
      return await this.#source.submit(request, this.#stop.signal);
    } catch (error) {
      const isFull = error instanceof OctasklyError && error.code === 'queue_full';
      if (!isFull) throw error;
      await this.#shared.sleep(fullQueuePauseMs, this.#stop.signal).catch(() => {});
      return null;
    }
  }

  #follow(item: Item<T>, id: string, { batch, since }: { batch: string; since: number | null }): void {
    const resolve = (task: TaskView): void => {
      this.#leave.delete(item.index);
      const left = (this.#open.get(batch) ?? 1) - 1;
      if (left === 0) this.#open.delete(batch);
      else this.#open.set(batch, left);
      this.#done.set(item.index, { ...item, task });
      this.#changed.ring();
    };
    const reject = (reason: unknown): void => this.#fail(reason);
    this.#leave.set(item.index, this.#shared.ends.watch(id, { resolve, reject }, since));
  }

  async #cancelRest(): Promise<void> {
    // Whoever left does not wait for a dispatcher that is away: it learns of nothing then.
    await Promise.allSettled([...this.#open.keys()].map((batch) => this.#shared.client.cancelBatch(batch)));
  }
}

/** As many of `requests`, at least one, as go in one batch. */
function fitting(requests: readonly TaskRequest[]): TaskRequest[] {
  let characters = 0;
  const end = requests.findIndex((request, index) => {
    characters += JSON.stringify(request).length;
    return index > 0 && characters > batchCharactersMax;
  });
  return requests.slice(0, end < 0 ? requests.length : end);
}

/** Throws `usage` at once; the results fail with what lasts, or the signal's reason. */
export function mapped<T>(
  shared: Shared,
  source: MapSource<T>,
  options: MapOptions,
): AsyncGenerator<MapResult<T>, void, undefined> {
  return new Mapping(shared, source, options).results(options.signal);
}
