/**
 * What a worker promises: its levels, by what each is made, and how each limit is kept; and for levels it cannot give, why
 * and how to get them. Pure; everything follows from what was found and tried on the machine.
 *
 * Honesty before shine: a sum over a tree that is looked at now and then is `watched`, though the kernel holds each process
 * to a limit of its own beside it; `hard` is said only where the whole tree can never pass.
 */

import { unreachable } from '../base/assert.ts';
import type { HostIsolation, Trial } from '../core/host-isolation.ts';
import {
  type Isolation,
  isAtLeast,
  type LevelLack,
  type LevelOffer,
  type LimitName,
  type LimitOffer,
  type SandboxLevel,
  sandboxLevels,
} from '../core/isolation.ts';
import { landlockCanHide } from './sandbox-launcher.ts';

/** By what a level is made. */
export type Mechanism = 'plain' | 'bubblewrap' | 'namespaces' | 'landlock' | 'seatbelt';

/** How `host` makes `level`, or why it cannot. */
export function mechanismOf(host: HostIsolation, level: SandboxLevel): Mechanism | LevelLack {
  if (level === 'none' || level === 'basic') return 'plain';
  const lack = (reason: string, remedy: string): LevelLack => ({ level, reason, remedy });
  if (host.platform === 'android')
    return lack('Android lets no program build namespaces', 'Give such tasks to another machine.');
  if (host.platform === 'win32')
    return lack('Windows has nothing for it here', 'Run the worker in WSL 2, or give such tasks to another machine.');
  if (host.isRoot && host.taskUser === null)
    return lack(
      'the worker runs as root, and there is no account to run tasks as',
      'Make one (useradd --system octaskly-task), name one with --task-user, or do not run the worker as root.',
    );
  if (host.platform === 'darwin') return seatbelt(host, level, lack);
  const trial = (confiner: { strict: Trial; veryStrict: Trial }) =>
    level === 'strict' ? confiner.strict : confiner.veryStrict;
  if (host.bubblewrap !== null && trial(host.bubblewrap).works) return 'bubblewrap';
  if (host.launcher !== null && trial(host.launcher.namespaces).works) return 'namespaces';
  if (level === 'strict' && host.launcher?.landlock.works && landlockCanHide({ level, paths: host.paths }))
    return 'landlock';
  const first =
    host.bubblewrap === null
      ? 'bubblewrap is not installed'
      : `bubblewrap ${host.bubblewrap.version} does not work here: ${trial(host.bubblewrap).why}`;
  const second = host.launcher === null ? '' : `; without it: ${trial(host.launcher.namespaces).why}`;
  return lack(`${first}${second}`, remedyFor(host.bubblewrap === null ? null : trial(host.bubblewrap).why));
}

function seatbelt(
  host: HostIsolation,
  level: SandboxLevel,
  lack: (reason: string, remedy: string) => LevelLack,
): Mechanism | LevelLack {
  const elsewhere = 'Give such tasks to a Linux machine.';
  if (level === 'very-strict') return lack('macOS has no namespaces', elsewhere);
  if (host.sandboxExec === null) return lack('sandbox-exec is not installed', elsewhere);
  if (!host.sandboxExec.strict.works)
    return lack(`sandbox-exec does not work here: ${host.sandboxExec.strict.why}`, elsewhere);
  return 'seatbelt';
}

/** How to get bubblewrap to work, by what it said; null = it is not there. */
function remedyFor(why: string | null): string {
  if (why === null) return 'Install bubblewrap (apt install bubblewrap, dnf install bubblewrap, apk add bubblewrap).';
  if (/No space left|ENOSPC/.test(why))
    return 'User namespaces are used up or switched off: sysctl user.max_user_namespaces=15000.';
  if (/Can't (find|open|bind)|execvp|No such file/.test(why))
    return 'The account that runs tasks must be able to reach the work directory: name another with --work-dir.';
  if (/ermission|not permitted|namespace|uid map/.test(why))
    return 'Let bubblewrap make user namespaces: on Ubuntu by an AppArmor profile for it with "userns,", else by sysctl kernel.unprivileged_userns_clone=1. In a container, give such tasks to the machine itself. Strict alone also works with Linux 6.12 and Landlock.';
  return 'Mend what it says; octaskly doctor sandbox tries again.';
}

/** What `host` offers from level `least` on, and what it lacks. */
export function offersOf(host: HostIsolation, least: SandboxLevel): Isolation {
  const levels: LevelOffer[] = [];
  const missing: LevelLack[] = [];
  for (const level of sandboxLevels) {
    if (!isAtLeast(level, least)) continue;
    const mechanism = mechanismOf(host, level);
    if (typeof mechanism !== 'string') missing.push(mechanism);
    else {
      levels.push({
        level,
        mechanism: describe(host, level, mechanism),
        network: level !== 'very-strict',
        limits: limitsOf(host, mechanism),
      });
    }
  }
  return { least, levels, missing };
}

function describe(host: HostIsolation, level: SandboxLevel, mechanism: Mechanism): string {
  const who = host.isRoot && host.taskUser !== null ? ` as ${host.taskUser.name}` : '';
  switch (mechanism) {
    case 'plain':
      return level === 'none' ? 'process group' : 'own environment, umask and priority';
    case 'bubblewrap':
      return `bubblewrap ${host.bubblewrap?.version ?? ''}${level === 'strict' ? '' : '+seccomp'}${who}`;
    case 'namespaces':
      return `namespaces+seccomp${who}`;
    case 'landlock':
      return `landlock+seccomp${who}`;
    case 'seatbelt':
      return `sandbox-exec${who}`;
    default:
      return unreachable(mechanism);
  }
}

const never: LimitOffer = { enforcement: 'none', mechanism: '' };

function limitsOf(host: HostIsolation, mechanism: Mechanism): Record<LimitName, LimitOffer> {
  const posix = host.platform !== 'win32';
  const watched = (how: string): LimitOffer => (host.watcher ? { enforcement: 'watched', mechanism: how } : never);
  const perProcess = (how: string): LimitOffer => (posix ? { enforcement: 'per-process', mechanism: how } : never);
  const namespace = mechanism === 'bubblewrap' || mechanism === 'namespaces';
  const setsLimits = host.prlimit !== null || mechanism === 'namespaces';
  const countedAlone = namespace && host.countsPerNamespace && setsLimits;
  const memory: LimitOffer = { enforcement: 'hard', mechanism: 'memory.max' };
  const pids: LimitOffer = { enforcement: 'hard', mechanism: 'pids.max' };
  const ownCount: LimitOffer = { enforcement: 'hard', mechanism: 'RLIMIT_NPROC' };
  const counted = host.isRoot || !posix ? 'watcher' : 'watcher, RLIMIT_NPROC';
  const sum = host.cgroup.cpu ? 'cpu.stat' : 'watcher';
  return {
    timeout: { enforcement: 'hard', mechanism: 'timer' },
    max_output: { enforcement: 'hard', mechanism: 'reader' },
    cpu_time_limit: host.watcher ? watched(`${sum}, RLIMIT_CPU`) : perProcess('RLIMIT_CPU'),
    memory_limit_mb: host.cgroup.memory ? memory : watched('watcher'),
    disk_limit_mb: watched('watcher, RLIMIT_FSIZE'),
    max_open_files: perProcess('RLIMIT_NOFILE'),
    max_processes: host.cgroup.processes ? pids : countedAlone ? ownCount : watched(counted),
  };
}
