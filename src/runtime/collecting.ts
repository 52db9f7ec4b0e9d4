/**
 * Outputs out of a task directory and into the cache. The task is over, and what it left is not to be trusted: names
 * that lead elsewhere, links to files of others, pipes that would wait for ever, directories without end.
 *
 * A file is taken when it is a regular one with one name, opened without following any link, and looked at through its
 * descriptor. Small ones go through memory. A larger one is moved into the cache where it is the worker's own; where
 * it is another account's it is copied, so that nobody can hold on to it. What is refused becomes a sentence for people.
 */

import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  type Dirent,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  renameSync,
} from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { filesMax, pathProblem, problemsMax, type TaskFile } from '../core/files.ts';
import type { CollectedFiles, TaskArea } from '../ports/files.ts';
import type { Log } from '../ports/time.ts';
import type { FileBlobCache } from './blob-cache.ts';
import {
  blobNameOf,
  blobOf,
  blobOfDescriptor,
  eachSlice,
  freeBytesOf,
  hasCode,
  isDiskFull,
  Pace,
  readDescriptor,
  systemReason,
  writeDescriptor,
} from './file-bytes.ts';
import { OpenDirectory } from './open-directory.ts';
import { OutputPatterns } from './output-patterns.ts';
import { smallBytesMax } from './placing.ts';
import { storeFiles } from './store-files.ts';

/**
 * With less than this free on the disk, bytes, larger files are not kept: whoever is to be told of them may have their
 * database on the same disk, and could not take what would free it.
 */
const reserveBytes = 8 * 2 ** 20;

/** Directories below each other that are walked into; each is open meanwhile. */
const depthMax = 64;

/** Takes what matches `patterns`; see `TaskFiles.collect`. */
export async function collectFiles(
  parts: { readonly cache: FileBlobCache; readonly log: Log },
  patterns: readonly string[],
  { area, bytesMax }: { readonly area: TaskArea; readonly bytesMax: number },
): Promise<CollectedFiles> {
  const collecting = new Collecting(parts.cache, new OutputPatterns(patterns), { area, bytesMax });
  try {
    const root = OpenDirectory.open(area.directory);
    try {
      await collecting.walk(root, '', 0);
    } finally {
      root.close();
    }
  } catch (error) {
    parts.log.warn('outputs of a task were not collected in full', { directory: area.directory, error });
    collecting.refuse(`The files were not collected in full: ${systemReason(error)}.`);
  }
  return collecting.end();
}

/** What a file is refused for, as the end of a sentence that begins with its name. */
class Refusal extends Error {}

let copies = 0;

class Collecting {
  readonly #cache: FileBlobCache;
  readonly #patterns: OutputPatterns;
  readonly #area: TaskArea;
  readonly #bytesMax: number;
  readonly #pace = new Pace();
  readonly #files: TaskFile[] = [];
  readonly #problems: string[] = [];
  /** What was asked for by name and is not seen yet. */
  readonly #missing: Set<string>;
  #bytes = 0;
  #unreported = 0;
  #full = false;

  constructor(cache: FileBlobCache, patterns: OutputPatterns, limits: { area: TaskArea; bytesMax: number }) {
    this.#cache = cache;
    this.#patterns = patterns;
    this.#area = limits.area;
    this.#bytesMax = limits.bytesMax;
    this.#missing = new Set(patterns.literals);
    for (const problem of patterns.problems) this.refuse(problem);
  }

  /** Records a problem; the last that is reported counts those that are not. */
  refuse(problem: string): void {
    if (this.#problems.length < problemsMax - 1) this.#problems.push(problem);
    else this.#unreported += 1;
  }

  end(): CollectedFiles {
    for (const path of this.#missing) this.refuse(`"${path}" was not made.`);
    const more = this.#unreported === 0 ? [] : [`There were ${this.#unreported} more problems with outputs.`];
    const files = this.#files.sort((a, b) => (a.path < b.path ? -1 : 1));
    return { files, problems: [...this.#problems, ...more] };
  }

  async walk(directory: OpenDirectory, prefix: string, depth: number): Promise<void> {
    const entries = await readdir(directory.path, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      if (this.#full) return;
      await this.#pace.breathe();
      const path = prefix + entry.name;
      if (entry.isDirectory()) await this.#descend(directory, entry.name, { path, depth });
      else if (this.#patterns.wants(path)) await this.#take(directory, entry, path);
    }
  }

  async #descend(parent: OpenDirectory, name: string, at: { path: string; depth: number }): Promise<void> {
    const { path, depth } = at;
    if (!this.#patterns.mayHold(path)) return;
    this.#missing.delete(path);
    if (depth >= depthMax) {
      this.refuse(`"${path}" was not collected: it is more than ${depthMax} directories deep.`);
      return;
    }
    const directory = parent.directory(name);
    if (directory === null) {
      this.refuse(`"${path}" was not collected: the directory cannot be opened.`);
      return;
    }
    try {
      await this.walk(directory, `${path}/`, depth + 1);
    } catch (error) {
      if (!hasCode(error, 'EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP')) throw error;
      this.refuse(`"${path}" was not collected: ${systemReason(error)}.`);
    } finally {
      directory.close();
    }
  }

  async #take(directory: OpenDirectory, entry: Dirent, path: string): Promise<void> {
    this.#missing.delete(path);
    const problem = pathProblem(path);
    try {
      if (problem !== null) throw new Refusal(`its name ${problem}`);
      if (this.#files.length >= filesMax) {
        this.#full = true;
        throw new Refusal(`there are more than ${filesMax} files, and it is the first beyond them`);
      }
      const kind = kindOf(entry);
      if (kind !== null) throw new Refusal(`it is ${kind}; only regular files are`);
      const fd = directory.file(entry.name);
      if (fd === null) throw new Refusal('it cannot be opened');
      try {
        await this.#keep(fd, path, join(directory.path, entry.name));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      const reason = error instanceof Refusal ? error.message : systemReason(error);
      this.refuse(`"${path}" was not collected: ${reason}.`);
    }
  }

  async #keep(fd: number, path: string, file: string): Promise<void> {
    const facts = fstatSync(fd, { bigint: true });
    if (!facts.isFile()) throw new Refusal(`it is ${kindOf(facts) ?? 'no regular file'}; only regular files are`);
    const bytes = Number(facts.size);
    if (this.#bytes + bytes > this.#bytesMax) {
      throw new Refusal(`with its ${bytes} bytes the files are larger than the ${this.#bytesMax} bytes allowed in all`);
    }
    if (bytes > smallBytesMax) this.#checkSpace();
    const blob =
      facts.nlink > 1n
        ? await this.#inputLinked(fd, facts)
        : bytes <= smallBytesMax
          ? this.#store(fd, bytes)
          : this.#area.user === null
            ? await this.#move(fd, facts, file)
            : await this.#copy(fd);
    this.#bytes += bytes;
    this.#files.push({ path, blob, bytes, executable: (facts.mode & 0o100n) !== 0n });
  }

  /** An input that was placed as a link to the cache is as good as a file of its own; any other link is refused. */
  async #inputLinked(fd: number, facts: BigIntStats): Promise<string> {
    const refusal = new Refusal(`it has ${facts.nlink} names (hard links); only files with one are`);
    if (this.#area.user === null || Number(facts.uid) !== process.getuid?.()) throw refusal;
    const blob = await blobOfDescriptor(fd);
    if (this.#cache.size(blob) === null) throw refusal;
    const cached = lstatSync(this.#cache.file(blob), { bigint: true });
    if (cached.ino !== facts.ino || cached.dev !== facts.dev) throw refusal;
    this.#cache.hold(blob);
    return blob;
  }

  #store(fd: number, bytes: number): string {
    const content = readDescriptor(fd, 0, bytes + 1);
    if (content.length !== bytes) throw changed();
    const blob = blobOf(content);
    this.#heldWhile(blob, () => this.#cache.put(blob, content));
    return blob;
  }

  /** The file itself becomes the blob. */
  async #move(fd: number, facts: BigIntStats, file: string): Promise<string> {
    const blob = await blobOfDescriptor(fd);
    const after = fstatSync(fd, { bigint: true });
    if (after.size !== facts.size || after.mtimeNs !== facts.mtimeNs || after.nlink !== 1n) throw changed();
    if (this.#cache.size(blob) === Number(facts.size)) {
      this.#cache.hold(blob);
      return blob;
    }
    const moved = this.#spare();
    try {
      renameSync(file, moved);
      const { ino, dev } = lstatSync(moved, { bigint: true });
      if (ino !== facts.ino || dev !== facts.dev) throw changed();
      fchmodSync(fd, 0o600);
      this.#heldWhile(blob, () => this.#cache.adopt(moved, blob, Number(facts.size)));
      return blob;
    } catch (error) {
      storeFiles.remove(moved);
      if (hasCode(error, 'EXDEV')) return this.#copy(fd);
      throw error;
    }
  }

  async #copy(fd: number): Promise<string> {
    const copy = this.#spare();
    try {
      const hash = createHash('sha256');
      const target = openSync(copy, 'wx', 0o600);
      let bytes = 0;
      try {
        bytes = await eachSlice(fd, (slice, at) => {
          hash.update(slice);
          if (at + slice.length > this.#bytesMax) throw changed();
          this.#withRoom(slice.length, () => writeDescriptor(target, slice, at));
        });
      } finally {
        closeSync(target);
      }
      if (BigInt(bytes) !== fstatSync(fd, { bigint: true }).size) throw changed();
      const blob = blobNameOf(hash);
      this.#heldWhile(blob, () => this.#cache.adopt(copy, blob, bytes));
      return blob;
    } catch (error) {
      storeFiles.remove(copy);
      throw error;
    }
  }

  #checkSpace(): void {
    const { directory } = this.#cache;
    for (;;) {
      const free = freeBytesOf(directory);
      if (free >= reserveBytes) return;
      if (!this.#cache.evict(reserveBytes - free)) {
        throw new Refusal(`the disk of the worker is full, with ${free} bytes free`);
      }
    }
  }

  /** Runs `action`; as long as the disk is too full for it, what is not held makes way. */
  #withRoom(bytes: number, action: () => void): void {
    for (;;) {
      try {
        action();
        return;
      } catch (error) {
        if (!isDiskFull(error) || !this.#cache.evict(bytes)) throw error;
      }
    }
  }

  /** A file beside the blobs that nobody else uses. */
  #spare(): string {
    return join(this.#cache.directory, 'incoming', `output-${process.pid}-${copies++}`);
  }

  /** Held before it comes in, or it could have to make way at once. */
  #heldWhile(blob: string, action: () => void): void {
    this.#cache.hold(blob);
    try {
      action();
    } catch (error) {
      this.#cache.release(blob);
      throw error;
    }
  }
}

function changed(): Refusal {
  return new Refusal('it changed while it was read');
}

/** What is no regular file, for people; null for a regular file, and where the system does not say. */
function kindOf(entry: Pick<Dirent, 'isSymbolicLink' | 'isFIFO' | 'isSocket' | 'isBlockDevice' | 'isCharacterDevice'>) {
  if (entry.isSymbolicLink()) return 'a symbolic link';
  if (entry.isFIFO()) return 'a named pipe';
  if (entry.isSocket()) return 'a socket';
  return entry.isBlockDevice() || entry.isCharacterDevice() ? 'a device' : null;
}
