/**
 * The dispatcher: takes what is handed in, keeps it safe, gives it to workers, keeps what comes back.
 *
 *   API calls ─┐                                    ┌─> commit (store)
 *   messages  ─┼─> inbox ─> turn: core.step(fact) ──┼─> send (links)
 *   time      ─┘                                    └─> publish (feed), answer (API)
 *
 * It decides nothing itself: the scheduler in `core/` does. It reads no clock, opens no socket and writes no file except
 * through the ports it is given, so that the simulation can run it. What survives a crash is the store's content alone.
 */

import type { Backend, OutputCursor, Submission, Submitted } from '../api/backend.ts';
import type { Stats, WorkerView } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import { explain } from '../core/explain.ts';
import type { RememberedWorker } from '../core/restore.ts';
import { type Policy, type SchedulerState, waitingCount } from '../core/state.ts';
import { isFinal } from '../core/task.ts';
import type { BlobStore, OutputStore } from '../ports/files.ts';
import type { DispatcherLink, LinkHandlers } from '../ports/links.ts';
import type { Store, TaskRow } from '../ports/store.ts';
import type { Clock, Log } from '../ports/time.ts';
import type { Stream, WorkerMessage } from '../wire/messages.ts';
import { Engine } from './engine.ts';
import { Feed } from './feed.ts';
import { rememberAnswer, repeatedAnswer } from './idempotency.ts';
import { durableBlobs } from './inputs.ts';
import { OutputWatch, openCursor } from './outputs.ts';
import { Sessions } from './sessions.ts';
import { LiveStdin, type StdinChunk } from './stdin.ts';
import { prepare } from './submission.ts';
import type { Turn } from './turn.ts';
import { explanationView, feedEvent, offlineView, statsView, workerView } from './views.ts';

export interface DispatcherParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly outputs: OutputStore;
  readonly blobs: BlobStore;
  readonly log: Log;
  readonly policy: Policy;
  readonly version: string;
  /** Names this start of the dispatcher: letters and digits, never the same twice. */
  readonly runId: string;
  /** Ended links by code, also of those that never became a worker's; without it, none are counted. */
  readonly linksEnded?: () => Readonly<Record<string, number>>;
}

/** Workers are asked for a sign of life this often, or thrice within the silence limit. */
const heartbeatMsMax = 5000;
/** Workers on record beside those the scheduler knows; the longest unseen are forgotten first. */
const rememberedMax = 1000;

export class Dispatcher implements Backend {
  readonly #parts: DispatcherParts;
  readonly #engine: Engine;
  readonly #sessions: Sessions;
  readonly #feed: Feed;
  readonly #watch = new OutputWatch();
  readonly #stdin: LiveStdin;
  readonly #known = new Map<string, RememberedWorker>();
  readonly #startedAt: number;
  #closing = false;

  /** Loads what is stored. Errors: what `Store.load` throws. */
  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#startedAt = parts.clock.steady();
    this.#feed = new Feed(parts.runId);
    this.#stdin = new LiveStdin({
      clock: parts.clock,
      send: (taskId, message) => {
        const workerId = this.state.tasks.get(taskId)?.workerId ?? null;
        if (workerId !== null) this.#sessions.send(this.state, workerId, message);
      },
      running: (taskId) => {
        const task = this.state.tasks.get(taskId);
        return task?.phase === 'started' ? { taskId, attempt: task.attempt } : null;
      },
    });
    const { silenceMs } = parts.policy;
    this.#sessions = new Sessions({
      clock: parts.clock,
      log: parts.log,
      outputs: parts.outputs,
      blobs: parts.blobs,
      engine: () => this.#engine,
      stdin: this.#stdin,
      heartbeatMs: Math.min(heartbeatMsMax, silenceMs / 3),
      silenceMs,
      remembered: (id) => this.#known.get(id) ?? null,
      onOutput: (taskId) => this.#watch.notify(taskId),
    });
    this.#engine = new Engine(parts, {
      complete: (turn) => this.#sessions.closeOutputs(turn),
      deliver: (turn) => this.#deliver(turn),
      reset: (detail) => {
        this.#sessions.closeAll(detail);
        this.#watch.notifyAll();
      },
    });
    for (const record of this.#engine.remembered) this.#remember(record);
    const fed = [...this.state.tasks.values()].filter(({ spec }) => spec.stdin.kind === 'stream');
    this.#expectInput(fed.map((task) => task.id));
  }

  /** The scheduler's state, for reading. */
  get state(): SchedulerState {
    return this.#engine.state;
  }

  /** Takes an authenticated link of a worker. */
  accept(link: DispatcherLink): LinkHandlers<WorkerMessage> {
    return this.#sessions.accept(link);
  }

  /** Takes no more work, tells the workers, stores what is under way. Tasks that run go on and are taken back later. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#engine.put({ handle: (turn) => turn.apply({ kind: 'closingRequested' }), abort: () => undefined });
    this.#engine.stop();
    this.#sessions.broadcast({ kind: 'closing' });
    this.#sessions.closeAll('the dispatcher is shutting down');
    this.#stdin.endAll();
    this.#watch.notifyAll();
    this.#feed.close();
  }

  // ------------------------------------------------------------------------------------------------ changing

  submit(submission: Submission): Promise<Submitted> {
    const durable = durableBlobs(submission, this.#parts.blobs);
    return durable === null
      ? this.#submit(submission, {})
      : durable.then((set) => this.#submit(submission, { durable: set }));
  }

  /** `durable`: blobs that may be named, unless they were deleted since. */
  #submit(
    submission: Submission,
    { retryOf = null, durable }: { retryOf?: string | null; durable?: ReadonlySet<string> },
  ): Promise<Submitted> {
    return this.#inTurn((turn) => {
      const { idempotency } = submission;
      const { store } = this.#parts;
      const repeated = repeatedAnswer(turn, store, idempotency);
      if (repeated !== null) return repeated;
      this.#checkRoom(submission.tasks.length);
      const prepared = prepare(submission, {
        lastId: this.#engine.lastId,
        wall: turn.wall,
        retryOf,
        isLive: (id) => this.state.tasks.has(id),
        blobSize: (blob) => (durable?.has(blob) ? this.#parts.blobs.size(blob) : null),
        statuses: (ids) => new Map([...store.statuses(ids), ...turn.savedStatuses(ids)]),
      });
      const { batchId, taskIds } = prepared;
      this.#engine.lastId = prepared.lastId;
      if (submission.batch !== null && batchId !== null) {
        const { name } = submission.batch;
        turn.change({ kind: 'batch', id: batchId, name, createdAt: turn.wall, size: taskIds.length });
      }
      rememberAnswer(turn, idempotency, prepared);
      turn.apply({ kind: 'tasksSubmitted', tasks: prepared.tasks });
      const fed = prepared.tasks.filter(({ spec }) => spec.stdin.kind === 'stream');
      turn.afterwards(() => this.#expectInput(fed.map((task) => task.id)));
      return { batchId, taskIds, repeated: false };
    });
  }

  #expectInput(taskIds: readonly string[]): void {
    for (const id of taskIds) if (this.state.tasks.has(id)) this.#stdin.expect(id);
  }

  #checkRoom(count: number): void {
    const waiting = waitingCount(this.state);
    const { queueMax } = this.#parts.policy;
    if (waiting + count <= queueMax) return;
    throw new OctasklyError(
      'queue_full',
      `Cannot take ${count} more: ${waiting} tasks wait and --max-queue-size is ${queueMax}. Nothing of the request was taken.`,
    );
  }

  async cancel(ids: readonly string[], actor: string): Promise<void> {
    await this.#inTurn((turn) => {
      const unknown = ids.filter((id) => !this.state.tasks.has(id));
      const stored = unknown.length === 0 ? null : this.#parts.store.statuses(unknown);
      const missing = unknown.find((id) => stored?.has(id) !== true);
      if (missing !== undefined) throw new OctasklyError('not_found', `There is no task ${missing}.`);
      this.#cancel(turn, ids, actor);
    });
  }

  async cancelBatch(id: string, actor: string): Promise<void> {
    await this.#inTurn((turn) => {
      if (this.#parts.store.batch(id) === null) throw new OctasklyError('not_found', `There is no batch ${id}.`);
      const live = [...this.state.tasks.values()].filter((task) => task.spec.batchId === id);
      this.#cancel(
        turn,
        live.map((task) => task.id),
        actor,
      );
    });
  }

  #cancel(turn: Turn, taskIds: readonly string[], actor: string): void {
    turn.apply({ kind: 'cancelRequested', taskIds, reason: `cancelled by ${actor}` });
  }

  async retry(id: string, actor: string): Promise<string> {
    const row = this.#parts.store.task(id);
    if (row === null) throw new OctasklyError('not_found', `There is no task ${id}.`);
    const { status, spec } = row.task;
    if (!isFinal(status)) {
      throw new OctasklyError('conflict', `Task ${id} is ${status}; only an ended task can be submitted again.`);
    }
    if (spec.stdin.kind === 'stream') {
      throw new OctasklyError('conflict', `The input of task ${id} was passed on as it ran and is gone; run it anew.`);
    }
    const { batchId: _batch, retryOf: _retry, ...asked } = spec;
    // What it waited for has ended: its own run shows that it may run.
    const tasks = [{ ...asked, dependsOn: [] }];
    const durable = new Set(spec.inputs.map(({ blob }) => blob));
    const { taskIds } = await this.#submit({ tasks, batch: null, idempotency: null, actor }, { retryOf: id, durable });
    return taskIds[0] ?? '';
  }

  async setDraining(workerId: string, draining: boolean, actor: string): Promise<void> {
    await this.#inTurn((turn) => {
      const record = this.#known.get(workerId);
      if (record === undefined) throw new OctasklyError('not_found', `There is no worker ${workerId}.`);
      if (!this.state.workers.has(workerId)) {
        const changed = { ...record, draining };
        turn.change({ kind: 'worker', record: changed });
        turn.afterwards(() => this.#remember(changed));
      }
      turn.apply({ kind: 'drainRequested', workerId, draining });
      this.#audit(turn, { eventType: draining ? 'worker_drained' : 'worker_undrained', actor, workerId });
    });
  }

  async setPaused(paused: boolean, actor: string): Promise<void> {
    await this.#inTurn((turn) => {
      if (this.state.paused === paused) return;
      turn.apply({ kind: 'pauseRequested', paused });
      this.#audit(turn, { eventType: paused ? 'paused' : 'resumed', actor, workerId: null });
    });
  }

  #audit(turn: Turn, entry: { eventType: string; actor: string; workerId: string | null }): void {
    turn.change({ kind: 'audit', at: turn.wall, taskId: null, details: '', ...entry });
  }

  async writeStdin(id: string, chunk: StdinChunk): Promise<void> {
    const task = this.state.tasks.get(id);
    if (task === undefined) {
      if (this.#parts.store.task(id) === null) throw new OctasklyError('not_found', `There is no task ${id}.`);
      throw new OctasklyError('conflict', `Task ${id} has ended and reads no more input.`);
    }
    if (task.spec.stdin.kind !== 'stream') {
      throw new OctasklyError('conflict', `Task ${id} was not submitted with "stdin": {"stream": true}.`);
    }
    await this.#stdin.write(id, chunk);
  }

  // ------------------------------------------------------------------------------------------------ looking

  task(id: string): TaskRow | null {
    return this.#parts.store.task(id);
  }

  attempts(id: string): ReturnType<Backend['attempts']> {
    return this.#parts.store.attempts(id);
  }

  tasks(...args: Parameters<Backend['tasks']>): readonly TaskRow[] {
    return this.#parts.store.tasks(...args);
  }

  batch(id: string): ReturnType<Backend['batch']> {
    return this.#parts.store.batch(id);
  }

  get blobs(): Backend['blobs'] {
    return this.#parts.blobs;
  }

  files(id: string): ReturnType<Backend['files']> {
    if (this.#parts.store.task(id) === null) throw new OctasklyError('not_found', `There is no task ${id}.`);
    return this.#parts.store.outputs(id);
  }

  output(id: string, stream: Stream, { from, follow }: { from: number; follow: boolean }): OutputCursor {
    const row = this.#parts.store.task(id);
    if (row === null) throw new OctasklyError('not_found', `There is no task ${id}.`);
    const sources = {
      store: this.#parts.store,
      outputs: this.#parts.outputs,
      blobs: this.#parts.blobs,
      watch: this.#watch,
      liveTask: (taskId: string) => this.state.tasks.get(taskId),
      isClosing: () => this.#closing,
    };
    return openCursor(sources, { id, stream, from, follow }, row);
  }

  explain(id: string): ReturnType<Backend['explain']> {
    const task = this.state.tasks.get(id) ?? this.#parts.store.task(id)?.task;
    if (task === undefined) return null;
    return explanationView(task, explain(this.state, task, this.#parts.clock.steady()));
  }

  workers(): readonly WorkerView[] {
    const present = [...this.state.workers.values()].map(workerView);
    const offline = [...this.#known.values()].filter(({ declaration }) => !this.state.workers.has(declaration.id));
    return [...present, ...offline.map(offlineView)].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  stats(): Stats {
    const present = this.state.workers.size;
    return statsView(this.state, {
      version: this.#parts.version,
      uptimeMs: this.#parts.clock.steady() - this.#startedAt,
      offline: Math.max(0, this.#known.size - present),
      linksEnded: this.#parts.linksEnded?.() ?? {},
    });
  }

  ready(): { readonly ready: boolean; readonly reason: string | null } {
    const reason = this.#closing ? 'the dispatcher is shutting down' : (this.#engine.trouble?.message ?? null);
    return { ready: reason === null, reason };
  }

  subscribe(...args: Parameters<Backend['subscribe']>): () => void {
    return this.#feed.subscribe(...args);
  }

  // ------------------------------------------------------------------------------------------------ inside

  /** Runs `action` within a turn; settles when the turn is stored. An error of `action` concerns its caller alone. */
  #inTurn<T>(action: (turn: Turn) => T): Promise<T> {
    if (this.#closing) {
      return Promise.reject(
        new OctasklyError('shutting_down', 'The dispatcher is shutting down and takes no more work.'),
      );
    }
    return new Promise((resolve, reject) => {
      this.#engine.put({
        handle: (turn) => {
          let answer: T;
          try {
            answer = action(turn);
          } catch (error) {
            if (!(error instanceof OctasklyError) || error.code === 'storage_unavailable') throw error;
            reject(error);
            return;
          }
          turn.afterwards(() => resolve(answer));
        },
        abort: reject,
      });
    });
  }

  #deliver(turn: Turn): void {
    for (const record of turn.savedWorkers()) this.#remember(record);
    this.#sessions.deliver(turn);
    const at = new Date(turn.wall).toISOString();
    for (const effect of turn.published) {
      this.#feed.publish(feedEvent(effect, at));
      if (effect.what !== 'task') continue;
      this.#watch.notify(effect.id);
      if (!this.state.tasks.has(effect.id)) this.#stdin.ended(effect.id);
    }
  }

  #remember(record: RememberedWorker): void {
    this.#known.delete(record.declaration.id);
    this.#known.set(record.declaration.id, record);
    if (this.#known.size <= rememberedMax) return;
    for (const id of this.#known.keys()) {
      if (this.state.workers.has(id)) continue;
      this.#known.delete(id);
      return;
    }
  }
}
