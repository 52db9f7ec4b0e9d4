/**
 * Inputs into a task directory: each checked against its hash on the way, so that the command never sees a damaged one.
 *
 * Small files are written from memory. A larger one is cloned where the file system can (reflink); where the area is
 * another account's, which cannot write to a file of ours, it is linked, and so read-only; else it is copied.
 *
 * Nothing of the task runs yet, so nothing moves beneath; all the same no symbolic link is followed, and no file that is
 * there is written into.
 */

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import { filesProblem, type TaskFile } from '../core/files.ts';
import { namesProblemOn } from '../core/platform/paths.ts';
import type { TaskArea } from '../ports/files.ts';
import type { FileBlobCache } from './blob-cache.ts';
import { blobOf, fullDiskReason, hasCode, isDiskFull, Pace, systemReason, writeDescriptor } from './file-bytes.ts';

/** Files up to this size go through memory: below it, writing costs less than any way around it. */
export const smallBytesMax = 256 * 1024;

const { O_WRONLY, O_CREAT, O_EXCL, COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = constants;

/** Puts `files` below the directory of `area`; see `TaskFiles.place`. */
export async function placeFiles(cache: FileBlobCache, files: readonly TaskFile[], area: TaskArea): Promise<void> {
  const paths = files.map(({ path }) => path);
  const wrong = filesProblem(paths) ?? namesProblemOn(process.platform, paths);
  if (wrong !== null) throw cannotPlace(files[wrong.index]?.path ?? '', `it ${wrong.problem}`);
  const placing = new Placing(cache, area);
  const pace = new Pace();
  for (const file of files) {
    await pace.breathe();
    await placing.place(file);
  }
}

class Placing {
  readonly #cache: FileBlobCache;
  readonly #area: TaskArea;
  readonly #directories = new Set<string>();
  #clones = true;

  constructor(cache: FileBlobCache, area: TaskArea) {
    this.#cache = cache;
    this.#area = area;
  }

  async place(file: TaskFile): Promise<void> {
    const { directory } = this.#area;
    for (;;) {
      try {
        await this.#put(file, join(directory, file.path));
        return;
      } catch (error) {
        if (!isDiskFull(error)) throw cannotPlace(file.path, systemReason(error), error);
        if (!this.#makeRoom(file)) throw cannotPlace(file.path, fullDiskReason(directory, file.bytes), error);
      }
    }
  }

  async #put(file: TaskFile, target: string): Promise<void> {
    this.#makeParents(file.path);
    if (file.bytes <= smallBytesMax) {
      const bytes = await this.#soundBytes(file);
      again(target, () => this.#write(target, bytes, modeOf(file)));
      return;
    }
    if (!(await this.#cache.isSound(file.blob))) throw missing();
    if (this.#cache.size(file.blob) !== file.bytes) throw wrongSize(file);
    await this.#transfer(file, target);
  }

  /** What the cache holds for nobody makes way for `file`; false when that gives no room where it is wanted. */
  #makeRoom({ blob, bytes }: TaskFile): boolean {
    if (statSync(this.#cache.directory).dev !== statSync(this.#area.directory).dev) return false;
    this.#cache.hold(blob);
    try {
      return this.#cache.evict(bytes);
    } finally {
      this.#cache.release(blob);
    }
  }

  /** The content of a small file. What is damaged is dropped. */
  async #soundBytes({ blob, bytes }: TaskFile): Promise<Uint8Array> {
    if (this.#cache.size(blob) === null) throw missing();
    const content = this.#cache.read(blob, 0, smallBytesMax + 1);
    if (blobOf(content) !== blob) {
      await this.#cache.verify(blob);
      throw missing();
    }
    if (content.length !== bytes) throw wrongSize({ bytes });
    return content;
  }

  #write(target: string, bytes: Uint8Array, mode: number): void {
    const fd = openSync(target, O_WRONLY | O_CREAT | O_EXCL, mode);
    try {
      writeDescriptor(fd, bytes, 0);
      const { user } = this.#area;
      if (user !== null) fchownSync(fd, user.uid, user.gid);
    } finally {
      closeSync(fd);
    }
  }

  async #transfer(file: TaskFile, target: string): Promise<void> {
    const source = this.#cache.file(file.blob);
    const { user } = this.#area;
    removeIfThere(target);
    if (this.#clones) {
      this.#clones = await copyFile(source, target, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE).then(
        () => true,
        () => false,
      );
      if (this.#clones) {
        this.#own(file, target);
        return;
      }
      removeIfThere(target);
    }
    if (user !== null && !file.executable && linked(source, target)) return;
    try {
      await copyFile(source, target, COPYFILE_EXCL);
      this.#own(file, target);
    } catch (error) {
      removeIfThere(target);
      throw error;
    }
  }

  /** A copy has the owner and the mode of what it was copied from. */
  #own(file: TaskFile, target: string): void {
    const { user } = this.#area;
    chmodSync(target, modeOf(file) & ~process.umask());
    if (user !== null) chownSync(target, user.uid, user.gid);
  }

  #makeParents(path: string): void {
    for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) {
      const directory = join(this.#area.directory, path.slice(0, end));
      if (this.#directories.has(directory)) continue;
      try {
        mkdirSync(directory, { mode: 0o700 });
        const { user } = this.#area;
        if (user !== null) chownSync(directory, user.uid, user.gid);
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
        if (!lstatSync(directory).isDirectory()) throw new Error(`"${path.slice(0, end)}" is no directory`);
      }
      this.#directories.add(directory);
    }
  }
}

/** The directory keeps others out; the worker's own umask takes away more. */
function modeOf({ executable }: TaskFile): number {
  return executable ? 0o755 : 0o644;
}

/** A read-only second name for a file of the cache; false where that is not possible. */
function linked(source: string, target: string): boolean {
  try {
    chmodSync(source, 0o444);
    linkSync(source, target);
    return true;
  } catch (error) {
    if (hasCode(error, 'EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP')) return false;
    throw error;
  }
}

/** Runs `action`; what an earlier try left at `target` makes way, and it never is written into. */
function again(target: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (hasCode(error, 'EEXIST')) {
      unlinkSync(target);
      action();
      return;
    }
    removeIfThere(target);
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function missing(): Error {
  return new Error('its content is not here, or was damaged here and dropped');
}

function wrongSize({ bytes }: Pick<TaskFile, 'bytes'>): Error {
  return new Error(`its content has another size than the ${bytes} bytes announced`);
}

function cannotPlace(path: string, why: string, cause?: unknown): OctasklyError {
  const message = `Cannot place input "${path}": ${why}.`;
  return new OctasklyError('io', message, cause === undefined ? {} : { cause });
}
