/**
 * What this machine has to run tasks apart: reads the facts, and tries plans once to see whether they work. A trial is a
 * process of its own, so one that crashes, hangs or is killed by the kernel says no and does no other harm.
 *
 * Deliberately not here: which plans to try and what follows (`worker/trials`, `worker/offers`). Nothing rejects.
 */

import {
  closeSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { reasonOf } from '../base/errors.ts';
import { type Account, type HostIsolation, notTried, type SystemPaths, type Trial } from '../core/host-isolation.ts';
import type { LaunchPlan } from '../ports/processes.ts';
import { ownAccountName } from './accounts.ts';
import { isAndroid } from './android.ts';
import { guardVariable } from './guard.ts';
import { goesWithout } from './libc.ts';
import { markerVariable } from './process-tree.ts';
import { askTool } from './tool-answer.ts';
import { openJobCalls } from './windows-jobs.ts';

/** A launch takes milliseconds; what has not ended after this does not work. */
const trialTimeoutMs = 5000;

/** The facts, with nothing tried yet. `hidden` are directories no task may see, besides homes and the configuration. */
export async function readHostIsolation(given: {
  readonly taskUser: Account | null;
  readonly hidden: readonly string[];
  readonly cgroup: HostIsolation['cgroup'];
  /** How this program is started, without arguments; as it was started itself when not given. */
  readonly self?: readonly string[];
}): Promise<HostIsolation> {
  const platform = isAndroid() ? 'android' : process.platform;
  const linux = platform === 'linux';
  const untried = { strict: notTried, veryStrict: notTried };
  const sandboxExec = '/usr/bin/sandbox-exec';
  const bubblewrap = linux ? await findBubblewrap() : null;
  return {
    platform,
    arch: process.arch,
    accountName: ownAccountName(),
    isRoot: process.getuid?.() === 0,
    pid: process.pid,
    marks: [markerVariable, guardVariable],
    taskUser: given.taskUser,
    paths: readSystemPaths([homedir(), '/etc/octaskly', ...given.hidden]),
    bubblewrap: bubblewrap && { ...bubblewrap, ...untried },
    launcher:
      linux && goesWithout === null
        ? {
            self: given.self ?? ownCommandLine(),
            tools: {
              setpriv: Bun.which('setpriv') ?? '/usr/bin/setpriv',
              unshare: Bun.which('unshare') ?? '/usr/bin/unshare',
            },
            namespaces: untried,
            landlock: notTried,
          }
        : null,
    sandboxExec: platform === 'darwin' && existsSync(sandboxExec) ? { path: sandboxExec, strict: notTried } : null,
    prlimit: linux ? Bun.which('prlimit') : null,
    countsPerNamespace: linux && isKernelAtLeast(5, 14),
    cgroup: given.cgroup,
    jobObjects: openJobCalls() !== null,
    watcher: canWatch(platform),
  };
}

/** By /proc; by `ps` on macOS; by job objects. */
function canWatch(platform: string): boolean {
  if (platform === 'darwin') return Bun.which('ps') !== null;
  return platform === 'win32' ? openJobCalls() !== null : existsSync('/proc/self/stat');
}

/** How this program is started: the compiled file, or the runtime with the file it was given. */
export function ownCommandLine(): string[] {
  const isCompiled = /^(\/\$bunfs\/|[A-Z]:[\\/]~BUN)/.test(Bun.main);
  return isCompiled ? [process.execPath] : [process.execPath, Bun.main];
}

/** Runs `plan` once, as it would be run for a task. What it says on standard error is why it does not work. */
export async function tryPlan(plan: LaunchPlan): Promise<Trial> {
  const open: number[] = [];
  try {
    for (const content of plan.descriptors) open.push(openContent(content));
    const child = Bun.spawn([...plan.argv], {
      cwd: plan.cwd,
      env: { ...plan.env },
      stdio: ['ignore', 'ignore', 'pipe', ...open],
      ...(plan.user === null ? {} : { uid: plan.user.uid, gid: plan.user.gid }),
      timeout: trialTimeoutMs,
      killSignal: 'SIGKILL',
    });
    for (const fd of open.splice(0)) closeSync(fd);
    const [complaint, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    if (code === 0) return { works: true, why: '' };
    const last = complaint.trim().split('\n').at(-1) ?? '';
    return { works: false, why: last === '' ? `it ended with status ${child.signalCode ?? code}` : last };
  } catch (error) {
    return { works: false, why: reasonOf(error) };
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

/** A descriptor from which `content` is read, of a file without a name. */
function openContent(content: Uint8Array): number {
  const dir = mkdtempSync(join(tmpdir(), 'octaskly-trial-'));
  try {
    const path = join(dir, 'content');
    writeFileSync(path, content, { mode: 0o600 });
    return openSync(path, 'r');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function findBubblewrap(): Promise<{ path: string; version: string } | null> {
  const path = Bun.which('bwrap');
  if (path === null) return null;
  const answer = await askTool([path, '--version'], trialTimeoutMs);
  return answer === null ? null : { path, version: /\d+(\.\d+)+/.exec(answer.text)?.[0] ?? 'of unknown version' };
}

/** Where the system lies: /usr, what is beside it, and what of it is a link. */
function readSystemPaths(hidden: readonly string[]): SystemPaths {
  const readOnly: string[] = [];
  const links: { path: string; target: string }[] = [];
  for (const path of ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (facts?.isSymbolicLink()) links.push({ path, target: readlinkSync(path) });
    else if (facts?.isDirectory()) readOnly.push(path);
  }
  const resolvConf = realPath('/etc/resolv.conf');
  return {
    readOnly,
    links,
    extra: ['/opt', '/nix'].filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory()),
    resolvConf: resolvConf === null || resolvConf.startsWith('/etc/') ? null : resolvConf,
    hidden: [...new Set(hidden.map(realPath).filter((path) => path !== null))],
  };
}

function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

function isKernelAtLeast(major: number, minor: number): boolean {
  const [ours = 0, oursMinor = 0] = release().split('.').map(Number);
  return ours > major || (ours === major && oursMinor >= minor);
}
