/**
 * Bytes of files: ranges, hashes, and errors of the disk in the product's words; what the stores of output and of blobs
 * share. Long work is done in slices, so that nothing else waits for more than a few milliseconds.
 */

import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, read, readSync, statfsSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { OctasklyError, reasonOf } from '../base/errors.ts';

/** Bytes read at a time where a file is hashed or copied: less than a millisecond of work. */
export const sliceBytes = 1024 * 1024;
/** How long a run of small work goes on before others have their turn, ms. */
const runMsMax = 5;

const readBeside = promisify(read);

/** Lets others have their turn between pieces of work that are small one by one. */
export class Pace {
  #since = performance.now();

  /** Resolves at once, or after everything that waits was served when this run has taken long enough. */
  breathe(): Promise<void> | undefined {
    if (performance.now() - this.#since < runMsMax) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        this.#since = performance.now();
        resolve();
      }),
    );
  }
}

/** `sha256:<hex>` of a finished hash. The hash is used up. */
export function blobNameOf(hash: Hash): string {
  return `sha256:${hash.digest('hex')}`;
}

/** `sha256:<hex>` of `bytes`. */
export function blobOf(bytes: Uint8Array): string {
  return blobNameOf(createHash('sha256').update(bytes));
}

/** Up to `length` bytes of a file from `from`; fewer at its end. */
export function readRange(file: string, from: number, length: number): Uint8Array {
  const fd = openSync(file, 'r');
  try {
    return readDescriptor(fd, from, Math.min(length, fstatSync(fd).size - from));
  } finally {
    closeSync(fd);
  }
}

/** Up to `length` bytes of an open file from `from`; fewer at its end. */
export function readDescriptor(fd: number, from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, length));
  let done = 0;
  while (done < bytes.length) {
    const count = readSync(fd, bytes, done, bytes.length - done, from + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

/** Writes all of `data` at `at`. */
export function writeDescriptor(fd: number, data: Uint8Array, at: number): void {
  for (let done = 0; done < data.length; ) done += writeSync(fd, data, done, data.length - done, at + done);
}

/** Hands the slices of an open file, from its beginning to its end, to `use`; reads beside other work. Gives their sum. */
export async function eachSlice(fd: number, use: (slice: Uint8Array, at: number) => void): Promise<number> {
  const buffer = new Uint8Array(sliceBytes);
  for (let at = 0; ; ) {
    const { bytesRead } = await readBeside(fd, buffer, 0, buffer.length, at);
    if (bytesRead === 0) return at;
    use(buffer.subarray(0, bytesRead), at);
    at += bytesRead;
  }
}

/** `sha256:<hex>` of an open file. */
export async function blobOfDescriptor(fd: number): Promise<string> {
  const hash = createHash('sha256');
  await eachSlice(fd, (slice) => hash.update(slice));
  return blobNameOf(hash);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return isSystemError(error) && codes.includes(error.code ?? '');
}

/** What the system says, without its code, call and path: `no space left on device`. */
export function systemReason(error: unknown): string {
  const [, reason] = /^[A-Z0-9]+: ([^,]+)/.exec(reasonOf(error)) ?? [];
  return reason ?? reasonOf(error);
}

/** The disk, or what one account may use of it, is full; also where that is the cause of `error`. */
export function isDiskFull(error: unknown): boolean {
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) return true;
  return error instanceof OctasklyError && error.cause !== undefined && isDiskFull(error.cause);
}

/** Bytes that are free on the file system of `directory`. Errors: the system's own. */
export function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** What a full disk lacks, as the end of a sentence. `bytes`: what was to be written into `directory`. */
export function fullDiskReason(directory: string, bytes: number): string {
  return `no space left on device (${bytes} bytes are needed in ${directory}, ${freeBytesOf(directory)} are free)`;
}

/** `storage_unavailable` for a disk that is full, or about to be. `tried` as in `onDisk`. */
export function fullDiskError(tried: string, directory: string, bytes: number): OctasklyError {
  // As the system would have said it, for those who ask for the cause.
  const cause = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', syscall: 'write' });
  return new OctasklyError('storage_unavailable', `Cannot ${tried}: ${fullDiskReason(directory, bytes)}.`, { cause });
}

/** `storage_unavailable` with a sentence on what was tried for trouble with the disk; anything else as it is. */
function storageError(tried: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const message = `Cannot ${tried}: ${reasonOf(error)}; check the free space and permissions of the data directory.`;
  return new OctasklyError('storage_unavailable', message, { cause: error });
}

/** Runs `action`; trouble with the disk becomes `storage_unavailable` with a sentence on what was tried. */
export function onDisk<T>(tried: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw storageError(tried, error);
  }
}

/** As `onDisk`, for work that goes on beside other work. */
export async function onDiskBeside<T>(tried: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw storageError(tried, error);
  }
}
