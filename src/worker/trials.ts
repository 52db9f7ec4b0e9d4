/**
 * Which mechanisms are worth trying on a machine, and the very plans to try them with: what worked once with its real
 * arguments is offered, nothing else. Pure; `runtime/isolation` runs the plans.
 */

import { type HostIsolation, notTried, type OwnLauncher, type Trial } from '../core/host-isolation.ts';
import { type IsolationDemand, noDemand, noLimits } from '../core/isolation.ts';
import type { TaskArea } from '../ports/files.ts';
import type { LaunchPlan } from '../ports/processes.ts';
import type { Mechanism } from './offers.ts';
import { createSandbox, filterArch } from './sandbox.ts';
import { landlockCanHide } from './sandbox-launcher.ts';
import type { UpperLevel } from './sandbox-view.ts';

/** One thing to try. */
export interface Candidate {
  readonly mechanism: Exclude<Mechanism, 'plain'>;
  readonly level: UpperLevel;
}

const worked: Trial = { works: true, why: '' };

/** What to try first: what is installed. Nothing where a forbidden call kills, or where root has nobody to run tasks as. */
export function firstCandidates(host: HostIsolation): Candidate[] {
  if (host.platform === 'android' || (host.isRoot && host.taskUser === null)) return [];
  if (host.sandboxExec !== null) return [{ mechanism: 'seatbelt', level: 'strict' }];
  if (host.bubblewrap === null) return [];
  return bothLevels('bubblewrap').filter(({ level }) => level === 'strict' || filterArch(host) !== null);
}

/** What to try for levels that the first candidates did not give: it takes the start of this program each time. */
export function secondCandidates(host: HostIsolation): Candidate[] {
  if (
    host.launcher === null ||
    filterArch(host) === null ||
    host.platform === 'android' ||
    (host.isRoot && host.taskUser === null)
  )
    return [];
  const open = (level: UpperLevel) =>
    host.bubblewrap === null || !(level === 'strict' ? host.bubblewrap.strict : host.bubblewrap.veryStrict).works;
  const hides = landlockCanHide({ level: 'strict', paths: host.paths });
  const landlock: Candidate[] = hides ? [{ mechanism: 'landlock', level: 'strict' }] : [];
  const candidates = [...bothLevels('namespaces'), ...landlock];
  return candidates.filter(({ level }) => open(level));
}

function bothLevels(mechanism: Candidate['mechanism']): Candidate[] {
  return [
    { mechanism, level: 'strict' },
    { mechanism, level: 'very-strict' },
  ];
}

/** The plan by which `candidate` is tried in `area`: a task that does nothing, with a limit, so that this is tried too. */
export function trialPlan(host: HostIsolation, candidate: Candidate, area: TaskArea): LaunchPlan {
  const { level } = candidate;
  const isolation: IsolationDemand = { ...noDemand, level, limits: { ...noLimits, openFiles: 64 } };
  const alone = withTrial(withoutMechanisms(host), candidate, worked);
  return createSandbox(alone, { least: 'none', ownEnvironment: {} }).plan(
    {
      taskId: 'trial',
      attempt: 1,
      spec: {
        command: ':',
        argv: null,
        name: null,
        priority: 0,
        timeoutMs: 1000,
        env: {},
        workdir: null,
        stdin: { kind: 'closed' },
        inputs: [],
        outputs: [],
        outputsAt: 'dispatcher',
        maxOutputBytes: 0,
        requires: { cpuCores: 0, memoryMb: 0, gpu: 0, labels: {}, platform: null, arch: null, isolation },
      },
    },
    { prepared: { level, area: { isolated: true, user: area.user } }, area, marker: 'trial.1', workerName: 'trial' },
  );
}

/** The facts with what came of a trial. */
export function withTrial(host: HostIsolation, { mechanism, level }: Candidate, trial: Trial): HostIsolation {
  const at = level === 'strict' ? { strict: trial } : { veryStrict: trial };
  const { bubblewrap, launcher, sandboxExec } = host;
  switch (mechanism) {
    case 'bubblewrap':
      return { ...host, bubblewrap: bubblewrap && { ...bubblewrap, ...at } };
    case 'namespaces':
      return { ...host, launcher: launcher && { ...launcher, namespaces: { ...launcher.namespaces, ...at } } };
    case 'landlock':
      return { ...host, launcher: launcher && { ...launcher, landlock: trial } };
    case 'seatbelt':
      return { ...host, sandboxExec: sandboxExec && { ...sandboxExec, strict: trial } };
  }
}

function withoutMechanisms(host: HostIsolation): HostIsolation {
  const nothing = { strict: notTried, veryStrict: notTried };
  const { bubblewrap, launcher } = host;
  const idle: OwnLauncher | null = launcher && { ...launcher, namespaces: nothing, landlock: notTried };
  return { ...host, bubblewrap: bubblewrap && { ...bubblewrap, ...nothing }, launcher: idle };
}
