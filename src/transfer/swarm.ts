/**
 * Fetches blobs from several sources at once: `plan.ts` says which bytes of whom, this file opens receivers, sends the
 * orders over links and writes what comes, in order.
 *
 *   waiting ──> active (a receiver is open, `planActiveMax` at a time) ──> finishing (the hash is taken) ──> here
 *      ^              │ no more sources: stands still, what has come is kept           │ another hash: all is dropped
 *      └──────────────┴────────────────────────────────────────────────────────────────┘ and no peer is asked again
 *
 * Who has what and how to reach them is not known here: sources come and go, each by a key. The dispatcher is the source
 * of last resort. Which of several sources sent a wrong byte cannot be told, so after a wrong hash the last resort alone is
 * asked, `triesMax` times in all.
 *
 * Bounded: `planActiveMax` times `planWindowBytes` of memory.
 */

import { present } from '../base/assert.ts';
import { OctasklyError } from '../base/errors.ts';
import type { BlobReceiver, BlobStore } from '../ports/files.ts';
import type { Clock, Timer } from '../ports/time.ts';
import { type BlobAnswer, type BlobRange, blobDataBytesMax } from '../wire/messages.ts';
import type { PeerMessage } from '../wire/peer-messages.ts';
import { type BlobLink, codedOf, conflictPauseMs, conflictsMax, stallMsMax, triesMax } from './fetching.ts';
import { type Order, Plan, type SourceTraits } from './plan.ts';
import { type Fetch, fetched, otherSize, Waits } from './waits.ts';

/** Blobs that come in at a time. */
export const planActiveMax = 4;
/** The key of the source of last resort. */
export const lastSource = 'dispatcher';
/** How often it is looked whether a source is too slow. */
const lookMs = 250;

interface Download {
  readonly blob: string;
  readonly plan: Plan;
  readonly waits: Waits;
  /** Null while it waits. */
  receiver: BlobReceiver | null;
  isFinishing: boolean;
  tries: number;
  conflicts: number;
  /** Not to be started before, steady ms. */
  notBefore: number;
  /** A wrong hash came of what peers gave: they are not asked any more. */
  isAlone: boolean;
  /** Why the last resort does not give it. */
  refusal: string | null;
  /** When something came of it, or there was nobody to ask. */
  heardAt: number;
}

type BlobHere = Pick<Extract<PeerMessage, { kind: 'blobHere' }>, 'blob' | 'bytes' | 'have'>;

/** Something went wrong with sources of a blob; it goes on with others. `wrong`: the whole had another hash. */
export interface SourceTrouble {
  readonly kind: 'gone' | 'refused' | 'stalled' | 'wrong';
  readonly blob: string;
  /** Keys; of `wrong` all that gave some of it. */
  readonly sources: readonly string[];
}

interface Parts {
  readonly clock: Clock;
  readonly store: Pick<BlobStore, 'size' | 'receive'>;
  /** For the record; changes nothing. */
  onTrouble(trouble: SourceTrouble): void;
  /** More of it is here, or all, or nothing any more. */
  onProgress(blob: string): void;
}

export class Swarm {
  /** Wholes that had another hash. */
  wrongHashes = 0;
  readonly #parts: Parts;
  /** In the order they were asked for. */
  readonly #downloads = new Map<string, Download>();
  readonly #links = new Map<string, BlobLink>();
  #pumping = false;
  #look: Timer | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Blobs that are waited for. */
  get size(): number {
    return this.#downloads.size;
  }

  /** Size of a blob that is waited for, null for any other. */
  sizeOf(blob: string): number | null {
    return this.#downloads.get(blob)?.plan.bytes ?? null;
  }

  /** Fetches a blob unless it is here, or joins those who wait for it. */
  fetch(blob: string, bytes: number): Fetch {
    if (this.#parts.store.size(blob) === bytes) return fetched;
    let download = this.#downloads.get(blob);
    if (download !== undefined && download.plan.bytes !== bytes) return otherSize(bytes, download.plan.bytes);
    if (download === undefined) {
      const now = this.#parts.clock.steady();
      const fresh = { receiver: null, isFinishing: false, tries: 0, conflicts: 0, notBefore: 0, isAlone: false };
      download = { blob, plan: new Plan(bytes, now), waits: new Waits(), ...fresh, refusal: null, heardAt: now };
      this.#downloads.set(blob, download);
      if (this.#links.has(lastSource)) this.#addLast(download);
      this.#pumpSoon();
    }
    const joined = download;
    return joined.waits.join(() => this.#remove(joined));
  }

  // ------------------------------------------------------------------------------------------------ sources

  /** The link of a source. */
  attach(key: string, link: BlobLink): void {
    this.#links.set(key, link);
    if (key === lastSource) for (const download of this.#downloads.values()) this.#addLast(download);
    this.#pumpSoon();
  }

  /** A source is gone: what it owes is asked of others. */
  detach(key: string): void {
    if (!this.#links.delete(key)) return;
    for (const { plan, blob } of this.#downloads.values()) {
      if (plan.uses(key) && key !== lastSource) this.#parts.onTrouble({ kind: 'gone', blob, sources: [key] });
      plan.drop(key);
    }
    this.#pumpSoon();
  }

  /** This source has the blob or may get it; it will say how much. False when it is not to be asked. */
  expect(blob: string, key: string, traits: Omit<SourceTraits, 'isLast'>): boolean {
    const download = this.#downloads.get(blob);
    if (download === undefined || download.isAlone) return false;
    download.plan.add(key, { ...traits, isLast: false }, this.#parts.clock.steady());
    return true;
  }

  /** This source cannot be had for this blob. */
  forget(blob: string, key: string): void {
    this.#downloads.get(blob)?.plan.drop(key);
    this.#pumpSoon();
  }

  /** What a source has of a blob; `bytes` of another size is another blob, or a lie. */
  here(key: string, { blob, bytes, have }: BlobHere): void {
    const download = this.#downloads.get(blob);
    if (download === undefined) return;
    if (bytes !== null && bytes !== download.plan.bytes) download.plan.drop(key);
    else download.plan.here(key, have, this.#parts.clock.steady());
    this.#pumpSoon();
  }

  /** What a source answers. Gives back what of it was not waited for here: it may be somebody else's; null = nothing. */
  take(key: string, message: BlobAnswer): BlobAnswer | null {
    const rest = message.kind === 'blobRefused' ? this.#takeRefusal(key, message) : this.#takeParts(key, message);
    if (rest !== message) this.#pumpSoon();
    return rest;
  }

  #takeRefusal(key: string, message: Extract<BlobAnswer, { kind: 'blobRefused' }>): BlobAnswer | null {
    const download = this.#downloads.get(message.blob);
    if (download === undefined) return message;
    this.#refused(download, key, message.detail);
    return null;
  }

  #takeParts(key: string, message: Extract<BlobAnswer, { kind: 'blobData' }>): BlobAnswer | null {
    const others = message.parts.filter((part) => {
      const download = this.#downloads.get(part.blob);
      if (download !== undefined) this.#takePart(download, key, part);
      return download === undefined;
    });
    if (others.length === message.parts.length) return message;
    return others.length === 0 ? null : { kind: 'blobData', parts: others };
  }

  #addLast({ plan, isFinishing }: Download): void {
    if (!isFinishing) plan.add(lastSource, { rank: Number.MAX_SAFE_INTEGER, isNear: true, isLast: true }, 0);
  }

  #refused(download: Download, key: string, detail: string): void {
    if (key !== lastSource) {
      this.#parts.onTrouble({ kind: 'refused', blob: download.blob, sources: [key] });
      download.plan.refused(key, this.#parts.clock.steady());
      return;
    }
    download.refusal = detail.replace(/\.$/, '');
    download.plan.drop(lastSource);
  }

  #takePart(download: Download, key: string, part: { readonly offset: number; readonly data: Uint8Array }): void {
    const { receiver, plan, blob } = download;
    if (receiver === null || download.isFinishing) return;
    const now = this.#parts.clock.steady();
    const before = plan.written;
    const inTurn = plan.take(key, part, now);
    download.heardAt = now;
    try {
      for (const data of inTurn) receiver.write(data);
    } catch (error) {
      this.#fail(download, codedOf(error));
      return;
    }
    if (plan.written > before) this.#parts.onProgress(blob);
    if (plan.written === plan.bytes) this.#finish(download);
  }

  // ------------------------------------------------------------------------------------------------- asking

  #pumpSoon(): void {
    if (this.#pumping || this.#downloads.size === 0) return;
    this.#pumping = true;
    this.#parts.clock.soon(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    const now = this.#parts.clock.steady();
    let active = 0;
    const ranges = new Map<string, BlobRange[]>();
    for (const download of [...this.#downloads.values()]) {
      if (active >= planActiveMax) break;
      active += 1;
      if (download.receiver === null && !this.#start(download, now)) continue;
      if (download.isFinishing || this.#isHopeless(download, now)) continue;
      const { plan, blob } = download;
      for (const order of plan.ask(now)) addRanges(ranges, blob, order);
      for (const key of plan.stalled.splice(0)) this.#parts.onTrouble({ kind: 'stalled', blob, sources: [key] });
    }
    for (const [key, wanted] of ranges) this.#links.get(key)?.send({ kind: 'blobWanted', ranges: wanted });
    this.#watch();
  }

  /** Opens a receiver; false when it is not open afterwards. */
  #start(download: Download, now: number): boolean {
    const { blob, plan } = download;
    const { store, clock } = this.#parts;
    if (download.notBefore > now) return false;
    try {
      const size = store.size(blob);
      if (size === plan.bytes) {
        this.#succeed(download);
        return false;
      }
      if (size !== null) throw new OctasklyError('invalid', `it has ${size} bytes, and is said to have ${plan.bytes}`);
      download.receiver = store.receive(blob, plan.bytes);
    } catch (error) {
      const coded = codedOf(error);
      download.conflicts += 1;
      if (coded.code !== 'conflict' || download.conflicts > conflictsMax) this.#fail(download, coded);
      else {
        download.notBefore = now + conflictPauseMs;
        clock.after(conflictPauseMs, () => this.#pumpSoon());
      }
      return false;
    }
    plan.begin(download.receiver.received);
    this.#parts.onProgress(blob);
    if (plan.written < plan.bytes) return true;
    this.#finish(download);
    return false;
  }

  /** The last resort refuses, or keeps silent, and nobody else has it: then it fails. */
  #isHopeless(download: Download, now: number): boolean {
    const { plan, refusal } = download;
    if (plan.hasPeers(now) || !this.#links.has(lastSource)) {
      download.heardAt = now;
      return false;
    }
    if (refusal !== null)
      this.#fail(download, new OctasklyError('not_found', `the dispatcher cannot give it: ${refusal}`));
    else if (now - download.heardAt >= stallMsMax) {
      const message = `nothing of it came from the dispatcher for ${stallMsMax / 1000} s`;
      this.#fail(download, new OctasklyError('timeout', message));
    } else return false;
    return true;
  }

  /** Looks again and again as long as something is waited for. */
  #watch(): void {
    if (this.#downloads.size === 0) {
      this.#look?.cancel();
      this.#look = null;
      return;
    }
    this.#look ??= this.#parts.clock.after(lookMs, () => {
      this.#look = null;
      this.#pump();
    });
  }

  // ------------------------------------------------------------------------------------------------- ending

  #finish(download: Download): void {
    const receiver = present(download.receiver, 'a receiver');
    download.isFinishing = true;
    const settle = (end: boolean | OctasklyError): void => {
      if (this.#downloads.get(download.blob) !== download) return;
      if (end === true) this.#succeed(download);
      else if (end === false) this.#wrongHash(download);
      else this.#fail(download, end);
      this.#pumpSoon();
    };
    receiver.finish().then(settle, (error: unknown) => settle(codedOf(error)));
  }

  #wrongHash(download: Download): void {
    const { plan, blob } = download;
    this.wrongHashes += 1;
    this.#parts.onTrouble({ kind: 'wrong', blob, sources: plan.givers });
    download.tries += 1;
    download.isFinishing = false;
    download.receiver = null;
    if (download.tries >= triesMax) {
      const message = `what the dispatcher sent as ${blob} has another hash, ${triesMax} times over`;
      this.#fail(download, new OctasklyError('io', message));
      return;
    }
    download.isAlone = true;
    for (const key of plan.sources) if (key !== lastSource) plan.drop(key);
    plan.pause();
    this.#parts.onProgress(blob);
  }

  #succeed(download: Download): void {
    this.#remove(download);
    download.waits.resolve();
    this.#parts.onProgress(download.blob);
  }

  #fail(download: Download, error: OctasklyError): void {
    this.#remove(download);
    download.waits.reject(error);
  }

  /** Nobody waits for it any more; what has come is kept. */
  #remove(download: Download): void {
    if (this.#downloads.get(download.blob) !== download) return;
    this.#downloads.delete(download.blob);
    const { receiver } = download;
    download.receiver = null;
    if (!download.isFinishing) receiver?.suspend();
    this.#watch();
    this.#pumpSoon();
  }
}

function addRanges(ranges: Map<string, BlobRange[]>, blob: string, { source, offset, length }: Order): void {
  const wanted = ranges.get(source) ?? [];
  ranges.set(source, wanted);
  for (let from = offset; from < offset + length; from += blobDataBytesMax) {
    wanted.push({ blob, offset: from, length: Math.min(blobDataBytesMax, offset + length - from) });
  }
}
