/**
 * One turn of the dispatcher: what a burst of facts changes, sends and publishes, gathered and then done in one order:
 * commit everything in one transaction, then send, then publish and answer. A crash in between loses nothing: what was
 * not sent follows from what was saved, and nobody was told of what was not saved.
 *
 * A task that changes ten times in a turn is written once, as it stands at the end.
 */

import { unreachable } from '../base/assert.ts';
import type { AttemptKey } from '../core/attempt.ts';
import type { Effect, SchedulerEvent } from '../core/events.ts';
import type { RememberedWorker } from '../core/restore.ts';
import { step } from '../core/scheduler.ts';
import type { SchedulerState } from '../core/state.ts';
import type { Task, TaskStatus } from '../core/task.ts';
import type { Worker } from '../core/worker.ts';
import type { Change } from '../ports/store.ts';
import type { Assignment, DispatcherMessage } from '../wire/messages.ts';
import { News } from './news.ts';

/** Attempts in one message; more make another message. */
const attemptsPerMessage = 1024;

type Published = Extract<Effect, { kind: 'publish' }>;
type ToSession = Extract<Effect, { kind: 'welcome' | 'refuse' | 'replaceSession' }>;
type Granted = Extract<DispatcherMessage, { kind: 'granted' }>['entries'][number];
type KeyedKind = 'recall' | 'cancel' | 'abandon' | 'ack' | 'release';

/** What leaves for a worker, in order; lists grow while the turn lasts. */
type Outgoing =
  | { readonly kind: 'assign'; readonly attempts: Assignment[] }
  | { readonly kind: KeyedKind; readonly attempts: AttemptKey[] }
  | { readonly kind: 'granted'; readonly entries: Granted[] }
  | Exclude<DispatcherMessage, { kind: 'assign' | 'granted' | KeyedKind }>;

/** A fact about the scheduler without its time stamp. */
export type Fact = SchedulerEvent extends infer E ? (E extends unknown ? Omit<E, 'at' | 'wall'> : never) : never;

export function assignmentOf(task: Task, attempt: number): Assignment {
  const { command, argv, name, priority, timeoutMs, env, workdir, stdin, inputs, outputs, outputsAt } = task.spec;
  const { maxOutputBytes, requires } = task.spec;
  const run = { command, argv, name, priority, timeoutMs, env, workdir, stdin, inputs, outputs, outputsAt };
  return {
    taskId: task.id,
    attempt,
    spec: { ...run, maxOutputBytes, requires },
  };
}

export class Turn {
  readonly state: SchedulerState;
  readonly at: number;
  readonly wall: number;
  /** To workers by id. */
  readonly outgoing = new Map<string, Outgoing[]>();
  /** About links: welcomes, refusals, replacements, in order. */
  readonly toSessions: ToSession[] = [];
  readonly published: Published[] = [];
  /** Attempts that ended without a report of their worker. */
  readonly lost: AttemptKey[] = [];
  /** Attempts that nobody works on any more, however they ended. */
  readonly over: AttemptKey[] = [];
  /** Idempotency keys answered in this turn, not yet found in the store. */
  readonly answered = new Map<string, { readonly bodyHash: string; readonly answer: string }>();
  /** For the counters and the log, once it is stored. */
  readonly news = new News();
  readonly #tasks = new Map<string, { task: Task; isNew: boolean }>();
  readonly #workers = new Map<string, Worker>();
  readonly #changes: Change[] = [];
  readonly #afterwards: (() => void)[] = [];

  constructor(state: SchedulerState, stamp: { at: number; wall: number }) {
    this.state = state;
    this.at = stamp.at;
    this.wall = stamp.wall;
  }

  /** Lets the scheduler take a fact and gathers what it asks for. */
  apply(fact: Fact): void {
    for (const effect of step(this.state, { ...fact, at: this.at, wall: this.wall } as SchedulerEvent))
      this.#take(effect);
  }

  /** Something to save beside what the scheduler asks for. */
  change(change: Change): void {
    if (change.kind === 'audit') this.news.entries.push(change);
    this.#changes.push(change);
  }

  /** Something to send to a worker once everything is saved. */
  send(workerId: string, message: Outgoing): void {
    const list = this.outgoing.get(workerId);
    if (list === undefined) this.outgoing.set(workerId, [message]);
    else list.push(message);
  }

  sendKey(workerId: string, kind: KeyedKind, key: AttemptKey): void {
    const last = this.outgoing.get(workerId)?.at(-1);
    if (last?.kind === kind && last.attempts.length < attemptsPerMessage) last.attempts.push(key);
    else this.send(workerId, { kind, attempts: [key] });
  }

  /** Runs when everything is saved and sent: answers and notifications. */
  afterwards(action: () => void): void {
    this.#afterwards.push(action);
  }

  /** Statuses of those of `ids` that this turn has changed: reads of the store do not see them yet. */
  savedStatuses(ids: readonly string[]): Map<string, TaskStatus> {
    const statuses = new Map<string, TaskStatus>();
    for (const id of ids) {
      const task = this.#tasks.get(id)?.task;
      if (task !== undefined) statuses.set(id, task.status);
    }
    return statuses;
  }

  /** A batch that this turn stores; null = it stores no such batch. */
  newBatch(id: string): Extract<Change, { kind: 'batch' }> | null {
    for (const change of this.#changes) if (change.kind === 'batch' && change.id === id) return change;
    return null;
  }

  /** Whose a task is that this turn changed; null = the cluster owner's. */
  ownerOf(taskId: string): string | null {
    return this.#tasks.get(taskId)?.task.spec.owner ?? this.state.tasks.get(taskId)?.spec.owner ?? null;
  }

  /** The workers this turn saves. */
  savedWorkers(): RememberedWorker[] {
    return [...this.#workers.values()].map(({ declaration, name, publicKey, firstSeenAt, lastSeenAt, draining }) => {
      return { declaration, name, publicKey, firstSeenAt, lastSeenAt, draining };
    });
  }

  /** Everything to save, each task and worker once; workers and batches before tasks, tasks before what is theirs. */
  changes(): Change[] {
    const tasks: Change[] = this.savedWorkers().map((record) => ({ kind: 'worker', record }));
    tasks.push(...this.#changes.filter((change) => change.kind === 'batch'));
    const changes = this.#changes.filter((change) => change.kind !== 'batch');
    for (const { task, isNew } of this.#tasks.values()) {
      const notBeforeWall = task.notBefore === null ? null : this.wall + (task.notBefore - this.at);
      tasks.push({ kind: 'task', task, isNew, notBeforeWall });
    }
    return tasks.length === 0 ? changes : tasks.concat(changes);
  }

  finish(): void {
    for (const action of this.#afterwards) action();
  }

  #take(effect: Effect): void {
    this.news.effects.push(effect);
    switch (effect.kind) {
      case 'saveTask': {
        const known = this.#tasks.get(effect.task.id);
        if (known === undefined) this.#tasks.set(effect.task.id, { task: effect.task, isNew: effect.isNew });
        const { id, attempt, phase } = effect.task;
        if (phase === 'idle' && attempt > 0) this.over.push({ taskId: id, attempt });
        return;
      }
      case 'saveAttempt':
        this.#changes.push({ kind: 'attempt', record: effect.record });
        if (effect.record.outcome.kind === 'lost' && effect.record.usage === null) this.lost.push(effect.record);
        return;
      case 'saveWorker':
        this.#workers.set(effect.worker.id, effect.worker);
        return;
      case 'savePaused':
        this.#changes.push({ kind: 'setting', key: 'paused', value: String(effect.paused) });
        return;
      case 'assign': {
        const assignment = assignmentOf(effect.task, effect.attempt);
        const last = this.outgoing.get(effect.workerId)?.at(-1);
        if (last?.kind === 'assign' && last.attempts.length < attemptsPerMessage) last.attempts.push(assignment);
        else this.send(effect.workerId, { kind: 'assign', attempts: [assignment] });
        return;
      }
      case 'grant': {
        const entry = { ...effect.key, previous: effect.previous };
        const last = this.outgoing.get(effect.workerId)?.at(-1);
        if (last?.kind === 'granted' && last.entries.length < attemptsPerMessage) last.entries.push(entry);
        else this.send(effect.workerId, { kind: 'granted', entries: [entry] });
        return;
      }
      case 'drain':
        this.send(effect.workerId, { kind: 'drain', draining: effect.draining });
        return;
      case 'recall':
      case 'cancel':
      case 'abandon':
        this.sendKey(effect.workerId, effect.kind, effect.key);
        return;
      case 'welcome':
      case 'refuse':
      case 'replaceSession':
        this.toSessions.push(effect);
        return;
      case 'publish':
        this.published.push(effect);
        return;
      default:
        unreachable(effect);
    }
  }
}
