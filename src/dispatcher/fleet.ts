/**
 * Rolls of updates through the workers: each is drained, told to update, waited for until it is back with the new version,
 * and given work again; then the next. The first that fails ends the roll.
 *
 * What a worker does of it is in `worker/renewal.ts`, who is updated and in which order in `core/fleet.ts`. A roll lives in
 * memory alone: after a restart of the dispatcher it is begun again, and whoever has the version is passed over. That a
 * worker is drained for it is stored, so that it does not stay so.
 *
 * Invariants: one roll at a time, one worker of it at a time; every wait has an end; a worker that somebody else drained
 * stays drained.
 */

import { OctasklyError, reasonOf } from '../base/errors.ts';
import { type FleetWorker, planRoll, type Roll, type RollMember } from '../core/fleet.ts';
import type { SchedulerState } from '../core/state.ts';
import type { Actor } from '../core/trust.ts';
import type { UpdateReport } from '../core/update.ts';
import type { ProgramOffer, Programs } from '../ports/programs.ts';
import type { Store } from '../ports/store.ts';
import type { Clock, Log } from '../ports/time.ts';
import type { DispatcherMessage } from '../wire/messages.ts';
import type { Feed } from './feed.ts';
import { MemberWaits } from './fleet-waits.ts';
import type { DispatcherParts } from './parts.ts';
import type { ProgramBlobs } from './program-blobs.ts';
import { itself, putOnRecord } from './record.ts';
import type { Turn } from './turn.ts';

/** Setting: id of the worker that is drained for an update; '' = none. */
const drainedSetting = 'update_drained';
/** Rolls that are remembered. */
const rollsMax = 20;
/** Longest a worker may take to answer, to fetch the program, beyond the wait for its tasks, to come back, and to say how it went, ms. */
const limitsMs = { answer: 15_000, fetch: 30 * 60_000, leave: 60_000, back: 240_000, word: 15_000 };

export interface RollRequest {
  /** Ids; null = all. */
  readonly only: ReadonlySet<string> | null;
  /** How long running tasks of a worker may go on. */
  readonly waitMs: number;
  readonly allowDowngrade: boolean;
}

interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly programs: Programs;
  readonly blobs: Pick<ProgramBlobs, 'offer' | 'withdraw' | 'readTo'>;
  readonly store: Pick<Store, 'setting'>;
  state(): SchedulerState;
  send(workerId: string, message: DispatcherMessage): boolean;
  /** As `Backend.setDraining`. */
  setDraining(workerId: string, draining: boolean, actor: Actor): Promise<void>;
  inTurn<T>(action: (turn: Turn) => T): Promise<T>;
  /** How far a worker is, for whoever watches. */
  publish(member: RollMember): void;
}

/** A roll that goes on. */
interface Rolling {
  roll: Roll;
  readonly request: RollRequest;
  readonly actor: Actor;
  isStopped: boolean;
}

export class Fleet {
  readonly #parts: Parts;
  readonly #waits: MemberWaits;
  /** The latest last. */
  readonly #ended: Roll[] = [];
  #rolling: Rolling | null = null;
  #planning = false;
  #next = 1;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#waits = new MemberWaits(parts.clock);
  }

  /** Gives a worker its work back that a dispatcher before this one had drained, and could not undrain. Never rejects. */
  async recover(): Promise<void> {
    const { store, log } = this.#parts;
    const workerId = store.setting(drainedSetting) ?? '';
    if (workerId === '') return;
    try {
      await this.#undrain(workerId, { ...itself, role: 'admin' });
      log.info('a worker that was drained for an update is given work again', { worker: workerId });
    } catch (error) {
      log.warn('a worker may have stayed drained', { worker: workerId, reason: reasonOf(error) });
    }
  }

  /** The latest first, with the one that goes on. */
  rolls(): readonly Roll[] {
    const present = this.#rolling === null ? [] : [this.#withProgress(this.#rolling.roll)];
    return [...present, ...this.#ended.toReversed()];
  }

  roll(id: string): Roll | null {
    return this.rolls().find((each) => each.id === id) ?? null;
  }

  /** What a roll would do. Errors: `conflict` naming each worker that cannot be updated, `not_found`, `io`. */
  async plan({ only, allowDowngrade }: Omit<RollRequest, 'waitMs'>): Promise<Roll> {
    const { version, programs, clock } = this.#parts;
    const targets = await programs.targets();
    const { isSigned } = programs;
    const wish = { version, targets, isSigned, only, allowDowngrade };
    const { members, problems } = planRoll(this.#workers(), wish);
    if (problems.length > 0) {
      const rest = 'Nothing was begun; leave them out by naming the others (--worker NAME).';
      throw new OctasklyError('conflict', `${problems.slice(0, 20).join(' ')} ${rest}`);
    }
    // Each target's program is had before anything is drained.
    const due = members.filter(({ status }) => status === 'waiting');
    const sizes = new Map<string | null, number>();
    for (const { target } of due) {
      if (target !== null && !sizes.has(target)) sizes.set(target, (await programs.open(target)).bytes);
    }
    const times = { startedAt: clock.wall(), endedAt: null, reason: null };
    const sized = members.map((each) => ({ ...each, bytes: sizes.get(each.target) ?? 0 }));
    return { id: '', version, status: 'running', ...times, members: sized };
  }

  /** Begins a roll; it goes on after this resolves. Errors: as `plan`, and `in_use` when one goes on. */
  async start(request: RollRequest, actor: Actor): Promise<Roll> {
    if (this.#rolling !== null || this.#planning) {
      throw new OctasklyError('in_use', 'Workers are being updated already: wait for that, or stop it.');
    }
    this.#planning = true;
    try {
      const planned = await this.plan(request);
      const roll = { ...planned, id: `${this.#parts.clock.wall().toString(36)}${this.#next++}` };
      const details = { version: roll.version, workers: roll.members.filter(isDue).map(({ name }) => name) };
      await this.#parts.inTurn((turn) => putOnRecord(turn, { eventType: 'fleet_update_started', actor, details }));
      this.#rolling = { roll, request, actor, isStopped: false };
      void this.#run(this.#rolling);
      return roll;
    } finally {
      this.#planning = false;
    }
  }

  /** Lets the worker under way finish, and begins no other. Null: there is no such roll. */
  stop(id: string): Roll | null {
    if (this.#rolling?.roll.id === id) this.#rolling.isStopped = true;
    return this.roll(id);
  }

  /** A worker says how far it is. */
  reported(workerId: string, report: UpdateReport): void {
    this.#waits.give(workerId, { kind: 'report', report });
  }

  /** A worker has joined: anew after its update, for a trial of the new program, or because it was started by somebody. */
  joined(workerId: string): void {
    this.#waits.give(workerId, { kind: 'joined' });
  }

  /** A worker's link has ended. */
  left(workerId: string): void {
    this.#waits.give(workerId, { kind: 'left' });
  }

  close(): void {
    if (this.#rolling !== null) this.#rolling.isStopped = true;
    this.#waits.close();
  }

  #workers(): FleetWorker[] {
    return [...this.#parts.state().workers.values()].map((worker) => ({
      ...{ id: worker.id, name: worker.name, isConnected: worker.session !== null, running: worker.assigned.size },
      ...{ version: worker.declaration.version, program: worker.declaration.program },
    }));
  }

  #withProgress(roll: Roll): Roll {
    const members = roll.members.map((member) => {
      const blob = this.#waits.blobOf(member.id);
      return blob === null ? member : { ...member, sentBytes: this.#parts.blobs.readTo(blob) };
    });
    return { ...roll, members };
  }

  // ------------------------------------------------------------------------------------------------ rolling

  async #run(rolling: Rolling): Promise<void> {
    let failure: string | null = null;
    for (const member of rolling.roll.members.filter(isDue)) {
      if (rolling.isStopped || failure !== null) break;
      try {
        await this.#update(rolling, member);
        this.#note(rolling, member, { status: 'updated', sentBytes: member.bytes });
      } catch (error) {
        failure = `Worker ${member.name}: ${reasonOf(error)}`;
        this.#note(rolling, member, { status: 'failed', reason: reasonOf(error) });
      }
      await this.#record(rolling, member, failure);
    }
    const left = rolling.roll.members.some(isDue);
    const status = failure !== null ? 'failed' : left ? 'stopped' : 'completed';
    const reason = failure ?? (left ? 'It was stopped.' : null);
    this.#ended.push({ ...rolling.roll, status, reason, endedAt: this.#parts.clock.wall() });
    if (this.#ended.length > rollsMax) this.#ended.shift();
    this.#rolling = null;
    this.#parts.log.info('updating workers has ended', {
      version: rolling.roll.version,
      status,
      ...(reason && { reason }),
    });
  }

  /** Updates one worker. Rejects with why that failed. */
  async #update(rolling: Rolling, member: RollMember): Promise<void> {
    const { programs, blobs } = this.#parts;
    const offer = await programs.open(member.target ?? '');
    const worker = this.#parts.state().workers.get(member.id);
    if (worker?.session == null) throw new Error('It is not connected any more.');
    const { actor } = rolling;
    const isOurs = !worker.draining;
    if (isOurs) await this.#drain(member.id, actor);
    this.#note(rolling, member, { status: 'draining' });
    blobs.offer(offer);
    this.#waits.open(member.id, offer.blob);
    try {
      await this.#follow(rolling, member, offer);
    } finally {
      this.#waits.end(member.id);
      blobs.withdraw(offer.blob);
      if (isOurs) await this.#undrain(member.id, actor).catch((error: unknown) => this.#stuck(member, error));
    }
  }

  async #follow(rolling: Rolling, member: RollMember, { blob, bytes, signed }: ProgramOffer): Promise<void> {
    const { version, send } = this.#parts;
    const { waitMs, allowDowngrade } = rolling.request;
    const order = { version, target: member.target ?? '', blob, bytes, waitMs, allowDowngrade, signed };
    if (!send(member.id, { kind: 'update', order })) throw new Error('It is not connected any more.');
    let withinMs = limitsMs.answer;
    let isLeaving = false;
    for (;;) {
      const event = await this.#waits.next(member.id, withinMs);
      switch (event.kind) {
        case 'closed':
          throw new Error('The dispatcher was stopped.');
        case 'late':
          if (isLeaving && this.#hasVersion(member.id)) return;
          throw new Error(
            isLeaving ? this.#lateReturn(member.id, withinMs) : `It did not go on within ${withinMs / 1000} s.`,
          );
        case 'left':
          // Before all its tasks have ended it only lost its link, and forgets the order.
          if (!isLeaving) throw new Error('Its link broke before it had the new program.');
          this.#note(rolling, member, { status: 'restarting' });
          withinMs = limitsMs.back;
          break;
        case 'joined':
          // One that was killed, or lost its link, has nothing to tell when it is back.
          withinMs = Math.min(withinMs, limitsMs.word);
          break;
        case 'report': {
          const { step, detail } = event.report;
          if (event.report.version !== version) break;
          if (step === 'done') return;
          if (step === 'failed') throw new Error(detail ?? 'It failed.');
          isLeaving = step === 'draining';
          this.#note(rolling, member, isLeaving ? { status: 'draining', sentBytes: bytes } : { status: 'fetching' });
          withinMs = isLeaving ? waitMs + limitsMs.leave : limitsMs.fetch;
        }
      }
    }
  }

  #lateReturn(workerId: string, withinMs: number): string {
    const worker = this.#parts.state().workers.get(workerId);
    if (worker?.session == null) return `It did not come back within ${withinMs / 1000} s.`;
    return `It is back with ${worker.declaration.version}, and says nothing of the update: it was started anew, or lost its link, before that was done.`;
  }

  #hasVersion(workerId: string): boolean {
    const worker = this.#parts.state().workers.get(workerId);
    return worker?.session != null && worker.declaration.version === this.#parts.version;
  }

  async #drain(workerId: string, actor: Actor): Promise<void> {
    await this.#remember(workerId);
    await this.#parts.setDraining(workerId, true, actor);
  }

  async #undrain(workerId: string, actor: Actor): Promise<void> {
    await this.#parts.setDraining(workerId, false, actor);
    await this.#remember('');
  }

  #stuck({ name }: RollMember, error: unknown): void {
    this.#parts.log.warn('a worker may have stayed drained', { worker: name, reason: reasonOf(error) });
  }

  #remember(workerId: string): Promise<void> {
    return this.#parts.inTurn((turn) => turn.change({ kind: 'setting', key: drainedSetting, value: workerId }));
  }

  async #record({ roll, actor }: Rolling, { id, from }: RollMember, failure: string | null): Promise<void> {
    const eventType = failure === null ? 'worker_updated' : 'worker_update_failed';
    const details = { from, to: roll.version, ...(failure === null ? {} : { reason: failure }) };
    // A roll does not end because the record cannot be written: what is said of it then is in the log.
    await this.#parts
      .inTurn((turn) => putOnRecord(turn, { eventType, actor, workerId: id, details }))
      .catch((error: unknown) => this.#parts.log.warn('an update is not on record', { reason: reasonOf(error) }));
  }

  #note(rolling: Rolling, { id }: Pick<RollMember, 'id'>, changed: Partial<RollMember>): void {
    const members = rolling.roll.members.map((each) => (each.id === id ? { ...each, ...changed } : each));
    rolling.roll = { ...rolling.roll, members };
    const member = members.find((each) => each.id === id);
    if (member !== undefined) this.#parts.publish(member);
  }
}

function isDue({ status }: RollMember): boolean {
  return status === 'waiting';
}

type Around = Pick<Parts, 'state' | 'send' | 'setDraining' | 'inTurn'>;

/** The rolls of a dispatcher; null where it was not given the means. What was left of one is undone. */
export function fleetOf(
  { updates, clock, log, version, store }: Pick<DispatcherParts, 'updates' | 'clock' | 'log' | 'version' | 'store'>,
  around: Around,
  feed: Pick<Feed, 'publish'>,
): Fleet | null {
  if (updates === undefined) return null;
  const publish = ({ id, status, reason }: RollMember): void => {
    const at = new Date(clock.wall()).toISOString();
    feed.publish({ kind: 'worker', id, status: `update_${status}`, at, worker_id: id, detail: reason }, null);
  };
  const fleet = new Fleet({ ...updates, ...around, clock, log, version, store, publish });
  clock.soon(() => void fleet.recover());
  return fleet;
}
