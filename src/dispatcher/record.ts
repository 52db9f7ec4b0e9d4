/**
 * Entries of the record: who did what, from where. An entry is a change like others, so it is stored in the transaction
 * of what it tells of. What is refused changes nothing and has entries of its own, whose number is bounded: the record
 * must not grow with a flood of attempts.
 */

import type { Submission, Submitted } from '../api/backend.ts';
import type { Refusal } from '../api/trust.ts';
import type { Actor } from '../core/trust.ts';
import type { Clock } from '../ports/time.ts';
import type { AdoptedTask } from '../wire/messages.ts';
import type { Engine } from './engine.ts';
import type { Turn } from './turn.ts';

/** Who did it; of a node the name it calls itself. */
export type Doer = Pick<Actor, 'name' | 'from'>;

/** The dispatcher itself. */
export const itself: Doer = { name: 'dispatcher', from: null };

export interface Entry {
  readonly eventType: string;
  readonly actor: Doer;
  readonly workerId?: string | null;
  readonly taskId?: string | null;
  /** Beside where from. Holds no secret. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Puts an entry on record with the turn's commit. */
export function putOnRecord(turn: Turn, { eventType, actor, workerId = null, taskId = null, details }: Entry): void {
  const from = actor.from === null ? {} : { from: actor.from };
  turn.change({
    kind: 'audit',
    at: turn.wall,
    eventType,
    actor: actor.name,
    workerId,
    taskId,
    details: JSON.stringify({ ...from, ...details }),
  });
}

/** Characters of a command in an entry: enough to know it by. */
const commandLengthMax = 500;

/** A command as entries show it. */
function commandInWords(command: string | null, argv: readonly string[] | null): string {
  const text = command ?? argv?.join(' ') ?? '';
  return text.length <= commandLengthMax ? text : `${text.slice(0, commandLengthMax)}…`;
}

/** Task ids that one entry names. */
const idsMax = 100;

/** One entry for a submission: a task with its command, of a batch how many. */
export function submissionEntry(
  { batchId, taskIds }: Pick<Submitted, 'batchId' | 'taskIds'>,
  { tasks, batch, actor }: Submission,
): Entry {
  const [task] = tasks;
  if (batch === null && task !== undefined) {
    const { name, command, argv } = task;
    const details = { ...(name === null ? {} : { name }), command: commandInWords(command, argv) };
    return { eventType: 'task_submitted', actor, taskId: taskIds[0] ?? null, details };
  }
  const { name = null } = batch ?? {};
  const span = { first: taskIds[0], last: taskIds.at(-1) };
  const details = { batch: batchId, ...(name === null ? {} : { name }), tasks: taskIds.length, ...span };
  return { eventType: 'batch_submitted', actor, details };
}

/** One entry for a request to cancel; `taskIds`: those that had not ended, at least one. */
export function cancellationEntry(taskIds: readonly string[], actor: Entry['actor']): Entry {
  const [only, second] = taskIds;
  if (second === undefined) return { eventType: 'task_cancelled', actor, taskId: only ?? null };
  const details = { tasks: taskIds.length, ids: taskIds.slice(0, idsMax) };
  return { eventType: 'tasks_cancelled', actor, details };
}

/** One entry for a task a worker began on a peer's word; `name` is what the worker goes by. */
export function adoptionEntry(
  { assignment, from, adoptedAt }: AdoptedTask,
  { workerId, name }: { readonly workerId: string; readonly name: string },
): Entry {
  const { taskId, spec } = assignment;
  const details = { for: from, at: adoptedAt, command: commandInWords(spec.command, spec.argv) };
  return { eventType: 'task_adopted', actor: { name: `node:${name}`, from: null }, workerId, taskId, details };
}

/** An address without the port, which is another one each time. */
function placeOf(from: string | null): string {
  return from?.replace(/(?<=\]|^[\d.]+):\d+$/, '') ?? '';
}

/** The same attempt from the same place is one entry in this time, and a second one that counts the others. */
const refusalWindowMs = 60_000;
/** Kinds of attempts and places told apart within that time; all others count together. */
const refusalKeysMax = 100;
/** A token that is used again from the same place within this time is no new login. */
const loginWindowMs = 3_600_000;
const loginsMax = 1000;

interface Parts {
  readonly clock: Clock;
  readonly engine: () => Engine;
}

/** Refusals and logins: what is on record although nothing changed. */
export class Attempts {
  readonly #parts: Parts;
  readonly #refusals = new Map<string, { readonly refusal: Refusal; more: number }>();
  readonly #logins = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  noteLogin({ name, role, from }: Actor): void {
    // Whoever calls without a token has not logged in.
    if (name === 'local' || name === 'anonymous') return;
    const key = `${name} ${from ?? ''}`;
    const now = this.#parts.clock.steady();
    const last = this.#logins.get(key);
    if (last !== undefined && now - last < loginWindowMs) return;
    this.#logins.delete(key);
    this.#logins.set(key, now);
    for (const oldest of this.#logins.keys()) {
      if (this.#logins.size <= loginsMax) break;
      this.#logins.delete(oldest);
    }
    this.#put({ eventType: 'login', actor: { name, from }, details: { role } });
  }

  noteRefusal(refusal: Refusal): void {
    const { eventType, actor, from } = refusal;
    const { reason, rule } = refusal.details;
    const own = JSON.stringify([eventType, actor, placeOf(from), reason, rule]);
    const key = this.#refusals.has(own) || this.#refusals.size < refusalKeysMax ? own : eventType;
    const known = this.#refusals.get(key);
    if (known !== undefined) {
      known.more += 1;
      return;
    }
    this.#refusals.set(key, { refusal, more: 0 });
    this.#parts.clock.after(refusalWindowMs, () => this.#sumUp(key));
    this.#put({ eventType, actor: { name: actor, from }, details: refusal.details });
  }

  #sumUp(key: string): void {
    const known = this.#refusals.get(key);
    this.#refusals.delete(key);
    if (known === undefined || known.more === 0) return;
    const { refusal, more } = known;
    const { eventType, actor, from } = refusal;
    this.#put({ eventType, actor: { name: actor, from }, details: { ...refusal.details, more } });
  }

  /** Puts on record what was only counted so far. */
  close(): void {
    for (const key of [...this.#refusals.keys()]) this.#sumUp(key);
  }

  #put(entry: Entry): void {
    this.#parts.engine().put({ handle: (turn) => putOnRecord(turn, entry), abort: () => undefined });
  }
}
