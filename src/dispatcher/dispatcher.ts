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
import type { Policy, SchedulerState } from '../core/state.ts';
import type { Actor } from '../core/trust.ts';
import type { BlobStore, OutputStore } from '../ports/files.ts';
import type { DispatcherLink, LinkHandlers } from '../ports/links.ts';
import type { OrphanedOutputs, Store, TaskRow } from '../ports/store.ts';
import type { Clock, Log } from '../ports/time.ts';
import type { Stream, WorkerMessage } from '../wire/messages.ts';
import { Engine } from './engine.ts';
import { Feed } from './feed.ts';
import { Intake } from './intake.ts';
import { Introductions } from './introductions.ts';
import { KeptFiles } from './kept.ts';
import { OutputWatch, openCursor } from './outputs.ts';
import { putOnRecord } from './record.ts';
import { Sessions } from './sessions.ts';
import { LiveStdin, type StdinChunk } from './stdin.ts';
import { DispatcherTrust, type TrustSetup } from './trust/trust.ts';
import type { Turn } from './turn.ts';
import { explanationView, feedEvent, offlineView, statsView, workerView } from './views.ts';

export interface DispatcherParts {
  readonly clock: Clock;
  readonly store: Store;
  readonly outputs: OutputStore;
  readonly blobs: BlobStore;
  readonly log: Log;
  readonly policy: Policy;
  readonly trust: TrustSetup;
  readonly version: string;
  /** Names this start of the dispatcher: letters and digits, never the same twice. */
  readonly runId: string;
  /** Names the cluster for as long as its data lasts: 16 hex digits. */
  readonly clusterId: string;
  /** False: workers are told to leave each other alone. */
  readonly peersAllowed: boolean;
  /** This dispatcher among its nodes: the id and name by which peers may meet it. */
  readonly node: { readonly id: string; readonly name: string };
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
  readonly #trust: DispatcherTrust;
  readonly #intake: Intake;
  readonly #introductions: Introductions | null;
  readonly #kept: KeptFiles;
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
      gate: () => this.#trust,
      outputs: parts.outputs,
      blobs: parts.blobs,
      store: parts.store,
      clusterId: parts.clusterId,
      introductions: () => this.#introductions,
      kept: () => this.#kept,
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
      reloaded: (stored) => this.#trust.restore(stored),
    });
    this.#trust = new DispatcherTrust({
      ...{ setup: parts.trust, clock: parts.clock, log: parts.log, store: parts.store, stored: this.#engine.stored },
      engine: () => this.#engine,
      keyOf: (workerId) => this.#known.get(workerId)?.publicKey ?? null,
      joined: () => this.#sessions.joined(),
      dismiss: (state, workerId, refusal) => this.#sessions.dismiss(state, workerId, refusal),
      inTurn: (action) => this.#inTurn(action),
    });
    this.#kept = this.#keep();
    this.#introductions = parts.peersAllowed ? this.#introduce() : null;
    this.#intake = new Intake({
      ...{ store: parts.store, blobs: parts.blobs, stdin: this.#stdin, queueMax: parts.policy.queueMax },
      ...{ engine: this.#engine, kept: this.#kept },
      inTurn: (action) => this.#inTurn(action),
    });
    for (const record of this.#engine.stored.workers) this.#remember(record);
    for (const { id, spec } of this.state.tasks.values()) if (spec.stdin.kind === 'stream') this.#stdin.expect(id);
  }

  #introduce(): Introductions {
    const { clock, node, trust } = this.#parts;
    const roster = {
      ...{ clock, own: { ...node, publicKey: trust.publicKey } },
      members: () => this.#trust.members(),
      changes: () => this.#trust.memberChanges,
    };
    return new Introductions(roster, (blob) => this.#kept.keepersOf(blob));
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
    this.#engine.stop();
    this.#sessions.broadcast({ kind: 'closing' });
    this.#sessions.closeAll('the dispatcher is shutting down');
    this.#stdin.endAll();
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

  async setDraining(workerId: string, draining: boolean, actor: Actor): Promise<void> {
    await this.#inTurn((turn) => {
      const record = this.#known.get(workerId);
      if (record === undefined) throw new OctasklyError('not_found', `There is no worker ${workerId}.`);
      if (!this.state.workers.has(workerId)) {
        const changed = { ...record, draining };
        turn.change({ kind: 'worker', record: changed });
        turn.afterwards(() => this.#remember(changed));
      }
      turn.apply({ kind: 'drainRequested', workerId, draining });
      if (draining) turn.afterwards(() => this.#kept.relieve(workerId));
      putOnRecord(turn, { eventType: draining ? 'worker_drained' : 'worker_undrained', actor, workerId });
    });
  }

  async setPaused(paused: boolean, actor: Actor): Promise<void> {
    await this.#inTurn((turn) => {
      if (this.state.paused === paused) return;
      turn.apply({ kind: 'pauseRequested', paused });
      putOnRecord(turn, { eventType: paused ? 'paused' : 'resumed', actor });
    });
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
    const { files, problems } = this.#parts.store.outputs(id);
    const placeOf = this.#kept.placesOf(id);
    return { files: files.map((file) => ({ ...file, at: placeOf(file) })), problems };
  }

  bring(blob: string, signal: AbortSignal): Promise<number | null> {
    return this.#kept.bring(blob, signal);
  }

  /** Tasks were forgotten: workers need not keep their files any more. */
  releaseKept(orphaned: readonly OrphanedOutputs[]): void {
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
    return explanationView(task, explain(this.state, task, this.#parts.clock.steady()));
  }

  workers(): readonly WorkerView[] {
    const kept = this.#parts.store.keptCounts();
    const present = [...this.state.workers.values()].map((worker) => workerView(worker, kept.get(worker.id) ?? 0));
    const offline = [...this.#known.values()].filter(
      ({ declaration, publicKey }) => !this.state.workers.has(declaration.id) && !this.#trust.isRevoked(publicKey),
    );
    const absent = offline.map((record) => offlineView(record, kept.get(record.declaration.id) ?? 0));
    return [...present, ...absent].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
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
    this.#introductions?.turned();
    const at = new Date(turn.wall).toISOString();
    for (const effect of turn.published) {
      this.#feed.publish(feedEvent(effect, at), effect.what === 'task' ? turn.ownerOf(effect.id) : null);
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
