/**
 * What keeps a task within its limits: resource limits set by a program in front of it, and the part of the launcher, which
 * watches the tree. Pure.
 *
 *   cpu_time_limit   RLIMIT_CPU ends each process       the launcher sums the tree
 *   memory_limit_mb                                     cgroup, else the launcher
 *   disk_limit_mb    RLIMIT_FSIZE for each file         the launcher measures the directories
 *   max_open_files   RLIMIT_NOFILE for each process
 *   max_processes    RLIMIT_NPROC in a user namespace   cgroup, else the launcher counts
 *
 * Never RLIMIT_AS or RLIMIT_DATA: they count reservations, break java, go and node, and end a task without saying why. A task without limits gets no program in front.
 * Units: `prlimit` takes bytes; `ulimit -f` of every /bin/sh counts blocks of 512 bytes.
 */

import type { ResourceLimit } from '../confine/spec.ts';
import type { HostIsolation } from '../core/host-isolation.ts';
import type { TaskLimits } from '../core/isolation.ts';
import type { LaunchLimits } from '../ports/processes.ts';

const mebibyte = 1024 * 1024;

/** Processes and threads of a task that names no limit: far above what work needs, and the end of a fork bomb. */
export const processesDefault = 8192;

/** Variables by which the dynamic loader runs foreign code in the very program that is to set the limits. */
const loaderVariable = /^(LD_|GLIBC_TUNABLES$)/;

/** The launcher's part of the limits. */
export function launchLimits(limits: TaskLimits): LaunchLimits {
  return {
    cpuTimeMs: limits.cpuTimeMs,
    memoryBytes: limits.memoryMb === null ? null : limits.memoryMb * mebibyte,
    diskBytes: limits.diskMb === null ? null : limits.diskMb * mebibyte,
    processes: limits.processes ?? processesDefault,
  };
}

/**
 * The resource limits of each process. `ownNamespace`: it runs in a user namespace with one process of ours, where
 * processes can be counted for it alone.
 */
export function resourceLimits(limits: TaskLimits, host: HostIsolation, ownNamespace: boolean): ResourceLimit[] {
  const found: ResourceLimit[] = [];
  const add = (resource: ResourceLimit['resource'], soft: number, hard = soft) => found.push({ resource, soft, hard });
  if (limits.cpuTimeMs !== null) {
    const seconds = Math.ceil(limits.cpuTimeMs / 1000);
    // A second between XCPU, which can be caught, and KILL.
    add('cpu', seconds, seconds + 1);
  }
  if (limits.diskMb !== null) add('fsize', limits.diskMb * mebibyte);
  if (limits.openFiles !== null) add('nofile', limits.openFiles);
  // One for the namespace's first process, and one past the limit, so that the launcher sees it passed and can say so.
  if (limits.processes !== null && ownNamespace && host.countsPerNamespace) add('nproc', limits.processes + 2);
  if (found.length > 0) add('core', 0);
  return found;
}

/** A command with its environment. */
export interface Command {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** `command` behind the program that sets `limits`; itself when there are none, or nothing can set them. */
export function withResourceLimits(command: Command, limits: readonly ResourceLimit[], host: HostIsolation): Command {
  if (limits.length === 0 || host.platform === 'win32') return command;
  const setter = host.prlimit === null ? byShell(limits) : byPrlimit(host.prlimit, limits);
  // The setter must not run under the task's loader variables: they come back behind it.
  const loader = Object.entries(command.env).filter(([name]) => loaderVariable.test(name));
  if (loader.length === 0) return { argv: [...setter, ...command.argv], env: command.env };
  const env = Object.fromEntries(Object.entries(command.env).filter(([name]) => !loaderVariable.test(name)));
  const restored = loader.map(([name, value]) => `${name}=${value}`);
  return { argv: [...setter, '/usr/bin/env', ...restored, ...command.argv], env };
}

function byPrlimit(path: string, limits: readonly ResourceLimit[]): string[] {
  return [path, ...limits.map(({ resource, soft, hard }) => `--${resource}=${soft}:${hard}`), '--'];
}

/** Letters of `ulimit` and their units in bytes; how processes are counted differs from shell to shell, so it is left out. */
const shellLimits = {
  cpu: { letter: 't', unit: 1 },
  fsize: { letter: 'f', unit: 512 },
  nofile: { letter: 'n', unit: 1 },
  core: { letter: 'c', unit: 512 },
  nproc: null,
} as const;

function byShell(limits: readonly ResourceLimit[]): string[] {
  const steps = limits.flatMap(({ resource, soft, hard }) => {
    const known = shellLimits[resource];
    if (known === null) return [];
    const { letter, unit } = known;
    // The soft one first: a hard limit below the soft one is refused.
    return [`ulimit -S -${letter} ${Math.floor(soft / unit)}`, `ulimit -H -${letter} ${Math.floor(hard / unit)}`];
  });
  return ['/bin/sh', '-c', [...steps, 'exec "$@"'].join(' && '), 'sh'];
}
