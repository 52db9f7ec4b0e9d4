/**
 * Output of live attempts on the dispatcher, byte-exact: the `OutputStore` port on files.
 *
 * A stream stays in memory up to 64 KiB; what grows beyond that, or finds the memory for all streams used up, goes to
 * `<data>/output/<task>.<attempt>.<stream>` at once. At the end of an attempt a row gets all of a small stream; of a larger
 * one its head and tail, and the whole moves to the store of blobs, named by its SHA-256, durable before the row is.
 *
 * Deliberately not here: compression, limits on what a task may write (the worker keeps those), and what becomes of blobs.
 * Invariants: `size` bytes are readable, never more; an append that fails has changed nothing; no file stays open between
 * calls; files 0600, directories 0700. After a crash the length of a file is the size of its stream.
 */

import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { OutputStore, StoredOutput } from '../ports/files.ts';
import type { Log } from '../ports/time.ts';
import type { Stream } from '../wire/messages.ts';
import type { FileBlobStore } from './blobs.ts';
import { blobNameOf, onDisk, readRange, sliceBytes, writeDescriptor } from './file-bytes.ts';
import { storeFiles } from './store-files.ts';

/** Bytes of a stream that stay in memory, and that a row keeps of it; of a larger one half of it each from head and tail. */
export const keptBytesMax = 64 * 1024;
/** Bytes in memory over all live attempts; beyond it every stream goes to its file. */
const memoryBytesMaxDefault = 64 * 1024 * 1024;

const streams = ['stdout', 'stderr'] as const;
const fileNamePattern = /^([0-9a-z]+)\.(\d+)\.(stdout|stderr)$/;
const noBytes = new Uint8Array(0);
const nothing: StoredOutput = { bytes: noBytes, totalBytes: 0, blob: null };

/** One stream of a live attempt. Either `memory` holds all of it, or the file does. */
interface Live {
  readonly file: string;
  size: number;
  /** Its bytes, `size` of them used; null when they are in the file. */
  memory: Uint8Array | null;
  /** Over all bytes of the file, or null when it was found after a restart and is yet to be hashed. */
  hash: Hash | null;
  /** What `finish` made of it: a second try after an error takes it from here. */
  kept: StoredOutput | null;
}

/** The port, and what a start needs besides. */
export interface FileOutputStore extends OutputStore {
  /**
   * After a restart, before the first append: deletes output of attempts other than the current ones of live tasks, by id.
   */
  sweep(live: ReadonlyMap<string, { readonly attempt: number }>): void;
}

/**
 * Opens the folder `output` in `directory`, the data directory, making it where it is missing; `blobs` lies on the same
 * file system. `memoryBytesMax` bounds the bytes in memory over all live attempts. Errors of all calls: `storage_unavailable`.
 */
export function createOutputStore(options: {
  readonly directory: string;
  readonly blobs: Pick<FileBlobStore, 'adoptDurably'>;
  readonly log: Log;
  readonly memoryBytesMax?: number;
}): FileOutputStore {
  return onDisk('open the output folder', () => {
    const folder = join(options.directory, 'output');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return new Outputs({ memoryBytesMax: memoryBytesMaxDefault, ...options, folder });
  });
}

interface Parts {
  readonly folder: string;
  readonly blobs: Pick<FileBlobStore, 'adoptDurably'>;
  readonly log: Log;
  readonly memoryBytesMax: number;
}

class Outputs implements FileOutputStore {
  readonly #log: Log;
  readonly #folder: string;
  readonly #blobs: Pick<FileBlobStore, 'adoptDurably'>;
  readonly #memoryBytesMax: number;
  /** By `<task>.<attempt>.<stream>`, which is also the name of the file. */
  readonly #live = new Map<string, Live>();
  #memoryBytes = 0;

  constructor({ folder, blobs, log, memoryBytesMax }: Parts) {
    this.#log = log;
    this.#folder = folder;
    this.#blobs = blobs;
    this.#memoryBytesMax = memoryBytesMax;
    for (const name of readdirSync(folder)) {
      if (!fileNamePattern.test(name)) continue;
      const file = join(folder, name);
      this.#live.set(name, { file, size: statSync(file).size, memory: null, hash: null, kept: null });
    }
  }

  append(taskId: string, attempt: number, stream: Stream, offset: number, data: Uint8Array): boolean {
    const name = nameOf(taskId, attempt, stream);
    const known = this.#live.get(name);
    const size = known?.size ?? 0;
    if (offset > size) return false;
    const fresh = data.subarray(size - offset);
    if (fresh.length === 0) return true;
    const live = known ?? this.#start(name);
    assert(live.kept === null, `output for ${name}, which is finished`);
    if (live.memory !== null && !this.#remember(live, fresh)) {
      onDisk(`store output of task ${taskId}`, () => this.#spill(live, live.memory ?? noBytes));
    }
    if (live.memory === null) onDisk(`store output of task ${taskId}`, () => write(live, fresh));
    return true;
  }

  size(taskId: string, attempt: number, stream: Stream): number {
    return this.#live.get(nameOf(taskId, attempt, stream))?.size ?? 0;
  }

  read(taskId: string, attempt: number, stream: Stream, from: number, max: number): Uint8Array {
    const live = this.#live.get(nameOf(taskId, attempt, stream));
    if (live === undefined || live.kept !== null || from >= live.size) return noBytes;
    const end = Math.min(from + max, live.size);
    if (live.memory !== null) return live.memory.slice(from, end);
    return onDisk(`read output of task ${taskId}`, () => readRange(live.file, from, end - from));
  }

  finish(taskId: string, attempt: number): { readonly stdout: StoredOutput; readonly stderr: StoredOutput } {
    const [stdout, stderr] = streams.map((stream) => {
      const live = this.#live.get(nameOf(taskId, attempt, stream));
      if (live === undefined) return nothing;
      live.kept ??= onDisk(`keep output of task ${taskId}`, () => this.#keep(live));
      return live.kept;
    });
    this.#forget(taskId, attempt);
    return { stdout: stdout ?? nothing, stderr: stderr ?? nothing };
  }

  discard(taskId: string, attempt: number): void {
    for (const stream of streams) {
      const live = this.#live.get(nameOf(taskId, attempt, stream));
      if (live?.memory === null) onDisk(`discard output of task ${taskId}`, () => storeFiles.remove(live.file));
    }
    this.#forget(taskId, attempt);
  }

  sweep(live: ReadonlyMap<string, { readonly attempt: number }>): void {
    onDisk('clear away old output', () => {
      const files: string[] = [];
      for (const [name, { file }] of this.#live) {
        const [, taskId = '', attempt] = fileNamePattern.exec(name) ?? [];
        if (live.get(taskId)?.attempt === Number(attempt)) continue;
        this.#live.delete(name);
        files.push(file);
      }
      for (const file of files) storeFiles.remove(file);
      if (files.length > 0) this.#log.debug('cleared away output that nothing refers to', { files: files.length });
    });
  }

  // -------------------------------------------------------------------------------------------------------- streams

  #start(name: string): Live {
    // Also a guard: what comes from a worker never names a file outside the folder.
    assert(fileNamePattern.test(name), `"${name}" is not the name of an output`);
    const file = join(this.#folder, name);
    const live: Live = { file, size: 0, memory: noBytes, hash: null, kept: null };
    this.#live.set(name, live);
    return live;
  }

  /** Adds bytes in memory; false when they do not fit there. */
  #remember(live: Live, data: Uint8Array): boolean {
    const memory = live.memory ?? noBytes;
    const size = live.size + data.length;
    if (size > keptBytesMax) return false;
    if (size > memory.length) {
      // The first piece is often the only one and gets no more than it needs; later ones make room by doubling.
      const capacity = memory.length === 0 ? size : Math.min(Math.max(size, 2 * memory.length), keptBytesMax);
      if (this.#memoryBytes + capacity - memory.length > this.#memoryBytesMax) return false;
      const grown = new Uint8Array(capacity);
      grown.set(memory.subarray(0, live.size));
      this.#memoryBytes += capacity - memory.length;
      live.memory = grown;
    }
    live.memory?.set(data, live.size);
    live.size = size;
    return true;
  }

  /** Moves a stream from memory to its file. */
  #spill(live: Live, memory: Uint8Array): void {
    const onFile: Live = { file: live.file, size: 0, memory: null, hash: createHash('sha256'), kept: null };
    try {
      write(onFile, memory.subarray(0, live.size));
    } catch (error) {
      storeFiles.remove(live.file);
      throw error;
    }
    this.#memoryBytes -= memory.length;
    live.memory = null;
    live.hash = onFile.hash;
  }

  /** What a row keeps of a stream; a large one becomes a blob. */
  #keep(live: Live): StoredOutput {
    const { file, size, memory } = live;
    if (memory !== null) return { bytes: memory.slice(0, size), totalBytes: size, blob: null };
    if (size <= keptBytesMax) {
      const bytes = readRange(file, 0, size);
      storeFiles.remove(file);
      return { bytes, totalBytes: size, blob: null };
    }
    const half = keptBytesMax / 2;
    const bytes = new Uint8Array(keptBytesMax);
    bytes.set(readRange(file, 0, half));
    bytes.set(readRange(file, size - half, half), half);
    const hash = live.hash ?? hashOf(file, size);
    // The digest ends a hash, so it is taken from a copy: what follows may fail and be tried again.
    const blob = blobNameOf(hash.copy());
    this.#moveToBlobs(live, blob);
    return { bytes, totalBytes: size, blob };
  }

  #moveToBlobs({ file, size }: Live, blob: string): void {
    const fd = openSync(file, 'r+');
    try {
      // A write that failed halfway may have left more than `size` bytes.
      ftruncateSync(fd, size);
    } finally {
      closeSync(fd);
    }
    this.#blobs.adoptDurably(file, blob);
  }

  #forget(taskId: string, attempt: number): void {
    for (const stream of streams) {
      const name = nameOf(taskId, attempt, stream);
      this.#memoryBytes -= this.#live.get(name)?.memory?.length ?? 0;
      this.#live.delete(name);
    }
  }
}

function nameOf(taskId: string, attempt: number, stream: Stream): string {
  return `${taskId}.${attempt}.${stream}`;
}

// ---------------------------------------------------------------------------------------------------------- files

/** Writes at the end of a stream's file. `size` and the hash change last: after an error the next write starts over. */
function write(live: Live, data: Uint8Array): void {
  const fd = openSync(live.file, constants.O_WRONLY | constants.O_CREAT, 0o600);
  try {
    writeDescriptor(fd, data, live.size);
  } finally {
    closeSync(fd);
  }
  live.hash?.update(data);
  live.size += data.length;
}

function hashOf(file: string, size: number): Hash {
  const hash = createHash('sha256');
  for (let from = 0; from < size; from += sliceBytes) {
    hash.update(readRange(file, from, Math.min(sliceBytes, size - from)));
  }
  return hash;
}
