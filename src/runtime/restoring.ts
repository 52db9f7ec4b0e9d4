/**
 * Putting what was unpacked from a backup in place of what a data directory holds, as one step: killed at any moment, the
 * dispatcher that starts there next has all of the old or all of the new.
 *
 *   restore.part/    what is unpacked; without the list below it is left over, and nothing to anybody
 *   restore.json     the list of renames that are to be made. From its rename into place on, the new stands; whoever
 *                    holds the dispatcher's lock next makes those that are missing
 *
 * Deliberately not here: what is restored, and whether it may be. Invariants: the caller holds the lock of the dispatcher;
 * each rename stays within one file system; nothing of the old is deleted.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { writePrivate } from './data-dir.ts';
import { syncDirectory } from './store-files.ts';

/** One name whose file or folder changes. */
export interface Replacement {
  readonly name: string;
  /** What comes there; null = nothing does. */
  readonly from: string | null;
  /** Where goes what is there now. */
  readonly aside: string;
}

/** Where a backup is unpacked, in the data directory. */
export function restorePart(dataDir: string): string {
  return join(dataDir, 'restore.part');
}

function listOf(dataDir: string): string {
  return join(dataDir, 'restore.json');
}

/** Has `replacements` made, whatever happens from here on. What comes is on disk already. Error: `io`. */
export function replaceAll(dataDir: string, replacements: readonly Replacement[]): void {
  writePrivate(listOf(dataDir), JSON.stringify(replacements, null, 1));
  finishRestore(dataDir);
}

/**
 * Ends a restore that was cut short: makes the renames that are missing, or removes what was unpacked and never came so
 * far. True when something was put in place. Error: `io`.
 */
export function finishRestore(dataDir: string): boolean {
  const list = listOf(dataDir);
  try {
    const isListed = existsSync(list);
    if (isListed) for (const each of read(list)) replace(each);
    rmSync(restorePart(dataDir), { recursive: true, force: true });
    if (!isListed) return false;
    rmSync(list);
    syncDirectory(dataDir);
    return true;
  } catch (cause) {
    const message = `Cannot put the restored files in place in "${dataDir}": ${reasonOf(cause)}; mend that and start the dispatcher, or restore again.`;
    throw new OctasklyError('io', message, { cause });
  }
}

function read(list: string): readonly Replacement[] {
  return JSON.parse(readFileSync(list, 'utf8')) as readonly Replacement[];
}

/** Made once, however often it is asked for: what has moved is not at its old place any more. */
function replace({ name, from, aside }: Replacement): void {
  const isDue = from === null || existsSync(from);
  if (!isDue) return;
  if (existsSync(name) && !existsSync(aside)) {
    mkdirSync(dirname(aside), { recursive: true, mode: 0o700 });
    renameSync(name, aside);
    syncDirectory(dirname(aside));
  }
  if (from !== null) renameSync(from, name);
  syncDirectory(dirname(name));
}
