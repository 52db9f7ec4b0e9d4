/**
 * What people hand in and take back: submissions, cancellations, repetitions. Each is settled within one turn, together with
 * its entry on record; what is refused changes nothing.
 */

import type { Submission, Submitted } from '../api/backend.ts';
import { OctasklyError } from '../base/errors.ts';
import { type SchedulerState, waitingCount } from '../core/state.ts';
import { isFed, isFinal, type Task } from '../core/task.ts';
import { type Actor, ownerOf, scopeOf } from '../core/trust.ts';
import type { BlobStore } from '../ports/files.ts';
import type { Store } from '../ports/store.ts';
import type { Engine } from './engine.ts';
import { rememberAnswer, repeatedAnswer } from './idempotency.ts';
import { durableBlobs } from './inputs.ts';
import type { KeptFiles } from './kept.ts';
import { cancellationEntry, itself, putOnRecord, submissionEntry } from './record.ts';
import { prepare } from './submission.ts';
import type { Turn } from './turn.ts';

interface SubmitOptions {
  /** The ended task that is submitted again: whose it was it stays. */
  readonly repeats?: Task | null;
  /** Blobs that may be named, unless they were deleted since. */
  readonly durable?: ReadonlySet<string>;
}

interface Parts {
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Error: `forbidden` for a destination the actor may not name. */
  admitNotify(submission: Submission): void;
  /** A task was stored: whoever feeds or follows it is waited for. */
  expect(taskId: string): void;
  /** Files that workers keep may be named as well as those that are here. */
  readonly kept: Pick<KeptFiles, 'sizeOf'>;
  readonly engine: Engine;
  readonly queueMax: number;
  inTurn<T>(action: (turn: Turn) => T): Promise<T>;
}

/** Cancelled batches that are remembered. */
const cancelledMax = 1000;

/** The batch of a submission, with its commit: a new one, or one that grows. */
function storeBatch(turn: Turn, id: string, { batch, tasks, actor }: Submission): void {
  if (batch === null) return;
  if ('joins' in batch) {
    turn.change({ kind: 'batchGrown', id, by: tasks.length });
    return;
  }
  const { name, notify } = batch;
  const told = notify === undefined ? {} : { notify };
  turn.change({ kind: 'batch', id, name, createdAt: turn.wall, size: tasks.length, owner: ownerOf(actor), ...told });
}

export class Intake {
  readonly #parts: Parts;
  /** Batches that were cancelled as a whole, the latest last: who adds to them is to stop. A restart forgets them. */
  readonly #cancelled = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get #state(): SchedulerState {
    return this.#parts.engine.state;
  }

  /** As `Backend.submit`. */
  submit(submission: Submission): Promise<Submitted> {
    const durable = durableBlobs(submission, this.#parts.blobs);
    return durable === null
      ? this.#submit(submission, {})
      : durable.then((set) => this.#submit(submission, { durable: set }));
  }

  #submit(submission: Submission, { repeats = null, durable }: SubmitOptions): Promise<Submitted> {
    return this.#parts.inTurn((turn) => {
      const { idempotency } = submission;
      const { store } = this.#parts;
      const repeated = repeatedAnswer(turn, store, idempotency);
      if (repeated !== null) return repeated;
      this.#parts.admitNotify(submission);
      this.#checkBatch(turn, submission);
      this.#checkRoom(submission.tasks.length);
      const prepared = prepare(submission, {
        lastId: this.#parts.engine.lastId,
        wall: turn.wall,
        retryOf: repeats?.id ?? null,
        owner: repeats === null ? ownerOf(submission.actor) : repeats.spec.owner,
        isLive: (id) => this.#state.tasks.has(id),
        isVisible: (id) => this.#isVisible(id, scopeOf(submission.actor)),
        blobSize: (blob) => (durable?.has(blob) ? this.#parts.blobs.size(blob) : null) ?? this.#parts.kept.sizeOf(blob),
        statuses: (ids) => new Map([...store.statuses(ids), ...turn.savedStatuses(ids)]),
      });
      const { batchId, taskIds } = prepared;
      this.#parts.engine.lastId = prepared.lastId;
      if (batchId !== null) storeBatch(turn, batchId, submission);
      rememberAnswer(turn, idempotency, prepared);
      turn.apply({ kind: 'tasksSubmitted', tasks: prepared.tasks });
      putOnRecord(turn, submissionEntry(prepared, submission));
      turn.afterwards(() => {
        for (const { id } of prepared.tasks) this.#parts.expect(id);
      });
      return { batchId, taskIds, repeated: false };
    });
  }

  /** Only who has a batch adds to it; another's is as if it were not there. */
  #checkBatch(turn: Turn, { batch, actor }: Submission): void {
    if (batch === null || !('joins' in batch)) return;
    const stored = turn.newBatch(batch.joins) ?? this.#parts.store.batchHead(batch.joins);
    if (stored === null || stored.owner !== ownerOf(actor)) {
      throw new OctasklyError('not_found', `There is no batch "${batch.joins}" that tasks could join.`);
    }
    if (this.#cancelled.has(batch.joins)) {
      throw new OctasklyError('conflict', `Batch ${batch.joins} was cancelled: no more tasks can join it.`);
    }
  }

  #checkRoom(count: number): void {
    const waiting = waitingCount(this.#state);
    const { queueMax } = this.#parts;
    if (waiting + count <= queueMax) return;
    throw new OctasklyError(
      'queue_full',
      `Cannot take ${count} more: ${waiting} tasks wait and --max-queue-size is ${queueMax}. Nothing of the request was taken.`,
    );
  }

  /** A task that somebody who sees only `scope`'s may refer to. */
  #isVisible(id: string, scope: string | null): boolean {
    if (scope === null) return true;
    const task = this.#state.tasks.get(id) ?? this.#parts.store.task(id)?.task;
    return task?.spec.owner === scope;
  }

  /** As `Backend.cancel`. */
  async cancel(ids: readonly string[], actor: Actor): Promise<void> {
    await this.#parts.inTurn((turn) => {
      const unknown = ids.filter((id) => !this.#state.tasks.has(id));
      const stored = unknown.length === 0 ? null : this.#parts.store.statuses(unknown);
      const missing = unknown.find((id) => stored?.has(id) !== true);
      if (missing !== undefined) throw new OctasklyError('not_found', `There is no task ${missing}.`);
      this.#cancel(turn, ids, actor);
    });
  }

  /** As `Backend.cancelBatch`. */
  async cancelBatch(id: string, actor: Actor): Promise<void> {
    await this.#parts.inTurn((turn) => {
      if (this.#parts.store.batch(id) === null) throw new OctasklyError('not_found', `There is no batch ${id}.`);
      this.#cancelled.delete(id);
      this.#cancelled.add(id);
      for (const oldest of this.#cancelled) {
        if (this.#cancelled.size <= cancelledMax) break;
        this.#cancelled.delete(oldest);
      }
      const live = [...this.#state.tasks.values()].filter((task) => task.spec.batchId === id);
      this.#cancel(
        turn,
        live.map((task) => task.id),
        actor,
      );
    });
  }

  #cancel(turn: Turn, taskIds: readonly string[], actor: Actor): void {
    const live = taskIds.filter((id) => this.#state.tasks.has(id));
    if (live.length > 0) putOnRecord(turn, cancellationEntry(live, actor));
    turn.apply({ kind: 'cancelRequested', taskIds, reason: `cancelled by ${actor.name}` });
  }

  /** Cancels attached tasks that nobody holds on to any more. */
  abandon(taskIds: readonly string[]): void {
    const { engine } = this.#parts;
    engine.put({
      handle: (turn) => {
        const live = taskIds.filter((id) => this.#state.tasks.has(id));
        if (live.length === 0) return;
        const entry = cancellationEntry(live, itself);
        putOnRecord(turn, { ...entry, details: { ...entry.details, reason: 'abandoned' } });
        turn.apply({ kind: 'cancelRequested', taskIds: live, reason: 'cancelled: whoever ran it is gone' });
      },
      abort: () => undefined,
    });
  }

  /** As `Backend.retry`. */
  async retry(id: string, actor: Actor): Promise<string> {
    const row = this.#parts.store.task(id);
    if (row === null) throw new OctasklyError('not_found', `There is no task ${id}.`);
    const { status, spec } = row.task;
    if (!isFinal(status)) {
      throw new OctasklyError('conflict', `Task ${id} is ${status}; only an ended task can be submitted again.`);
    }
    if (isFed(spec.stdin)) {
      throw new OctasklyError('conflict', `The input of task ${id} was passed on as it ran and is gone; run it anew.`);
    }
    const { batchId: _batch, retryOf: _retry, owner: _owner, adopted: _a, attached: _b, ...asked } = spec;
    // What it waited for has ended: its own run shows that it may run.
    const tasks = [{ ...asked, dependsOn: [] }];
    const durable = new Set(spec.inputs.map(({ blob }) => blob));
    const { taskIds } = await this.#submit(
      { tasks, batch: null, idempotency: null, actor },
      { repeats: row.task, durable },
    );
    return taskIds[0] ?? '';
  }
}
