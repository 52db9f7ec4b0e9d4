/**
 * Whether whoever this process is at the moment may read a file, or a directory with the files in it, or write there, found
 * out by trying: modes alone do not tell of access lists, security modules and network file systems.
 * Deliberately not here: taking on another account's rights (`service-host.ts`).
 */

import { closeSync, constants, mkdtempSync, openSync, readdirSync, realpathSync, rmdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { hasCode, systemReason } from './file-bytes.ts';

/** Files of a directory that are tried: more than a release has. */
const filesMax = 1000;

export interface ReadRefusal {
  /** The path, or the file below it. */
  readonly at: string;
  /** There is nothing of that name, as far as may be seen. */
  readonly isMissing: boolean;
  /** What the system says, as part of a sentence. */
  readonly why: string;
}

/** Null: it may be read. A pipe or a device is not opened. */
export function refusalToRead(path: string): ReadRefusal | null {
  let at = path;
  try {
    const facts = statSync(at);
    if (facts.isFile()) open(at);
    if (!facts.isDirectory()) return null;
    for (const entry of readdirSync(path, { withFileTypes: true }).slice(0, filesMax)) {
      at = join(path, entry.name);
      if (entry.isFile()) open(at);
    }
    return null;
  } catch (error) {
    return { at, isMissing: hasCode(error, 'ENOENT', 'ENOTDIR'), why: systemReason(error) };
  }
}

/** Null: new files can be made in this directory, and those of `names` that are there be read. */
export function refusalToUse(directory: string, names: readonly string[]): ReadRefusal | null {
  let at = directory;
  try {
    rmdirSync(mkdtempSync(join(directory, '.try-')));
    for (const name of names) {
      at = join(directory, name);
      if (statSync(at, { throwIfNoEntry: false })?.isFile()) open(at);
    }
    return null;
  } catch (error) {
    return { at, isMissing: false, why: systemReason(error) };
  }
}

function open(path: string): void {
  closeSync(openSync(path, constants.O_RDONLY));
}

/** The path with all links followed, as far as it exists. */
export function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(realPathOf(above), basename(path));
  }
}
