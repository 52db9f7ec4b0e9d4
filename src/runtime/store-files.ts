/**
 * The few things a database needs of the machine besides SQLite itself: private files and directories, and a fast hash.
 * SQLite gives its log and shared-memory files the mode of the database, so that one file made private makes all private.
 */

import { hash } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { syncFlagsOn } from '../core/platform/files.ts';
import { hasCode } from './file-bytes.ts';

function syncPath(path: string, flags: 'r' | 'r+'): void {
  const fd = openSync(path, flags);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Waits until what was written to a file is on disk. */
export function syncFile(path: string): void {
  const flags = syncFlagsOn(process.platform, 'file');
  if (flags !== null) syncPath(path, flags);
}

/** Waits until the names in a directory are on disk, where that needs to be asked for. */
export function syncDirectory(path: string): void {
  const flags = syncFlagsOn(process.platform, 'directory');
  if (flags !== null) syncPath(path, flags);
}

/** Implements the machine's side of `store/`. */
export const storeFiles = {
  /**
   * Makes the directory (0700) and an empty file (0600) where they are missing. Error: `storage_unavailable`, also for a
   * file that may only be read: SQLite finds that out later, and then says different things at different times.
   */
  ensure(file: string): void {
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      if (!existsSync(file)) closeSync(openSync(file, 'wx', 0o600));
    } catch (cause) {
      const message = `Cannot make the database "${file}": ${reasonOf(cause)}.`;
      throw new OctasklyError('storage_unavailable', message, { cause });
    }
    try {
      accessSync(file, constants.R_OK | constants.W_OK);
    } catch (cause) {
      const message = `Cannot use the database "${file}": the file or its disk is read-only for this user; make it writable.`;
      throw new OctasklyError('storage_unavailable', message, { cause });
    }
  },

  /** Makes an empty file (0600). Errors: `conflict` when there is one already, `io`. */
  create(file: string): void {
    try {
      closeSync(openSync(file, 'wx', 0o600));
    } catch (cause) {
      if (hasCode(cause, 'EEXIST')) {
        const message = `Cannot write "${file}": it exists; name a file that does not, or move it away.`;
        throw new OctasklyError('conflict', message, { cause });
      }
      throw new OctasklyError('io', `Cannot write "${file}": ${reasonOf(cause)}.`, { cause });
    }
  },

  /** Waits until a file and its name are on disk. */
  sync(file: string): void {
    syncPath(file, 'r+');
    syncDirectory(dirname(file));
  },

  /** Gives a file of the same directory another name, in place of what has it; that survives power loss. */
  rename(file: string, target: string): void {
    renameSync(file, target);
    syncDirectory(dirname(target));
  },

  /** Copies a file to a private one, in place of what is there; it is on disk when this returns. */
  copy(file: string, target: string): void {
    rmSync(target, { force: true });
    copyFileSync(file, target);
    chmodSync(target, 0o600);
    this.sync(target);
  },

  /** Deletes a file if it is there. */
  remove(file: string): void {
    rmSync(file, { force: true });
  },

  /** SHA-256 of a text in UTF-8, lower-case hex. */
  sha256(text: string): string {
    return hash('sha256', text, 'hex');
  },
};
