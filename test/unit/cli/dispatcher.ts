/**
 * A dispatcher without a network: answers `fetch` from memory, so that client and command line are tested whole.
 * Tests hold tasks open and end them; nothing happens by itself.
 */

import type { FeedEvent, TaskRequest, TaskView } from '../../../src/api/schemas.ts';
import type { Fetch } from '../../../src/client/http.ts';
import { isFinal } from '../../../src/core/task.ts';

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: string | Uint8Array | null;
}

type Answer = (request: Request) => Response | null;

interface FakeTask {
  view: TaskView;
  readonly request: TaskRequest;
  readonly output: Record<'stdout' | 'stderr', Uint8Array>;
  stdin: string;
  stdinOpen: boolean;
}

export function problem(status: number, code: string, detail: string): Response {
  return Response.json(
    { type: `urn:octaskly:problem:${code}`, title: code, status, detail },
    { status, headers: { 'content-type': 'application/problem+json' } },
  );
}

const idOf = (number: number): string => `01hq3v5k${String(number).padStart(4, '0')}`;

function viewOf(id: string, request: TaskRequest, batchId: string | null): TaskView {
  const files = (request.inputs ?? []).flatMap((input) => (typeof input === 'string' ? [] : [input]));
  const inputs = files.map(({ path, blob, bytes = 0, executable = false }) => ({ path, blob, bytes, executable }));
  const none = {
    inputs,
    outputs: request.outputs ?? [],
    outputs_at: request.outputs_at ?? 'dispatcher',
    retry_of: null,
    owner: null,
    reason: null,
    cpu_ms: null,
    memory_peak_bytes: null,
  };
  return {
    ...{ id, name: request.name ?? null, command: request.command ?? null, argv: request.argv ?? null },
    ...{ status: 'queued', priority: 0, worker_id: null, attempt: 0, timeout: request.timeout ?? 3600 },
    ...{
      retry_count: request.retry_count ?? 0,
      retry_delay: 1,
      env: request.env ?? {},
      workdir: null,
      max_output: 1e7,
    },
    requires: { cpu_cores: 0, memory_mb: 0, gpu: 0, labels: {}, platform: null, arch: null },
    ...{ depends_on: request.depends_on ?? [], on_dependency_failure: 'cancel', tags: request.tags ?? {} },
    ...{ batch_id: batchId, exit_code: null, signal: null, duration_ms: null, stdout_bytes: 0, stderr_bytes: 0 },
    ...{ discarded_bytes: 0, stdout_tail: '', stderr_tail: '', created_at: '2026-01-01T00:00:00.000Z' },
    ...{ started_at: null, completed_at: null, ...none },
    ...{ cpu_time_limit: null, memory_limit_mb: null, disk_limit_mb: null, max_open_files: null, max_processes: null },
    ...{ sandbox_level: null, network: false, written_bytes: null, sandbox_level_used: null },
  };
}

export class FakeDispatcher {
  readonly tasks = new Map<string, FakeTask>();
  readonly requests: Request[] = [];
  readonly cancelled: string[] = [];
  /** Asked first; null passes the request on. */
  intercept: Answer = () => null;
  /** Called with each new task. */
  onSubmit: (id: string) => void = () => {};
  /** Tasks are to join this batch: why not, if not. */
  onJoin: (batch: string) => 'not_found' | 'conflict' | null = () => null;
  onCancel: (id: string) => void = (id) => this.end(id, { status: 'cancelled', signal: 'SIGTERM' });
  private count = 0;
  private eventCount = 0;
  private readonly feeds = new Set<ReadableStreamDefaultController<Uint8Array>>();
  private readonly followers = new Set<() => void>();

  readonly fetch: Fetch = async (url, init) => {
    const { pathname, searchParams } = new URL(url);
    const stream = init.body instanceof ReadableStream ? await new Response(init.body).bytes() : null;
    const body = init.body instanceof Uint8Array || typeof init.body === 'string' ? init.body : stream;
    const headers = new Headers(init.headers);
    const request = { method: init.method ?? 'GET', path: pathname, query: searchParams, headers, body };
    this.requests.push(request);
    if (init.signal?.aborted) throw init.signal.reason;
    return this.intercept(request) ?? this.answer(request, init.signal ?? null);
  };

  submit(request: TaskRequest, batchId: string | null = null): TaskView {
    const id = idOf(++this.count);
    const view = viewOf(id, request, batchId);
    const output = { stdout: new Uint8Array(0), stderr: new Uint8Array(0) };
    this.tasks.set(id, { view, request, output, stdin: '', stdinOpen: true });
    // After the answer: a dispatcher commits first, publishes later.
    queueMicrotask(() => this.onSubmit(id));
    return view;
  }

  find(id: string): FakeTask {
    const task = this.tasks.get(id);
    if (task === undefined) throw new Error(`no task ${id}`);
    return task;
  }

  write(id: string, stream: 'stdout' | 'stderr', text: string | Uint8Array): void {
    const task = this.find(id);
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
    task.output[stream] = Uint8Array.from([...task.output[stream], ...bytes]);
    task.view = { ...task.view, [`${stream}_bytes`]: task.output[stream].length };
    this.wake();
  }

  end(id: string, end: Partial<TaskView>): void {
    const task = this.find(id);
    if (isFinal(task.view.status)) return;
    task.view = { ...task.view, status: 'completed', ...end };
    this.publish({ kind: 'task', id, status: task.view.status });
    this.wake();
  }

  /** Ends every open stream, as a dispatcher that goes down. */
  hangUp(): void {
    for (const feed of this.feeds) feed.close();
    this.feeds.clear();
  }

  send(text: string): void {
    for (const feed of this.feeds) feed.enqueue(new TextEncoder().encode(text));
  }

  publish(event: Pick<FeedEvent, 'kind' | 'id' | 'status'>): void {
    const whole = { ...event, at: '2026-01-01T00:00:00.000Z', worker_id: null, detail: null };
    this.send(`id: e${++this.eventCount}\nevent: ${event.kind}\ndata: ${JSON.stringify(whole)}\n\n`);
  }

  private wake(): void {
    for (const follower of this.followers) follower();
  }

  private answer(request: Request, signal: AbortSignal | null): Response {
    const { method, path, body } = request;
    const [, , , kind, id = '', rest] = path.split('/');
    const json = (value: unknown, status = 200): Response => Response.json(value, { status });
    if (kind === 'events') return this.events(signal);
    if (kind === 'workers') return json({ workers: [], next_cursor: null });
    if (kind === 'tasks' && id === '') {
      if (method === 'POST') return json(this.submit(JSON.parse(String(body)) as TaskRequest), 201);
      return json({ tasks: this.list(request.query), next_cursor: null });
    }
    if (kind === 'batches' && method === 'POST') {
      const asked = JSON.parse(String(body)) as { batch?: string; tasks: TaskRequest[] };
      const { batch = `b${this.count}`, tasks } = asked;
      const refused = asked.batch === undefined ? null : this.onJoin(batch);
      if (refused !== null) return problem(refused === 'conflict' ? 409 : 404, refused, `No more tasks for ${batch}.`);
      return json({ id: batch, task_ids: tasks.map((task) => this.submit(task, batch).id) }, 201);
    }
    if (kind === 'batches' && method === 'DELETE') {
      for (const [taskId, task] of this.tasks) if (task.view.batch_id === id) this.onCancel(taskId);
      this.cancelled.push(id);
      return new Response(null, { status: 204 });
    }
    if (path === '/api/v1/tasks/cancel') {
      const { ids } = JSON.parse(String(body)) as { ids: string[] };
      this.cancelled.push(...ids);
      for (const each of ids) this.onCancel(each);
      return json({ ending: [] });
    }
    const task = this.tasks.get(id);
    if (kind !== 'tasks' || task === undefined) return problem(404, 'not_found', `There is no ${path}.`);
    if (method === 'DELETE') {
      this.cancelled.push(id);
      this.onCancel(id);
      return json(task.view);
    }
    if (rest === 'output') return this.output(task, request.query, signal);
    if (rest === 'stdin') return this.stdin(task, request);
    return json({ ...task.view, attempts: [] });
  }

  private list(query: URLSearchParams): TaskView[] {
    const statuses = query.get('status')?.split(',');
    return [...this.tasks.values()]
      .map((task) => task.view)
      .reverse()
      .filter((view) => view.id.startsWith(query.get('id') ?? ''))
      .filter((view) => statuses === undefined || statuses.includes(view.status))
      .filter((view) => (query.get('batch') ?? view.batch_id) === view.batch_id)
      .slice(0, Number(query.get('limit') ?? 100));
  }

  private stdin(task: FakeTask, { query, body }: Request): Response {
    if (isFinal(task.view.status)) return problem(409, 'conflict', 'The task has ended.');
    const text = new TextDecoder().decode(body instanceof Uint8Array ? body : new Uint8Array(0));
    task.stdin = task.stdin.slice(0, Number(query.get('offset'))) + text;
    if (query.get('eof') === 'true') {
      task.stdinOpen = false;
      queueMicrotask(() => this.wake());
    }
    return new Response(null, { status: 204 });
  }

  private output(task: FakeTask, query: URLSearchParams, signal: AbortSignal | null): Response {
    const stream = query.get('stream') === 'stderr' ? 'stderr' : 'stdout';
    let position = Number(query.get('from') ?? 0);
    let push = (): void => {};
    const stop = (): void => {
      this.followers.delete(push);
    };
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        push = () => {
          const fresh = task.output[stream].slice(position);
          position += fresh.length;
          if (fresh.length > 0) controller.enqueue(fresh);
          if (!isFinal(task.view.status) && query.get('follow') === 'true') return;
          stop();
          controller.close();
        };
        signal?.addEventListener('abort', () => {
          stop();
          controller.error(signal.reason);
        });
        this.followers.add(push);
        push();
      },
      cancel: stop,
    });
    return new Response(body, { headers: { 'content-type': 'application/octet-stream' } });
  }

  private events(signal: AbortSignal | null): Response {
    let own: ReadableStreamDefaultController<Uint8Array> | null = null;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        own = controller;
        controller.enqueue(new TextEncoder().encode(':\n\n'));
        this.feeds.add(controller);
        signal?.addEventListener('abort', () => {
          if (this.feeds.delete(controller)) controller.error(signal.reason);
        });
      },
      cancel: () => {
        if (own !== null) this.feeds.delete(own);
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  }
}
