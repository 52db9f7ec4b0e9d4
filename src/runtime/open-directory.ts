/**
 * Directories that are open, and what is in them: reaches no file through a symbolic link, whoever moves things about
 * meanwhile, since a file is opened relative to the open directory (`openat`). Names are listed by path: one that was
 * found in the wrong place opens nothing.
 *
 * Known limit: on Windows there is no such call. There paths are opened, and the directories on the way looked at again;
 * that holds against links that lie there, not against a process that moves them at that very moment.
 */

import { closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { openOpenAt } from './libc.ts';

const openAt = openOpenAt();
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Not known on Windows, where they are not needed: nothing waits there. */
const always = O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);

export class OpenDirectory {
  readonly path: string;
  readonly #fd: number;
  readonly #parent: OpenDirectory | null;

  private constructor(path: string, fd: number, parent: OpenDirectory | null) {
    this.path = path;
    this.#fd = fd;
    this.#parent = parent;
  }

  /** Opens a directory the caller trusts the way to. Errors: the system's. */
  static open(path: string): OpenDirectory {
    return new OpenDirectory(path, openSync(path, always | (O_DIRECTORY ?? 0)), null);
  }

  /** A directory in this one; null when it cannot be opened, or is none. Closed before this one is. */
  directory(name: string): OpenDirectory | null {
    const fd = this.#open(name, 'directory');
    return fd === null ? null : new OpenDirectory(join(this.path, name), fd, this);
  }

  /** A descriptor of whatever has this name, unless it is a symbolic link; null when it cannot be opened. Never waits. */
  file(name: string): number | null {
    return this.#open(name, 'file');
  }

  close(): void {
    closeSync(this.#fd);
  }

  #open(name: string, wanted: 'file' | 'directory'): number | null {
    if (openAt !== null) {
      const fd = openAt(this.#fd, name, wanted);
      return fd < 0 ? null : fd;
    }
    const path = join(this.path, name);
    let fd: number;
    try {
      fd = openSync(path, wanted === 'directory' ? always | (O_DIRECTORY ?? 0) : always);
    } catch {
      return null;
    }
    const facts = lstatSync(path, { throwIfNoEntry: false });
    const opened = fstatSync(fd);
    if (facts !== undefined && facts.ino === opened.ino && facts.dev === opened.dev && this.#isInPlace()) return fd;
    closeSync(fd);
    return null;
  }

  /** This directory and those above are still what their paths lead to. */
  #isInPlace(): boolean {
    const facts = lstatSync(this.path, { throwIfNoEntry: false });
    const { ino, dev } = fstatSync(this.#fd);
    return facts?.ino === ino && facts.dev === dev && (this.#parent === null || this.#parent.#isInPlace());
  }
}
