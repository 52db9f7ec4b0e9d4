/**
 * What this process has used and holds, for whoever watches it. The heap and its collector are left out: what the runtime
 * says of them is not what the system sees, and resident memory is. References: getrusage(2); proc(5), `stat`, `limits`.
 */

import { readdirSync } from 'node:fs';
import type { ProcessFigures } from '../ports/processes.ts';
import { quietly } from './open-files.ts';
import { textOf } from './small-files.ts';

/** Value of a line such as `VmSize:  1234 kB`, in bytes. */
function virtualBytes(): number | null {
  const [, kibibytes] = /^VmSize:\s+(\d+) kB$/m.exec(textOf('/proc/self/status') ?? '') ?? [];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

function openFilesMax(): number | null {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(textOf('/proc/self/limits') ?? '') ?? [];
  return soft === undefined ? null : Number(soft);
}

/** Takes some 0.2 ms, more with very many open files. Never throws. */
export function processFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    cpuUserSeconds: user / 1e6,
    cpuSystemSeconds: system / 1e6,
    residentBytes: process.memoryUsage.rss(),
    virtualBytes: virtualBytes(),
    openFiles: quietly<number | null>(() => readdirSync('/proc/self/fd').length, null),
    openFilesMax: openFilesMax(),
    startedAtSeconds: performance.timeOrigin / 1000,
  };
}
