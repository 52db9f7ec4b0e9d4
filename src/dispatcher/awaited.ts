/**
 * Ranges a worker asks for of blobs that are not here, but that another worker keeps: the blob is brought, and each range
 * is answered as soon as its bytes came, so that nobody waits for the whole. Whoever asks checks the hash of the whole.
 *
 * Bounded: `rangesOpenMax` ranges, as at the server behind; a link that asks for more is hung up on.
 */

import type { BlobStore } from '../ports/files.ts';
import type { Clock, Timer } from '../ports/time.ts';
import { rangesOpenMax } from '../transfer/serving.ts';
import type { BlobRange } from '../wire/messages.ts';

/** How often it is looked whether more has come. */
const lookMs = 50;

interface Parts {
  readonly clock: Clock;
  readonly blobs: Pick<BlobStore, 'size' | 'received'>;
  /** Brings a blob that a worker keeps; settles when it is here or cannot be had. Null = nobody keeps it. */
  bring(blob: string): Promise<unknown> | null;
  /** These can be answered: with bytes, or a refusal. */
  answer(ranges: readonly BlobRange[]): void;
}

export class AwaitedBlobs {
  readonly #parts: Parts;
  readonly #waiting = new Map<string, BlobRange[]>();
  #size = 0;
  #look: Timer | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Takes those of `ranges` that have to wait, and gives the others; null when too many wait. */
  take(ranges: readonly BlobRange[]): readonly BlobRange[] | null {
    const others = ranges.filter((range) => !this.#holdBack(range));
    return this.#size > rangesOpenMax ? null : others;
  }

  /** Answers nothing more. */
  close(): void {
    this.#waiting.clear();
    this.#size = 0;
    this.#look?.cancel();
    this.#look = null;
  }

  #holdBack(range: BlobRange): boolean {
    const { blobs, bring } = this.#parts;
    const { blob } = range;
    let waiting = this.#waiting.get(blob);
    if (waiting === undefined) {
      const coming = blobs.size(blob) === null ? bring(blob) : null;
      if (coming === null) return false;
      waiting = [];
      this.#waiting.set(blob, waiting);
      const pass = (): void => this.#pass(blob, Number.POSITIVE_INFINITY);
      coming.then(pass, pass);
    }
    waiting.push(range);
    this.#size += 1;
    this.#lookLater();
    return true;
  }

  #lookLater(): void {
    if (this.#waiting.size === 0) return;
    this.#look ??= this.#parts.clock.after(lookMs, () => {
      this.#look = null;
      for (const blob of [...this.#waiting.keys()]) this.#pass(blob, this.#parts.blobs.received(blob));
      this.#lookLater();
    });
  }

  /** Answers what lies within the first `bytes` bytes of a blob, in order; all of it, and it waits no more. */
  #pass(blob: string, bytes: number): void {
    const waiting = this.#waiting.get(blob);
    if (waiting === undefined) return;
    const later = waiting.findIndex(({ offset, length }) => offset + length > bytes);
    const ready = waiting.splice(0, later < 0 ? waiting.length : later);
    if (bytes === Number.POSITIVE_INFINITY) this.#waiting.delete(blob);
    this.#size -= ready.length;
    if (ready.length > 0) this.#parts.answer(ready);
  }
}
