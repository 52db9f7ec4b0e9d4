/** Small files and folders of the kernel (`/proc`, `/sys`, `/dev`), read at once: what cannot be read is null, or none. */

import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/** The names in a folder; none where there is no such folder. */
export function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** A file's text without white space around it. */
export function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

/** The one finite number a file holds. */
export function numberOf(path: string): number | null {
  const text = textOf(path);
  return text === null || text === '' || !Number.isFinite(Number(text)) ? null : Number(text);
}

/** Where a symbolic link leads, as it says. */
export function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

/** When a file was last read from, ms since 1970. */
export function accessedAt(path: string): number | null {
  try {
    return statSync(path).atimeMs;
  } catch {
    return null;
  }
}
