/**
 * The `Launcher` port over Bun.spawn: each task a session of its own, output byte-exact and with back-pressure, an end
 * that means the end of the whole tree.
 *
 * The life of a launch: pipes → spawn → (`quietMs` later) read as it comes → main process ends → what is left of the tree
 * is killed → output is drained → `ended` resolves. It waits for the exit, not for the end of the output: a daemon may hold
 * that open for ever.
 * `true` must stay cheap, so the usual path makes no stream, walks no /proc and awaits nothing it need not.
 *
 * Deliberately not here: time limits, the grace between TERM and KILL, sandboxes (the plan holds their argv).
 * Invariants: descriptors are close-on-exec, so no task holds another's pipes; one set of trees and one guard a process,
 * shared by all launchers in it. Nothing else in this process may start processes in sessions of their own meanwhile.
 */

import { statSync } from 'node:fs';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { Launched, Launcher, LaunchPlan, Log, ProcessEnd } from '../ports.ts';
import type { Stream } from '../wire/messages.ts';
import { Guard, guardVariable } from './guard.ts';
import { type LinuxCalls, openLinuxCalls } from './libc.ts';
import { watchPeak } from './peak.ts';
import { type InputPipe, type OutputPipe, openInputPipe, openKernelPipe, openStreamPipe, quietMs } from './pipes.ts';
import { GroupTrees } from './process-groups.ts';
import { LinuxTrees, markerVariable, type ProcessTrees } from './process-tree.ts';

/** What a process has once, however many launchers there are. */
interface Nursery {
  readonly calls: LinuxCalls | null;
  readonly guard: Guard;
  readonly trees: ProcessTrees;
  launchers: number;
}

/** The kernel's count of resident memory is this far off at times, since processors keep their share of it to themselves. */
const peakSlackBytes = 2 * 1024 * 1024;

let nursery: Nursery | null = null;

function openNursery(log: Log): Nursery {
  const calls = openLinuxCalls();
  calls?.protectMemory();
  const guard = new Guard(calls, log);
  const trees =
    calls === null
      ? new GroupTrees(log)
      : new LinuxTrees({ calls, log, queueBytes: guard.queueBytes, guardPid: () => guard.pid });
  return { calls, guard, trees, launchers: 0 };
}

type Output = (stream: Stream, data: Uint8Array) => Promise<void> | undefined;

interface Pipes {
  readonly stdin: InputPipe | null;
  readonly stdout: OutputPipe;
  readonly stderr: OutputPipe;
}

/** How a main process ended, as Bun says it. */
interface Exit {
  readonly code: number | null;
  /** A name, or a number for a signal without one. */
  readonly signal: string | number | null;
}

/**
 * Starts processes for a worker. Side effects on this process until `close`: it becomes a subreaper, cannot be traced by
 * others of the same user (and `/proc/self/fd/N` and `/dev/stdout` cannot be opened by an ordinary user any more), and has
 * an odd limit on message queues.
 * `close` takes that back where it can. What still runs then is ended by the guard when this process ends. Idempotent.
 */
export function createLauncher(options: { readonly log: Log }): Launcher & { close(): void } {
  nursery ??= openNursery(options.log);
  const shared = nursery;
  shared.launchers++;
  let closed = false;
  return {
    launch: (plan, onOutput) => {
      shared.guard.ensure();
      return launch(shared, plan, onOutput);
    },
    close: () => {
      if (closed) return;
      closed = true;
      shared.launchers--;
      if (shared.launchers > 0) return;
      // With tasks still running the guard stays on duty: it ends them when this process does.
      if (shared.trees.size === 0) shared.guard.close();
      shared.trees.close();
      nursery = null;
    },
  };
}

function launch(shared: Nursery, plan: LaunchPlan, onOutput: Output): Launched {
  const { trees } = shared;
  const pipes = openPipes(shared.calls, plan, onOutput);
  const peakBefore = process.resourceUsage().maxRSS * 1024;
  const exit = Promise.withResolvers<Exit>();
  const child = spawn(shared, plan, pipes, (code, signal) => exit.resolve({ code, signal }));
  trees.add(child.pid, plan.marker);
  pipes.stdout.started(streamOf(child.stdout));
  pipes.stderr.started(streamOf(child.stderr));
  pipes.stdin?.started(typeof child.stdin === 'object' ? child.stdin : undefined);
  if (plan.stdin.kind === 'text' && pipes.stdin !== null) {
    void pipes.stdin.write(new TextEncoder().encode(plan.stdin.text));
    pipes.stdin.close();
  }
  const peak = watchPeak(child.pid);
  const following = setTimeout(() => {
    pipes.stdout.follow();
    pipes.stderr.follow();
  }, quietMs);

  const settle = async (): Promise<ProcessEnd> => {
    const { code, signal } = await exit.promise;
    clearTimeout(following);
    peak.stop();
    if (plan.stdin.kind === 'stream') pipes.stdin?.close();
    const rest = trees.finish(child.pid);
    if (rest !== null) await rest;
    const outputs = [pipes.stdout.finish(), pipes.stderr.finish()].filter((output) => output !== null);
    if (outputs.length > 0) await Promise.all(outputs);
    return { exitCode: code, signal: nameOf(signal), ...usageOf(child, { before: peakBefore, seen: peak.bytes }) };
  };

  return {
    pid: child.pid,
    writeStdin: async (data) => (pipes.stdin === null ? false : pipes.stdin.write(data)),
    closeStdin: () => {
      if (plan.stdin.kind === 'stream') pipes.stdin?.close();
    },
    terminate: () => trees.terminate(child.pid),
    kill: () => trees.kill(child.pid),
    ended: settle(),
  };
}

function openPipes(calls: LinuxCalls | null, plan: LaunchPlan, onOutput: Output): Pipes {
  const open = (stream: Stream) => {
    const take = (data: Uint8Array) => onOutput(stream, data);
    return calls === null ? openStreamPipe(take) : openKernelPipe(calls, take);
  };
  const stdout = open('stdout');
  const stderr = open('stderr');
  if (stdout === null || stderr === null) {
    stdout?.discard();
    stderr?.discard();
    throw new OctasklyError('io', `Cannot start ${describe(plan)}: the worker has no file descriptors left.`);
  }
  return { stdin: plan.stdin.kind === 'closed' ? null : openInputPipe(calls), stdout, stderr };
}

function spawn(
  { guard }: Nursery,
  plan: LaunchPlan,
  { stdin, stdout, stderr }: Pipes,
  onExit: (code: number | null, signal: string | number | null) => void,
) {
  try {
    return Bun.spawn([...plan.argv], {
      cwd: plan.cwd,
      env: { ...plan.env, [markerVariable]: plan.marker, [guardVariable]: guard.nonce },
      stdin: stdin?.theirs ?? 'ignore',
      stdout: stdout.theirs,
      stderr: stderr.theirs,
      detached: true,
      onExit: (_child, code, signal) => onExit(code, signal),
    });
  } catch (error) {
    stdout.discard();
    stderr.discard();
    stdin?.started(undefined);
    stdin?.close();
    throw new OctasklyError('io', `Cannot start ${describe(plan)}: ${whyNot(plan, error)}.`, { cause: error });
  }
}

function streamOf(end: number | ReadableStream<Uint8Array> | undefined): ReadableStream<Uint8Array> | undefined {
  return typeof end === 'object' ? end : undefined;
}

function describe(plan: LaunchPlan): string {
  return JSON.stringify(plan.argv[0] ?? '');
}

/** The end of the sentence "Cannot start …: ". */
function whyNot(plan: LaunchPlan, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  const cwd = statSync(plan.cwd, { throwIfNoEntry: false });
  if (cwd === undefined) return `its directory ${plan.cwd} does not exist`;
  if (!cwd.isDirectory()) return `${plan.cwd}, the directory to run it in, is not a directory`;
  switch (code) {
    case 'ENOENT':
      return 'there is no such program, or the interpreter it names is missing';
    case 'EACCES':
      return `it is not executable, or ${plan.cwd} may not be entered`;
    case 'E2BIG':
      return 'its arguments and environment together are longer than the system takes';
    case 'ENOEXEC':
      return 'it is not a program for this system';
    default:
      return reasonOf(error);
  }
}

function nameOf(signal: string | number | null): string | null {
  return typeof signal === 'number' ? `SIG${signal}` : signal;
}

/**
 * What main process and the descendants it waited for have used. A process starts as a copy of this one (vfork), and the
 * kernel counts our own memory into its peak: one that is not clearly higher than ours says nothing, and what was seen
 * by looking stands in for it; null for what was too short to be looked at.
 */
function usageOf(
  child: Bun.Subprocess,
  peak: { readonly before: number; readonly seen: number | null },
): Pick<ProcessEnd, 'cpuMs' | 'memoryPeakBytes'> {
  const usage = child.resourceUsage();
  if (usage === undefined) return { cpuMs: null, memoryPeakBytes: peak.seen };
  const telling = usage.maxRSS > peak.before * 1.05 + peakSlackBytes;
  return {
    cpuMs: Number(usage.cpuTime.total) / 1000,
    memoryPeakBytes: telling ? Math.max(usage.maxRSS, peak.seen ?? 0) : peak.seen,
  };
}
