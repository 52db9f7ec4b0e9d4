/**
 * Output passes through this process in buffers that live for a moment. The collector sees only the small objects that hold
 * them and would let tens of megabytes gather, so it is called after a number of bytes: what a flood may cost in memory,
 * against some 3 ms each time. For workers, whose heaps are small; a dispatcher's would take too long to walk.
 */

/** Bytes of buffers after which they are collected. */
const collectBytes = 4 * 1024 * 1024;

let uncollected = 0;

/** `bytes` of buffers were made that nobody needs for long. */
export function passedThrough(bytes: number): void {
  uncollected += bytes;
  if (uncollected < collectBytes) return;
  uncollected = 0;
  Bun.gc(true);
}
