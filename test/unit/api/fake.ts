/**
 * A small dispatcher in memory for tests of the routes, with a clock moved by hand. It keeps no queue and runs nothing:
 * a test puts tasks into the state it needs and looks at what was asked.
 */

import type { Hono } from 'hono';
import type { RequireAuth } from '../../../src/api/access.ts';
import { createApi } from '../../../src/api/app.ts';
import type { Backend, FeedEntry, OutputCursor, OutputFiles, Submission } from '../../../src/api/backend.ts';
import type { ApiOptions, Peer } from '../../../src/api/route.ts';
import type { Explanation, Stats, WorkerView } from '../../../src/api/schemas.ts';
import { OctasklyError } from '../../../src/base/errors.ts';
import { emptyCounts } from '../../../src/core/state.ts';
import { type AttemptRecord, isFinal, newTask, type TerminalSize } from '../../../src/core/task.ts';
import { type Actor, ownerOf, scopeOf } from '../../../src/core/trust.ts';
import type { CollectedFiles } from '../../../src/ports/files.ts';
import type { TaskFilter, TaskRow } from '../../../src/ports/store.ts';
import type { Clock } from '../../../src/ports/time.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { FakeCursor } from './fake-cursor.ts';
import { FakeTrust } from './fake-trust.ts';

export const startedAt = Date.UTC(2026, 4, 1, 12, 0, 0);

/** Time that moves when told to. */
export class FakeClock implements Clock {
  private now = 0;
  private timers: { at: number; action: () => void }[] = [];
  get pending(): number {
    return this.timers.length;
  }
  steady(): number {
    return this.now;
  }
  wall(): number {
    return startedAt + this.now;
  }
  after(delayMs: number, action: () => void) {
    const timer = { at: this.now + delayMs, action };
    this.timers.push(timer);
    const cancel = (): void => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
    return { cancel };
  }
  soon(action: () => void): void {
    queueMicrotask(action);
  }
  advance(ms: number): void {
    this.now += ms;
    const due = this.timers.filter(({ at }) => at <= this.now);
    this.timers = this.timers.filter(({ at }) => at > this.now);
    for (const { action } of due) action();
  }
}

export const worker: WorkerView = {
  id: 'w-1',
  name: 'kitchen',
  status: 'online',
  address: '10.0.0.2:40000',
  version: '0.1.0',
  platform: 'linux',
  arch: 'arm64',
  slots: 4,
  running: 1,
  backlog: 0,
  cpu_cores: 4,
  memory_mb: 4096,
  gpu: 0,
  reserved: { cpu_cores: 1, memory_mb: 0, gpu: 0 },
  labels: {},
  load1: 0.5,
  memory_free_mb: 2048,
  battery_percent: null,
  charging: null,
  resting: null,
  wake: null,
  temperature_c: null,
  sandbox: { least: 'basic', levels: [], missing: [] },
  kept_outputs: 0,
  first_seen_at: '2026-05-01T12:00:00.000Z',
  last_seen_at: '2026-05-01T12:00:00.000Z',
};

interface BatchRecord {
  readonly id: string;
  readonly name: string | null;
  readonly createdAt: number;
  readonly owner: string | null;
  readonly taskIds: readonly string[];
}

export class FakeBackend implements Backend {
  readonly rows = new Map<string, TaskRow>();
  readonly batchRecords = new Map<string, BatchRecord>();
  readonly submissions: Submission[] = [];
  readonly filters: { filter: TaskFilter; limit: number; before: string | null }[] = [];
  readonly actions: string[] = [];
  readonly stdin: { id: string; offset: number; text: string; eof: boolean }[] = [];
  readonly feed: FeedEntry[] = [];
  readonly subscribers = new Set<{ onEntry(entry: FeedEntry): void; onEnd(): void }>();
  readonly answers = new Map<string, { hash: string; batchId: string | null; taskIds: string[] }>();
  readonly blobs = new MemoryBlobs();
  readonly notifications = null;
  collected: CollectedFiles = { files: [], problems: [] };
  /** Name of the worker that keeps what is collected, and what can be brought from it. */
  keeper: string | null = null;
  brought = new Uint8Array(0);
  attemptRecords: AttemptRecord[] = [];
  cursor = new FakeCursor();
  outputs: { id: string; stream: string; from: number; follow: boolean }[] = [];
  workerViews: WorkerView[] = [worker];
  state: { ready: boolean; reason: string | null } = { ready: true, reason: null };
  /** Thrown by the next call that changes something. */
  failure: Error | null = null;
  private lastId = 0;

  private nextId(): string {
    this.lastId++;
    return `0000000${String(this.lastId).padStart(5, '0')}`;
  }
  private fail(): void {
    const failure = this.failure;
    this.failure = null;
    if (failure !== null) throw failure;
  }
  private need(id: string): TaskRow {
    const row = this.rows.get(id);
    if (row === undefined) throw new OctasklyError('not_found', `There is no task "${id}".`);
    return row;
  }

  async submit(submission: Submission) {
    this.fail();
    this.submissions.push(submission);
    const { idempotency, batch } = submission;
    const known = idempotency === null ? undefined : this.answers.get(idempotency.key);
    if (known !== undefined) {
      if (known.hash !== idempotency?.bodyHash) throw new OctasklyError('conflict', 'The key was used before.');
      return { batchId: known.batchId, taskIds: known.taskIds, repeated: true };
    }
    const owner = ownerOf(submission.actor);
    const scope = scopeOf(submission.actor);
    for (const id of submission.tasks.flatMap(({ dependsOn }) => dependsOn)) {
      if (scope !== null && this.rows.get(id)?.task.spec.owner !== scope)
        throw new OctasklyError('invalid', `There is no task ${id} to wait for.`);
    }
    const batchId = batch === null ? null : 'joins' in batch ? batch.joins : this.nextId();
    const taskIds = submission.tasks.map((task) => {
      const id = this.nextId();
      const inputs = task.inputs.map((input) => ({ ...input, bytes: this.blobs.size(input.blob) ?? 0 }));
      const spec = { ...task, inputs, batchId, retryOf: null, owner };
      this.rows.set(id, { task: newTask(id, spec, startedAt + this.lastId), stdout: null, stderr: null });
      return id;
    });
    if (batch !== null && batchId !== null && !('joins' in batch)) {
      this.batchRecords.set(batchId, { id: batchId, name: batch.name, createdAt: startedAt, owner, taskIds });
    }
    if (idempotency !== null) this.answers.set(idempotency.key, { hash: idempotency.bodyHash, batchId, taskIds });
    return { batchId, taskIds, repeated: false };
  }
  task(id: string): TaskRow | null {
    return this.rows.get(id) ?? null;
  }
  attempts(): readonly AttemptRecord[] {
    return this.attemptRecords;
  }
  tasks(filter: TaskFilter, page: { limit: number; before: string | null }): readonly TaskRow[] {
    this.filters.push({ filter, ...page });
    return [...this.rows.values()]
      .reverse()
      .filter(({ task }) => page.before === null || task.id < page.before)
      .filter(({ task }) => filter.owner === undefined || task.spec.owner === filter.owner)
      .filter(({ task }) => filter.batchId === undefined || task.spec.batchId === filter.batchId)
      .filter(({ task }) => task.id.startsWith(filter.idPrefix ?? ''))
      .slice(0, page.limit);
  }
  batch(id: string) {
    const batch = this.batchRecords.get(id);
    if (batch === undefined) return null;
    const counts = emptyCounts();
    for (const taskId of batch.taskIds) counts[this.need(taskId).task.status]++;
    const { name, createdAt, owner, taskIds } = batch;
    return { id, name, createdAt, owner, size: taskIds.length, counts };
  }
  batchPages: Parameters<Backend['batches']>[] = [];
  /** What ended lately, for the time line. */
  endedRecords: ReturnType<Backend['endedAttempts']> = [];
  endedAsked: Parameters<Backend['endedAttempts']>[] = [];
  batches(...asked: Parameters<Backend['batches']>) {
    this.batchPages.push(asked);
    const [{ owner }, { limit, before }] = asked;
    return [...this.batchRecords.keys()]
      .reverse()
      .filter((id) => before === null || id < before)
      .flatMap((id) => this.batch(id) ?? [])
      .filter((batch) => owner === undefined || batch.owner === owner)
      .slice(0, limit);
  }
  endedAttempts(...asked: Parameters<Backend['endedAttempts']>) {
    this.endedAsked.push(asked);
    return this.endedRecords.slice(0, asked[1]);
  }
  resize(id: string, { columns, rows }: TerminalSize): void {
    this.need(id);
    this.actions.push(`resize ${id} to ${columns}x${rows}`);
  }
  readonly attend = async (id: string): Promise<boolean> => this.need(id) === null;
  keepAttended(ids: readonly string[], forMs: number): boolean {
    this.actions.push(`keep ${ids.join(' ')} for ${forMs} ms`);
    return ids.length > 0;
  }
  async cancel(ids: readonly string[], actor: Actor) {
    this.fail();
    for (const id of ids) {
      const { task } = this.need(id);
      this.actions.push(`cancel ${id} by ${actor.name}`);
      if (task.status === 'running') task.cancelRequested = true;
      else if (!isFinal(task.status)) task.status = 'cancelled';
    }
  }
  async cancelBatch(id: string, actor: Actor) {
    const batch = this.batchRecords.get(id);
    if (batch === undefined) throw new OctasklyError('not_found', `There is no batch "${id}".`);
    await this.cancel(batch.taskIds, actor);
  }
  async retry(id: string, actor: Actor) {
    const { task } = this.need(id);
    if (!isFinal(task.status)) throw new OctasklyError('conflict', `The task "${id}" has not ended.`);
    const { taskIds } = await this.submit({ tasks: [task.spec], batch: null, idempotency: null, actor });
    return taskIds[0] ?? '';
  }
  async writeStdin(id: string, chunk: { offset: number; data: Uint8Array; eof: boolean }) {
    this.need(id);
    this.fail();
    this.stdin.push({ id, offset: chunk.offset, text: new TextDecoder().decode(chunk.data), eof: chunk.eof });
  }
  output(id: string, stream: 'stdout' | 'stderr', options: { from: number; follow: boolean }): OutputCursor {
    this.need(id);
    this.outputs.push({ id, stream, ...options });
    return this.cursor;
  }
  files(id: string): OutputFiles {
    this.need(id);
    const { files, problems } = this.collected;
    return { files: files.map((file) => ({ ...file, at: this.keeper })), problems };
  }
  async bring(blob: string, signal: AbortSignal): Promise<number | null> {
    this.actions.push(`bring ${blob}`);
    signal.throwIfAborted();
    this.fail();
    return this.keeper === null ? null : this.blobs.size(this.blobs.add(this.brought));
  }
  explain(id: string): Explanation | null {
    const row = this.rows.get(id);
    if (row === undefined) return null;
    const fit = { id: worker.id, name: worker.name, fits: false, reasons: ['no free slot'] };
    return { id, status: row.task.status, summary: 'It waits for a slot.', workers: [fit], advice: [] };
  }
  workers(): readonly WorkerView[] {
    return this.workerViews;
  }
  logLines: readonly string[] = [];
  async workerLog({ id }: { readonly id: string }, lines: number) {
    this.actions.push(`log ${id} ${lines}`);
    this.fail();
    return this.logLines;
  }
  metricFamilies: ReturnType<Backend['metrics']> = [];
  metrics() {
    return this.metricFamilies;
  }
  async setDraining(workerId: string, draining: boolean, actor: Actor) {
    this.actions.push(`${draining ? 'drain' : 'undrain'} ${workerId} by ${actor.name}`);
    const status = draining ? 'draining' : 'online';
    this.workerViews = this.workerViews.map((view) => (view.id === workerId ? { ...view, status } : view));
  }
  async wakeWorker(workerId: string, actor: Actor) {
    this.actions.push(`wake ${workerId} by ${actor.name}`);
    return 3;
  }
  async setPaused(paused: boolean, actor: Actor) {
    this.actions.push(`${paused ? 'pause' : 'resume'} by ${actor.name}`);
  }
  stats(): Stats {
    this.fail();
    return {
      version: '0.1.0',
      paused: false,
      uptime_seconds: 1,
      tasks: emptyCounts(),
      workers: { online: 1, draining: 0, silent: 0, offline: 0 },
      slots: { total: 4, used: 1 },
      queue: { size: 0, max: 10_000 },
      stale_reports: 0,
      links_ended: {},
      discovery: {},
    };
  }
  ready() {
    return this.state;
  }
  publish(entry: FeedEntry): void {
    this.feed.push(entry);
    for (const subscriber of [...this.subscribers]) subscriber.onEntry(entry);
  }
  subscribe(lastId: string | null, subscriber: Parameters<Backend['subscribe']>[1]): () => void {
    const at = this.feed.findIndex(({ id }) => id === lastId);
    if (lastId !== null && at < 0) subscriber.onReset(this.feed.at(-1)?.id ?? '0');
    else if (lastId !== null) for (const entry of this.feed.slice(at + 1)) subscriber.onEntry(entry);
    this.subscribers.add(subscriber);
    return () => void this.subscribers.delete(subscriber);
  }
}

/** The feed entry number `n`, of a task of `owner`. */
export function entry(n: number, owner: string | null = null): FeedEntry {
  const at = '2026-05-01T12:00:00.000Z';
  return {
    id: String(n),
    event: { kind: 'task', id: '000000000001', status: 'queued', at, worker_id: null, detail: null },
    owner,
  };
}

export interface Harness {
  readonly backend: FakeBackend;
  readonly trust: FakeTrust;
  readonly clock: FakeClock;
  readonly errors: string[];
  readonly kept: number[];
  readonly app: Hono<{ Bindings: Partial<Peer> }>;
  /** Calls the API from this machine, or from `peer`. `body` that is no text or bytes is sent as JSON. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
}

export function harness(options: Partial<ApiOptions> & { remote?: string; requireAuth?: RequireAuth } = {}): Harness {
  const backend = new FakeBackend();
  const trust = new FakeTrust();
  const clock = new FakeClock();
  const errors: string[] = [];
  const kept: number[] = [];
  const { remote = '127.0.0.1', ...rest } = options;
  const quiet = (): void => undefined;
  const app = createApi(backend, trust, {
    version: '0.1.0',
    clock,
    log: { debug: quiet, info: quiet, warn: quiet, error: (_message, fields) => errors.push(String(fields?.reason)) },
    sha256Hex: (data) => new Bun.CryptoHasher('sha256').update(data).digest('hex'),
    defaultTimeoutMs: 3_600_000,
    hosts: ['nas.local'],
    origins: ['https://panel.example:8443'],
    requireAuth: 'auto',
    submitRate: 0,
    page: async () => null,
    denied: () => null,
    ...rest,
  });
  return {
    backend,
    trust,
    clock,
    errors,
    kept,
    app,
    async call(method, path, body, headers = {}) {
      const raw = typeof body === 'string' || body instanceof Uint8Array || body instanceof FormData;
      const type: Record<string, string> =
        body === undefined || body instanceof FormData
          ? {}
          : { 'content-type': raw ? 'application/octet-stream' : 'application/json' };
      const sent = body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) };
      const peer: Peer = { remote, keepOpen: (idleSeconds) => kept.push(idleSeconds) };
      return app.request(path, { method, headers: { host: 'localhost', ...type, ...headers }, ...sent }, peer);
    },
  };
}
