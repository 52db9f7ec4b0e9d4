/**
 * How much memory a tree of processes had at its highest, by looking: often at first, then ever more seldom.
 *
 * The kernel's own figure (ru_maxrss) is of no use for small tasks: a child begins as a copy of this process, whose
 * memory is counted into its peak. Looking misses what is shorter than the pause between two looks; the main process's
 * own high-water mark (VmHWM) is exact from its exec on, so for it only the last moments can be missed.
 * Linux only; elsewhere nothing is seen and the peak is null. Reference: proc(5), `status` and `children`.
 */

import { readFileSync } from 'node:fs';

const pauseMsMin = 10;
const pauseMsMax = 2000;
/** Processes of one tree that are looked at. */
const processesMax = 256;

/** Watches one tree. `stop` ends the watching; `bytes` is the highest seen, null when nothing was. */
export interface PeakWatch {
  readonly bytes: number | null;
  stop(): void;
}

/** Watches the tree below `pid` until stopped. */
export function watchPeak(pid: number): PeakWatch {
  let highest = 0;
  let pauseMs = pauseMsMin;
  let timer: ReturnType<typeof setTimeout>;
  const look = (): void => {
    highest = Math.max(highest, residentBytes(pid));
    pauseMs = Math.min(pauseMs * 2, pauseMsMax);
    timer = setTimeout(look, pauseMs);
  };
  timer = setTimeout(look, pauseMs);
  return {
    get bytes() {
      return highest === 0 ? null : highest;
    },
    stop: () => clearTimeout(timer),
  };
}

/** Resident memory of a tree now, or the high-water mark of its main process if that is more. */
function residentBytes(root: number): number {
  let sum = 0;
  let mark = 0;
  const open = [root];
  for (let seen = 0; seen < processesMax; seen++) {
    const pid = open.pop();
    if (pid === undefined) break;
    const status = read(`/proc/${pid}/status`);
    sum += kilobytes(status, 'VmRSS') * 1024;
    if (pid === root) mark = kilobytes(status, 'VmHWM') * 1024;
    const children = read(`/proc/${pid}/task/${pid}/children`);
    for (const child of children.split(' ')) if (child !== '') open.push(Number(child));
  }
  return Math.max(sum, mark);
}

function kilobytes(status: string, name: string): number {
  const at = status.indexOf(`${name}:`);
  return at < 0 ? 0 : Number.parseInt(status.slice(at + name.length + 1).trimStart(), 10);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
