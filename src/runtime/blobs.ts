/**
 * Files by the hash of their content: the `BlobStore` port on a folder.
 *
 *   <directory>/ab/<62 hex>        a blob: whole, and its hash was right when it came in
 *   <directory>/incoming/<64 hex>  what has come of a blob so far; its length is where to go on, also after a restart
 *   <directory>/incoming/<other>   a file that is about to be taken over; a restart deletes it
 *
 * What comes in is written at once and hashed on its way; only a blob that was resumed is read again for its hash. It
 * gets its name by a rename, so a blob is there whole or not at all; `sync` makes content and names survive power loss.
 *
 * Deliberately not here: a size limit (`blob-cache.ts`), who refers to a blob (the database knows), and a hash at every
 * read: whoever takes bytes elsewhere has them checked there, and `verify` finds out when they were damaged at rest.
 * Invariants: no descriptor is open between calls; files 0600, directories 0700.
 */

import {
  closeSync,
  fdatasyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert } from '../base/assert.ts';
import { OctasklyError } from '../base/errors.ts';
import { syncFlagsOn } from '../core/platform/files.ts';
import type { BlobReceiver, BlobStore } from '../ports/files.ts';
import type { Log } from '../ports/time.ts';
import { FileReceiver } from './blob-receiver.ts';
import {
  blobOf,
  blobOfDescriptor,
  freeBytesOf,
  fullDiskError,
  hasCode,
  onDisk,
  onDiskBeside,
  Pace,
  readRange,
} from './file-bytes.ts';
import { storeFiles, syncDirectory } from './store-files.ts';

/** Blobs that may come in at once. Each costs memory for its hash alone. */
const receiversMax = 4096;
/** Smaller blobs are not worth a look at the free space. */
const spaceCheckBytesMin = 1024 * 1024;
/** Files made durable at a time. */
const syncsAtOnce = 16;

const blobPattern = /^sha256:([0-9a-f]{2})([0-9a-f]{62})$/;
const foldersPattern = /^[0-9a-f]{2}$/;
const incoming = 'incoming';
const emptyBlob = blobOf(new Uint8Array(0));

/** A file of the store. Times are wall-clock ms; when it was last read is what the file system cares to remember. */
export interface BlobFile {
  readonly blob: string;
  readonly file: string;
  readonly bytes: number;
  readonly changedAt: number;
  readonly usedAt: number;
}

/** The port, and what only those beside it on the same disk may do. */
export interface FileBlobStore extends BlobStore {
  readonly directory: string;
  /** Where a blob lies, or would. Error: `not_found` for what is no name of a blob. */
  file(blob: string): string;
  /** Takes over `file`, on the same file system, whose content has this hash. It replaces an equal one. */
  adopt(file: string, blob: string): void;
  /** As `adopt`, and it survives power loss when this returns. */
  adoptDurably(file: string, blob: string): void;
  /** Deletes a blob that nobody brought or asked to bring since `wallMs`; false when it is younger, or not here. */
  deleteOlder(blob: string, wallMs: number): boolean;
  /** Deletes what came in before `wallMs`, in part or whole, except blobs that `isKept`, or only counts that. */
  sweep(
    wallMs: number,
    isKept: (blob: string) => boolean,
    options?: { readonly dryRun?: boolean },
  ): Promise<{ readonly blobs: number; readonly bytes: number }>;
  /** Deletes what came of a blob so far; not while it is coming in. */
  deletePart(blob: string): void;
  /** All blobs, in no order. */
  list(): Iterable<BlobFile>;
  /** All that came in part, in no order. */
  listIncoming(): Iterable<BlobFile>;
}

/**
 * Opens the folder `directory`, making it where it is missing. What would leave less than `reserveBytes` of its disk free
 * is refused. Error: `storage_unavailable`.
 */
export function createBlobStore(options: {
  readonly directory: string;
  readonly log: Log;
  readonly reserveBytes?: number;
}): FileBlobStore {
  const { directory, log, reserveBytes = 0 } = options;
  return onDisk('open the folder of blobs', () => {
    const arrivals = join(directory, incoming);
    mkdirSync(arrivals, { recursive: true, mode: 0o700 });
    // Files that were about to be taken over when a predecessor ended.
    const left = readdirSync(arrivals).filter((name) => !blobPattern.test(`sha256:${name}`));
    for (const name of left) storeFiles.remove(join(arrivals, name));
    return new Blobs(directory, log, reserveBytes);
  });
}

class Blobs implements FileBlobStore {
  readonly directory: string;
  readonly #log: Log;
  readonly #reserveBytes: number;
  readonly #receiving = new Map<string, { readonly receiver: BlobReceiver; readonly bytes: number }>();
  /** Sizes announced for what is here in part, as far as that was since the start. */
  readonly #announced = new Map<string, number>();
  readonly #folders = new Set<string>();
  /** Blobs, by file, that came in since the last `sync`. */
  #fresh = new Set<string>();
  #syncing: Promise<void> = Promise.resolve();

  constructor(directory: string, log: Log, reserveBytes: number) {
    this.#reserveBytes = reserveBytes;
    this.directory = directory;
    this.#log = log;
  }

  file(blob: string): string {
    const [, folder, rest] = blobPattern.exec(blob) ?? [];
    if (folder !== undefined && rest !== undefined) return join(this.directory, folder, rest);
    const message = `"${blob}" is not the name of a blob; those look like sha256:<64 hex digits>.`;
    throw new OctasklyError('not_found', message);
  }

  size(blob: string): number | null {
    if (!blobPattern.test(blob)) return null;
    const size = onDisk(`look for ${blob}`, () => sizeOf(this.file(blob)));
    // A file system that lost the content keeps an empty file: that much damage is seen without reading.
    return size === 0 && blob !== emptyBlob ? null : size;
  }

  read(blob: string, from: number, max: number): Uint8Array {
    const file = this.file(blob);
    return onDisk(`read ${blob}`, () => {
      try {
        return readRange(file, from, max);
      } catch (error) {
        throw hasCode(error, 'ENOENT') ? new OctasklyError('not_found', `There is no blob ${blob} here.`) : error;
      }
    });
  }

  receive(blob: string, bytes: number): BlobReceiver {
    assert(Number.isSafeInteger(bytes) && bytes >= 0, `${bytes} is not a size`);
    const target = this.file(blob);
    return onDisk(`receive ${blob}`, () => {
      if (this.size(blob) === bytes) {
        // It is wanted again, and so as good as new for those who delete what is old.
        utimesSync(target, new Date(), new Date());
        return receiverOfAll(bytes);
      }
      if (this.#receiving.has(blob)) throw busy(blob, 'it is coming in already');
      if (this.#receiving.size >= receiversMax) throw busy(blob, `${receiversMax} others are coming in`);
      const file = this.#incomingFile(blob);
      const there = sizeOf(file) ?? 0;
      // What came in under another size is no beginning of this; the first write takes its place.
      const isOther = there > bytes || (this.#announced.get(blob) ?? bytes) !== bytes;
      const received = isOther ? 0 : there;
      this.#checkSpace(blob, bytes - received);
      const receiver = new FileReceiver({
        ...{ blob, bytes, file, received },
        arrived: () => this.adopt(file, blob),
        ended: () => this.#ended(blob, bytes, receiver.received),
      });
      this.#receiving.set(blob, { receiver, bytes });
      return receiver;
    });
  }

  #ended(blob: string, bytes: number, received: number): void {
    this.#receiving.delete(blob);
    if (sizeOf(this.#incomingFile(blob)) === null) this.#announced.delete(blob);
    else if (received > 0) this.#announced.set(blob, bytes);
  }

  received(blob: string): number {
    if (!blobPattern.test(blob)) return 0;
    return onDisk(`look for ${blob}`, () => sizeOf(this.#incomingFile(blob)) ?? 0);
  }

  readReceived(blob: string, from: number, max: number): Uint8Array {
    // The file of a receiver that has nothing yet may hold what came under another size.
    const received = this.#receiving.get(blob)?.receiver.received ?? this.received(blob);
    const length = Math.min(max, received - from);
    if (length <= 0) return new Uint8Array(0);
    return onDisk(`read ${blob}`, () => readRange(this.#incomingFile(blob), from, length));
  }

  async verify(blob: string): Promise<boolean> {
    const file = this.file(blob);
    return onDiskBeside(`check ${blob}`, async () => {
      const fd = openIfThere(file);
      if (fd === null) return false;
      try {
        if ((await blobOfDescriptor(fd)) === blob) return true;
      } finally {
        closeSync(fd);
      }
      this.#log.warn('a stored file is damaged and was dropped', { blob });
      this.delete(blob);
      return false;
    });
  }

  delete(blob: string): void {
    const file = this.file(blob);
    onDisk(`delete ${blob}`, () => storeFiles.remove(file));
    this.#fresh.delete(file);
  }

  adopt(file: string, blob: string): void {
    const target = this.file(blob);
    this.#makeFolder(dirname(target));
    renameSync(file, target);
    this.#fresh.add(target);
  }

  adoptDurably(file: string, blob: string): void {
    const target = this.file(blob);
    const fd = openSync(file, 'r+');
    try {
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
    const folder = dirname(target);
    const isNew = !this.#folders.has(folder);
    this.#makeFolder(folder);
    renameSync(file, target);
    syncDirectory(folder);
    if (isNew) syncDirectory(this.directory);
  }

  /** One call at a time goes to the disk; each covers what came in before it was made. */
  sync(): Promise<void> {
    const run = this.#syncing.then(() => this.#syncFresh());
    this.#syncing = run.catch(() => undefined);
    return run;
  }

  deleteOlder(blob: string, wallMs: number): boolean {
    const file = this.file(blob);
    const changedAt = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (changedAt >= wallMs) return false;
    this.delete(blob);
    return true;
  }

  deletePart(blob: string): void {
    assert(!this.#receiving.has(blob), `${blob} is coming in`);
    onDisk(`delete ${blob}`, () => storeFiles.remove(this.#incomingFile(blob)));
    this.#announced.delete(blob);
  }

  async sweep(
    wallMs: number,
    isKept: (blob: string) => boolean,
    { dryRun = false }: { readonly dryRun?: boolean } = {},
  ): Promise<{ blobs: number; bytes: number }> {
    const pace = new Pace();
    const total = { blobs: 0, bytes: 0 };
    const drop = (bytes: number, action: () => void): void => {
      if (!dryRun) action();
      total.blobs += 1;
      total.bytes += bytes;
    };
    for (const { blob, bytes, changedAt } of this.listIncoming()) {
      await pace.breathe();
      if (changedAt < wallMs && !this.#receiving.has(blob)) drop(bytes, () => this.deletePart(blob));
    }
    for (const { blob, bytes, changedAt } of this.list()) {
      await pace.breathe();
      if (changedAt < wallMs && !isKept(blob)) drop(bytes, () => this.delete(blob));
    }
    return total;
  }

  *list(): Iterable<BlobFile> {
    for (const folder of readdirSync(this.directory).filter((name) => foldersPattern.test(name))) {
      yield* listFolder(join(this.directory, folder), folder);
    }
  }

  *listIncoming(): Iterable<BlobFile> {
    yield* listFolder(join(this.directory, incoming), '');
  }

  #incomingFile(blob: string): string {
    return join(this.directory, incoming, blob.slice('sha256:'.length));
  }

  #makeFolder(folder: string): void {
    if (this.#folders.has(folder)) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folders.add(folder);
  }

  /** A blob that cannot fit is refused before it has filled the disk that the database may lie on. */
  #checkSpace(blob: string, bytes: number): void {
    if (bytes < spaceCheckBytesMin && this.#reserveBytes === 0) return;
    let needed = bytes + this.#reserveBytes;
    for (const other of this.#receiving.values()) needed += other.bytes - other.receiver.received;
    if (needed > freeBytesOf(this.directory)) throw fullDiskError(`receive ${blob}`, this.directory, needed);
  }

  async #syncFresh(): Promise<void> {
    if (this.#fresh.size === 0) return;
    const files = this.#fresh;
    this.#fresh = new Set();
    const left = files.values();
    const syncNext = async (): Promise<void> => {
      for (const file of left) await syncFile(file);
    };
    try {
      await onDiskBeside('make files durable', async () => {
        await Promise.all(Array.from({ length: syncsAtOnce }, syncNext));
        const folders = new Set([...files].map((file) => dirname(file)));
        for (const folder of [...folders, this.directory]) await syncFolder(folder);
      });
    } catch (error) {
      for (const file of files) this.#fresh.add(file);
      throw error;
    }
  }
}

function sizeOf(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.size ?? null;
}

function openIfThere(file: string): number | null {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

function* listFolder(folder: string, prefix: string): Iterable<BlobFile> {
  for (const name of readdirSync(folder)) {
    const blob = `sha256:${prefix}${name}`;
    if (!blobPattern.test(blob)) continue;
    const file = join(folder, name);
    const facts = lstatSync(file, { throwIfNoEntry: false });
    if (facts === undefined || !facts.isFile()) continue;
    const { size, mtimeMs, atimeMs } = facts;
    yield { blob, file, bytes: size, changedAt: mtimeMs, usedAt: Math.max(mtimeMs, atimeMs) };
  }
}

async function syncFile(file: string): Promise<void> {
  try {
    const handle = await open(file, syncFlagsOn(process.platform, 'file') ?? 'r');
    await handle.datasync().finally(() => handle.close());
  } catch (error) {
    // Deleted since: then nobody relies on it.
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const flags = syncFlagsOn(process.platform, 'directory');
  if (flags === null) return;
  const handle = await open(folder, flags);
  await handle.sync().finally(() => handle.close());
}

/** A receiver of what is here already. */
export function receiverOfAll(bytes: number): BlobReceiver {
  return {
    received: bytes,
    write(data) {
      if (data.length > 0) throw new OctasklyError('invalid', `Cannot take more than the ${bytes} bytes announced.`);
    },
    finish: () => Promise.resolve(true),
    suspend: () => undefined,
  };
}

function busy(blob: string, why: string): OctasklyError {
  return new OctasklyError('conflict', `Cannot receive ${blob} now: ${why}.`);
}
