/**
 * Programs as files that are handed out: opened once, known by their SHA-256, read while others take them.
 *
 * The file this process was started from is read by the process, not by its name: when an update has put another one there,
 * what is handed out is still what runs (proc(5), `/proc/self/exe`).
 */

import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
} from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { OctasklyError, reasonOf } from '../base/errors.ts';

/** A file that stays open until it is closed. */
export interface OpenProgram {
  readonly size: number;
  /** At most `max` bytes from `at` on. Error: `io`. */
  read(at: number, max: number): Uint8Array;
  /** SHA-256, lower-case hex. Error: `io`. */
  sha256(): Promise<string>;
  close(): void;
}

/** The file this process was started from. */
export function ownProgramFile(): string {
  return existsSync('/proc/self/exe') ? '/proc/self/exe' : process.execPath;
}

/** Error: `io`. */
export function openProgram(path: string): OpenProgram {
  const failure = (cause: unknown): OctasklyError =>
    new OctasklyError('io', `Cannot read the program "${path}": ${reasonOf(cause)}.`, { cause });
  try {
    // Opening a pipe would wait for whoever writes to it, and everything else here with it.
    if (!statSync(path).isFile()) throw new OctasklyError('io', `Cannot read the program "${path}": it is no file.`);
    const fd = openSync(path, 'r');
    return {
      size: fstatSync(fd).size,
      read(at, max) {
        const buffer = new Uint8Array(max);
        try {
          return buffer.subarray(0, readSync(fd, buffer, 0, max, at));
        } catch (cause) {
          throw failure(cause);
        }
      },
      async sha256() {
        const hash = createHash('sha256');
        try {
          for await (const piece of createReadStream('', { fd, start: 0, autoClose: false })) hash.update(piece);
        } catch (cause) {
          throw failure(cause);
        }
        return hash.digest('hex');
      },
      close: () => closeSync(fd),
    };
  } catch (cause) {
    if (cause instanceof OctasklyError) throw cause;
    throw failure(cause);
  }
}

/** SHA-256 of a file, lower-case hex. Error: `io`. */
export async function sha256OfFile(path: string): Promise<string> {
  const file = openProgram(path);
  try {
    return await file.sha256();
  } finally {
    file.close();
  }
}

/** Writes the file `from`, gzipped, to a new file that is its owner's alone. Error: `io`, after which there may be a part. */
export async function gzipFile(from: string, to: string): Promise<void> {
  try {
    // Measured: level 1 makes 74 MB of 126 in 1.8 s, level 6 makes 60 in 6.4 s; a Pi takes ten times as long.
    const target = createWriteStream(to, { flags: 'wx', mode: 0o600 });
    await pipeline(createReadStream(from), createGzip({ level: 1 }), target);
  } catch (cause) {
    throw new OctasklyError('io', `Cannot gzip "${from}" to "${to}": ${reasonOf(cause)}.`, { cause });
  }
}
