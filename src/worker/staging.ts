/**
 * The files of attempts on a worker: inputs from the dispatcher, large ones from peers, into the cache and from there into the area of an attempt,
 * outputs from the area into the cache, where the dispatcher fetches them.
 *
 * Links come and go beneath: a transfer stands still without one and goes on with the next. What an attempt needs is held
 * in the cache from when it is wanted until the attempt is forgotten. Which attempt is staged when is not decided here.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import { problemsMax, type TaskFile } from '../core/files.ts';
import type { BlobCache, CollectedFiles, TaskArea, TaskFiles } from '../ports/files.ts';
import type { WorkerLink } from '../ports/links.ts';
import type { Clock } from '../ports/time.ts';
import { type BlobLink, clauseOf, Fetcher } from '../transfer/fetching.ts';
import { BlobServer } from '../transfer/serving.ts';
import type { Fetch } from '../transfer/waits.ts';
import type { BlobAnswer, BlobMessage } from '../wire/messages.ts';

/** Bytes of the outputs of one attempt, in all. */
const outputsBytesMax = 16 * 1024 ** 3;
/** Characters of the paths of outputs in one report, in all: it must fit a message. */
const pathCharactersMax = 2 * 1024 * 1024;
/** Inputs that are found damaged as they are placed are fetched again so often. */
const repairsMax = 2;

/** Inputs of one attempt on their way into its area. */
export interface Stage {
  /** All is in its place. Rejects with an `OctasklyError` that names the file; never after `cancel`. */
  readonly done: Promise<void>;
  /** Nothing is written into the area any more. Never rejects. */
  readonly settled: Promise<void>;
  /** Fetches no more. Idempotent. */
  cancel(): void;
}

/** Blobs of this size and more come from peers where there are some: for smaller ones asking around would take longer. */
const sharedBytesMin = 1024 * 1024;

/** The link to the dispatcher, as far as files need it. */
export type DispatcherSide = BlobLink & Pick<WorkerLink, 'remote'>;

/** Fetching from peers, with the dispatcher as one more source. */
export interface Sharing {
  /** Fetches a blob unless it is here, or joins those who wait for it. */
  fetch(blob: string, bytes: number): Fetch;
  /** The dispatcher welcomed this worker on a new link. */
  attach(link: DispatcherSide): void;
  detach(): void;
  /** What the dispatcher answers, large and small together; gives back what of it is not fetched by this, null = nothing. */
  take(message: BlobAnswer): BlobAnswer | null;
}

interface Parts {
  readonly clock: Clock;
  readonly blobs: BlobCache;
  readonly files: TaskFiles;
  /** Null = there are no peers. */
  readonly sharing: Sharing | null;
}

export class Staging {
  readonly #parts: Parts;
  readonly #fetcher: Fetcher;
  #server: BlobServer | null = null;
  #askedAt: number | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#fetcher = new Fetcher({ clock: parts.clock, store: parts.blobs, peer: 'the dispatcher' });
  }

  /** The dispatcher welcomed this worker on a new link. */
  attach(link: DispatcherSide): void {
    this.#server = new BlobServer({ clock: this.#parts.clock, store: this.#parts.blobs, link });
    this.#fetcher.attach(link);
    this.#parts.sharing?.attach(link);
  }

  detach(): void {
    this.#server?.close();
    this.#server = null;
    this.#fetcher.detach();
    this.#parts.sharing?.detach();
  }

  /** The dispatcher asked for files within the last `ms`. */
  wasAskedWithin(ms: number): boolean {
    return this.#askedAt !== null && this.#parts.clock.steady() - this.#askedAt < ms;
  }

  drained(): void {
    this.#server?.drained();
  }

  take(message: BlobMessage): void {
    if (message.kind !== 'blobWanted') {
      const { sharing } = this.#parts;
      const rest = sharing === null ? message : sharing.take(message);
      if (rest !== null) this.#fetcher.take(rest);
      return;
    }
    this.#askedAt = this.#parts.clock.steady();
    this.#server?.take(message);
  }

  /** Fetches a blob from the dispatcher alone: what is no task's file, and peers need not have. */
  fetch(blob: string, bytes: number): Fetch {
    return this.#fetcher.fetch(blob, bytes);
  }

  /** Keeps the blobs of an attempt's inputs until `release`. */
  hold(files: readonly TaskFile[]): void {
    for (const { blob } of files) this.#parts.blobs.hold(blob);
  }

  /** The attempt is forgotten, or its outputs are. */
  release(files: readonly TaskFile[]): void {
    for (const { blob } of files) this.#parts.blobs.release(blob);
  }

  /** Fetches what is missing of `files` (which are held) and puts all of them into `area`. */
  stage(files: readonly TaskFile[], area: TaskArea): Stage {
    const fetches: Fetch[] = [];
    let cancelled = false;
    const { promise: done, resolve, reject } = Promise.withResolvers<void>();
    const run = async (): Promise<void> => {
      for (const { blob } of this.#doubted(files)) await this.#parts.blobs.verify(blob);
      for (let repairs = 0; !cancelled; repairs++) {
        await this.#fetchAll(files, fetches);
        if (cancelled) return;
        try {
          await this.#parts.files.place(files, area);
          return;
        } catch (error) {
          // Placing dropped what is damaged: then something is missing, and another try makes sense.
          if (repairs >= repairsMax || !this.#lacks(files)) throw error;
        }
      }
    };
    const settled = run().then(
      () => {
        if (!cancelled) resolve();
      },
      (error: unknown) => {
        if (!cancelled) reject(error instanceof OctasklyError ? error : new OctasklyError('io', reasonOf(error)));
      },
    );
    const cancel = (): void => {
      cancelled = true;
      for (const fetch of fetches.splice(0)) fetch.cancel();
    };
    return { done, settled, cancel };
  }

  #lacks(files: readonly TaskFile[]): boolean {
    return files.some(({ blob, bytes }) => this.#parts.blobs.size(blob) !== bytes);
  }

  /** What is here with another size may have been damaged at rest: dropped, it can be fetched. */
  #doubted(files: readonly TaskFile[]): readonly TaskFile[] {
    return files.filter(({ blob, bytes }) => {
      const size = this.#parts.blobs.size(blob);
      return size !== null && size !== bytes;
    });
  }

  async #fetchAll(files: readonly TaskFile[], fetches: Fetch[]): Promise<void> {
    const missing = new Map<string, TaskFile>();
    for (const file of files) if (this.#parts.blobs.size(file.blob) !== file.bytes) missing.set(file.blob, file);
    const waits = [...missing.values()].map((file) => {
      const { sharing } = this.#parts;
      const from = sharing !== null && file.bytes >= sharedBytesMin ? sharing : this.#fetcher;
      const fetch = from.fetch(file.blob, file.bytes);
      fetches.push(fetch);
      return fetch.done.catch((error: unknown) => {
        throw new OctasklyError('io', `Cannot fetch the input "${file.path}": ${clauseOf(error)}.`);
      });
    });
    try {
      await Promise.all(waits);
    } finally {
      for (const fetch of fetches.splice(0)) fetch.cancel();
    }
  }

  /** Takes what matches `patterns`, each blob held. Never rejects. */
  async collect(patterns: readonly string[], area: TaskArea): Promise<CollectedFiles> {
    const collected = await this.#parts.files.collect(patterns, area, outputsBytesMax);
    const problems = [...collected.problems];
    let characters = 0;
    const fits = collected.files.filter(({ path }) => {
      characters += path.length;
      return characters <= pathCharactersMax;
    });
    const left = collected.files.slice(fits.length);
    if (left.length > 0) {
      problems.unshift(`${left.length} further files were left behind: the paths of all outputs are too long in all.`);
      this.release(left);
    }
    return { files: fits, problems: problems.slice(0, problemsMax) };
  }
}
