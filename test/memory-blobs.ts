/**
 * The `BlobStore` and `BlobCache` ports in memory, for tests and the simulation. Nothing is ever evicted; held blobs are
 * counted, so that a test can see that everything is released in the end.
 *
 * It can go wrong on demand: `corrupt` alters a blob as a failing disk would, `lose` takes one away, `bytesMax` makes the
 * disk full, `broken` makes every call fail.
 */

import { createHash } from 'node:crypto';
import { OctasklyError } from '../src/base/errors.ts';
import type { BlobCache, BlobReceiver } from '../src/ports/files.ts';

interface Incoming {
  readonly bytes: Uint8Array;
  received: number;
  open: boolean;
}

/** `sha256:<hex>` of `bytes`. */
export function blobOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Blobs by name, in memory. */
export class MemoryBlobs implements BlobCache {
  /** What is here whole. A test may look, and put things in. */
  readonly blobs = new Map<string, Uint8Array>();
  /** Holds by blob; none are kept at zero. */
  readonly held = new Map<string, number>();
  /** Calls of `sync` so far. */
  syncs = 0;
  /** Blobs that came in since the last `sync`: what a power failure would take. */
  readonly unsynced = new Set<string>();
  /** Room for blobs and for what is coming in; more is `storage_unavailable`. */
  bytesMax = Number.POSITIVE_INFINITY;
  /** Every call but `hold`, `release` and `suspend` fails. */
  broken = false;
  readonly #incoming = new Map<string, Incoming>();

  /** Puts `bytes` in and gives their name. */
  add(bytes: Uint8Array): string {
    const blob = blobOf(bytes);
    this.blobs.set(blob, bytes.slice());
    return blob;
  }

  /** Flips a bit of a blob that is here, without its name or size changing. */
  corrupt(blob: string, at = 0): void {
    const bytes = this.#blob(blob).slice();
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    this.blobs.set(blob, bytes);
  }

  /** Takes away a blob, held or not. */
  lose(blob: string): void {
    this.blobs.delete(blob);
    this.unsynced.delete(blob);
  }

  /** The program that used these blobs ends and another starts: receivers and holds are gone, parts are kept. */
  restart(): void {
    this.held.clear();
    for (const incoming of this.#incoming.values()) incoming.open = false;
  }

  size(blob: string): number | null {
    this.#check();
    return this.blobs.get(blob)?.length ?? null;
  }

  read(blob: string, from: number, max: number): Uint8Array {
    this.#check();
    return this.#blob(blob).slice(from, from + max);
  }

  receive(blob: string, bytes: number): BlobReceiver {
    this.#check();
    const whole = this.blobs.get(blob);
    if (whole !== undefined) return complete(whole.length);
    let incoming = this.#incoming.get(blob);
    if (incoming?.open) throw new OctasklyError('conflict', `Cannot receive ${blob}: it is being received already.`);
    if (incoming === undefined || incoming.bytes.length !== bytes) {
      if (this.#used() + bytes > this.bytesMax) throw full(blob);
      incoming = { bytes: new Uint8Array(bytes), received: 0, open: true };
      this.#incoming.set(blob, incoming);
    }
    incoming.open = true;
    return this.#receiver(blob, incoming);
  }

  received(blob: string): number {
    this.#check();
    return this.#incoming.get(blob)?.received ?? 0;
  }

  readReceived(blob: string, from: number, max: number): Uint8Array {
    this.#check();
    const { bytes, received } = this.#incoming.get(blob) ?? { bytes: new Uint8Array(0), received: 0 };
    return bytes.slice(from, Math.min(received, from + max));
  }

  sync(): Promise<void> {
    if (this.broken) return Promise.reject(failed());
    this.syncs += 1;
    this.unsynced.clear();
    return Promise.resolve();
  }

  delete(blob: string): void {
    this.#check();
    if (!this.held.has(blob)) this.lose(blob);
  }

  verify(blob: string): Promise<boolean> {
    if (this.broken) return Promise.reject(failed());
    const bytes = this.blobs.get(blob);
    if (bytes === undefined) return Promise.resolve(false);
    const isRight = blobOf(bytes) === blob;
    if (!isRight) this.lose(blob);
    return Promise.resolve(isRight);
  }

  hold(blob: string): void {
    this.held.set(blob, (this.held.get(blob) ?? 0) + 1);
  }

  release(blob: string): void {
    const count = this.held.get(blob) ?? 0;
    if (count <= 0) throw new Error(`${blob} is released more often than held`);
    if (count === 1) this.held.delete(blob);
    else this.held.set(blob, count - 1);
  }

  #receiver(blob: string, incoming: Incoming): BlobReceiver {
    let ended = false;
    const end = (): void => {
      ended = true;
      incoming.open = false;
    };
    return {
      get received() {
        return incoming.received;
      },
      write: (data) => {
        this.#check();
        if (ended) throw new Error(`a receiver of ${blob} is used after its end`);
        if (incoming.received + data.length > incoming.bytes.length) {
          throw new OctasklyError('invalid', `Cannot receive ${blob}: more than the announced bytes came.`);
        }
        incoming.bytes.set(data, incoming.received);
        incoming.received += data.length;
      },
      finish: () => {
        if (this.broken) return Promise.reject(failed());
        const { bytes, received } = incoming;
        if (received < bytes.length) throw new Error(`a receiver of ${blob} is finished at byte ${received}`);
        end();
        this.#incoming.delete(blob);
        if (blobOf(bytes) !== blob) return Promise.resolve(false);
        this.blobs.set(blob, bytes);
        this.unsynced.add(blob);
        return Promise.resolve(true);
      },
      suspend: () => {
        if (!ended) end();
      },
    };
  }

  #used(): number {
    const all = [...this.blobs.values(), ...[...this.#incoming.values()].map(({ bytes }) => bytes)];
    return all.reduce((sum, { length }) => sum + length, 0);
  }

  #blob(blob: string): Uint8Array {
    const bytes = this.blobs.get(blob);
    if (bytes === undefined) throw new OctasklyError('not_found', `There is no blob ${blob} here.`);
    return bytes;
  }

  #check(): void {
    if (this.broken) throw failed();
  }
}

/** A receiver of what is here already. */
function complete(received: number): BlobReceiver {
  return { received, write: () => undefined, finish: () => Promise.resolve(true), suspend: () => undefined };
}

function full(blob: string): OctasklyError {
  return new OctasklyError('storage_unavailable', `Cannot receive ${blob}: no space left on device.`);
}

function failed(): OctasklyError {
  return new OctasklyError('storage_unavailable', 'The disk of this test is broken.');
}
