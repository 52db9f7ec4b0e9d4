/**
 * The `Workspace` port on the local disk: directories below `<root>/tasks` for the attempts, `<root>/spool` for output
 * that waits to be sent. Both 0700; where areas may be another account's, that account can pass through `root` and
 * `tasks` (0711), not list them.
 *
 *   tasks/7      the task's directory          tasks/7.tmp     its private /tmp, in an isolated area
 *
 * A directory that a plain attempt leaves as it found it is given to the next one: to make and remove a directory for each
 * can take longer than a short task. One with anything in it, or with other permissions, is removed. Isolated areas are
 * new every time: nothing of one task, not even a time stamp, is there for another.
 * Spools are files without a name where the system allows it (unlinked while open), so a killed worker leaves none; task
 * directories of a killed worker are removed by `sweep` at the next start.
 * Deliberately not here: quotas, staging. Invariants: nothing outside `root` is ever removed or changed, symbolic links
 * are not followed, whatever a task left there: unreadable directories, trees deeper than any path can name.
 */

import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { assert } from '../base/assert.ts';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { Spool, TaskUser, Workspace } from '../ports/files.ts';
import type { Log } from '../ports/time.ts';
import { passedThrough } from './garbage.ts';

/** Directories kept for the next attempts. */
const sparesMax = 64;

/** Bytes a spool keeps in memory before it goes to a file. */
export const spoolMemoryBytesMax = 64 * 1024;

/** A workspace that can clean up after a predecessor. */
export interface DiskWorkspace extends Workspace {
  /** Removes what workers before this one left. Only when nothing of this one is in use yet. Never throws. */
  sweep(): void;
  /** Resolves when everything that was to be removed so far is gone. */
  settled(): Promise<void>;
}

/**
 * Opens the workspace in `root`, an absolute path, made if missing. `shared`: areas may be another account's, which can
 * reach `root`; the worker is root then. Errors: `io`.
 */
export function createWorkspace(options: {
  readonly root: string;
  readonly shared?: boolean;
  readonly log: Log;
}): DiskWorkspace {
  const root = resolve(options.root);
  const tasks = join(root, 'tasks');
  const spools = join(root, 'spool');
  const passable = options.shared === true ? 0o711 : 0o700;
  attempt('make the directory', tasks, () => {
    if (options.shared === true) makeDirectory(root, passable);
    else mkdirSync(root, { recursive: true, mode: passable });
    makeDirectory(tasks, passable);
  });
  attempt('make the directory', spools, () => makeDirectory(spools, 0o700));
  const spares: string[] = [];
  let areaCount = 0;
  let spoolCount = 0;

  const complain = (path: string) => (error: unknown) =>
    options.log.warn('Cannot remove a task directory', { path, reason: reasonOf(error) });
  const removals = new Set<Promise<void>>();

  const removeLater = (path: string): Promise<void> => {
    const removal = removeBeside(path, tasks)
      .catch(complain(path))
      .finally(() => removals.delete(removal));
    removals.add(removal);
    return removal;
  };

  const removeNow = (parent: string, path: string): void => {
    try {
      removeTree(path, parent);
    } catch (error) {
      complain(path)(error);
    }
  };

  return {
    createArea: ({ isolated, user }) => {
      if (!isolated) {
        const directory = spares.pop() ?? makeTaskDirectory(tasks, String(areaCount++), null);
        return { directory, temporary: null, user: null };
      }
      const name = String(areaCount++);
      return {
        directory: makeTaskDirectory(tasks, name, user),
        temporary: makeTaskDirectory(tasks, `${name}.tmp`, user),
        user,
      };
    },
    removeArea: ({ directory, temporary }) => {
      for (const path of [directory, temporary ?? directory]) assertIn(tasks, path);
      if (temporary !== null) return Promise.all([directory, temporary].map(removeLater)).then(() => undefined);
      if (spares.length >= sparesMax || !isUntouched(directory)) return removeLater(directory);
      spares.push(directory);
      return Promise.resolve();
    },
    openSpool: (key) => new DiskSpool(join(spools, `${checkKey(key)}.${process.pid}.${spoolCount++}`)),
    sweep: () => {
      for (const parent of [tasks, spools]) {
        for (const name of readdirSync(parent)) removeNow(parent, join(parent, name));
      }
    },
    settled: async () => {
      await Promise.all(removals);
    },
  };
}

function assertIn(parent: string, path: string): void {
  assert(dirname(resolve(path)) === parent, `${path} is not in ${parent}`);
}

function makeTaskDirectory(tasks: string, name: string, user: TaskUser | null): string {
  const path = join(tasks, name);
  return attempt('make the task directory', path, () => {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch {
      // Left by a predecessor, perhaps; if it is something else, this says what.
      removeTree(path, tasks);
      mkdirSync(path, { mode: 0o700 });
    }
    if (user !== null) chownSync(path, user.uid, user.gid);
    return path;
  });
}

/** Bytes in memory up to `spoolMemoryBytesMax`, then all of them in a file. */
class DiskSpool implements Spool {
  readonly #path: string;
  #memory = new Uint8Array(0);
  #file: number | null = null;
  #named = false;
  #size = 0;

  constructor(path: string) {
    this.#path = path;
  }

  get size(): number {
    return this.#size;
  }

  append(data: Uint8Array): void {
    const size = this.#size + data.length;
    if (this.#file === null && size <= spoolMemoryBytesMax) {
      if (size > this.#memory.length) {
        const grown = new Uint8Array(Math.min(spoolMemoryBytesMax, Math.max(size, this.#memory.length * 2)));
        grown.set(this.#memory);
        this.#memory = grown;
      }
      this.#memory.set(data, this.#size);
    } else {
      attempt('keep output in', this.#path, () => this.#writeToFile(data));
    }
    this.#size = size;
  }

  read(from: number, max: number): Uint8Array {
    assert(from >= 0 && max >= 0, 'a spool is read from a place in it');
    const length = Math.max(0, Math.min(max, this.#size - from));
    const file = this.#file;
    if (file === null) return this.#memory.slice(from, from + length);
    const bytes = new Uint8Array(length);
    passedThrough(length);
    const read = attempt('read output kept in', this.#path, () => readSync(file, bytes, 0, length, from));
    assert(read === length, 'a spool file is as long as what was appended');
    return bytes;
  }

  discard(): void {
    if (this.#file !== null) closeSync(this.#file);
    if (this.#named) rmSync(this.#path, { force: true });
    this.#file = null;
    this.#named = false;
    this.#memory = new Uint8Array(0);
    this.#size = 0;
  }

  #writeToFile(data: Uint8Array): void {
    this.#file ??= this.#moveToFile();
    writeAll(this.#file, data, this.#size);
  }

  /** What is in memory stays there until a file has all of it: the disk may be full. */
  #moveToFile(): number {
    const file = openSync(this.#path, 'wx+', 0o600);
    const named = !unlinkOpen(this.#path);
    try {
      writeAll(file, this.#memory.subarray(0, this.#size), 0);
    } catch (error) {
      closeSync(file);
      if (named) rmSync(this.#path, { force: true });
      throw error;
    }
    this.#named = named;
    this.#memory = new Uint8Array(0);
    return file;
  }
}

function writeAll(file: number, data: Uint8Array, at: number): void {
  for (let done = 0; done < data.length; ) done += writeSync(file, data, done, data.length - done, at + done);
}

function unlinkOpen(path: string): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

/** An empty directory of ours that nobody else may enter: as good as a new one. */
function isUntouched(path: string): boolean {
  try {
    const facts = lstatSync(path);
    const isOurs = facts.isDirectory() && facts.uid === process.getuid?.() && (facts.mode & 0o7777) === 0o700;
    return isOurs && readdirSync(path).length === 0;
  } catch {
    return false;
  }
}

/** Makes `dir` and what is missing above it, all of this mode, whatever the umask is. What was above it stays as it is. */
function makeDirectory(dir: string, mode: number): void {
  const first = mkdirSync(dir, { recursive: true, mode }) ?? dir;
  chmodSync(dir, mode);
  for (let made = dirname(dir); made !== dir && made.length >= first.length; made = dirname(made)) {
    chmodSync(made, mode);
  }
}

/**
 * Removes whatever is at `path` without holding anybody up: a file system may take a millisecond for one directory. Most
 * tasks leave nothing, and to take away an empty directory is a fortieth of the work of looking for something in it.
 */
async function removeBeside(path: string, parent: string): Promise<void> {
  try {
    await rmdir(path);
  } catch {
    await rm(path, { recursive: true, force: true }).catch(() => removeTree(path, parent));
  }
}

/**
 * Removes whatever is at `path`. When the quick way fails, every directory is made accessible and moved up into `parent`
 * before it is emptied: so no path is ever longer than two names, and depth does not matter.
 */
function removeTree(path: string, parent: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
    return;
  } catch {
    // Directories without permissions, or too deep: the slow way.
  }
  const open = [path];
  for (let count = 0, dir = open.at(-1); dir !== undefined; dir = open.at(-1)) {
    chmodSync(dir, 0o700);
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const from = join(dir, entry.name);
      if (!entry.isDirectory()) {
        unlinkSync(from);
        continue;
      }
      const to = join(parent, `.removed-${process.pid}-${count++}`);
      chmodSync(from, 0o700);
      renameSync(from, to);
      open.unshift(to);
    }
    rmdirSync(dir);
    open.pop();
  }
}

function checkKey(key: string): string {
  assert(/^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(key), `"${key}" is no name for a file`);
  return key;
}

function attempt<T>(what: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new OctasklyError('io', `Cannot ${what} ${path}: ${reasonOf(error)}.`, { cause: error });
  }
}
