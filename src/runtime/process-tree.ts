/**
 * What `launcher.ts` asks of whoever ends whole trees of processes, each system in its own way: Linux exactly
 * (`linux-trees.ts`), Windows by job objects (`windows-trees.ts`), others as well as they can (`process-groups.ts`).
 */

import type { LaunchLimits } from '../ports/processes.ts';
import type { AttemptGroup } from './cgroup.ts';
import type { ProcessFacts } from './procfs.ts';

/** Name of the environment variable that says which attempt a process belongs to. */
export const markerVariable = 'OCTASKLY_MARK';

/** What `launcher.ts` needs for ending trees. A tree is named by the pid of its main process. */
export interface ProcessTrees {
  /** Trees that have not ended. */
  readonly size: number;
  /**
   * A main process was started, as leader of its own session. Returns sums that grow: what orphans of the tree had used
   * when their remains were taken, which is in nobody else's sums.
   */
  add(pid: number, tree: { readonly marker: string; readonly wrappers: number }): OrphansUse;
  /** Sends these to everything of the tree but its wrappers; to these too while they have nothing else below them. */
  terminate(pid: number, signals: readonly NodeJS.Signals[]): void;
  /** Kills everything of the tree that is there now; what it still manages to start goes with `finish`. */
  kill(pid: number): void;
  /** The main process ended: ends the rest. Null when nothing was left, which is the usual case. Never rejects. */
  finish(pid: number): Promise<void> | null;
  /** What `add` holds a tree together by, where that keeps limits: these, from now on. */
  groupOf?(pid: number, limits: LaunchLimits): AttemptGroup | null;
  /** Whether trees can be surveyed here. */
  readonly survey: Survey;
  /** Stops watching. Trees that still run are left alone. */
  close(): void;
}

/** Who belongs to each of the trees named by their pids now. A tree that has ended is not in the answer. */
export type Survey = (
  trees: readonly SurveyWish[],
) => ReadonlyMap<number, SurveyedTree> | Promise<ReadonlyMap<number, SurveyedTree>>;

export interface SurveyWish {
  readonly pid: number;
  /** More processes than this need not be told apart. */
  readonly enough: number;
  /** It may be a bomb, which grows faster than it is looked at: then it is only counted. */
  readonly suspect: boolean;
}

export interface SurveyedTree {
  /** Members, also the dead that still have a parent to wait for them; none when they were only counted. */
  readonly members: readonly ProcessFacts[];
  /** Processes and threads, at least. */
  readonly count: number;
}

/** Sums over orphans that are gone. */
export interface OrphansUse {
  readonly cpuMs: number;
  readonly writtenBytes: number;
}

/** Sends a signal to a process, or to a group by its negative number; false when there is none or it is not ours. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}
