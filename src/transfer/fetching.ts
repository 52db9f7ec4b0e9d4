/**
 * The side of a transfer that wants blobs: asks a peer for ranges, writes what comes into the store, and believes a blob
 * only once the whole has the hash that names it.
 *
 *   waiting ──> asked (a receiver is open, ranges are out) ──> finishing (all is here, the hash is taken) ──> here
 *      ^                  │ the link breaks: what has come is kept               │ another hash: all is dropped
 *      └──────────────────┴──────────────────────────────────────────────────────┘ `triesMax` times, then it fails
 *
 * Symmetrical: a worker fetches inputs with it, the dispatcher outputs. It decides nothing about tasks and keeps no file.
 *
 * Invariants: a blob is fetched once however many ask for it; at most `windowBytesMax` bytes and `windowRangesMax` ranges
 * are out, and as many receivers open; what was not asked for, or comes twice, is dropped and counted, never an error.
 */

import { present } from '../base/assert.ts';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { BlobReceiver, BlobStore } from '../ports/files.ts';
import type { Link } from '../ports/links.ts';
import type { Clock, Timer } from '../ports/time.ts';
import { type BlobAnswer, type BlobMessage, type BlobRange, blobDataBytesMax } from '../wire/messages.ts';
import { type Fetch, fetched, otherSize, Waits } from './waits.ts';

/** A link as far as blobs need it. */
export type BlobLink = Pick<Link<BlobMessage>, 'blobsCongested' | 'send' | 'close'>;

/** Bytes asked for and not here yet. */
export const windowBytesMax = 4 * 1024 * 1024;
/** Ranges asked for and not here yet, with the blobs whose hash is being taken. */
export const windowRangesMax = 256;
/** A blob is transferred so often until its content has the right hash. */
export const triesMax = 3;
/** With ranges out, something must come within this time. */
export const stallMsMax = 120_000;
/** Somebody else takes in the same blob just now: how long to wait before looking again, and how often. */
export const conflictPauseMs = 200;
export const conflictsMax = 300;

interface Fetching {
  readonly blob: string;
  readonly bytes: number;
  readonly waits: Waits;
  /** Null while it waits. */
  receiver: BlobReceiver | null;
  /** Up to here it was asked for on the present link. */
  askedTo: number;
  /** Where the ranges that are out end, in order. */
  ends: number[];
  tries: number;
  conflicts: number;
  /** Not to be started before, steady ms. */
  notBefore: number;
}

interface Parts {
  readonly clock: Clock;
  readonly store: Pick<BlobStore, 'size' | 'receive'>;
  /** Who is asked, for sentences: `the dispatcher`, `worker pi-2`. */
  readonly peer: string;
}

export class Fetcher {
  /** Parts that nobody waited for. */
  unaskedParts = 0;
  readonly #parts: Parts;
  /** In the order they were asked for. */
  #waiting = new Map<string, Fetching>();
  readonly #active = new Map<string, Fetching>();
  #link: BlobLink | null = null;
  #bytesOut = 0;
  #rangesOut = 0;
  #finishing = 0;
  #pumping = false;
  #heardAt = 0;
  #stall: Timer | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Blobs that are waited for. */
  get size(): number {
    return this.#waiting.size + this.#active.size;
  }

  /** Fetches a blob unless it is here, or joins those who wait for it. */
  fetch(blob: string, bytes: number): Fetch {
    if (this.#parts.store.size(blob) === bytes) return fetched;
    let fetching = this.#active.get(blob) ?? this.#waiting.get(blob);
    if (fetching !== undefined && fetching.bytes !== bytes) return otherSize(bytes, fetching.bytes);
    if (fetching === undefined) {
      const fresh = { receiver: null, askedTo: 0, ends: [], tries: 0, conflicts: 0, notBefore: 0 };
      fetching = { blob, bytes, waits: new Waits(), ...fresh };
      this.#waiting.set(blob, fetching);
      this.#pumpSoon();
    }
    const joined = fetching;
    return joined.waits.join(() => this.#abandon(joined));
  }

  /** A link: asks for what is waited for, each from where it stands. */
  attach(link: BlobLink): void {
    this.detach();
    this.#link = link;
    this.#pumpSoon();
  }

  /** The link is gone: what has come is kept, and asked for again on the next one. */
  detach(): void {
    this.#link = null;
    const open = [...this.#active.values()].filter((fetching) => !isWhole(fetching));
    for (const fetching of open) this.#close(fetching);
    this.#waiting = new Map([...open.map((fetching) => [fetching.blob, fetching] as const), ...this.#waiting]);
    this.#quietStall();
  }

  /** What the peer answers. */
  take(message: BlobAnswer): void {
    if (message.kind === 'blobRefused') {
      const fetching = this.#active.get(message.blob);
      if (fetching === undefined || isWhole(fetching)) this.unaskedParts += 1;
      else
        this.#fail(
          fetching,
          new OctasklyError('not_found', `${this.#parts.peer} cannot give it: ${message.detail.replace(/\.$/, '')}`),
        );
    } else {
      for (const { blob, offset, data } of message.parts) this.#takePart(blob, offset, data);
    }
    this.#quietStall();
    this.#pumpSoon();
  }

  #takePart(blob: string, offset: number, data: Uint8Array): void {
    const fetching = this.#active.get(blob);
    const receiver = fetching?.receiver ?? null;
    const fits = receiver?.received === offset && offset + data.length <= (fetching?.askedTo ?? 0);
    if (fetching === undefined || receiver === null || !fits || data.length === 0) {
      this.unaskedParts += 1;
      return;
    }
    try {
      receiver.write(data);
    } catch (error) {
      this.#fail(fetching, codedOf(error));
      return;
    }
    this.#heardAt = this.#parts.clock.steady();
    this.#bytesOut -= data.length;
    while (fetching.ends[0] !== undefined && fetching.ends[0] <= receiver.received) {
      fetching.ends.shift();
      this.#rangesOut -= 1;
    }
    if (isWhole(fetching)) this.#finish(fetching);
  }

  // -------------------------------------------------------------------------------------------------- asking

  #pumpSoon(): void {
    if (this.#pumping || this.#link === null || this.size === 0) return;
    this.#pumping = true;
    this.#parts.clock.soon(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  get #hasRoom(): boolean {
    return this.#bytesOut < windowBytesMax && this.#rangesOut + this.#finishing < windowRangesMax;
  }

  /** Asks for more once half of the window is free, so that many small ranges go out in one message. */
  #pump(): void {
    const link = this.#link;
    const isFull = this.#bytesOut > windowBytesMax / 2 || this.#rangesOut + this.#finishing > windowRangesMax / 2;
    if (link === null || isFull) return;
    const ranges: BlobRange[] = [];
    for (const fetching of this.#active.values()) this.#ask(fetching, ranges);
    const now = this.#parts.clock.steady();
    for (const fetching of this.#waiting.values()) {
      if (!this.#hasRoom) break;
      if (fetching.notBefore <= now && this.#start(fetching)) this.#ask(fetching, ranges);
    }
    if (ranges.length === 0) return;
    link.send({ kind: 'blobWanted', ranges });
    this.#watchStall();
  }

  #ask(fetching: Fetching, ranges: BlobRange[]): void {
    const { blob, bytes } = fetching;
    while (this.#hasRoom && fetching.receiver !== null && fetching.askedTo < bytes) {
      const offset = fetching.askedTo;
      const length = Math.min(blobDataBytesMax, bytes - offset);
      ranges.push({ blob, offset, length });
      fetching.askedTo += length;
      fetching.ends.push(fetching.askedTo);
      this.#bytesOut += length;
      this.#rangesOut += 1;
    }
  }

  /** Opens a receiver; false when nothing is to be asked for. */
  #start(fetching: Fetching): boolean {
    const { store, clock } = this.#parts;
    const { blob, bytes } = fetching;
    try {
      const size = store.size(blob);
      if (size === bytes) {
        this.#succeed(fetching);
        return false;
      }
      if (size !== null) throw new OctasklyError('invalid', `it has ${size} bytes, and is said to have ${bytes}`);
      fetching.receiver = store.receive(blob, bytes);
    } catch (error) {
      const coded = codedOf(error);
      fetching.conflicts += 1;
      if (coded.code !== 'conflict' || fetching.conflicts > conflictsMax) {
        this.#fail(fetching, coded);
      } else {
        fetching.notBefore = clock.steady() + conflictPauseMs;
        clock.after(conflictPauseMs, () => this.#pumpSoon());
      }
      return false;
    }
    this.#waiting.delete(blob);
    this.#active.set(blob, fetching);
    fetching.askedTo = fetching.receiver.received;
    if (!isWhole(fetching)) return true;
    this.#finish(fetching);
    return false;
  }

  // -------------------------------------------------------------------------------------------------- ending

  #finish(fetching: Fetching): void {
    const receiver = present(fetching.receiver, 'a receiver');
    this.#finishing += 1;
    const settle = (end: boolean | OctasklyError): void => {
      this.#finishing -= 1;
      if (this.#active.get(fetching.blob) === fetching && fetching.receiver === receiver) this.#finished(fetching, end);
      this.#pumpSoon();
    };
    receiver.finish().then(settle, (error: unknown) => settle(codedOf(error)));
  }

  #finished(fetching: Fetching, end: boolean | OctasklyError): void {
    if (end === true) {
      this.#succeed(fetching);
      return;
    }
    if (end !== false) {
      this.#fail(fetching, end);
      return;
    }
    fetching.tries += 1;
    if (fetching.tries >= triesMax) {
      const message = `what ${this.#parts.peer} sent as ${fetching.blob} has another hash, ${triesMax} times over`;
      this.#fail(fetching, new OctasklyError('io', message));
      return;
    }
    fetching.receiver = null;
    this.#active.delete(fetching.blob);
    this.#waiting.set(fetching.blob, fetching);
  }

  #succeed(fetching: Fetching): void {
    this.#remove(fetching);
    fetching.waits.resolve();
  }

  #fail(fetching: Fetching, error: OctasklyError): void {
    this.#remove(fetching);
    fetching.waits.reject(error);
  }

  /** Nobody waits for it any more. */
  #abandon(fetching: Fetching): void {
    this.#remove(fetching);
    this.#quietStall();
    this.#pumpSoon();
  }

  #remove(fetching: Fetching): void {
    this.#close(fetching);
    if (this.#waiting.get(fetching.blob) === fetching) this.#waiting.delete(fetching.blob);
  }

  /** Takes it out of the window; what has come is kept. */
  #close(fetching: Fetching): void {
    if (this.#active.get(fetching.blob) !== fetching) return;
    this.#active.delete(fetching.blob);
    const { receiver } = fetching;
    if (receiver === null) return;
    this.#bytesOut -= fetching.askedTo - receiver.received;
    this.#rangesOut -= fetching.ends.length;
    fetching.ends = [];
    fetching.receiver = null;
    receiver.suspend();
  }

  // ------------------------------------------------------------------------------------------------- the stall

  #watchStall(): void {
    if (this.#stall !== null) return;
    const { clock, peer } = this.#parts;
    this.#heardAt = clock.steady();
    const look = (delayMs: number): void => {
      this.#stall = clock.after(delayMs, () => {
        this.#stall = null;
        const leftMs = this.#heardAt + stallMsMax - clock.steady();
        if (leftMs > 0) {
          look(leftMs);
          return;
        }
        const error = new OctasklyError('timeout', `nothing of it came from ${peer} for ${stallMsMax / 1000} s`);
        for (const fetching of [...this.#active.values()]) if (!isWhole(fetching)) this.#fail(fetching, error);
        this.#pumpSoon();
      });
    };
    look(stallMsMax);
  }

  /** Nothing is out: nothing has to come. */
  #quietStall(): void {
    if (this.#rangesOut > 0) return;
    this.#stall?.cancel();
    this.#stall = null;
  }
}

/** Every byte is here: its hash is being taken. */
function isWhole({ receiver, bytes }: Fetching): boolean {
  return receiver?.received === bytes;
}

/** Why something failed, to stand at the end of another sentence. */
export function clauseOf(error: unknown): string {
  return reasonOf(error).replace(/\.$/, '');
}

/** What went wrong, as an error with a code. */
export function codedOf(error: unknown): OctasklyError {
  if (error instanceof OctasklyError) return error;
  return new OctasklyError('io', reasonOf(error), { cause: error });
}
