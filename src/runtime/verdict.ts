/**
 * Which limit ended an attempt, in the names and units of the API: seconds, MiB, a count. Two ways to know: a measured
 * value is beyond a limit, or the way the main process ended is how the kernel ends what runs into one.
 * Pure. Deliberately not here: measuring (`watcher.ts`) and limits of time and output, which are the worker's.
 * References: signal(7), getrlimit(2), cgroup-v2 `memory.events`, `pids.events`.
 */

import type { LimitName } from '../core/isolation.ts';
import type { LaunchLimits, LimitExceeded } from '../ports/processes.ts';

const mebibyte = 1024 * 1024;

/** What an attempt was measured to have, at its highest. Null = not measured. */
export interface Measured {
  readonly cpuMs: number | null;
  readonly memoryBytes: number | null;
  readonly diskBytes: number | null;
  /** Processes and threads at once. */
  readonly processes: number | null;
}

/** How an attempt's main process ended, and what there is to go by beside what was measured. */
export interface Ending {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Processes the kernel killed for want of memory, and forks it refused, in the attempt's own control group. */
  readonly kernelKills: number;
  readonly refusedForks: number;
  /** What the largest file left occupies. */
  readonly largestFileBytes: number;
}

/** A limit with the value that went beyond it, both as the API has them; the value is never told as if it had not. */
export function exceeded(limit: LimitName, { allowed, reached }: { allowed: number; reached: number }): LimitExceeded {
  const shown = Math.round(reached * 100) / 100;
  const step = limit === 'max_processes' ? 1 : 0.01;
  return { limit, limitValue: allowed, reached: shown > allowed ? shown : Math.round((allowed + step) * 100) / 100 };
}

/** The first limit a measured value is beyond; null when none is. */
export function beyondLimit(limits: LaunchLimits, measured: Partial<Measured>): LimitExceeded | null {
  const { cpuMs = null, memoryBytes = null, diskBytes = null, processes = null } = measured;
  if (limits.processes !== null && processes !== null && processes > limits.processes)
    return exceeded('max_processes', { allowed: limits.processes, reached: processes });
  if (limits.memoryBytes !== null && memoryBytes !== null && memoryBytes > limits.memoryBytes)
    return memoryExceeded(limits.memoryBytes, memoryBytes);
  if (limits.cpuTimeMs !== null && cpuMs !== null && cpuMs > limits.cpuTimeMs)
    return cpuExceeded(limits.cpuTimeMs, cpuMs);
  if (limits.diskBytes !== null && diskBytes !== null && diskBytes > limits.diskBytes)
    return diskExceeded(limits.diskBytes, diskBytes);
  return null;
}

/**
 * The kernel counts CPU time for its limit by samples, and more exactly for its sums: these may be some percent less.
 * SIGXCPU says it all but for that the process may have sent it to itself; SIGKILL says nothing of its reason.
 */
const cpuShareByXcpu = 0.5;
const cpuShareByKill = 0.85;

/**
 * The limit that an attempt which ended by itself ran into; null when none. CPU time and disk are sums that stand at the
 * end, so beyond is beyond; what is known of memory and processes is of moments, and tells only of an attempt that failed.
 */
export function limitMet(limits: LaunchLimits, measured: Measured, ending: Ending): LimitExceeded | null {
  const { cpuTimeMs, memoryBytes, diskBytes, processes } = limits;
  const sums = beyondLimit(limits, { cpuMs: measured.cpuMs, diskBytes: measured.diskBytes });
  if (sums !== null) return sums;
  if (ending.signal === null && ending.exitCode === 0) return null;
  const by = (name: string, exitCode: number) => ending.signal === name || ending.exitCode === exitCode;
  if (memoryBytes !== null && ending.kernelKills > 0) return memoryExceeded(memoryBytes, measured.memoryBytes ?? 0);
  const cpuShare = by('SIGXCPU', 152) ? cpuShareByXcpu : by('SIGKILL', 137) ? cpuShareByKill : 1;
  if (cpuTimeMs !== null && (measured.cpuMs ?? 0) >= cpuTimeMs * cpuShare)
    return cpuExceeded(cpuTimeMs, measured.cpuMs ?? 0);
  if (diskBytes !== null && (by('SIGXFSZ', 153) || ending.largestFileBytes >= diskBytes))
    return diskExceeded(diskBytes, Math.max(measured.diskBytes ?? 0, ending.largestFileBytes));
  const moments = beyondLimit(limits, { memoryBytes: measured.memoryBytes });
  if (moments !== null) return moments;
  if (processes !== null && (ending.refusedForks > 0 || (measured.processes ?? 0) >= processes))
    return exceeded('max_processes', { allowed: processes, reached: measured.processes ?? 0 });
  return null;
}

const cpuExceeded = (allowedMs: number, reachedMs: number) =>
  exceeded('cpu_time_limit', { allowed: allowedMs / 1000, reached: reachedMs / 1000 });
const memoryExceeded = (allowed: number, reached: number) =>
  exceeded('memory_limit_mb', { allowed: allowed / mebibyte, reached: reached / mebibyte });
const diskExceeded = (allowed: number, reached: number) =>
  exceeded('disk_limit_mb', { allowed: allowed / mebibyte, reached: reached / mebibyte });
