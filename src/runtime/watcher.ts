/**
 * Keeps running attempts within limits the kernel does not keep, and knows what they used at their highest.
 *
 *   added ── 20 ms ──> look ── pause ──> look ── …  ── removed
 *                        └─> beyond a limit: the tree is stopped and killed, and the limit named
 *
 * A short task is never looked at: it costs one entry in a map and no timer of its own. There is one timer for all, and one
 * survey of the trees that are due. The pause is short while a tree is young, grows, or comes near a limit, and long for
 * quiet ones; a look that takes long makes the pauses longer, so that looking stays a small part of the worker's time.
 * What starts and ends between two looks is not seen, and a fast tree is beyond its limit for about one pause.
 *
 * CPU time is a sum that never shrinks: what each living member used and has waited for, what orphans had used when they
 * were reaped, and what vanished without anybody having waited for it.
 *
 * Deliberately not here: how things are measured (`memory-use.ts`, `disk-use.ts`), which words are used (`verdict.ts`).
 */

import { availableParallelism } from 'node:os';
import type { LaunchPlan, LimitExceeded } from '../ports/processes.ts';
import type { AttemptGroup } from './cgroup.ts';
import { DiskMeter } from './disk-use.ts';
import type { LinuxCalls } from './libc.ts';
import { exactBytes, hiddenBytesMax, residentBytes, SharedFiles } from './memory-use.ts';
import type { OrphansUse, Survey, SurveyedTree, SurveyWish } from './process-tree.ts';
import { isAlive, type ProcessFacts, readKilobytes, readText } from './procfs.ts';
import { beyondLimit, type Measured } from './verdict.ts';

/** Age at which an attempt is first looked at; most short tasks have ended by then. */
const firstLookMs = 20;
const pauseMsMin = 25;
/** Longest pauses, with limits of the task's own and with the usual ceilings only. */
const pauseMsLimited = 250;
const pauseMsMax = 500;
/** ps is a process of its own: not more often where it is what we look with. */
const psPauseMs = 500;
/** Part of the time that looks may take, at trees that grow and at quiet ones. */
const busyShare = 0.4;
const quietShare = 0.05;
/** Attempts due within this time of each other are looked at together. */
const togetherMs = 10;
/** A tree of so many that still grows may be a bomb. */
const manyProcesses = 256;
/** A timer as late as this says that the machine is beset. */
const lateMs = 10;
/** From this part of a limit on a tree is near it. */
const nearShare = 0.75;

/** An attempt as the watcher needs it. */
export interface WatchedAttempt {
  readonly pid: number;
  readonly plan: Pick<LaunchPlan, 'limits' | 'directories' | 'wrappers' | 'user'>;
  readonly orphans: OrphansUse;
  readonly group: AttemptGroup | null;
  /** It went beyond `limit`: called at most once, and not after `stop`. */
  onExceeded(limit: LimitExceeded): void;
}

/** One attempt that is watched. */
export interface Watch {
  /** The highest values seen; `memoryBytes` and `processes` null when it was never looked at. */
  readonly highest: Measured;
  /** CPU time nobody's sums hold but ours: orphans', and what vanished unwaited for. */
  readonly unwaitedCpuMs: number;
  /** Ends the watching. Idempotent. */
  stop(): void;
  /** What it occupies on disk now; null without a limit. */
  measureDisk(): Promise<{ readonly bytes: number; readonly largestFileBytes: number }> | null;
}

interface Attempt extends WatchedAttempt {
  readonly startedWall: number;
  readonly disk: DiskMeter | null;
  /** Members at the last look. */
  members: ReadonlyMap<number, ProcessFacts>;
  /** CPU time of vanished members that nobody waited for. */
  lostCpuMs: number;
  /** What orphans had used up to the last look. */
  orphansCpuMs: number;
  cpuMs: number;
  memoryBytes: number | null;
  processes: number | null;
  /** It had many more processes at the last look than before. */
  grewFast: boolean;
  nextAt: number;
  pauseMs: number;
  ended: boolean;
}

/** Watches all attempts of one launcher. */
export class Watcher {
  readonly #survey: Survey;
  readonly #calls: LinuxCalls | null;
  readonly #exact: boolean;
  readonly #attempts = new Set<Attempt>();
  readonly #shared = new SharedFiles();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #timerAt = Number.POSITIVE_INFINITY;
  #looking = false;

  /** With `calls` members come from /proc, where more can be learned of them. */
  constructor(survey: Survey, calls: LinuxCalls | null) {
    this.#survey = survey;
    this.#calls = calls;
    this.#exact = calls !== null;
  }

  add(watched: WatchedAttempt): Watch {
    const { diskBytes } = watched.plan.limits;
    const attempt: Attempt = {
      ...watched,
      startedWall: Date.now(),
      disk: diskBytes === null ? null : new DiskMeter(watched.plan.directories, diskBytes),
      members: new Map(),
      lostCpuMs: 0,
      orphansCpuMs: 0,
      cpuMs: 0,
      memoryBytes: null,
      processes: null,
      grewFast: false,
      nextAt: performance.now() + (this.#exact ? firstLookMs : psPauseMs),
      pauseMs: pauseMsMin,
      ended: false,
    };
    this.#attempts.add(attempt);
    this.#arm(attempt.nextAt);
    return {
      get highest() {
        const { cpuMs, memoryBytes, processes } = attempt;
        return { cpuMs, memoryBytes, processes, diskBytes: null };
      },
      get unwaitedCpuMs() {
        return attempt.lostCpuMs + attempt.orphans.cpuMs;
      },
      stop: () => {
        attempt.ended = true;
        this.#attempts.delete(attempt);
        this.#shared.release(attempt);
      },
      measureDisk: () => attempt.disk?.measure([]) ?? null,
    };
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#attempts.clear();
  }

  #arm(at: number): void {
    if (this.#looking || at >= this.#timerAt) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => void this.#tick(), Math.max(0, at - performance.now()));
  }

  async #tick(): Promise<void> {
    const startedAt = performance.now();
    const isLate = startedAt - this.#timerAt > lateMs;
    this.#timer = null;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const due = [...this.#attempts].filter((attempt) => attempt.nextAt <= startedAt + togetherMs);
    if (due.length > 0) {
      this.#looking = true;
      const cpuBefore = process.cpuUsage();
      // Hundreds of processes leave an ordinary thread no turn, and grow faster than it counts them.
      const isUrgent = isLate || due.some((attempt) => attempt.processes === null || attempt.grewFast);
      if (isUrgent) this.#calls?.setUrgent(true);
      const surveyed = this.#survey(due.map(toSurvey));
      const trees = surveyed instanceof Promise ? await surveyed : surveyed;
      const grows = due.map((attempt) => !attempt.ended && this.#look(attempt, trees.get(attempt.pid)));
      if (isUrgent) this.#calls?.setUrgent(false);
      const spent = process.cpuUsage(cpuBefore);
      const costMs = (spent.user + spent.system) / 1000;
      for (const [index, attempt] of due.entries()) this.#schedule(attempt, { grows: grows[index] === true, costMs });
      this.#looking = false;
    }
    let next = Number.POSITIVE_INFINITY;
    for (const attempt of this.#attempts) next = Math.min(next, attempt.nextAt);
    if (next < Number.POSITIVE_INFINITY) this.#arm(next);
  }

  /** Measures a tree and ends it when it is beyond a limit. True when it grows or is near a limit. */
  #look(attempt: Attempt, tree: SurveyedTree | undefined): boolean {
    if (tree === undefined || tree.count === 0) return false;
    const { members, count: processes } = tree;
    const before = { memory: attempt.memoryBytes ?? 0, processes: attempt.processes ?? 0 };
    const wasCounted = members.length === 0;
    if (!wasCounted) this.#sumCpu(attempt, members);
    const memoryBytes = wasCounted ? before.memory : this.#memoryOf(attempt, members);
    attempt.grewFast = processes > before.processes * (processes < manyProcesses ? 1.5 : 1.02);
    attempt.processes = Math.max(before.processes, processes);
    attempt.memoryBytes = Math.max(before.memory, memoryBytes, this.#exact ? highMark(attempt.pid) : 0);
    const limit = beyondLimit(attempt.plan.limits, {
      cpuMs: attempt.cpuMs,
      memoryBytes,
      processes: processes - attempt.plan.wrappers,
    });
    if (limit !== null) {
      this.#end(attempt, limit);
      return true;
    }
    if (attempt.disk?.isDue() === true) void this.#lookAtDisk(attempt, attempt.disk, members);
    const { limits } = attempt.plan;
    return (
      processes > before.processes * 1.1 + 2 ||
      memoryBytes > before.memory * 1.1 + 4 * 1024 * 1024 ||
      memoryBytes > (limits.memoryBytes ?? Number.POSITIVE_INFINITY) * nearShare ||
      processes > (limits.processes ?? Number.POSITIVE_INFINITY) * nearShare
    );
  }

  async #lookAtDisk(attempt: Attempt, disk: DiskMeter, members: readonly ProcessFacts[]): Promise<void> {
    const { bytes, largestFileBytes } = await disk.measure(this.#exact ? members : []);
    // A file the kernel lets grow no further stands at the limit: more was to be written.
    const isFull = largestFileBytes >= (attempt.plan.limits.diskBytes ?? Number.POSITIVE_INFINITY);
    const diskBytes = isFull ? Math.max(bytes, largestFileBytes + 1) : bytes;
    const limit = beyondLimit(attempt.plan.limits, { diskBytes });
    if (limit !== null && !attempt.ended) this.#end(attempt, limit);
  }

  #end(attempt: Attempt, limit: LimitExceeded): void {
    attempt.ended = true;
    this.#attempts.delete(attempt);
    attempt.onExceeded(limit);
  }

  #sumCpu(attempt: Attempt, members: readonly ProcessFacts[]): void {
    const now = new Map(members.map((facts) => [facts.pid, facts]));
    let vanishedMs = 0;
    let takenOverMs = attempt.orphans.cpuMs - attempt.orphansCpuMs;
    let sum = attempt.orphans.cpuMs;
    for (const facts of members) {
      sum += facts.cpuMs + facts.waitedCpuMs;
      takenOverMs += facts.waitedCpuMs - (sameProcess(attempt.members.get(facts.pid), facts)?.waitedCpuMs ?? 0);
    }
    for (const old of attempt.members.values()) {
      if (sameProcess(now.get(old.pid), old) === undefined) vanishedMs += old.cpuMs + old.waitedCpuMs;
    }
    attempt.lostCpuMs += Math.max(0, vanishedMs - takenOverMs);
    attempt.orphansCpuMs = attempt.orphans.cpuMs;
    attempt.members = now;
    attempt.cpuMs = Math.max(attempt.cpuMs, sum + attempt.lostCpuMs, attempt.group?.usage().cpuMs ?? 0);
  }

  #memoryOf(attempt: Attempt, members: readonly ProcessFacts[]): number {
    const living = members.filter(isAlive);
    const resident = residentBytes(living);
    const { memoryBytes } = attempt.plan.limits;
    if (memoryBytes === null || !this.#exact || resident + hiddenBytesMax() <= memoryBytes) return resident;
    return exactBytes(living, {
      attempt,
      shared: this.#shared,
      sinceWall: attempt.startedWall,
      uid: attempt.plan.user?.uid ?? process.getuid?.() ?? 0,
      alone: this.#isAloneUnconfined(attempt),
    });
  }

  /** Whether a file in the shared /dev/shm can come from no other attempt: those behind wrappers have one of their own. */
  #isAloneUnconfined(attempt: Attempt): boolean {
    if (attempt.plan.wrappers > 0) return false;
    for (const other of this.#attempts) if (other !== attempt && other.plan.wrappers === 0) return false;
    return true;
  }

  #schedule(attempt: Attempt, { grows, costMs }: { readonly grows: boolean; readonly costMs: number }): void {
    const { cpuTimeMs, memoryBytes, diskBytes } = attempt.plan.limits;
    const limited = cpuTimeMs !== null || memoryBytes !== null || diskBytes !== null;
    const longest = limited ? pauseMsLimited : pauseMsMax;
    let pauseMs = grows ? pauseMsMin : Math.min(attempt.pauseMs * 2, longest);
    // Processor time grows no faster than this.
    if (cpuTimeMs !== null) {
      pauseMs = Math.min(pauseMs, Math.max(pauseMsMin, (cpuTimeMs - attempt.cpuMs) / availableParallelism()));
    }
    attempt.pauseMs = pauseMs;
    const least = this.#exact ? costMs / (grows ? busyShare : quietShare) : psPauseMs;
    attempt.nextAt = performance.now() + Math.max(pauseMs, Math.min(least, 4 * longest));
  }
}

/** Beyond its limit it need not be counted further; what is new, or has just grown much, may be a bomb. */
function toSurvey({ pid, plan, processes, grewFast }: Attempt): SurveyWish {
  const enough = (plan.limits.processes ?? Number.POSITIVE_INFINITY) + plan.wrappers;
  return { pid, enough, suspect: processes === null || grewFast };
}

function sameProcess(one: ProcessFacts | undefined, other: ProcessFacts): ProcessFacts | undefined {
  return one?.startedTicks === other.startedTicks ? one : undefined;
}

/** The most memory a process ever had, since its exec. */
function highMark(pid: number): number {
  return readKilobytes(readText(`/proc/${pid}/status`), 'VmHWM');
}
