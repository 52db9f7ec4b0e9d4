/** Finds out what this machine can do to keep tasks apart, by trying it in a worker's own directories. */

import { join } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { Account, HostIsolation } from '../core/host-isolation.ts';
import type { Isolation } from '../core/isolation.ts';
import type { Workspace } from '../ports/files.ts';
import { barriersTo, canReach } from '../runtime/accounts.ts';
import { readHostIsolation, tryPlan } from '../runtime/isolation.ts';
import { type Candidate, firstCandidates, secondCandidates, trialPlan, withTrial } from '../worker/trials.ts';
import { absolute } from './common.ts';

/**
 * Where a worker that is root keeps task directories when its data directory is closed to the account of its tasks. Not in
 * `/var/lib/octaskly`: that is the data directory of the dispatcher's service, closed, and another account's.
 */
const sharedRoot = '/var/lib/octaskly-tasks';

/** The facts of this machine, with every mechanism tried that could give a level. Never rejects for the machine's sake. */
export async function findIsolation(given: {
  readonly taskUser: Account | null;
  readonly hidden: readonly string[];
  readonly cgroup: HostIsolation['cgroup'];
  /** How this program is started, where that is not as it was started itself. */
  readonly self?: readonly string[];
  readonly workspace: Workspace;
}): Promise<HostIsolation> {
  const untried = await readHostIsolation(given);
  const installed = await tried(untried, firstCandidates(untried), given.workspace);
  return tried(installed, secondCandidates(installed), given.workspace);
}

/** The facts with what came of trying `candidates`, all at once, in an area of `workspace`. */
export async function tried(
  host: HostIsolation,
  candidates: readonly Candidate[],
  workspace: Workspace,
): Promise<HostIsolation> {
  if (candidates.length === 0) return host;
  const area = workspace.createArea({ isolated: true, user: host.taskUser });
  const trials = await Promise.all(
    candidates.map(async (candidate) => ({ candidate, trial: await tryPlan(trialPlan(host, candidate, area)) })),
  );
  await workspace.removeArea(area);
  return trials.reduce((found, { candidate, trial }) => withTrial(found, candidate, trial), host);
}

/**
 * Where task directories are made: in `--work-dir`, else in the data directory; where that is closed to the account that
 * runs the tasks of a root worker, below /var/lib/octaskly-tasks.
 */
export function taskRoot(
  given: { readonly workDir: string | undefined; readonly id: string; readonly directory: string },
  taskUser: Account | null,
): string {
  if (given.workDir !== undefined) return join(absolute(given.workDir), given.id);
  if (taskUser === null || canReach(taskUser, given.directory)) return given.directory;
  return join(sharedRoot, given.id);
}

/**
 * Why tasks of strict and above cannot run below `root`, with what to do; null where they can. A directory that is closed
 * to the account of these tasks would show only as a sandbox that does not work.
 */
export function closedRoot(root: string, taskUser: Account | null): string | null {
  if (taskUser === null) return null;
  const barriers = barriersTo(taskUser, root);
  if (barriers.length === 0) return null;
  const closed = `${barriers.join(' and ')} ${barriers.length === 1 ? 'is' : 'are'} closed to that account`;
  const open = `chmod o+x ${barriers.join(' ')}`;
  return `Tasks of strict and above cannot run as ${taskUser.name} below ${root}: ${closed}. Let it pass (${open}), or name another directory with --work-dir.`;
}

/** Error: `usage` when this machine cannot give the least level asked of its worker. */
export function requireLeast(isolation: Isolation): void {
  const lack = isolation.missing.find(({ level }) => level === isolation.least);
  if (lack === undefined) return;
  throw new OctasklyError(
    'usage',
    `This worker cannot give sandbox level ${lack.level}: ${lack.reason}. ${lack.remedy}`,
  );
}
