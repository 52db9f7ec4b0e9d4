/**
 * Which workers have large blobs, or are getting them: what the dispatcher knows from what it gave them to do and what
 * they made. It tells a worker that is given a task where else its inputs can be had.
 *
 * Those who want the same blob at once form a chain: each is pointed at those who got it before it, the last of them
 * first, and the first one at nobody, so that it takes it from the dispatcher. Those who have all of it are named before
 * those who are still getting it, and take turns.
 *
 * A hint may be wrong (a cache was emptied, a worker left): then a question was asked in vain. Nothing relies on it.
 * Bounded: `blobsMax` blobs, the longest not asked for are forgotten first; `knownMax` workers for each.
 */

import { hostOf } from '../base/place.ts';
import type { ReportEntry } from '../core/attempt.ts';
import type { TaskFile } from '../core/files.ts';
import type { SchedulerState } from '../core/state.ts';
import { type BlobHolder, type DispatcherMessage, holdersMax } from '../wire/messages.ts';

/** Smaller blobs are not worth asking around for. */
export const hintedBytesMin = 1024 * 1024;
export const blobsMax = 4096;
const knownMax = 64;

interface Known {
  /** It reported that it has all of it. */
  isWhole: boolean;
  /** How often others were pointed at it. */
  hints: number;
}

type Holding = Map<string, Known>;

export class Holders {
  /** By blob, then by worker, in the order in which they were told to get it. */
  readonly #blobs = new Map<string, Holding>();
  readonly #keepers: (blob: string) => readonly string[];

  /** `keepers`: ids of workers that have a blob for certain, and the dispatcher has not. */
  constructor(keepers: (blob: string) => readonly string[] = () => []) {
    this.#keepers = keepers;
  }

  /** Blobs of which it is known who has them. */
  get size(): number {
    return this.#blobs.size;
  }

  /** This worker is about to want `files`: what to tell it before, null when there is nothing. */
  wanted(state: SchedulerState, workerId: string, files: readonly TaskFile[]): DispatcherMessage | null {
    const blobs: { blob: string; at: readonly BlobHolder[] }[] = [];
    const large = files.filter(({ bytes }) => bytes >= hintedBytesMin);
    for (const blob of new Set(large.map(({ blob }) => blob))) {
      const holding = this.#holding(blob);
      for (const keeper of this.#keepers(blob)) this.#note(holding, keeper, true);
      const at = this.#pick(state, holding, workerId);
      if (at.length > 0) blobs.push({ blob, at });
      this.#note(holding, workerId, false);
    }
    return blobs.length === 0 ? null : { kind: 'holders', blobs };
  }

  /** This worker reported: whoever has started a task has its inputs, and whoever made files has them. */
  reported(state: SchedulerState, workerId: string, entries: readonly ReportEntry[]): void {
    for (const entry of entries) {
      if (entry.kind === 'returned') continue;
      const inputs = state.tasks.get(entry.taskId)?.spec.inputs ?? [];
      const made = entry.kind === 'ended' ? entry.outputs : [];
      for (const { blob, bytes } of [...inputs, ...made]) {
        if (bytes >= hintedBytesMin) this.#note(this.#holding(blob), workerId, true);
      }
    }
  }

  #holding(blob: string): Holding {
    const holding = this.#blobs.get(blob) ?? new Map<string, Known>();
    this.#blobs.delete(blob);
    this.#blobs.set(blob, holding);
    for (const oldest of this.#blobs.keys()) {
      if (this.#blobs.size <= blobsMax) break;
      this.#blobs.delete(oldest);
    }
    return holding;
  }

  #note(holding: Holding, workerId: string, isWhole: boolean): void {
    const known = holding.get(workerId);
    if (known !== undefined) known.isWhole ||= isWhole;
    else holding.set(workerId, { isWhole, hints: 0 });
    for (const oldest of holding.keys()) {
      if (holding.size <= knownMax) break;
      holding.delete(oldest);
    }
  }

  #pick(state: SchedulerState, holding: Holding, workerId: string): BlobHolder[] {
    const reached = [...holding].flatMap(([id, known]) => {
      const holder = id === workerId ? null : holderOf(state, id);
      return holder === null ? [] : [{ holder, known }];
    });
    const whole = reached.filter(({ known }) => known.isWhole).sort((a, b) => a.known.hints - b.known.hints);
    // Nobody is pointed at one who was told to get it after it.
    const getting = holding.has(workerId) ? [] : reached.filter(({ known }) => !known.isWhole).reverse();
    const picked = [...whole, ...getting].slice(0, holdersMax);
    for (const { known } of picked) known.hints += 1;
    return picked.map(({ holder }) => holder);
  }
}

/** How peers reach a worker that is connected; null when they do not. */
function holderOf(state: SchedulerState, id: string): BlobHolder | null {
  const worker = state.workers.get(id);
  const port = worker?.declaration.peerPort ?? null;
  if (worker === undefined || worker.session === null || worker.address === null || port === null) return null;
  return { id, publicKey: worker.publicKey, host: hostOf(worker.address), port };
}
