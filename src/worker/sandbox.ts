/**
 * From a task, a level and what this machine can do to a launch plan: which chain of programs makes the level, what it may
 * see, what keeps it within its limits. Pure: what the machine can do comes in as facts, nothing is started here.
 *
 *   none          [limits] command
 *   basic         [limits] command                            umask 077, nice 5
 *   strict        bubblewrap … -- [limits] command            else the own launcher, else sandbox-exec on macOS
 *   very-strict   bubblewrap … -- [limits] command            else the own launcher
 *
 * `[limits]` is there only when the task asks for some. A worker that is root runs the upper two as another account.
 * The task's variables never are the environment of a program that builds walls: they reach it as data.
 */

import { present } from '../base/assert.ts';
import { OctasklyError } from '../base/errors.ts';
import { denyFilter, type FilterArch } from '../confine/seccomp.ts';
import { chainOf, encodeSpec } from '../confine/spec.ts';
import type { HostIsolation } from '../core/host-isolation.ts';
import {
  effectiveLevel,
  type IsolationDemand,
  isAtLeast,
  isolationMismatches,
  type SandboxLevel,
} from '../core/isolation.ts';
import { isAbsoluteOn, joinOn } from '../core/platform/paths.ts';
import { type ShellCommand, shellFor } from '../core/platform/shell.ts';
import type { TaskArea, TaskUser } from '../ports/files.ts';
import type { LaunchPlan } from '../ports/processes.ts';
import type { Assignment } from '../wire/messages.ts';
import { type Surroundings, taskEnvironment } from './environment.ts';
import { type Mechanism, mechanismOf, offersOf } from './offers.ts';
import { bubblewrapArgv, bubblewrapOptions, bubblewrapWrappers } from './sandbox-bubblewrap.ts';
import { wallsOf } from './sandbox-launcher.ts';
import { type Command, launchLimits, resourceLimits, withResourceLimits } from './sandbox-limits.ts';
import { seatbeltProfile } from './sandbox-seatbelt.ts';
import { inTerminalOfLeader, inTerminalOfOwn } from './sandbox-terminal.ts';
import { directoryInside, readableDirectories, type View } from './sandbox-view.ts';

/** What is settled of an attempt before its directories are made. */
export interface Prepared {
  /** The level it runs at. */
  readonly level: SandboxLevel;
  /** What `Workspace.createArea` is asked for. */
  readonly area: { readonly isolated: boolean; readonly user: TaskUser | null };
}

/** What surrounds an attempt whose plan is made. */
export interface Around {
  readonly prepared: Prepared;
  readonly area: TaskArea;
  /** Names the attempt. */
  readonly marker: string;
  readonly workerName: string;
}

/** A worker's way of running tasks apart. */
export interface Sandbox {
  /** Error: `refused` with a sentence when this worker cannot keep the demand; it is never weakened. */
  prepare(demand: IsolationDemand): Prepared;
  /** The plan of an attempt in its directories. Error: `refused` for what the level cannot do. */
  plan(assignment: Assignment, around: Around): LaunchPlan;
}

/** Tasks make room for the people at the machine. */
const niceness = 5;
const privateUmask = 0o077;

/** A sandbox that makes on `host` what `offersOf(host, least)` promises. */
export function createSandbox(
  host: HostIsolation,
  worker: {
    readonly least: SandboxLevel;
    readonly ownEnvironment: Readonly<Record<string, string | undefined>>;
  },
): Sandbox {
  const isolation = offersOf(host, worker.least);
  return {
    prepare: (demand) => {
      const level = effectiveLevel(demand.level, worker.least);
      const lack = isolation.missing.find((missing) => missing.level === level);
      const reasons = lack === undefined ? isolationMismatches(isolation, demand) : [lack.reason];
      if (reasons.length > 0)
        throw new OctasklyError('refused', `Cannot run the task at sandbox level ${level}: ${reasons.join('; ')}.`);
      const isolated = isAtLeast(level, 'strict');
      return { level, area: { isolated, user: isolated ? host.taskUser : null } };
    },
    plan: (assignment, around) => {
      const mechanism = mechanismOf(host, around.prepared.level);
      if (typeof mechanism !== 'string') throw new OctasklyError('refused', `${mechanism.reason}. ${mechanism.remedy}`);
      const request = { host, own: worker.ownEnvironment, assignment, around };
      return mechanism === 'plain' ? plainPlan(request) : upperPlan(request, mechanism);
    },
  };
}

interface Request {
  readonly host: HostIsolation;
  readonly own: Surroundings['own'];
  readonly assignment: Assignment;
  readonly around: Around;
}

/** What all plans have in common; nothing of it weakens a level. */
function commonPlan({ assignment, around }: Request) {
  const { area, marker } = around;
  return {
    stdin: assignment.spec.stdin,
    marker,
    user: area.user,
    umask: privateUmask,
    nice: niceness,
    limits: launchLimits(assignment.spec.requires.isolation.limits),
    directories: area.temporary === null ? [area.directory] : [area.directory, area.temporary],
  };
}

/** What the task starts. Error: `refused` for a command line that this system's shell cannot take. */
function commandOf({ host, own, assignment: { spec }, around }: Request): ShellCommand {
  if (spec.argv !== null) return { argv: spec.argv, isVerbatim: false };
  const directory = workdirOf(host.platform, around.area.directory, spec.workdir);
  const command = shellFor(host.platform, spec.command ?? '', { own, directory });
  if (typeof command === 'string') throw new OctasklyError('refused', `Cannot run the task: ${command}.`);
  return command;
}

function plainPlan(request: Request): LaunchPlan {
  const { host, own, assignment, around } = request;
  const { spec } = assignment;
  const { directory } = around.area;
  const here = {
    own,
    directory,
    temporary: directory,
    workerName: around.workerName,
    person: null,
    minimal: false,
    platform: host.platform,
  };
  const asked = commandOf(request);
  const argv = spec.stdin.kind === 'terminal' ? inTerminalOfLeader(asked.argv) : asked.argv;
  const command = { argv, env: taskEnvironment(assignment, here) };
  const bare = around.prepared.level === 'none';
  return {
    ...commonPlan(request),
    ...withResourceLimits(command, resourceLimits(spec.requires.isolation.limits, host, false), host),
    ...(bare ? { umask: null, nice: 0 } : {}),
    ...(asked.isVerbatim ? { isVerbatim: true } : {}),
    cwd: workdirOf(host.platform, directory, spec.workdir),
    descriptors: [],
    wrappers: 0,
  };
}

function workdirOf(platform: string, directory: string, workdir: string | null): string {
  if (workdir === null) return directory;
  return isAbsoluteOn(platform, workdir) ? workdir : joinOn(platform, directory, workdir);
}

function upperPlan(request: Request, mechanism: Exclude<Mechanism, 'plain'>): LaunchPlan {
  const { host, own, assignment, around } = request;
  const { level } = around.prepared;
  const { directory } = around.area;
  const temporary = present(around.area.temporary, 'the temporary directory of an isolated area');
  const { network, limits } = assignment.spec.requires.isolation;
  const view: View = {
    level: level === 'strict' ? 'strict' : 'very-strict',
    paths: host.paths,
    directory,
    temporary,
    network,
    memoryMb: limits.memoryMb,
  };
  const rebuilt = mechanism === 'bubblewrap' || mechanism === 'namespaces';
  const inside = rebuilt ? directoryInside : directory;
  const minimal = level === 'very-strict';
  const name = minimal ? 'task' : (around.area.user?.name ?? host.accountName);
  const readable = readableDirectories(view);
  const env = taskEnvironment(assignment, {
    own: { ...own, PATH: visiblePath(own.PATH, readable) },
    directory: inside,
    temporary: rebuilt ? '/tmp' : temporary,
    workerName: around.workerName,
    person: { name, home: inside },
    minimal,
    platform: host.platform,
  });
  const workdir = visibleWorkdir(assignment, inside, [inside, rebuilt ? '/tmp' : temporary, ...readable]);
  const isTerminal = assignment.spec.stdin.kind === 'terminal';
  const asked = commandOf(request).argv;
  const command = { argv: isTerminal && rebuilt ? inTerminalOfOwn(asked) : asked, env };
  refuseNul([workdir, ...command.argv, ...Object.entries(env).flat()]);
  // The chain itself starts where it can always be: the task's directory may be one the worker's account cannot enter.
  const common = { ...commonPlan(request), cwd: '/' };
  const made = chain({ host, view, command, workdir, limits, mechanism });
  // Before the walls stand: from behind them the terminal cannot be opened.
  return { ...common, ...made, argv: isTerminal && !rebuilt ? inTerminalOfLeader(made.argv) : made.argv };
}

/** The part of a plan that makes an upper level. */
function chain(task: {
  readonly host: HostIsolation;
  readonly view: View;
  readonly command: Command;
  readonly workdir: string;
  readonly limits: IsolationDemand['limits'];
  readonly mechanism: Exclude<Mechanism, 'plain'>;
}): Pick<LaunchPlan, 'argv' | 'env' | 'descriptors' | 'wrappers' | 'cwd'> {
  const { host, view, command, workdir, limits, mechanism } = task;
  if (mechanism === 'seatbelt') {
    const profile = seatbeltProfile({ ...view, hidden: host.paths.hidden });
    const limited = withResourceLimits(command, resourceLimits(limits, host, false), host);
    const argv = [present(host.sandboxExec, 'sandbox-exec').path, '-p', profile, ...limited.argv];
    return { argv, env: limited.env, descriptors: [], wrappers: 0, cwd: workdir };
  }
  if (mechanism === 'bubblewrap') {
    const { path, version } = present(host.bubblewrap, 'bubblewrap');
    const limited = withResourceLimits(command, resourceLimits(limits, host, true), host);
    const forbidsNamespaces = isVersionAtLeast(version, [0, 8]);
    const options = bubblewrapOptions(view, { env: limited.env, workdir, forbidsNamespaces });
    const sockets = { network: false, unixSockets: true };
    const filter = view.level === 'very-strict' ? [denyFilter(present(filterArch(host), 'a filter'), sockets)] : [];
    return {
      argv: [...bubblewrapArgv(path), ...limited.argv],
      env: {},
      descriptors: [nulEnded(options), ...filter],
      wrappers: bubblewrapWrappers,
      cwd: '/',
    };
  }
  const launcher = present(host.launcher, 'the own launcher');
  const spec = {
    ...wallsOf(view, mechanism),
    argv: command.argv,
    env: command.env,
    inherit: host.marks,
    cwd: workdir,
    user: null,
    parentPid: mechanism === 'landlock' ? host.pid : null,
    umask: privateUmask,
    nice: 0,
    rlimits: resourceLimits(limits, host, mechanism === 'namespaces'),
  };
  const { argv, wrappers } = chainOf(spec, { self: launcher.self, tools: launcher.tools });
  return { argv, env: {}, descriptors: [encodeSpec(spec)], wrappers, cwd: '/' };
}

/** Of the worker's PATH what the task can see; undefined when that is nothing. */
function visiblePath(path: string | undefined, readable: readonly string[]): string | undefined {
  const seen = (path ?? '').split(':').filter((entry) => readable.some((root) => `${entry}/`.startsWith(`${root}/`)));
  return seen.length === 0 ? undefined : seen.join(':');
}

/** Where the command starts. Error: `refused` when the task cannot see that place at its level. */
function visibleWorkdir({ spec }: Assignment, inside: string, visible: readonly string[]): string {
  if (spec.workdir === null) return inside;
  const path = resolvePath(inside, spec.workdir);
  if (visible.some((root) => path === root || path.startsWith(`${root}/`))) return path;
  throw new OctasklyError(
    'refused',
    `Cannot run the task in "${spec.workdir}": at sandbox level strict and above a task sees only its own directory, /tmp and the system. Leave the directory out, or give one below the task directory.`,
  );
}

/** The architecture whose system calls can be filtered here; null = there is no filter for it. */
export function filterArch({ arch }: Pick<HostIsolation, 'arch'>): FilterArch | null {
  return arch === 'x64' || arch === 'arm64' ? arch : null;
}

/** An absolute path, without "." and "..". */
function resolvePath(from: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${from}/${path}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

function nulEnded(words: readonly string[]): Uint8Array {
  return new TextEncoder().encode(words.map((word) => `${word}\0`).join(''));
}

/** What ends a word of the options would begin the next one: a variable could take the walls down. */
function refuseNul(words: readonly string[]): void {
  if (words.some((word) => word.includes('\0')))
    throw new OctasklyError(
      'refused',
      'Cannot run the task: a variable, argument or path of it holds a NUL character, and no program can be given one.',
    );
}

function isVersionAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ours = 0, oursMinor = 0] = version.split('.').map(Number);
  return ours > major || (ours === major && oursMinor >= minor);
}
