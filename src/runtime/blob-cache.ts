/**
 * The blobs of a worker: the `BlobCache` port, a store of blobs with a size limit.
 *
 * Least recently used goes first, never what is held; the limit may be exceeded by held blobs alone, and is kept again as
 * soon as they are released. What is coming in counts with the size announced for it. A restart finds everything again,
 * in the order in which it was last used as far as the file system remembers; parts older than a day are dropped.
 * Invariant: `#bytes` is the sum of what `#blobs` and `#incoming` say.
 */

import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { assert } from '../base/assert.ts';
import type { BlobCache, BlobReceiver } from '../ports/files.ts';
import type { Log } from '../ports/time.ts';
import { createBlobStore, type FileBlobStore, receiverOfAll } from './blobs.ts';
import { blobOf, fullDiskError, isDiskFull, onDisk, writeDescriptor } from './file-bytes.ts';
import { storeFiles } from './store-files.ts';

/** What came of a blob and was not gone on with for so long is dropped at a start, ms. */
const partsMsMax = 24 * 3600_000;

/** The port, and what those who move files between it and task directories need. */
export interface FileBlobCache extends BlobCache {
  /** The folder it lies in, for files that are to be taken over. */
  readonly directory: string;
  /** Where a blob that is here lies. Not to be written to. Error: `not_found` for what is no name of a blob. */
  file(blob: string): string;
  /** Puts in bytes of known content. Error: `storage_unavailable`. */
  put(blob: string, bytes: Uint8Array): void;
  /** Takes over `file`, on the same file system, with this content. Errors: the system's own. */
  adopt(file: string, blob: string, bytes: number): void;
  /**
   * Frees at least `bytes` bytes of disk, if what is not held has as many: parts first, then the least recently used.
   * False when there was nothing to free. Error: `storage_unavailable`.
   */
  evict(bytes: number): boolean;
  /** Names of up to `max` blobs that are here, the most recently used first. */
  recent(max: number): readonly string[];
  /** Its content has the right hash, as far as its file did not change since that was last found; else it is dropped. */
  isSound(blob: string): Promise<boolean>;
}

/** A blob that is here. */
interface Entry {
  readonly bytes: number;
  /** Its file as it was when its hash was last found right; '' = not looked at yet. */
  sound: string;
}

interface Incoming {
  bytes: number;
  open: boolean;
}

/**
 * Opens the cache in the folder `directory`, making it where it is missing. `bytesMax` is what its blobs may occupy.
 * Error: `storage_unavailable`.
 */
export function createBlobCache(options: {
  readonly directory: string;
  readonly bytesMax: number;
  readonly log: Log;
  /** Blobs held from the start, each as often as it is named. */
  readonly held?: readonly string[];
}): FileBlobCache {
  const store = createBlobStore(options);
  return onDisk('read the folder of cached files', () => new Cache(store, options.bytesMax, options.held ?? []));
}

class Cache implements FileBlobCache {
  readonly #store: FileBlobStore;
  readonly #bytesMax: number;
  /** Least recently used first. */
  readonly #blobs = new Map<string, Entry>();
  readonly #incoming = new Map<string, Incoming>();
  readonly #held = new Map<string, number>();
  #bytes = 0;
  #writes = 0;

  constructor(store: FileBlobStore, bytesMax: number, held: readonly string[]) {
    this.#store = store;
    this.#bytesMax = bytesMax;
    for (const blob of held) this.hold(blob);
    for (const { blob, file, bytes, changedAt } of store.listIncoming()) {
      if (changedAt < Date.now() - partsMsMax) storeFiles.remove(file);
      else this.#setIncoming(blob, { bytes, open: false });
    }
    const found = [...store.list()].sort((a, b) => a.usedAt - b.usedAt);
    for (const { blob, bytes } of found) this.#add(blob, { bytes, sound: '' });
    this.#shrink();
  }

  get directory(): string {
    return this.#store.directory;
  }

  file(blob: string): string {
    this.#use(blob);
    return this.#store.file(blob);
  }

  size(blob: string): number | null {
    const size = this.#store.size(blob);
    const known = this.#blobs.get(blob)?.bytes ?? null;
    if (size === known) return size;
    // Somebody cut it short, took it away or put it there: nothing that can be relied on.
    if (size !== null || known !== null) this.#drop(blob);
    return null;
  }

  read(blob: string, from: number, max: number): Uint8Array {
    this.#use(blob);
    return this.#store.read(blob, from, max);
  }

  receive(blob: string, bytes: number): BlobReceiver {
    if (this.size(blob) === bytes) {
      this.#use(blob);
      return receiverOfAll(bytes);
    }
    const receiver = this.#withRoom(
      blob,
      () => bytes,
      () => this.#store.receive(blob, bytes),
    );
    this.#setIncoming(blob, { bytes, open: true });
    this.#shrink();
    return {
      get received() {
        return receiver.received;
      },
      write: (data) =>
        this.#withRoom(
          blob,
          () => bytes - receiver.received,
          () => receiver.write(data),
        ),
      finish: () => this.#finish(blob, bytes, receiver),
      suspend: () => {
        receiver.suspend();
        const incoming = this.#incoming.get(blob);
        if (incoming?.open) this.#setIncoming(blob, { bytes: this.#store.received(blob), open: false });
      },
    };
  }

  received(blob: string): number {
    return this.#store.received(blob);
  }

  readReceived(blob: string, from: number, max: number): Uint8Array {
    return this.#store.readReceived(blob, from, max);
  }

  sync(): Promise<void> {
    return this.#store.sync();
  }

  async verify(blob: string): Promise<boolean> {
    const isRight = await this.#store.verify(blob);
    if (!isRight) this.#drop(blob);
    return isRight;
  }

  delete(blob: string): void {
    if (!this.#held.has(blob)) this.#drop(blob);
  }

  hold(blob: string): void {
    this.#held.set(blob, (this.#held.get(blob) ?? 0) + 1);
  }

  release(blob: string): void {
    const count = this.#held.get(blob) ?? 0;
    assert(count > 0, `${blob} is released more often than held`);
    if (count > 1) {
      this.#held.set(blob, count - 1);
      return;
    }
    this.#held.delete(blob);
    this.#shrink();
  }

  put(blob: string, bytes: Uint8Array): void {
    assert(blobOf(bytes) === blob, `these bytes are not ${blob}`);
    if (this.size(blob) === bytes.length) {
      this.#use(blob);
      return;
    }
    const file = `${this.directory}/incoming/put-${this.#writes++}`;
    const write = (): void => {
      try {
        writeFile(file, bytes);
        this.adopt(file, blob, bytes.length);
      } catch (error) {
        storeFiles.remove(file);
        throw error;
      }
    };
    this.#withRoom(
      blob,
      () => bytes.length,
      () => onDisk(`store ${blob}`, write),
    );
  }

  adopt(file: string, blob: string, bytes: number): void {
    this.#store.adopt(file, blob);
    this.#remove(blob);
    this.#add(blob, { bytes, sound: this.#mark(blob) });
    this.#shrink();
  }

  recent(max: number): readonly string[] {
    return [...this.#blobs.keys()].slice(-max).reverse();
  }

  async isSound(blob: string): Promise<boolean> {
    const entry = this.#blobs.get(blob);
    const mark = this.#mark(blob);
    if (entry !== undefined && mark !== '' && entry.sound === mark) return true;
    if (!(await this.verify(blob))) return false;
    if (entry !== undefined) entry.sound = mark;
    return true;
  }

  async #finish(blob: string, bytes: number, receiver: BlobReceiver): Promise<boolean> {
    try {
      const isRight = await receiver.finish();
      this.#setIncoming(blob, null);
      if (!isRight) return false;
    } catch (error) {
      // What has come is still there.
      this.#setIncoming(blob, { bytes: this.#store.received(blob), open: false });
      throw error;
    }
    this.#remove(blob);
    this.#add(blob, { bytes, sound: this.#mark(blob) });
    this.#shrink();
    return true;
  }

  /** Tells a file apart from what it is after somebody wrote to it; '' when it is not there. */
  #mark(blob: string): string {
    const facts = statSync(this.#store.file(blob), { throwIfNoEntry: false, bigint: true });
    return facts === undefined ? '' : `${facts.ino}.${facts.size}.${facts.mtimeNs}`;
  }

  #use(blob: string): void {
    const entry = this.#blobs.get(blob);
    if (entry === undefined) return;
    this.#blobs.delete(blob);
    this.#blobs.set(blob, entry);
  }

  #add(blob: string, entry: Entry): void {
    this.#blobs.set(blob, entry);
    this.#bytes += entry.bytes;
  }

  #remove(blob: string): void {
    this.#bytes -= this.#blobs.get(blob)?.bytes ?? 0;
    this.#blobs.delete(blob);
  }

  #drop(blob: string): void {
    this.#store.delete(blob);
    this.#remove(blob);
  }

  #setIncoming(blob: string, incoming: Incoming | null): void {
    this.#bytes += (incoming?.bytes ?? 0) - (this.#incoming.get(blob)?.bytes ?? 0);
    if (incoming === null) this.#incoming.delete(blob);
    else this.#incoming.set(blob, incoming);
  }

  evict(bytes: number): boolean {
    const before = this.#bytes;
    this.#shrink(Math.max(0, before - Math.max(1, bytes)));
    return this.#bytes < before;
  }

  /** Runs `action`; as long as the disk is too full for it, what is not held makes way. `bytes`: what it still needs. */
  #withRoom<T>(blob: string, bytes: () => number, action: () => T): T {
    for (;;) {
      try {
        return action();
      } catch (error) {
        if (!isDiskFull(error)) throw error;
        if (!this.evict(bytes())) throw fullDiskError(`store ${blob}`, this.directory, bytes());
      }
    }
  }

  /** Makes room: first parts that nobody goes on with, then whole blobs, the least recently used first. */
  #shrink(bytesMax = this.#bytesMax): void {
    if (this.#bytes <= bytesMax) return;
    for (const [blob, { open }] of this.#incoming) {
      if (this.#bytes <= bytesMax) return;
      if (open || this.#held.has(blob)) continue;
      this.#store.deletePart(blob);
      this.#setIncoming(blob, null);
    }
    for (const blob of this.#blobs.keys()) {
      if (this.#bytes <= bytesMax) return;
      if (!this.#held.has(blob)) this.#drop(blob);
    }
  }
}

function writeFile(file: string, bytes: Uint8Array): void {
  const fd = openSync(file, 'w', 0o600);
  try {
    writeDescriptor(fd, bytes, 0);
    assert(fstatSync(fd).size === bytes.length, 'a file is as long as what was written');
  } finally {
    closeSync(fd);
  }
}
