/**
 * A roll: workers brought to one version, one after another. Here is who is to be updated, in which order, and what stands
 * in the way, found out before anything is touched. Doing it is `dispatcher/fleet.ts`.
 *
 *   waiting ──> draining ──> fetching ──> restarting ──> updated          current: has that version already
 *                  └────────────┴─────────────┴────────> failed           away: has no link, and was not asked for by name
 *
 * The first failure ends the roll; those behind it stay waiting.
 */

import { type DeclaredProgram, orderRefusal } from './update.ts';

export const rollStatuses = ['running', 'completed', 'failed', 'stopped'] as const;
export const memberStatuses = [
  'waiting',
  'draining',
  'fetching',
  'restarting',
  'updated',
  'current',
  'away',
  'failed',
] as const;
export type MemberStatus = (typeof memberStatuses)[number];

/** A worker in a roll. */
export interface RollMember {
  readonly id: string;
  readonly name: string;
  readonly target: string | null;
  /** The version it ran when the roll was planned. */
  readonly from: string;
  readonly status: MemberStatus;
  /** Why it failed, a sentence; else null. */
  readonly reason: string | null;
  /** Of the program: how many bytes there are, and how many were sent. */
  readonly bytes: number;
  readonly sentBytes: number;
}

export interface Roll {
  readonly id: string;
  readonly version: string;
  readonly status: (typeof rollStatuses)[number];
  readonly reason: string | null;
  /** Wall clock, ms. */
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly members: readonly RollMember[];
}

/** A worker as a plan looks at it. */
export interface FleetWorker {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly program: DeclaredProgram | null;
  readonly isConnected: boolean;
  readonly running: number;
}

export interface RollWish {
  readonly version: string;
  /** Targets there is a program for. */
  readonly targets: ReadonlySet<string>;
  /** These programs are of a release that was signed. */
  readonly isSigned: boolean;
  /** Ids of those that are meant; null = all that are there. */
  readonly only: ReadonlySet<string> | null;
  readonly allowDowngrade: boolean;
}

export interface RollPlan {
  /** Those to be updated first, in order. */
  readonly members: readonly RollMember[];
  /** What stands in the way: a sentence for each worker that cannot be updated. */
  readonly problems: readonly string[];
}

/** Who is to be updated. Those that run least come first, then by name, then by id. */
export function planRoll(workers: readonly FleetWorker[], wish: RollWish): RollPlan {
  const meant = workers.filter(({ id }) => wish.only?.has(id) ?? true).toSorted(inOrder);
  const judged = meant.map((worker) => ({ worker, ...judge(worker, wish) }));
  const isDue = ({ status }: { readonly status: MemberStatus }): boolean => status === 'waiting';
  const members = [...judged.filter(isDue), ...judged.filter((each) => !isDue(each))].map(({ worker, status }) => ({
    ...{ id: worker.id, name: worker.name, target: worker.program?.target ?? null, from: worker.version },
    ...{ status, reason: null, bytes: 0, sentBytes: 0 },
  }));
  return { members, problems: judged.flatMap(({ problem }) => (problem === null ? [] : [problem])) };
}

function inOrder(a: FleetWorker, b: FleetWorker): number {
  if (a.running !== b.running) return a.running - b.running;
  const [left, right] = a.name === b.name ? [a.id, b.id] : [a.name, b.name];
  return left < right ? -1 : 1;
}

interface Judgement {
  readonly status: MemberStatus;
  readonly problem: string | null;
}

function judge(worker: FleetWorker, wish: RollWish): Judgement {
  const { name, version, program } = worker;
  if (version === wish.version) return { status: 'current', problem: null };
  if (!worker.isConnected) {
    return { status: 'away', problem: wish.only === null ? null : `Worker ${name} is not connected.` };
  }
  const problem = (text: string): Judgement => ({ status: 'waiting', problem: `Worker ${name}: ${text}` });
  if (program === null) {
    return problem(`It runs ${version}, which takes no updates from here: update it on that device once.`);
  }
  const { target } = program;
  if (program.refusal === null && target !== null && !wish.targets.has(target)) {
    return problem(
      `There is no program for ${target} here: start the dispatcher with --dist, the directory of a release.`,
    );
  }
  if (program.refusal === null && program.needsSignature && !wish.isSigned) {
    return problem(
      'It takes only what the key of its release has signed (--allow-update signed, or its tasks are kept apart from it), and there is no signed release here: start the dispatcher with --dist, the directory of one.',
    );
  }
  const order = { version: wish.version, target: target ?? '', allowDowngrade: wish.allowDowngrade };
  const refusal = orderRefusal(order, { version, ...program });
  return refusal === null ? { status: 'waiting', problem: null } : problem(refusal);
}
