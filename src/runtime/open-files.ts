/**
 * Files that live only in descriptors: deleted ones that still occupy the disk, and files in memory. No walk of
 * directories finds these; /proc/PID/fd does. Linux only.
 * Deliberately not here: descriptors under way in sockets, and deleted files that are mapped but no longer open.
 * Invariant: a process may vanish at any moment, and then has no open files. Reference: proc(5), `fd`.
 */

import { readdirSync, readlinkSync, type Stats, statSync } from 'node:fs';

/** Descriptors of one process that are looked at. */
const descriptorsMax = 4096;

/** A file that a process holds open. */
export interface OpenFile {
  /** Its path in the view of that process; ends in ` (deleted)` when it has none any more. */
  readonly path: string;
  /** Names it among all files of all processes. */
  readonly key: string;
  readonly device: number;
  readonly links: number;
  /** What it occupies. */
  readonly bytes: number;
}

/** Regular files that `pid` holds open, of those whose path `isWanted`; pipes and sockets cost a readlink each. */
export function readOpenFiles(pid: number, isWanted: (path: string) => boolean): OpenFile[] {
  const files: OpenFile[] = [];
  for (const descriptor of quietly(() => readdirSync(`/proc/${pid}/fd`), []).slice(0, descriptorsMax)) {
    const link = `/proc/${pid}/fd/${descriptor}`;
    const path = quietly(() => readlinkSync(link), '');
    if (!path.startsWith('/') || !isWanted(path)) continue;
    const stat = quietly<Stats | null>(() => statSync(link), null);
    if (stat?.isFile() !== true) continue;
    const { dev: device, nlink: links } = stat;
    files.push({ path, device, links, key: `${device}:${stat.ino}`, bytes: occupiedBytes(stat) });
  }
  return files;
}

/** What a file occupies: holes do not count, and preallocated room does. */
export function occupiedBytes(stat: { readonly blocks: number }): number {
  return stat.blocks * 512;
}

/** What `attempt` returns, or `otherwise` when the file system refuses. */
export function quietly<Value>(attempt: () => Value, otherwise: Value): Value {
  try {
    return attempt();
  } catch {
    return otherwise;
  }
}

/** Whether `attempt` went through without being refused. */
export function succeeds(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}
