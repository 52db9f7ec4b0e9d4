/**
 * What a worker promises: its levels, by what each is made, and how each limit is kept; and for levels it cannot give, why
 * and how to get them. Pure; everything follows from what was found and tried on the machine.
 */

import { unreachable } from '../base/assert.ts';
import type { HostIsolation, Trial } from '../core/host-isolation.ts';
import {
  type Isolation,
  isAtLeast,
  type LevelLack,
  type LevelOffer,
  type SandboxLevel,
  sandboxLevels,
} from '../core/isolation.ts';
import { limitsKept } from '../core/platform/limits.ts';
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
        limits: limitsKept(
          host,
          mechanism === 'bubblewrap' ? mechanism : mechanism === 'namespaces' ? 'launcher' : null,
        ),
      });
    }
  }
  return { least, levels, missing };
}

/**
 * What whoever starts a worker as root should know: tasks below strict have all rights of the machine; and what to do. Null
 * where they do not.
 */
export function rootWarning(host: HostIsolation, least: SandboxLevel): string | null {
  if (!host.isRoot || isAtLeast(least, 'strict')) return null;
  const strict = mechanismOf(host, 'strict');
  const above = typeof strict === 'string' ? ', or start it with --sandbox-level strict' : '';
  return `This worker runs as root, and so does every task that does not ask for strict: it can do anything to this machine. Run the worker as an account of its own (octaskly service install worker makes one)${above}.`;
}

function plainly({ platform, jobObjects }: HostIsolation, level: SandboxLevel): string {
  if (platform === 'win32')
    return `${jobObjects ? 'job object' : 'taskkill'}${level === 'none' ? '' : ', own environment and priority'}`;
  return level === 'none' ? 'process group' : 'own environment, umask and priority';
}

function describe(host: HostIsolation, level: SandboxLevel, mechanism: Mechanism): string {
  const who = host.isRoot && host.taskUser !== null ? ` as ${host.taskUser.name}` : '';
  switch (mechanism) {
    case 'plain':
      return plainly(host, level);
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
