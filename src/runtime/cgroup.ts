/**
 * Control groups (cgroup v2): a directory of the kernel's for each attempt, in which the whole tree is held to its memory
 * and number of processes, summed up, and killed, whatever it forks.
 *
 * Groups may only be made where they were delegated to us: the worker's own group if systemd or a container gave it away,
 * else a scope that systemd is asked for once, into which this process is moved without starting anew. Anything else is
 * left alone, also by root. The kernel wants no processes beside groups with controllers, hence the order: this process
 * goes to <own>/worker, then controllers are enabled, then <own>/task-N is made for each attempt.
 *
 * Deliberately not here: cgroup v1, limits on CPU time (the kernel has none for a group; the watcher reads the sum).
 * Invariant: what is not certain is `none`, with a reason; nothing here throws after `openCgroups` but `create`, whose
 * group is not made then. Reference: kernel Documentation/admin-guide/cgroup-v2.rst, systemd.resource-control(5).
 */

import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { reasonOf } from '../base/errors.ts';
import type { LaunchLimits } from '../ports/processes.ts';
import { openLinuxCalls } from './libc.ts';
import { quietly, succeeds } from './open-files.ts';
import { readText } from './procfs.ts';

/** Which limits groups keep here. `why` is a sentence: what they are kept by, or why they are not. */
export interface CgroupFacts {
  readonly memory: boolean;
  readonly processes: boolean;
  /** CPU time of the whole tree can be read. */
  readonly cpu: boolean;
  readonly why: string;
}

/** What holds the tree of one attempt together: a control group, or a job object. What cannot be read is null, counts 0. */
export interface AttemptGroup {
  /** Processes killed for want of memory, and forks refused, in this group. */
  events(): { readonly kernelKills: number; readonly refusedForks: number };
  usage(): {
    readonly cpuMs: number | null;
    readonly memoryPeakBytes: number | null;
    readonly writtenBytes: number | null;
  };
  /** The main process's exit status, when it has ended and what started it does not tell it whole. */
  exitStatus?(): number | null;
  /** Kills everything in it. */
  kill(): void;
  /** Removes it once it is empty; false when that does not come to be within 2 s. Never rejects. */
  remove(): Promise<boolean>;
}

/** The control group of one attempt. */
export interface TaskCgroup extends AttemptGroup {
  /** For Bun.spawn. */
  readonly dir: string;
}

/** Where groups are made. */
export interface Cgroups {
  readonly facts: CgroupFacts;
  /** A group that holds to `limits` what facts say can be held. Null where there are none. Throws what the system throws. */
  create(limits: LaunchLimits): TaskCgroup | null;
}

/** What `openCgroups` looks at; each part can be another for tests. */
export interface CgroupSystem {
  /** Text of /proc/self/cgroup and of /proc/self/mountinfo. */
  readonly membership: () => string;
  readonly mounts: string;
  readonly pid: number;
  /** Whether systemd manages this machine, and whether we are root. */
  readonly systemd: boolean;
  readonly root: boolean;
  /** Whether a directory carries systemd's mark of delegation. */
  readonly isMarked: (directory: string) => boolean;
  /** Runs a program; true when it ended with 0. Never rejects. */
  readonly run: (argv: readonly string[]) => Promise<boolean>;
}

const controllers = ['memory', 'pids', 'cpu', 'io'] as const;
const scopeWaitMs = 3000;
const removeWaitMs = 2000;

/** Looks for a place for groups, or asks systemd for one. Takes up to 6 s where systemd does not answer. Never rejects. */
export async function openCgroups(system: CgroupSystem = thisSystem()): Promise<Cgroups> {
  const mount = findMount(system.mounts);
  if (mount === null) return none('cgroup v2 is not mounted');
  try {
    const available = words(join(mount, 'cgroup.controllers'));
    if (!available.some((name) => name === 'memory' || name === 'pids'))
      return none('cgroup v2 has no controllers here; they are taken by cgroup v1 or switched off at boot');
    let own = aboveOurs(join(mount, ownPath(system.membership()) ?? ''), system);
    if (!isDelegated(own, system)) {
      if (!system.systemd) return none(`${own} is not delegated to this worker`);
      const scope = await askForScope(system, mount);
      if (scope === null) return none(`${own} is not delegated to this worker, and systemd gives no scope of its own`);
      own = scope;
    }
    return openAt(own, system.pid);
  } catch (error) {
    return none(`groups cannot be made: ${reasonOf(error)}`);
  }
}

/** Makes `own`, a group that was delegated, ready for groups of attempts. Throws what the system throws. */
export function openAt(own: string, pid: number): Cgroups {
  const worker = join(own, 'worker');
  mkdirSync(worker, { recursive: true });
  writeFileSync(join(worker, 'cgroup.procs'), String(pid));
  const control = join(own, 'cgroup.subtree_control');
  const available = words(join(own, 'cgroup.controllers'));
  for (const name of controllers) {
    // One at a time: the kernel refuses all of them for one that it cannot give.
    if (available.includes(name) && !words(control).includes(name)) succeeds(() => writeFileSync(control, `+${name}`));
  }
  const enabled = words(control);
  const [memory, processes, cpu] = ['memory', 'pids', 'cpu'].map((name) => enabled.includes(name));
  // What an earlier worker in this group left when it was killed.
  for (const name of readdirSync(own).filter((each) => /^task-\d/.test(each))) void groupAt(join(own, name)).remove();
  let serial = 0;
  return {
    facts: { memory: memory === true, processes: processes === true, cpu: cpu === true, why: `cgroup v2 at ${own}` },
    create: (limits) => {
      const dir = join(own, `task-${pid}-${serial++}`);
      mkdirSync(dir);
      try {
        if (memory === true && limits.memoryBytes !== null) {
          writeFileSync(join(dir, 'memory.max'), String(limits.memoryBytes));
          quietly(() => writeFileSync(join(dir, 'memory.swap.max'), '0'), undefined);
          // Without it the kernel may kill one process of many, and the rest goes on as if nothing had been.
          writeFileSync(join(dir, 'memory.oom.group'), '1');
        }
        if (processes === true && limits.processes !== null)
          writeFileSync(join(dir, 'pids.max'), String(limits.processes));
      } catch (error) {
        quietly(() => rmdirSync(dir), undefined);
        throw error;
      }
      return groupAt(dir);
    },
  };
}

/** The group at `dir`. */
export function groupAt(dir: string): TaskCgroup {
  const kill = (): void => quietly(() => writeFileSync(join(dir, 'cgroup.kill'), '1'), undefined);
  return {
    dir,
    events: () => ({
      kernelKills: field(join(dir, 'memory.events'), 'oom_kill') ?? 0,
      refusedForks: field(join(dir, 'pids.events'), 'max') ?? 0,
    }),
    usage: () => {
      const cpuUs = field(join(dir, 'cpu.stat'), 'usage_usec');
      const peak = readText(join(dir, 'memory.peak')).trim();
      const written = [...readText(join(dir, 'io.stat')).matchAll(/\bwbytes=(\d+)/g)];
      return {
        cpuMs: cpuUs === null ? null : cpuUs / 1000,
        memoryPeakBytes: /^\d+$/.test(peak) ? Number(peak) : null,
        writtenBytes: written.length === 0 ? null : written.reduce((sum, [, bytes]) => sum + Number(bytes), 0),
      };
    },
    kill,
    remove: async () => {
      kill();
      for (const until = performance.now() + removeWaitMs; performance.now() < until; await Bun.sleep(2)) {
        if (!existsSync(dir)) return true;
        if (field(join(dir, 'cgroup.events'), 'populated') === 0 && succeeds(() => rmdirSync(dir))) return true;
      }
      return false;
    },
  };
}

function none(why: string): Cgroups {
  return { facts: { memory: false, processes: false, cpu: false, why }, create: () => null };
}

/** Where cgroup v2 is mounted, by `mountinfo`: id parent device root path options … - type … */
function findMount(mounts: string): string | null {
  const line = mounts.split('\n').find((each) => each.includes(' - cgroup2 '));
  return line?.split(' ')[4] ?? null;
}

/** The path of our own group below the mount. */
function ownPath(membership: string): string | null {
  return /^0::(\/.*)$/m.exec(membership)?.[1] ?? null;
}

/** An ordinary user was given what he may write; root may write everything, so he goes by the mark. */
/** The group of this worker: of one that started again in its own place that is above the one it went to before. */
function aboveOurs(group: string, system: CgroupSystem): string {
  const above = dirname(group);
  if (basename(group) !== 'worker' || !isDelegated(above, system)) return group;
  return words(join(above, 'cgroup.subtree_control')).length > 0 ? above : group;
}

function isDelegated(own: string, { root, systemd, isMarked }: CgroupSystem): boolean {
  if (root) return !systemd || isMarked(own);
  return ['', 'cgroup.procs', 'cgroup.subtree_control'].every((name) =>
    succeeds(() => accessSync(join(own, name), constants.W_OK)),
  );
}

/** Has systemd move this process to a scope of its own; the directory, or null when it would not. */
async function askForScope(system: CgroupSystem, mount: string): Promise<string | null> {
  const name = `octaskly-worker-${system.pid}.scope`;
  const call = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];
  const pids = ['PIDs', 'au', '1', String(system.pid)];
  const delegate = ['Delegate', 'b', 'true'];
  // Otherwise one task that is out of memory would end the worker; systemd before 253 does not know this of scopes.
  const policy = ['OOMPolicy', 's', 'continue'];
  const ask = (count: number, properties: readonly string[]) =>
    system.run(
      [
        'busctl',
        ...(system.root ? [] : ['--user']),
        'call',
        ...call,
        'StartTransientUnit',
        'ssa(sv)a(sa(sv))',
        name,
      ].concat(['fail', String(count), ...properties, '0']),
    );
  if (!(await ask(3, [...pids, ...delegate, ...policy])) && !(await ask(2, [...pids, ...delegate]))) return null;
  for (const until = performance.now() + scopeWaitMs; performance.now() < until; await Bun.sleep(10)) {
    const own = ownPath(system.membership());
    if (own?.endsWith(`/${name}`) === true) return join(mount, own);
  }
  return null;
}

function thisSystem(): CgroupSystem {
  const calls = openLinuxCalls();
  return {
    membership: () => readText('/proc/self/cgroup'),
    mounts: readText('/proc/self/mountinfo'),
    pid: process.pid,
    systemd: existsSync('/run/systemd/system'),
    root: process.getuid?.() === 0,
    isMarked: (directory) =>
      ['trusted.delegate', 'user.delegate'].some((name) => calls?.attribute(directory, name) === '1'),
    run: async (argv) => {
      try {
        const child = Bun.spawn([...argv], {
          env: process.env,
          stdin: 'ignore',
          stdout: 'ignore',
          stderr: 'ignore',
          timeout: scopeWaitMs,
        });
        return (await child.exited) === 0;
      } catch {
        return false;
      }
    },
  };
}

function words(path: string): string[] {
  return readText(path).trim().split(/\s+/);
}

/** The value on the line `name value` of a flat file; null when there is none. */
function field(path: string, name: string): number | null {
  const digits = new RegExp(`^${name} (\\d+)$`, 'm').exec(readText(path))?.[1];
  return digits === undefined ? null : Number(digits);
}
