/**
 * "One process at a time": an exclusive lock on a file that the kernel gives back when its holder dies, however it dies.
 * By flock(2) where the C library can be called, else by a locked SQLite file beside it.
 *
 * Deliberately not here: waiting. The text in the file (the holder's pid) is for messages only; the lock is what counts,
 * so a stale file means nothing and is never removed (removing it would let two holders in).
 */

import { Database } from 'bun:sqlite';
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { openFlock } from './libc.ts';

/** A lock that is held until released or until this process ends. */
export interface Lock {
  /** Idempotent. */
  release(): void;
}

/** Takes the lock, or gives null at once when another has it (also one in this process). Errors: `io`. */
export function acquireLock(file: string): Lock | null {
  try {
    const flock = openFlock();
    return flock === null ? lockBySqlite(file) : lockByFlock(file, flock);
  } catch (error) {
    throw new OctasklyError('io', `Cannot open the lock file ${file}: ${reasonOf(error)}.`, { cause: error });
  }
}

/** Pid of who holds the lock, or held it last; null when unknown. */
export function lockHolder(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

/** The descriptor is close-on-exec, as all of Bun's are: a task that outlives this process does not keep the lock. */
function lockByFlock(file: string, flock: (fd: number) => boolean): Lock | null {
  const fd = openSync(file, 'a', 0o600);
  if (!flock(fd)) {
    closeSync(fd);
    return null;
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`);
  return onceOnly(() => closeSync(fd));
}

/** The same without flock. Exported for its test on systems that have it. */
export function lockBySqlite(file: string): Lock | null {
  const database = new Database(`${file}.sqlite`, { create: true });
  try {
    database.run('PRAGMA locking_mode = EXCLUSIVE');
    database.run('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY') return null;
    throw error;
  }
  writeFileSync(file, `${process.pid}\n`, { mode: 0o600 });
  return onceOnly(() => database.close());
}

function onceOnly(action: () => void): Lock {
  let released = false;
  return {
    release: () => {
      if (released) return;
      released = true;
      action();
    },
  };
}
