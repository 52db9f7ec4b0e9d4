/**
 * How each limit of a task is kept on each system, by what a machine was found to have. Pure.
 *
 *                    Linux                      macOS                Windows
 *   memory           memory.max, else watched   watched by ps        job object, hard
 *   processes        pids.max, else watched     watched by ps        job object, hard; threads do not count there
 *   processor time   watched, RLIMIT_CPU        watched, RLIMIT_CPU  job object's sum, watched
 *   disk             watched, RLIMIT_FSIZE      watched, the same    watched
 *   open files       RLIMIT_NOFILE              RLIMIT_NOFILE        not at all
 *
 * Honesty before shine: a sum over a tree that is looked at now and then is `watched`, though the kernel holds each process
 * to a limit of its own beside it; `hard` is said only where the whole tree can never pass.
 */

import type { HostIsolation } from '../host-isolation.ts';
import type { LimitName, LimitOffer } from '../isolation.ts';

const never: LimitOffer = { enforcement: 'none', mechanism: '' };
const byUs = {
  timeout: { enforcement: 'hard', mechanism: 'timer' },
  max_output: { enforcement: 'hard', mechanism: 'reader' },
} as const;

/** Of a task on `host`. `ownNamespace`: its level gives it a user namespace, where processes can be counted for it alone. */
export function limitsKept(host: HostIsolation, ownNamespace: 'bubblewrap' | 'launcher' | null) {
  return host.platform === 'win32' ? onWindows(host) : onPosix(host, ownNamespace);
}

function onPosix(
  host: HostIsolation,
  ownNamespace: 'bubblewrap' | 'launcher' | null,
): Readonly<Record<LimitName, LimitOffer>> {
  const watched = (how: string): LimitOffer => (host.watcher ? { enforcement: 'watched', mechanism: how } : never);
  const perProcess = (mechanism: string): LimitOffer => ({ enforcement: 'per-process', mechanism });
  const setsLimits = host.prlimit !== null || ownNamespace === 'launcher';
  const countedAlone = ownNamespace !== null && host.countsPerNamespace && setsLimits;
  const memory: LimitOffer = { enforcement: 'hard', mechanism: 'memory.max' };
  const pids: LimitOffer = { enforcement: 'hard', mechanism: 'pids.max' };
  const ownCount: LimitOffer = { enforcement: 'hard', mechanism: 'RLIMIT_NPROC' };
  const sum = host.cgroup.cpu ? 'cpu.stat' : 'watcher';
  return {
    ...byUs,
    cpu_time_limit: host.watcher ? watched(`${sum}, RLIMIT_CPU`) : perProcess('RLIMIT_CPU'),
    memory_limit_mb: host.cgroup.memory ? memory : watched('watcher'),
    disk_limit_mb: watched('watcher, RLIMIT_FSIZE'),
    max_open_files: perProcess('RLIMIT_NOFILE'),
    max_processes: host.cgroup.processes
      ? pids
      : countedAlone
        ? ownCount
        : watched(host.isRoot ? 'watcher' : 'watcher, RLIMIT_NPROC'),
  };
}

function onWindows({ jobObjects }: HostIsolation): Readonly<Record<LimitName, LimitOffer>> {
  const byJob = (enforcement: 'hard' | 'watched'): LimitOffer =>
    jobObjects ? { enforcement, mechanism: 'job object' } : never;
  return {
    ...byUs,
    cpu_time_limit: byJob('watched'),
    memory_limit_mb: byJob('hard'),
    disk_limit_mb: jobObjects ? { enforcement: 'watched', mechanism: 'watcher' } : never,
    max_open_files: never,
    max_processes: byJob('hard'),
  };
}
