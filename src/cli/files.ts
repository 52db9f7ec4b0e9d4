/**
 * Files of this machine as the command line needs them: to bring along, and to take what comes back. An interface, so
 * that commands run in tests without a disk; `runtime/local-files.ts` is the real one.
 *
 * Paths below a directory have `/` between their parts on every system.
 */

import type { TaskFile } from '../core/files.ts';

/** A regular file that was found. */
export interface LocalFile {
  /** Its path below what was asked for; '' when that is the file itself. */
  readonly path: string;
  /** Where it is: what `hash` and `read` take. */
  readonly source: string;
  readonly bytes: number;
  readonly executable: boolean;
}

/** A file on its way to its place: under another name beside it until it is whole. */
export interface IncomingFile {
  /** Bytes that are there from a fetch that was killed: `write` goes on behind them. At most the announced size. */
  readonly received: number;
  /** Throws `OctasklyError('io')` naming the file. */
  write(data: Uint8Array): Promise<void>;
  /**
   * The hash of all bytes (`sha256:<hex>`). When it is the announced one, the file is at its place, instead of a regular
   * file that was there; else nothing of it is left. Throws as `write`.
   */
  finish(): Promise<string>;
  /** Leaves nothing behind. Idempotent, nothing after `finish`. */
  discard(): Promise<void>;
}

/** A file that is being written where it belongs. */
export interface OpenFile {
  /** Throws `OctasklyError('io')` naming the file. */
  write(data: Uint8Array): Promise<void>;
  /** To be called once, also after an error. */
  close(): Promise<void>;
}

/** What a file is to become. */
export type IncomingFacts = Pick<TaskFile, 'path' | 'blob' | 'bytes' | 'executable'>;

/** Hashes bytes as they pass. */
export interface ContentHash {
  update(data: Uint8Array): void;
  /** `sha256:<hex>` of all bytes. Once. */
  finish(): string;
}

export interface LocalFiles {
  readonly currentDirectory: string;
  /** Between the parts of a path that a person wrote, besides `/`. */
  readonly separator: '/' | '\\';
  /**
   * The file at `path`, or all files below that directory, sorted. Symbolic links count as what they lead to.
   * Throws, naming the path: `usage` for what is missing, is no file or directory, or leads back into itself; `io` for
   * what cannot be read.
   */
  find(path: string): Promise<readonly LocalFile[]>;
  /** Hash and size of the content as it is now; `onRead` is told of bytes as they are read. Throws `io`, the signal's reason. */
  hash(
    file: LocalFile,
    onRead: (bytes: number) => void,
    signal?: AbortSignal,
  ): Promise<{ readonly blob: string; readonly bytes: number }>;
  /** `path` matches the glob, as workers match outputs. */
  matches(glob: string, path: string): boolean;
  /** Bytes `from` … `to` of a file, read as they are taken. The stream fails with `io` when there are fewer. */
  read(source: string, range: { readonly from: number; readonly to: number }): ReadableStream<Uint8Array>;
  /**
   * Starts a file at `path` below `directory`, which is made with all that is between. Throws `io` naming the path when
   * it would lie outside, through a symbolic link, or something else than a regular file is there.
   */
  create(directory: string, file: IncomingFacts): Promise<IncomingFile>;
  /** Makes or empties the file at `path`, and makes the directories above it. Throws `OctasklyError('io')` naming it. */
  open(path: string): Promise<OpenFile>;
  contentHash(): ContentHash;
}
