/**
 * The `Launcher` port over Bun.spawn: each task a session of its own, output byte-exact and with back-pressure, an end
 * that means the end of the whole tree.
 *
 * The life of a launch: pipes → spawn → (`quietMs` later) read as it comes → main process ends → what is left of the tree
 * is killed → output is drained → `ended` resolves. It waits for the exit, not for the end of the output: a daemon may hold
 * that open for ever.
 * `true` must stay cheap, so the usual path makes no stream, walks no /proc and awaits nothing it need not.
 *
 * Limits on memory, CPU time, disk and processes are kept by the attempt's control group where there is one, else by the
 * watcher; which of them ended an attempt is settled when it has ended, from what was measured and from how it ended.
 *
 * Deliberately not here: time limits, the grace between TERM and KILL, sandboxes (the plan holds their argv).
 * Invariants: descriptors are close-on-exec, so no task holds another's pipes; one set of trees and one guard a process,
 * shared by all launchers in it. Nothing else in this process may start processes in sessions of their own meanwhile.
 */

import { existsSync } from 'node:fs';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { isFed, type TerminalSize } from '../core/task.ts';
import type { Launched, Launcher, LaunchPlan, LimitExceeded, ProcessEnd } from '../ports/processes.ts';
import type { Log } from '../ports/time.ts';
import type { Stream } from '../wire/messages.ts';
import type { AttemptGroup, Cgroups, TaskCgroup } from './cgroup.ts';
import { Guard, guardVariable } from './guard.ts';
import { goesWithout, type LinuxCalls, openLinuxCalls } from './libc.ts';
import { LinuxTrees } from './linux-trees.ts';
import { openInputPipe, openKernelPipe, openStreamPipe, quietMs } from './pipes.ts';
import { ProcessCap } from './process-cap.ts';
import { GroupTrees } from './process-groups.ts';
import { markerVariable, type OrphansUse, type ProcessTrees } from './process-tree.ts';
import { readKilobytes, readText } from './procfs.ts';
import { describe, type Pipes, spawn } from './spawning.ts';
import { openTerminalPipes } from './terminal-pipes.ts';
import { limitMet } from './verdict.ts';
import { type Watch, Watcher } from './watcher.ts';
import { openJobCalls } from './windows-jobs.ts';
import { WindowsTrees } from './windows-trees.ts';

/** What a process has once, however many launchers there are. */
interface Nursery {
  readonly calls: LinuxCalls | null;
  readonly guard: Guard;
  readonly trees: ProcessTrees;
  readonly watcher: Watcher;
  readonly countsWrites: boolean;
  readonly cap: ProcessCap;
  launchers: number;
}

/** The kernel's count of resident memory is this far off at times, since processors keep their share of it to themselves. */
const peakSlackBytes = 2 * 1024 * 1024;

let nursery: Nursery | null = null;

function openNursery(log: Log): Nursery {
  const calls = openLinuxCalls();
  calls?.protectMemory();
  const guard = new Guard(calls, log);
  const trees = openTrees(calls, guard, log);
  const watcher = new Watcher(trees.survey, calls);
  // Where the kernel does not count what processes write (CONFIG_TASK_IO_ACCOUNTING), its sums are 0.
  const countsWrites = calls !== null && existsSync('/proc/self/io');
  return { calls, guard, trees, watcher, countsWrites, cap: new ProcessCap(calls), launchers: 0 };
}

function openTrees(calls: LinuxCalls | null, guard: Guard, log: Log): ProcessTrees {
  if (process.platform === 'win32') return new WindowsTrees(openJobCalls(), log);
  if (calls === null) return new GroupTrees(log);
  return new LinuxTrees({ calls, log, queueBytes: guard.queueBytes, guardPid: () => guard.pid });
}

type Output = (stream: Stream, data: Uint8Array) => Promise<void> | undefined;

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
export function createLauncher(options: {
  readonly log: Log;
  /** Where attempts get control groups; null or left out = nowhere. */
  readonly cgroups?: Cgroups | null;
}): Launcher & { close(): void } {
  nursery ??= openNursery(options.log);
  const shared = nursery;
  shared.launchers++;
  let closed = false;
  return {
    launch: (plan, onOutput) => {
      shared.guard.ensure();
      return launch(shared, { plan, cgroup: openGroup(plan, options) }, onOutput);
    },
    close: () => {
      if (closed) return;
      closed = true;
      shared.launchers--;
      if (shared.launchers > 0) return;
      // With tasks still running the guard stays on duty: it ends them when this process does.
      if (shared.trees.size === 0) shared.guard.close();
      shared.trees.close();
      shared.watcher.close();
      nursery = null;
    },
  };
}

/** An attempt's own group; without it, when that cannot be made, the watcher keeps its limits. */
function openGroup(
  plan: LaunchPlan,
  { log, cgroups }: { readonly log: Log; readonly cgroups?: Cgroups | null },
): TaskCgroup | null {
  try {
    return cgroups?.create(plan.limits) ?? null;
  } catch (error) {
    log.warn('Cannot make a control group for an attempt', { marker: plan.marker, reason: reasonOf(error) });
    return null;
  }
}

interface Attempt {
  readonly plan: LaunchPlan;
  readonly cgroup: TaskCgroup | null;
}

function launch(shared: Nursery, attempt: Attempt, onOutput: Output): Launched {
  const { trees, guard, calls } = shared;
  const { plan, cgroup } = attempt;
  const pipes = openPipes(calls, plan, onOutput);
  const peakBefore = process.resourceUsage().maxRSS * 1024;
  const exit = Promise.withResolvers<Exit>();
  const env = { ...plan.env, [markerVariable]: plan.marker, [guardVariable]: guard.nonce };
  const onExit = (code: number | null, signal: string | number | null) => exit.resolve({ code, signal });
  const child = spawn(plan, { calls, pipes, env, cap: shared.cap, cgroup: cgroup?.dir ?? null, onExit });
  const orphans = trees.add(child.pid, plan);
  const group = cgroup ?? trees.groupOf?.(child.pid, plan.limits) ?? null;
  const firstBytes = highWaterBytes(child.pid);
  pipes.stdout.started(streamOf(child.stdout));
  pipes.stderr.started(streamOf(child.stderr));
  pipes.stdin?.started(typeof child.stdin === 'object' ? child.stdin : undefined);
  if (plan.stdin.kind === 'text' && pipes.stdin !== null) {
    void pipes.stdin.write(new TextEncoder().encode(plan.stdin.text));
    pipes.stdin.close();
  }
  const kill = (): void => {
    group?.kill();
    trees.kill(child.pid);
  };
  let limit: LimitExceeded | null = null;
  const onExceeded = (exceeded: LimitExceeded): void => {
    limit = exceeded;
    kill();
  };
  const watch = shared.watcher.add({ pid: child.pid, plan, orphans, group, onExceeded });
  const following = setTimeout(() => {
    pipes.stdout.follow();
    pipes.stderr.follow();
  }, quietMs);

  const settle = async (): Promise<ProcessEnd> => {
    const { code, signal } = await exit.promise;
    clearTimeout(following);
    if (isFed(plan.stdin)) pipes.stdin?.close();
    const rest = trees.finish(child.pid);
    if (rest !== null) await rest;
    const outputs = [pipes.stdout.finish(), pipes.stderr.finish()].filter((output) => output !== null);
    if (outputs.length > 0) await Promise.all(outputs);
    const used = usageOf(child, { shared, group, watch, orphans, peakBefore, firstBytes });
    const how = { exitCode: group?.exitStatus?.() ?? code, signal: nameOf(signal) };
    const met = limit ?? (hasLimits(plan) ? await limitAtEnd(plan, { how, used, watch, group }) : null);
    watch.stop();
    if (group !== null) await group.remove();
    return { ...how, ...used, limitExceeded: met };
  };

  return {
    pid: child.pid,
    writeStdin: async (data) => (pipes.stdin === null ? false : pipes.stdin.write(data)),
    closeStdin: () => {
      if (isFed(plan.stdin)) pipes.stdin?.close();
    },
    resize: (size) => pipes.resize?.(size),
    terminate: () => trees.terminate(child.pid, plan.stdin.kind === 'terminal' ? ['SIGTERM', 'SIGHUP'] : ['SIGTERM']),
    kill,
    ended: settle(),
  };
}

function hasLimits({ limits }: LaunchPlan): boolean {
  const { cpuTimeMs, memoryBytes, diskBytes, processes } = limits;
  return cpuTimeMs !== null || memoryBytes !== null || diskBytes !== null || processes !== null;
}

type Used = Pick<ProcessEnd, 'cpuMs' | 'memoryPeakBytes' | 'writtenBytes'>;

/** The limit an attempt ran into that nobody ended for it. */
async function limitAtEnd(
  plan: LaunchPlan,
  end: {
    readonly how: Pick<ProcessEnd, 'exitCode' | 'signal'>;
    readonly used: Used;
    readonly watch: Watch;
    readonly group: AttemptGroup | null;
  },
): Promise<LimitExceeded | null> {
  const { how, used, watch, group } = end;
  const disk = await watch.measureDisk();
  const measured = {
    cpuMs: used.cpuMs,
    memoryBytes: used.memoryPeakBytes,
    diskBytes: disk?.bytes ?? null,
    processes: watch.highest.processes,
  };
  const events = group?.events() ?? { kernelKills: 0, refusedForks: 0 };
  return limitMet(plan.limits, measured, { ...how, ...events, largestFileBytes: disk?.largestFileBytes ?? 0 });
}

function openPipes(calls: LinuxCalls | null, plan: LaunchPlan, onOutput: Output): Pipes {
  if (plan.stdin.kind === 'terminal') return openTerminal(plan, plan.stdin, onOutput);
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

function openTerminal(plan: LaunchPlan, size: TerminalSize, onOutput: Output): Pipes {
  const pipes = openTerminalPipes(size, (data) => onOutput('stdout', data));
  if (pipes !== null) return pipes;
  const hasThem = process.platform === 'linux' && goesWithout === null;
  const why = hasThem ? 'the worker has no terminal left' : 'the worker has no terminals';
  throw new OctasklyError('io', `Cannot start ${describe(plan)}: ${why}.`);
}

function streamOf(end: number | ReadableStream<Uint8Array> | undefined): ReadableStream<Uint8Array> | undefined {
  return typeof end === 'object' ? end : undefined;
}

function nameOf(signal: string | number | null): string | null {
  return typeof signal === 'number' ? `SIG${signal}` : signal;
}

/** The most memory a process was resident with so far; null when that cannot be read. */
function highWaterBytes(pid: number): number | null {
  const text = readText(`/proc/${pid}/status`);
  return text.includes('VmHWM:') ? readKilobytes(text, 'VmHWM') : null;
}

/** Bytes of a block as the kernel counts what processes write (getrusage(2), ru_oublock). */
const blockBytes = 512;

/**
 * What a tree has used: the main process and the descendants it waited for by the kernel's sums, the others as far as they
 * were seen; all of it by the control group where there is one.
 * A process starts as a copy of this one (vfork), and the kernel counts our own memory into its peak: one that is not
 * clearly higher than ours says nothing, and what was seen by looking stands in for it: for what ends before the watcher's
 * first look that is what it had just after the start.
 */
function usageOf(
  child: Bun.Subprocess,
  by: {
    readonly shared: Nursery;
    readonly group: AttemptGroup | null;
    readonly watch: Watch;
    readonly orphans: OrphansUse;
    /** The highest this process had been before the start. */
    readonly peakBefore: number;
    /** Its own peak just after the start, null when that could not be read. */
    readonly firstBytes: number | null;
  },
): Used {
  const { watch, orphans } = by;
  const group = by.group?.usage() ?? null;
  const usage = child.resourceUsage();
  const looked = watch.highest.memoryBytes;
  const highest = looked === null ? by.firstBytes : Math.max(looked, by.firstBytes ?? 0);
  const seen = group?.memoryPeakBytes ?? highest;
  if (usage === undefined) return { cpuMs: watch.highest.cpuMs, memoryPeakBytes: seen, writtenBytes: null };
  const telling = usage.maxRSS > by.peakBefore * 1.05 + peakSlackBytes;
  const cpuMs = Number(usage.cpuTime.total) / 1000 + watch.unwaitedCpuMs;
  return {
    cpuMs: group?.cpuMs ?? Math.max(cpuMs, watch.highest.cpuMs ?? 0),
    memoryPeakBytes: telling ? Math.max(usage.maxRSS, seen ?? 0) : seen,
    writtenBytes: by.shared.countsWrites ? usage.ops.out * blockBytes + orphans.writtenBytes : null,
  };
}
