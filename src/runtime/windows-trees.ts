/**
 * Ending trees of processes on Windows: each in a job object of its own. Where no job can be made (no bun:ffi on arm64)
 * `taskkill /T` ends what still has its parents: best effort.
 *
 * A process can be put into its job only after its start, and on a busy machine may have started others by then. But they
 * are in the nest, a job around this process and all it ever starts, in which they are born: what is found there that began
 * with or after the new main process, and is in no other tree, is its. The nest also ends everything with this process.
 *
 * There is no signal to ask a tree to end with (`core/platform/signals.ts`): terminating is killing.
 * Deliberately not here: the calls themselves (`windows-jobs.ts`).
 */

import { endedStatus } from '../core/platform/signals.ts';
import type { LaunchLimits } from '../ports/processes.ts';
import type { Log } from '../ports/time.ts';
import type { AttemptGroup } from './cgroup.ts';
import type { OrphansUse, ProcessTrees, Survey } from './process-tree.ts';
import type { ProcessFacts } from './procfs.ts';
import type { ExitStatus, Job, JobCalls } from './windows-jobs.ts';

const endWaitMs = 2000;
/** Longest `taskkill` may take, ms. */
const taskkillMsMax = 30_000;
const pauseMs = 5;

/** Room above a limit on memory, in which going beyond it can be seen: a job never has more than it is held to. */
const memorySlackShare = 1 / 16;

/** Looks for what was started early, before it is given up. */
const passesMax = 20;

interface Tree {
  readonly job: Job;
  readonly status: ExitStatus | null;
}

/** Trees by jobs. */
export class WindowsTrees implements ProcessTrees {
  readonly #calls: JobCalls | null;
  readonly #log: Log;
  readonly #trees = new Map<number, Tree | null>();
  readonly #nest: Job | null;

  constructor(calls: JobCalls | null, log: Log) {
    this.#calls = calls;
    this.#log = log;
    this.#nest = calls?.open() ?? null;
    if (this.#nest?.take(process.pid) === false)
      log.warn('Cannot hold the processes of tasks together: what they start at once may outlive them');
  }

  get size(): number {
    return this.#trees.size;
  }

  add(pid: number, { marker }: { readonly marker: string }): OrphansUse {
    const status = this.#calls?.openStatus(pid) ?? null;
    const job = this.#calls?.open() ?? null;
    if (job?.take(pid) === false) this.#log.debug('A process ended before it was in its job', { marker, pid });
    if (job !== null) this.#takeEarlyChildren(pid, job);
    this.#trees.set(pid, job === null ? null : { job, status });
    // A job's sums have everything in them.
    return { cpuMs: 0, writtenBytes: 0 };
  }

  /** Whatever was started before `pid` was in its job; each may start more before it is taken itself. */
  #takeEarlyChildren(pid: number, job: Job): void {
    const since = this.#calls?.startedAt(pid) ?? 0n;
    const others = new Set([process.pid]);
    for (const tree of this.#trees.values()) for (const member of tree?.job.members() ?? []) others.add(member);
    const known = others.union(new Set(job.members()));
    for (let pass = 0, found = 1; found > 0 && pass < passesMax; pass++) {
      const early = (this.#nest?.members() ?? []).filter(
        (member) => !known.has(member) && (this.#calls?.startedAt(member) ?? 0n) >= since,
      );
      for (const member of early) {
        job.take(member);
        known.add(member);
      }
      for (const member of job.members()) known.add(member);
      found = early.length;
    }
  }

  /** The job of a tree as what holds it to its limits; null without one. Called once, just after `add`. */
  groupOf(pid: number, limits: LaunchLimits): AttemptGroup | null {
    const tree = this.#trees.get(pid) ?? null;
    if (tree === null) return null;
    const { job, status } = tree;
    const { memoryBytes, processes } = limits;
    job.limit({
      processes,
      memoryBytes: memoryBytes === null ? null : Math.ceil(memoryBytes * (1 + memorySlackShare)),
    });
    return {
      events: () => ({ kernelKills: 0, refusedForks: 0 }),
      usage: () => job.use(),
      exitStatus: () => status?.read() ?? null,
      kill: () => job.end(endedStatus),
      remove: async () => {
        status?.close();
        job.close();
        return true;
      },
    };
  }

  terminate(pid: number): void {
    this.kill(pid);
  }

  kill(pid: number): void {
    const tree = this.#trees.get(pid);
    if (tree === null) endTree(pid);
    else tree?.job.end(endedStatus);
  }

  finish(pid: number): Promise<void> | null {
    const tree = this.#trees.get(pid);
    this.#trees.delete(pid);
    if (tree === null) endTree(pid);
    return !tree || tree.job.use().active === 0 ? null : this.#endAll(tree.job, pid);
  }

  readonly survey: Survey = (trees) =>
    new Map(
      trees.map(({ pid }) => {
        const pids = this.#trees.get(pid)?.job.members() ?? [];
        const members = pids.map((member) => this.#factsOf(member, pid));
        return [pid, { members, count: members.length }];
      }),
    );

  close(): void {
    // What goes on after this is no task of ours: a new program that takes this one's place, for one.
    if (this.#trees.size === 0) this.#nest?.release();
    this.#trees.clear();
  }

  async #endAll(job: Job, pid: number): Promise<void> {
    const deadline = performance.now() + endWaitMs;
    job.end(endedStatus);
    while (job.use().active > 0) {
      if (performance.now() > deadline) {
        this.#log.warn('Processes of a task cannot be ended', { pid, pids: job.members() });
        return;
      }
      await Bun.sleep(pauseMs);
    }
  }

  /** Processor time is the job's to sum. */
  #factsOf(pid: number, root: number): ProcessFacts {
    return {
      ...{ pid, parent: pid === root ? process.pid : root, group: root, session: root, state: 'R', startedTicks: 0 },
      ...{ threads: 1, cpuMs: 0, waitedCpuMs: 0, residentBytes: this.#calls?.residentBytes(pid) ?? 0 },
    };
  }
}

/** All processes whose chain of parents leads to this one. */
function endTree(pid: number): void {
  const root = process.env.SystemRoot ?? 'C:\\Windows';
  try {
    Bun.spawn([`${root}\\System32\\taskkill.exe`, '/PID', String(pid), '/T', '/F'], {
      ...{ env: { SystemRoot: root }, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore', windowsHide: true },
      timeout: taskkillMsMax,
    });
  } catch {
    // Without it there is nothing to end a tree with.
  }
}
