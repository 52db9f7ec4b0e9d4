/**
 * How apart a task runs, and what keeps it within its limits: the words that task, worker, placement and people share.
 *
 *   none < basic < strict < very-strict        a task gets the stricter of what it asks for and its worker's least
 *
 * What a worker truly can do it says itself, level by level and limit by limit (`Isolation`); a task is only placed where
 * all it asks for is kept. Nothing here weakens a wish: what is not offered is a reason not to go there. Pure data and
 * total functions; how a level is made is `worker/sandbox`, what a machine offers is found out by `runtime/`.
 */

/** From the loosest to the strictest. */
export const sandboxLevels = ['none', 'basic', 'strict', 'very-strict'] as const;
export type SandboxLevel = (typeof sandboxLevels)[number];

/**
 * How well a limit is kept. `hard`: the kernel never lets the whole tree past it. `per-process`: the kernel holds each
 * process to it, not their sum. `watched`: looked at several times a second and ended soon after. `none`: not at all.
 */
export const enforcements = ['hard', 'per-process', 'watched', 'none'] as const;
export type Enforcement = (typeof enforcements)[number];

/** What can be limited, by the names the API uses; `timeout` and `max_output` always hold. */
export const limitNames = [
  'timeout',
  'max_output',
  'cpu_time_limit',
  'memory_limit_mb',
  'disk_limit_mb',
  'max_open_files',
  'max_processes',
] as const;
export type LimitName = (typeof limitNames)[number];

/** Limits of one attempt beside its time and output. Null = none asked for. */
export interface TaskLimits {
  /** Processor time of the whole tree. */
  readonly cpuTimeMs: number | null;
  /** Memory of the whole tree, MiB. */
  readonly memoryMb: number | null;
  /** What the attempt may occupy below its directories, MiB. */
  readonly diskMb: number | null;
  /** Descriptors each process may have open. */
  readonly openFiles: number | null;
  /** Processes and threads of the whole tree at once. */
  readonly processes: number | null;
}

export const noLimits: TaskLimits = { cpuTimeMs: null, memoryMb: null, diskMb: null, openFiles: null, processes: null };

/** What a task asks of its isolation. */
export interface IsolationDemand {
  /** The least level; null = whatever the worker gives. */
  readonly level: SandboxLevel | null;
  /** The task needs the network. Below `strict` it always has it, at `very-strict` never. */
  readonly network: boolean;
  readonly limits: TaskLimits;
}

export const noDemand: IsolationDemand = { level: null, network: false, limits: noLimits };

/** How one limit is kept, and by what: `memory.max`, `RLIMIT_CPU`, `watcher`. */
export interface LimitOffer {
  readonly enforcement: Enforcement;
  readonly mechanism: string;
}

/** One level a worker gives, and how. */
export interface LevelOffer {
  readonly level: SandboxLevel;
  /** What makes it: `bubblewrap 0.8.0 as octaskly-task`, `landlock+seccomp`, `sandbox-exec`, `process group`. */
  readonly mechanism: string;
  /** A task that asks for the network can have it at this level. */
  readonly network: boolean;
  readonly limits: Readonly<Record<LimitName, LimitOffer>>;
}

/** A level a worker cannot give. */
export interface LevelLack {
  readonly level: SandboxLevel;
  /** What is missing, and how to get it: one sentence each. */
  readonly reason: string;
  readonly remedy: string;
}

/** What a worker can do about isolation. */
export interface Isolation {
  /** The least level it gives. */
  readonly least: SandboxLevel;
  /** Levels it can give, loosest first, none below `least`. */
  readonly levels: readonly LevelOffer[];
  /** Levels it cannot give. */
  readonly missing: readonly LevelLack[];
}

/** What is assumed of a worker that never said: it ran tasks before there were levels. */
export const unknownIsolation: Isolation = { least: 'basic', levels: [], missing: [] };

/** `a` isolates at least as much as `b`. */
export function isAtLeast(a: SandboxLevel, b: SandboxLevel): boolean {
  return sandboxLevels.indexOf(a) >= sandboxLevels.indexOf(b);
}

/** The level a task that asks for `asked` gets from a worker that gives at least `least`. */
export function effectiveLevel(asked: SandboxLevel | null, least: SandboxLevel): SandboxLevel {
  return asked === null || isAtLeast(least, asked) ? least : asked;
}

/** Which limits are asked for. */
export function limitsAsked(limits: TaskLimits): LimitName[] {
  const asked: LimitName[] = [];
  if (limits.cpuTimeMs !== null) asked.push('cpu_time_limit');
  if (limits.memoryMb !== null) asked.push('memory_limit_mb');
  if (limits.diskMb !== null) asked.push('disk_limit_mb');
  if (limits.openFiles !== null) asked.push('max_open_files');
  if (limits.processes !== null) asked.push('max_processes');
  return asked;
}

/** The offer a demand leads to; null when the worker does not give that level. */
export function offerFor(isolation: Isolation, demand: IsolationDemand): LevelOffer | null {
  const level = effectiveLevel(demand.level, isolation.least);
  return isolation.levels.find((offer) => offer.level === level) ?? null;
}

/** Everything the demand asks for is kept there. Says the same as `isolationMismatches` without building sentences. */
export function keepsDemand(isolation: Isolation, demand: IsolationDemand): boolean {
  if (demand === noDemand) return true;
  const offer = offerFor(isolation, demand);
  if (offer === null) return asksForNothing(demand);
  if (demand.network && !offer.network) return false;
  return limitsAsked(demand.limits).every((limit) => offer.limits[limit].enforcement !== 'none');
}

/** Why a worker cannot keep the demand, as reasons that follow "worker X: ". Empty = it can. */
export function isolationMismatches(isolation: Isolation, demand: IsolationDemand): string[] {
  const offer = offerFor(isolation, demand);
  if (offer === null) {
    if (asksForNothing(demand)) return [];
    const level = effectiveLevel(demand.level, isolation.least);
    const lack = isolation.missing.find((missing) => missing.level === level);
    return [`it cannot give sandbox level ${level}${lack === undefined ? '' : `: ${lack.reason}`}`];
  }
  const reasons: string[] = [];
  if (demand.network && !offer.network)
    reasons.push(`at sandbox level ${offer.level} it gives no network, the task asks for it`);
  for (const limit of limitsAsked(demand.limits)) {
    if (offer.limits[limit].enforcement === 'none')
      reasons.push(`it cannot keep ${limit} at sandbox level ${offer.level}`);
  }
  return reasons;
}

function asksForNothing(demand: IsolationDemand): boolean {
  return demand.level === null && !demand.network && limitsAsked(demand.limits).length === 0;
}
