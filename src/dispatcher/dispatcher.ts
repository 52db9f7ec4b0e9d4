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
import type { MetricFamily } from '../api/metrics.ts';
import type { Stats, WorkerView } from '../api/schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import type { RememberedWorker } from '../core/restore.ts';
import { forget, type SchedulerState } from '../core/state.ts';
import type { TerminalSize } from '../core/task.ts';
import type { Actor } from '../core/trust.ts';
import type { DispatcherLink, LinkHandlers } from '../ports/links.ts';
import type { ForgottenTasks, TaskRow } from '../ports/store.ts';
import type { DispatcherMessage, Stream, WorkerMessage } from '../wire/messages.ts';
import { CountedBlobs } from './counted-blobs.ts';
import { Engine, type Outlets } from './engine.ts';
import { Feed } from './feed.ts';
import { type Fleet, fleetOf } from './fleet.ts';
import { Intake } from './intake.ts';
import { Interaction } from './interaction.ts';
import { type Introductions, introductionsOf } from './introductions.ts';
import { KeptFiles } from './kept.ts';
import { KnownWorkers } from './known-workers.ts';
import { type Notifications, notificationsOf } from './notify/notifications.ts';
import { OutputWatch, openCursor } from './outputs.ts';
import { Overview } from './overview.ts';
import type { DispatcherParts } from './parts.ts';
import { putOnRecord } from './record.ts';
import { Sessions } from './sessions.ts';
import type { StdinChunk } from './stdin.ts';
import { DispatcherTrust } from './trust/trust.ts';
import type { Turn } from './turn.ts';
import { feedEvent } from './views.ts';
import { type Waking, wakingOf } from './waking.ts';
import { WorkerLogs } from './worker-logs.ts';
import { WorkerOrders } from './worker-orders.ts';

/** Workers are asked for a sign of life this often, or thrice within the silence limit. */
const heartbeatMsMax = 5000;

export class Dispatcher implements Backend {
  readonly #parts: DispatcherParts;
  readonly #engine: Engine;
  readonly #sessions: Sessions;
  readonly #trust: DispatcherTrust;
  readonly #intake: Intake;
  readonly #introductions: Introductions | null;
  readonly #kept: KeptFiles;
  readonly #waking: Waking | null;
  readonly #orders: WorkerOrders;
  readonly #overview: Overview;
  readonly #feed: Feed;
  /** Null where it was not given the means. */
  readonly notifications: Notifications | null;
  /** Likewise. */
  readonly fleet: Fleet | null;
  readonly #watch = new OutputWatch();
  readonly #logs: WorkerLogs;
  readonly #interaction: Interaction;
  readonly #known = new KnownWorkers((id) => this.state.workers.has(id));
  readonly #traffic: { readonly workers: CountedBlobs; readonly clients: CountedBlobs };
  #closing = false;

  /** Loads what is stored. Errors: what `Store.load` throws. */
  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#traffic = { workers: new CountedBlobs(parts.blobs), clients: new CountedBlobs(parts.blobs) };
    this.#feed = new Feed(parts.runId);
    this.#interaction = new Interaction({
      clock: parts.clock,
      state: () => this.state,
      isKnown: (taskId) => this.state.tasks.has(taskId) || parts.store.task(taskId) !== null,
      send: (workerId, message) => this.#sessions.send(this.state, workerId, message),
      abandoned: (taskIds) => this.#intake.abandon(taskIds),
    });
    this.#logs = new WorkerLogs({
      clock: parts.clock,
      ask: (workerId, message) => this.#sessions.send(this.state, workerId, message),
    });
    this.#sessions = this.#receive();
    this.#engine = new Engine(parts, this.#outlets());
    const around = { engine: () => this.#engine, inTurn: <T>(action: (turn: Turn) => T) => this.#inTurn(action) };
    this.notifications = notificationsOf(parts, around);
    this.notifications?.restore(this.state);
    this.#trust = new DispatcherTrust({
      ...{ setup: parts.trust, clock: parts.clock, log: parts.log, store: parts.store, stored: this.#engine.stored },
      ...around,
      keyOf: (workerId) => this.#known.get(workerId)?.publicKey ?? null,
      joined: () => this.#sessions.joined(),
      dismiss: (state, workerId, refusal) => this.#sessions.dismiss(state, workerId, refusal),
      onAsked: (turn, device) => this.notifications?.asked(turn, device),
    });
    this.#kept = this.#keep();
    const whom = { state: () => this.state, away: () => this.#away() };
    this.#waking = wakingOf(parts, { ...whom, feed: this.#feed });
    this.#orders = new WorkerOrders({
      ...{ state: () => this.state, known: this.#known, kept: () => this.#kept, waking: this.#waking },
      inTurn: (action) => this.#inTurn(action),
    });
    this.#overview = new Overview(parts, {
      ...{ engine: this.#engine, known: this.#known, waking: this.#waking },
      ...{ notifications: this.notifications, traffic: this.#traffic, away: whom.away },
      isReady: () => this.ready().ready,
    });
    const send = (workerId: string, message: DispatcherMessage) => this.#sessions.send(this.state, workerId, message);
    const setDraining: Dispatcher['setDraining'] = (...order) => this.setDraining(...order);
    this.fleet = fleetOf(parts, { ...whom, ...around, send, setDraining }, this.#feed);
    this.#introductions = introductionsOf(parts, this.#trust, (blob) => this.#kept.keepersOf(blob));
    this.#intake = new Intake({
      ...{ store: parts.store, blobs: parts.blobs, queueMax: parts.policy.queueMax },
      ...{ engine: this.#engine, kept: this.#kept },
      expect: (taskId) => this.#interaction.expect(taskId),
      admitNotify: (submission) => this.notifications?.admit(submission),
      inTurn: (action) => this.#inTurn(action),
    });
    for (const record of this.#engine.stored.workers) this.#known.remember(record);
    for (const id of this.state.tasks.keys()) this.#interaction.expect(id);
  }

  #receive(): Sessions {
    const { clock, log, outputs, store, clusterId, policy } = this.#parts;
    const { silenceMs } = policy;
    return new Sessions({
      ...{ clock, log, outputs, store, clusterId, blobs: this.#traffic.workers },
      gate: () => this.#trust,
      introductions: () => this.#introductions,
      kept: () => this.#kept,
      engine: () => this.#engine,
      stdin: this.#interaction.stdin,
      logs: () => this.#logs,
      fleet: () => this.fleet,
      ...{ heartbeatMs: Math.min(heartbeatMsMax, silenceMs / 3), silenceMs },
      remembered: (id) => this.#known.get(id) ?? null,
      onOutput: (taskId) => this.#watch.notify(taskId),
    });
  }

  #outlets(): Outlets {
    return {
      complete: (turn) => {
        this.#sessions.closeOutputs(turn);
        this.notifications?.complete(turn);
      },
      deliver: (turn) => this.#deliver(turn),
      reset: (detail) => {
        this.#sessions.closeAll(detail);
        this.#watch.notifyAll();
      },
      reloaded: (stored) => {
        this.#trust.restore(stored);
        this.notifications?.restore(this.state);
      },
    };
  }

  #keep(): KeptFiles {
    const { store, blobs, log } = this.#parts;
    return new KeptFiles({
      ...{ store, blobs, log },
      files: (workerId) => this.#sessions.filesOf(this.state, workerId),
      keeper: (workerId) => {
        const known = this.state.workers.get(workerId) ?? this.#known.get(workerId);
        return known === undefined ? null : { name: known.name, isMember: !this.#trust.isRevoked(known.publicKey) };
      },
      send: (workerId, message) => this.#sessions.send(this.state, workerId, message),
      inTurn: (action) => this.#inTurn(action),
    });
  }

  /** The scheduler's state, for reading. */
  get state(): SchedulerState {
    return this.#engine.state;
  }

  /** Who may join and who may ask. */
  get trust(): DispatcherTrust {
    return this.#trust;
  }

  /** Takes an authenticated link of a node. */
  accept(link: DispatcherLink): LinkHandlers<WorkerMessage> {
    return this.#sessions.accept(link);
  }

  /** Takes no more work, tells the workers, stores what is under way. Tasks that run go on and are taken back later. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#engine.put({ handle: (turn) => turn.apply({ kind: 'closingRequested' }), abort: () => undefined });
    this.#trust.close();
    this.#introductions?.close();
    this.notifications?.close();
    this.fleet?.close();
    this.#waking?.close();
    this.#engine.stop();
    this.#sessions.broadcast({ kind: 'closing' });
    this.#sessions.closeAll('the dispatcher is shutting down');
    this.#interaction.endAll();
    this.#watch.notifyAll();
    this.#feed.close();
  }

  // ------------------------------------------------------------------------------------------------ changing

  submit(submission: Submission): Promise<Submitted> {
    return this.#intake.submit(submission);
  }

  cancel(ids: readonly string[], actor: Actor): Promise<void> {
    return this.#intake.cancel(ids, actor);
  }

  cancelBatch(id: string, actor: Actor): Promise<void> {
    return this.#intake.cancelBatch(id, actor);
  }

  retry(id: string, actor: Actor): Promise<string> {
    return this.#intake.retry(id, actor);
  }

  setDraining(...asked: Parameters<Backend['setDraining']>): Promise<void> {
    return this.#orders.setDraining(...asked);
  }

  wakeWorker(...asked: Parameters<Backend['wakeWorker']>): Promise<number> {
    return this.#orders.wakeWorker(...asked);
  }

  async setPaused(paused: boolean, actor: Actor): Promise<void> {
    await this.#inTurn((turn) => {
      if (this.state.paused === paused) return;
      turn.apply({ kind: 'pauseRequested', paused });
      putOnRecord(turn, { eventType: paused ? 'paused' : 'resumed', actor });
    });
  }

  writeStdin(id: string, chunk: StdinChunk): Promise<void> {
    return this.#interaction.write(id, chunk);
  }

  resize(id: string, size: TerminalSize): void {
    this.#interaction.resize(id, size);
  }

  attend(id: string, signal: AbortSignal): Promise<boolean> {
    return this.#interaction.attend(id, signal);
  }

  keepAttended(ids: readonly string[], forMs: number): boolean {
    return this.#interaction.keepAttended(ids, forMs);
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

  batches(...asked: Parameters<Backend['batches']>): ReturnType<Backend['batches']> {
    return this.#parts.store.batches(...asked);
  }

  endedAttempts(...asked: Parameters<Backend['endedAttempts']>): ReturnType<Backend['endedAttempts']> {
    return this.#parts.store.endedAttempts(...asked);
  }

  get blobs(): Backend['blobs'] {
    return this.#traffic.clients;
  }

  files(id: string): ReturnType<Backend['files']> {
    if (this.#parts.store.task(id) === null) throw new OctasklyError('not_found', `There is no task ${id}.`);
    const { files, problems } = this.#parts.store.outputs(id);
    const placeOf = this.#kept.placesOf(id);
    return { files: files.map((file) => ({ ...file, at: placeOf(file) })), problems };
  }

  bring(blob: string, signal: AbortSignal): Promise<number | null> {
    return this.#kept.bring(blob, signal);
  }

  /** Tasks were deleted: they do not count any more, and workers need not keep their files. */
  forgotten({ ended, orphaned }: ForgottenTasks): void {
    forget(this.state, ended);
    this.#kept.forgotten(orphaned);
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
    return this.#overview.explain(task);
  }

  workers(): readonly WorkerView[] {
    return this.#overview.workers();
  }

  workerLog(...asked: Parameters<Backend['workerLog']>): ReturnType<Backend['workerLog']> {
    return this.#logs.read(...asked);
  }

  stats(): Stats {
    return this.#overview.stats();
  }

  metrics(): readonly MetricFamily[] {
    return this.#overview.metrics();
  }

  ready(): { readonly ready: boolean; readonly reason: string | null } {
    const reason = this.#closing ? 'the dispatcher is shutting down' : (this.#engine.trouble?.message ?? null);
    return { ready: reason === null, reason };
  }

  subscribe(...args: Parameters<Backend['subscribe']>): () => void {
    return this.#feed.subscribe(...args);
  }

  // ------------------------------------------------------------------------------------------------ inside

  /** As `Engine.inTurn`, for what nobody may begin any more once it closes. */
  #inTurn<T>(action: (turn: Turn) => T): Promise<T> {
    if (!this.#closing) return this.#engine.inTurn(action);
    const message = 'The dispatcher is shutting down and takes no more work.';
    return Promise.reject(new OctasklyError('shutting_down', message));
  }

  /** Members on record that the scheduler does not know. */
  #away(): RememberedWorker[] {
    return this.#known.absent().filter(({ publicKey }) => !this.#trust.isRevoked(publicKey));
  }

  #deliver(turn: Turn): void {
    for (const record of turn.savedWorkers()) this.#known.remember(record);
    this.#sessions.deliver(turn);
    this.#introductions?.turned();
    this.#waking?.turned();
    const at = new Date(turn.wall).toISOString();
    for (const effect of turn.published) {
      this.#feed.publish(feedEvent(effect, at), effect.what === 'task' ? turn.ownerOf(effect.id) : null);
      if (effect.what !== 'task') continue;
      this.#watch.notify(effect.id);
      if (!this.state.tasks.has(effect.id)) this.#interaction.ended(effect.id);
    }
  }
}
