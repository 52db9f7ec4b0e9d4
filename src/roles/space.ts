/**
 * Says in the log that the disk of a data directory is nearly full, before it is: at the start, then every minute. Each
 * time it is told once, and again when half of what was left is gone.
 */

import type { Log } from '../ports/time.ts';
import { freeBytesOf } from '../runtime/file-bytes.ts';

/** Less than this left is told of, bytes. */
const lowBytes = 100 * 2 ** 20;
const everyMs = 60_000;

/** Starts looking; returns what ends it. Never throws. */
export function watchSpace(directory: string, log: Log): () => void {
  let toldBytes = Number.POSITIVE_INFINITY;
  const look = (): void => {
    const free = freeBytes(directory);
    if (free === null) return;
    if (free >= lowBytes) toldBytes = Number.POSITIVE_INFINITY;
    else if (free * 2 <= toldBytes) {
      toldBytes = free;
      const mb = Math.floor(free / 2 ** 20);
      log.warn('the disk is nearly full; when nothing can be stored, nothing is accepted', { directory, freeMb: mb });
    }
  };
  look();
  const timer = setInterval(look, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

function freeBytes(directory: string): number | null {
  try {
    return freeBytesOf(directory);
  } catch {
    return null;
  }
}
