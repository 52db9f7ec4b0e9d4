/**
 * The start of one process as its plan says: account, mask, niceness, control group, descriptors. What Bun.spawn does not
 * take is set on this process for the moment of the call, which is synchronous, and set back: the child begins with it.
 * Deliberately not here: what becomes of it afterwards (`launcher.ts`).
 * Invariant: a start that fails leaves no descriptor and no setting behind.
 */

import { closeSync, fchownSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { getPriority, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { startOptionsOn } from '../core/platform/shell.ts';
import type { TerminalSize } from '../core/task.ts';
import type { LaunchPlan } from '../ports/processes.ts';
import type { LinuxCalls } from './libc.ts';
import type { InputPipe, OutputPipe } from './pipes.ts';
import type { ProcessCap } from './process-cap.ts';

/** The ends of its standard streams. */
export interface Pipes {
  readonly stdin: InputPipe | null;
  readonly stdout: OutputPipe;
  readonly stderr: OutputPipe;
  /** Where they are a terminal: gives it another size. */
  readonly resize?: (size: TerminalSize) => void;
}

/** What goes with a start beside the plan. */
export interface Start {
  readonly calls: LinuxCalls | null;
  readonly pipes: Pipes;
  readonly env: Readonly<Record<string, string>>;
  readonly cap: ProcessCap;
  /** Directory of its control group. */
  readonly cgroup: string | null;
  onExit(code: number | null, signal: string | number | null): void;
}

const nicenessMax = 19;

/** Starts the main process, as leader of a session. Error: `io`; then the pipes are given up. */
export function spawn(plan: LaunchPlan, { calls, pipes, env, cap, cgroup, onExit }: Start) {
  const { stdin, stdout, stderr } = pipes;
  const descriptors: number[] = [];
  const restore = plan.umask === null ? null : takeOnMask(calls, plan.umask);
  const uncap = cgroup === null ? cap.take(plan.limits.processes, plan.user?.uid ?? null) : null;
  let pid: number | null = null;
  try {
    for (const content of plan.descriptors) descriptors.push(openContent(calls, content));
    if (plan.user !== null) giveAway(plan.user, pipes);
    const child = Bun.spawn([...plan.argv], {
      cwd: plan.cwd,
      env,
      stdio: [stdin?.theirs ?? 'ignore', stdout.theirs, stderr.theirs, ...descriptors],
      ...startOptionsOn(process.platform, plan.isVerbatim ?? false),
      ...(plan.user === null ? null : { uid: plan.user.uid, gid: plan.user.gid }),
      ...(cgroup === null ? null : { cgroup }),
      onExit: (_child, code, signal) => onExit(code, signal),
    });
    pid = child.pid;
    if (plan.nice > 0) beNice(calls, child.pid, plan.nice);
    return child;
  } catch (error) {
    stdout.discard();
    stderr.discard();
    stdin?.started(undefined);
    stdin?.close();
    throw new OctasklyError('io', `Cannot start ${describe(plan)}: ${whyNot(plan, error)}.`, { cause: error });
  } finally {
    restore?.();
    uncap?.(pid);
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

/** How a plan is named in messages. */
export function describe(plan: LaunchPlan): string {
  return JSON.stringify(plan.argv[0] ?? '');
}

/** Sets the mask, and switches core dumps off with it; returns what sets both back. */
function takeOnMask(calls: LinuxCalls | null, umask: number): () => void {
  const core = calls?.coreLimit() ?? null;
  const before = process.umask(umask);
  if (core !== null) calls?.setCoreLimit({ soft: 0n, hard: core.hard });
  return () => {
    process.umask(before);
    if (core !== null) calls?.setCoreLimit(core);
  };
}

/** A descriptor to read `content` from, at its beginning. */
function openContent(calls: LinuxCalls | null, content: Uint8Array): number {
  const descriptor = calls?.openMemoryFile() ?? openUnlinked();
  try {
    for (let done = 0; done < content.length; )
      done += writeSync(descriptor, content, done, content.length - done, done);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return descriptor;
}

/** A file without a name, for systems that have none in memory. */
function openUnlinked(): number {
  const directory = mkdtempSync(join(tmpdir(), 'octaskly-'));
  try {
    return openSync(join(directory, 'content'), 'wx+', 0o600);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** So that the process may open /dev/stdout and its like by name, which asks the pipe's owner. */
function giveAway(
  { uid, gid }: { readonly uid: number; readonly gid: number },
  { stdin, stdout, stderr }: Pipes,
): void {
  for (const end of [stdin?.theirs, stdout.theirs, stderr.theirs])
    if (typeof end === 'number') fchownSync(end, uid, gid);
}

/** The whole group: in the moment since its start it may have children already. */
function beNice(calls: LinuxCalls | null, pid: number, nice: number): void {
  const niceness = Math.min(getPriority() + nice, nicenessMax);
  if (calls?.setGroupNiceness(pid, niceness) === true) return;
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already.
  }
}

/** A path may also be too long, lead through a file, or in circles. */
function statOf(path: string): ReturnType<typeof statSync> | Error {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The end of the sentence "Cannot start …: ". */
function whyNot(plan: LaunchPlan, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  const cwd = statOf(plan.cwd);
  if (cwd instanceof Error) return `its directory ${plan.cwd.slice(0, 200)} cannot be had: ${cwd.message}`;
  if (cwd === undefined) return `its directory ${plan.cwd} does not exist`;
  if (!cwd.isDirectory()) return `${plan.cwd}, the directory to run it in, is not a directory`;
  switch (code) {
    case 'ENOENT':
      return 'there is no such program, or the interpreter it names is missing';
    case 'EACCES':
      return `it is not executable, or ${plan.cwd} may not be entered`;
    case 'EPERM':
      return plan.user === null ? reasonOf(error) : `this worker may not run anything as ${plan.user.name}`;
    case 'E2BIG':
      return 'its arguments and environment together are longer than the system takes';
    case 'ENOEXEC':
      return 'it is not a program for this system';
    default:
      return reasonOf(error);
  }
}
