/**
 * The side of a transfer that has blobs: answers the ranges one peer asks for over one link, in order, at the pace at
 * which the link takes them. Symmetrical, as `fetching.ts` is. It does not hash: whoever takes bytes in does.
 *
 * A peer that asks for the beginning of a blob again has probably got another hash than it should have: then the blob is
 * looked at before it is given away once more, and refused when it is damaged here.
 *
 * Other messages of the link are never kept waiting by more than the link's own high-water mark: one message of blobs at
 * a time, and none while the link is congested. Small ranges share a message.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { BlobStore } from '../ports/files.ts';
import type { Clock } from '../ports/time.ts';
import { type BlobMessage, type BlobRange, blobDataBytesMax, blobRangesMax } from '../wire/messages.ts';
import type { BlobLink } from './fetching.ts';

/** Blobs whose beginning was given away, as far as that is remembered. */
const begunMax = 4096;
/** A peer with more ranges open is not one of ours, or has lost count: it is hung up on. */
export const rangesOpenMax = 8192;

interface Parts {
  readonly clock: Clock;
  readonly store: Pick<BlobStore, 'read' | 'verify'>;
  readonly link: BlobLink;
}

export class BlobServer {
  readonly #parts: Parts;
  #open: BlobRange[] = [];
  /** How many of them are answered. */
  #answered = 0;
  #scheduled = false;
  readonly #begun = new Set<string>();
  /** A hash is being taken: nothing is sent meanwhile. */
  #verifying = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Ranges that are not answered. */
  get size(): number {
    return this.#open.length - this.#answered;
  }

  /** The peer asks. */
  take({ ranges }: Extract<BlobMessage, { kind: 'blobWanted' }>): void {
    if (this.size + ranges.length > rangesOpenMax) {
      this.close();
      this.#parts.link.close(`it asked for more than ${rangesOpenMax} ranges of files at once`);
      return;
    }
    for (const range of ranges) if (range.length > 0) this.#open.push(range);
    this.#sendSoon();
  }

  /** The link has room again. One message goes at once: whoever else uses the link may fill the rest. */
  drained(): void {
    if (!this.#verifying) this.#send();
  }

  /** Answers nothing more. */
  close(): void {
    this.#open = [];
    this.#answered = 0;
  }

  #sendSoon(): void {
    if (this.#scheduled || this.#verifying || this.size === 0 || this.#parts.link.blobsCongested) return;
    this.#scheduled = true;
    this.#parts.clock.soon(() => {
      this.#scheduled = false;
      if (!this.#parts.link.blobsCongested) this.#send();
    });
  }

  #send(): void {
    const parts: { blob: string; offset: number; data: Uint8Array }[] = [];
    let bytes = 0;
    let refusal: string | null = null;
    while (parts.length < blobRangesMax) {
      const range = this.#open[this.#answered];
      if (range === undefined || (parts.length > 0 && bytes + range.length > blobDataBytesMax)) break;
      if (range.offset === 0 && this.#begun.delete(range.blob)) {
        this.#verify(range.blob);
        break;
      }
      const data = this.#read(range);
      if (typeof data === 'string') {
        refusal = data;
        break;
      }
      this.#answered += 1;
      if (range.offset === 0) this.#remember(range.blob);
      parts.push({ blob: range.blob, offset: range.offset, data });
      bytes += data.length;
    }
    if (parts.length > 0) this.#parts.link.send({ kind: 'blobData', parts });
    if (refusal !== null) this.#refuse(refusal);
    else if (this.size === 0 || this.#answered > rangesOpenMax) this.#shorten();
    this.#sendSoon();
  }

  /** Refuses the blob that is next, with all that is asked of it. */
  #refuse(detail: string): void {
    this.#shorten();
    const blob = this.#open[0]?.blob;
    if (blob === undefined) return;
    this.#open = this.#open.filter((range) => range.blob !== blob);
    this.#parts.link.send({ kind: 'blobRefused', blob, detail });
  }

  #shorten(): void {
    this.#open = this.#open.slice(this.#answered);
    this.#answered = 0;
  }

  #remember(blob: string): void {
    this.#begun.add(blob);
    if (this.#begun.size <= begunMax) return;
    for (const oldest of this.#begun) {
      this.#begun.delete(oldest);
      return;
    }
  }

  #verify(blob: string): void {
    this.#verifying = true;
    const settle = (problem: string | null): void => {
      this.#verifying = false;
      if (problem !== null && this.#open[this.#answered]?.blob === blob) this.#refuse(problem);
      this.#sendSoon();
    };
    this.#parts.store.verify(blob).then(
      (isRight) => settle(isRight ? null : 'it is damaged there: its content has another hash than its name'),
      (error: unknown) => settle(reasonOf(error)),
    );
  }

  /** The bytes, or why they cannot be given. */
  #read({ blob, offset, length }: BlobRange): Uint8Array | string {
    try {
      const data = this.#parts.store.read(blob, offset, length);
      if (data.length === length) return data;
      return `it ends at byte ${offset + data.length}, and was asked for up to ${offset + length}`;
    } catch (error) {
      if (!(error instanceof OctasklyError)) throw error;
      return reasonOf(error);
    }
  }
}
