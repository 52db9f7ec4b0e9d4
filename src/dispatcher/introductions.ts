/**
 * What a dispatcher tells workers of each other: who belongs to the cluster (`roster.ts`), and where the inputs of a task
 * can be had besides from it (`holders.ts`). Workers without peers are told nothing.
 */

import type { ReportEntry } from '../core/attempt.ts';
import type { TaskFile } from '../core/files.ts';
import type { SchedulerState } from '../core/state.ts';
import type { DispatcherLink } from '../ports/links.ts';
import type { DispatcherMessage } from '../wire/messages.ts';
import { Holders } from './holders.ts';
import type { DispatcherParts } from './parts.ts';
import { Roster, type RosterParts } from './roster.ts';

type IntroducedParts = Pick<DispatcherParts, 'clock' | 'node' | 'trust' | 'roster' | 'peersAllowed'>;

export class Introductions {
  readonly #roster: Roster;
  readonly #holders: Holders;

  /** `keepers` as `Holders` wants it. */
  constructor(parts: RosterParts, keepers?: (blob: string) => readonly string[]) {
    this.#roster = new Roster(parts);
    this.#holders = new Holders(keepers);
  }

  /** A worker is welcome on this link. */
  welcomed(state: SchedulerState, workerId: string, link: DispatcherLink): void {
    if (hasPeers(state, workerId)) this.#roster.welcomed(link);
  }

  /** A link has ended. */
  left(link: DispatcherLink): void {
    this.#roster.left(link);
  }

  /** What a worker is to be told before `message`; null = nothing. */
  before(state: SchedulerState, workerId: string, message: DispatcherMessage): DispatcherMessage | null {
    const inputs = inputsOf(state, message);
    if (inputs.length === 0 || !hasPeers(state, workerId)) return null;
    return this.#holders.wanted(state, workerId, inputs);
  }

  /** A worker reported; before the scheduler is told. */
  reported(state: SchedulerState, workerId: string, entries: readonly ReportEntry[]): void {
    if (hasPeers(state, workerId)) this.#holders.reported(state, workerId, entries);
  }

  /** A turn is done: nodes on record may have changed. */
  turned(): void {
    this.#roster.changed();
  }

  /** Says nothing more. */
  close(): void {
    this.#roster.close();
  }
}

/** Null where there is to be no peer-to-peer traffic; then nobody is on record as a peer either. */
export function introductionsOf(
  { clock, node, trust: { publicKey }, roster: kept, peersAllowed }: IntroducedParts,
  trust: { members(): ReturnType<RosterParts['members']>; readonly memberChanges: number },
  keepers: (blob: string) => readonly string[],
): Introductions | null {
  if (!peersAllowed) {
    kept.save([]);
    return null;
  }
  const who = { members: () => trust.members(), changes: () => trust.memberChanges };
  return new Introductions({ clock, kept, own: { ...node, publicKey }, ...who }, keepers);
}

function hasPeers(state: SchedulerState, workerId: string): boolean {
  return (state.workers.get(workerId)?.declaration.peerPort ?? null) !== null;
}

/** Files that a worker will want for what it is told to run. */
function inputsOf(state: SchedulerState, message: DispatcherMessage): readonly TaskFile[] {
  if (message.kind === 'assign') return message.attempts.flatMap(({ spec }) => spec.inputs);
  if (message.kind !== 'granted') return [];
  return message.entries.flatMap(({ taskId }) => state.tasks.get(taskId)?.spec.inputs ?? []);
}
