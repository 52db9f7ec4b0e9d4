/**
 * Whole trees of processes: what belongs to a task, and how all of it ends. This is Linux; what all systems
 * have in common is in `process-tree.ts`.
 *
 * This process is a subreaper: whatever of a task loses its parent (double fork, setsid, `nohup &`) becomes a child of
 * this process and so cannot get out of sight. A child that nobody here started is an orphan, and belongs to
 *   1. the task whose process group or session it is in; else
 *   2. the task whose marker is in the environment it was started with; else, when it has scrubbed that,
 *   3. no known task: it is killed as soon as no attempt still runs that was there when it started.
 * Orphans that carry this process's resource-limit brand no more than a stranger does are not tasks' and left alone
 * (in a container this process may be pid 1 and inherit anybody).
 * Where it cannot be a subreaper, orphans are looked for among all processes, and known by that brand alone.
 *
 * Killing goes in rounds: stop everything that belongs to the task until nothing new turns up, kill it, take its remains,
 * look again; stopped processes cannot fork, so a fork bomb loses. The usual end, with nothing left, costs one kill(2) and
 * one read of a list (together about 6 µs); /proc is only walked when there is something to kill.
 *
 * Deliberately not here: who is told, time limits, grace. Invariants: never waitpid(-1), Bun owns the children it started;
 * nothing is signalled by a pid that was not just seen to be what it should be; one instance a process, as children are its.
 */

import type { Log } from '../ports/time.ts';
import type { LinuxCalls } from './libc.ts';
import {
  markerVariable,
  type OrphansUse,
  type ProcessTrees,
  type Survey,
  type SurveyedTree,
  signal,
} from './process-tree.ts';
import {
  ChildList,
  countThreads,
  isAlive,
  listDescendants,
  type ProcessFacts,
  ProcessList,
  readChain,
  readProcess,
  readProcesses,
  readQueueLimit,
  readVariable,
  readWrittenBytes,
  walkDescendants,
  withDescendants,
} from './procfs.ts';

/** Rounds of killing before something that cannot die (stuck in the kernel, another user's) is given up. */
const roundsMax = 100;
/** Passes of stopping within one round. */
const passesMax = 20;
const pauseMsMax = 100;
/** Trees up to this many processes are found by lists of children, larger ones by a look at all processes. */
const walkedMax = 128;
/** How often orphans of running tasks are looked at: takes the remains of dead ones, learns whose the others are. */
const sweepMs = 1000;

interface Root {
  readonly pid: number;
  readonly marker: string;
  readonly wrappers: number;
  readonly orphans: { cpuMs: number; writtenBytes: number };
  running: boolean;
  /** Read when first needed; null = not yet. */
  startedTicks: number | null;
}

type Owner =
  | { readonly kind: 'task'; readonly marker: string }
  | { readonly kind: 'unknown'; readonly startedTicks: number }
  /** Not a task's. */
  | { readonly kind: 'foreign' };

interface Options {
  readonly calls: LinuxCalls;
  readonly log: Log;
  /** Limit that tells this process's tasks from strangers; null = every orphan is taken for a task's. */
  readonly queueBytes: bigint | null;
  /** Pid of the guard, which is a child but no orphan. */
  readonly guardPid: () => number | null;
}

/** Trees on Linux, exact. */
export class LinuxTrees implements ProcessTrees {
  readonly #options: Options;
  readonly #roots = new Map<number, Root>();
  readonly #owners = new Map<number, Owner>();
  /** This process is a subreaper: what lost its parent is its child. */
  readonly #adopts: boolean;
  readonly #children: ChildList | ProcessList;
  readonly #ownSession = readProcess(process.pid)?.session ?? -1;
  #sweeper: ReturnType<typeof setInterval> | null = null;

  constructor(options: Options) {
    this.#options = options;
    this.#adopts = options.calls.setSubreaper(true);
    this.#children = this.#adopts ? new ChildList() : new ProcessList();
    for (const pid of this.#children.read()) this.#owners.set(pid, { kind: 'foreign' });
    if (!this.#adopts && options.queueBytes === null) {
      options.log.warn('Cannot become a subreaper: processes that detach from their task may outlive it');
    }
  }

  get size(): number {
    return this.#roots.size;
  }

  add(pid: number, { marker, wrappers }: { readonly marker: string; readonly wrappers: number }): OrphansUse {
    this.#owners.delete(pid);
    const orphans = { cpuMs: 0, writtenBytes: 0 };
    this.#roots.set(pid, { pid, marker, wrappers, orphans, running: true, startedTicks: null });
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepMs);
    this.#sweeper.unref();
    return orphans;
  }

  terminate(pid: number, signals: readonly NodeJS.Signals[]): void {
    const root = this.#roots.get(pid);
    if (root?.running !== true) return;
    const wrappers = readChain(pid, root.wrappers);
    // The main process first, so that a shell ends by the signal too and not by what its children then say.
    const all = new Set([pid]).union(this.#membersOf(root, readProcesses()));
    const inner = all.difference(wrappers);
    for (const member of inner.size > 0 ? inner : all) {
      for (const name of signals) signal(member, name);
      signal(member, 'SIGCONT');
    }
  }

  kill(pid: number): void {
    const root = this.#roots.get(pid);
    if (root === undefined) return;
    this.#options.calls.setUrgent(true);
    // One call ends the usual bomb, which has not left its group: nobody in it forks once he is killed.
    if (root.running) signal(-pid, 'SIGKILL');
    this.#freezeBlindly(root);
    for (const member of this.#freeze(root)) signal(member, 'SIGKILL');
    this.#options.calls.setUrgent(false);
  }

  finish(pid: number): Promise<void> | null {
    const root = this.#roots.get(pid);
    if (root === undefined) return null;
    root.running = false;
    const groupLeft = signal(-pid, 'SIGKILL');
    if (groupLeft || this.#orphans().some((orphan) => this.#isOf(root, orphan))) return this.#endAll(root);
    this.#forget(root);
    return null;
  }

  readonly survey: Survey = (trees) => {
    const found = new Map<number, SurveyedTree>();
    const orphans = this.#orphans();
    let all: Map<number, ProcessFacts> | null = null;
    for (const { pid, enough, suspect } of trees) {
      const root = this.#roots.get(pid);
      if (root === undefined) continue;
      const tops = [pid, ...orphans.filter((orphan) => this.#isOf(root, orphan))];
      const count = suspect ? listDescendants(tops, enough).size : 0;
      if (count > walkedMax) {
        found.set(pid, { members: [], count });
        continue;
      }
      const living = tops.filter((top) => top === pid || !this.#reapIfDead(top, readProcess(top) ?? undefined));
      let members = walkDescendants(living, { max: walkedMax, enough });
      if (members === null) {
        all ??= readProcesses();
        members = [...withDescendants(all, living)]
          .map((member) => all?.get(member))
          .filter((each) => each !== undefined);
      }
      found.set(pid, { members, count: countThreads(members) });
    }
    return found;
  };

  close(): void {
    this.#options.calls.setSubreaper(false);
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    this.#children.close();
  }

  async #endAll(root: Root): Promise<void> {
    // Against hundreds that want to run, an ordinary thread would hardly ever get its turn.
    this.#options.calls.setUrgent(true);
    for (let round = 0, pauseMs = 1; ; round++, pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
      const living = this.#freeze(root);
      if (living.size === 0) break;
      for (const pid of living) signal(pid, 'SIGKILL');
      if (round === roundsMax) {
        this.#options.log.warn('Processes of a task cannot be ended', { marker: root.marker, pids: [...living] });
        break;
      }
      await Bun.sleep(pauseMs);
    }
    this.#options.calls.setUrgent(false);
    this.#forget(root);
  }

  #forget(root: Root): void {
    this.#roots.delete(root.pid);
    if (this.#roots.size > 0 || this.#sweeper === null) return;
    clearInterval(this.#sweeper);
    this.#sweeper = null;
  }

  /** Stops everything of the tree, until nothing new turns up; returns what was stopped. */
  #freeze(root: Root): ReadonlySet<number> {
    const stopped = new Map<number, ProcessFacts>();
    for (let pass = 0; pass < passesMax; pass++) {
      const all = readProcesses(stopped);
      let isNew = false;
      for (const pid of this.#membersOf(root, all)) {
        const facts = all.get(pid);
        if (stopped.has(pid) || facts === undefined) continue;
        signal(pid, 'SIGSTOP');
        stopped.set(pid, facts);
        isNew = true;
      }
      if (!isNew) break;
    }
    return new Set(stopped.keys());
  }

  /** Stops what can be found without looking at any process, so that a bomb has come to rest before it is looked at. */
  #freezeBlindly(root: Root): void {
    const stopped = new Set<number>();
    for (let pass = 0; pass < passesMax; pass++) {
      const tops = [root.pid, ...this.#orphans().filter((orphan) => this.#isOf(root, orphan))];
      const found = listDescendants(tops, Number.POSITIVE_INFINITY).difference(stopped);
      if (found.size === 0) break;
      for (const pid of found) {
        signal(pid, 'SIGSTOP');
        stopped.add(pid);
      }
    }
  }

  /** Living processes of a tree; takes the remains of its dead orphans on the way. */
  #membersOf(root: Root, all: Map<number, ProcessFacts>): Set<number> {
    const tops: number[] = [];
    for (const pid of this.#orphans()) {
      // It may have come here since `all` was read.
      const facts = all.get(pid) ?? readProcess(pid);
      if (facts === null || this.#reapIfDead(pid, facts) || !this.#isOf(root, pid)) continue;
      all.set(pid, facts);
      tops.push(pid);
    }
    for (const facts of all.values()) {
      if ((facts.group === root.pid || facts.session === root.pid) && isAlive(facts)) tops.push(facts.pid);
    }
    const members = withDescendants(all, tops);
    for (const pid of members) {
      const facts = all.get(pid);
      if (facts === undefined || !isAlive(facts)) members.delete(pid);
    }
    return members;
  }

  /** Children (all processes, where orphans do not come here) that nobody here started and that are not known to be foreign. */
  #orphans(): number[] {
    const guardPid = this.#options.guardPid();
    const children = this.#children.read();
    if (this.#owners.size > 0) {
      const present = new Set(children);
      for (const pid of this.#owners.keys()) if (!present.has(pid)) this.#owners.delete(pid);
    }
    return children.filter(
      (pid) => pid !== guardPid && !this.#roots.has(pid) && this.#owners.get(pid)?.kind !== 'foreign',
    );
  }

  #sweep(): void {
    for (const pid of this.#orphans()) {
      const facts = readProcess(pid);
      if (!this.#reapIfDead(pid, facts ?? undefined)) this.#ownerOf(pid);
    }
  }

  #reapIfDead(pid: number, facts: ProcessFacts | undefined): boolean {
    if (facts === undefined || isAlive(facts) || facts.session === this.#ownSession || !this.#adopts) return false;
    for (const root of this.#roots.values()) {
      if (!this.#isOf(root, pid)) continue;
      root.orphans.cpuMs += facts.cpuMs + facts.waitedCpuMs;
      root.orphans.writtenBytes += readWrittenBytes(pid);
      break;
    }
    this.#options.calls.reap(pid);
    this.#owners.delete(pid);
    return true;
  }

  /** Whether an orphan goes down with `root`. */
  #isOf(root: Root, pid: number): boolean {
    const owner = this.#ownerOf(pid);
    switch (owner.kind) {
      case 'foreign':
        return false;
      case 'task':
        return owner.marker === root.marker || !this.#runs(owner.marker);
      case 'unknown':
        return !this.#otherMayOwn(root, owner.startedTicks);
    }
  }

  #runs(marker: string): boolean {
    for (const root of this.#roots.values()) if (root.marker === marker) return true;
    return false;
  }

  #otherMayOwn(root: Root, startedTicks: number): boolean {
    for (const other of this.#roots.values()) {
      if (other === root || !other.running) continue;
      other.startedTicks ??= readProcess(other.pid)?.startedTicks ?? 0;
      if (other.startedTicks <= startedTicks) return true;
    }
    return false;
  }

  /** Remembered as long as the pid stays in the list of children: until we reap it, it cannot be used again. */
  #ownerOf(pid: number): Owner {
    const known = this.#owners.get(pid);
    if (known !== undefined) return known;
    const facts = readProcess(pid);
    const owner = facts === null ? ({ kind: 'foreign' } as const) : this.#attribute(facts);
    this.#owners.set(pid, owner);
    return owner;
  }

  #attribute(facts: ProcessFacts): Owner {
    // Tasks have sessions of their own and cannot come back into ours: this one was started by the worker itself.
    if (facts.session === this.#ownSession) return { kind: 'foreign' };
    const root = this.#roots.get(facts.group) ?? this.#roots.get(facts.session);
    const { queueBytes } = this.#options;
    const isBranded = (): boolean => queueBytes !== null && readQueueLimit(facts.pid) === queueBytes;
    // Who is nobody's child here may be another worker's.
    if (root === undefined && !this.#adopts && !isBranded()) return { kind: 'foreign' };
    const marker = root?.marker ?? readVariable(facts.pid, markerVariable);
    if (marker !== null) return { kind: 'task', marker };
    if (queueBytes !== null && !isBranded()) return { kind: 'foreign' };
    return { kind: 'unknown', startedTicks: facts.startedTicks };
  }
}
