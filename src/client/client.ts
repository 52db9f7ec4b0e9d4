/**
 * The typed client of the REST API: plain `fetch` and web globals, for Bun, Node, Deno and browsers.
 * All faces talk to a dispatcher through it and nothing else. Answers are typed by the API's own schemas, which the
 * client trusts; errors are `OctasklyError`s with the code of the problem document (`urn:octaskly:problem:<code>`).
 *
 * What is repeated by itself: submissions, under one idempotency key (so at most one of them counts), uploads and
 * downloads, which go on where they broke off, and everything that follows or waits. All other calls are made once.
 */

import type { OutputFiles } from '../api/file-schemas.ts';
import type { PruneAnswer, PruneRequest } from '../api/prune-schemas.ts';
import type {
  BatchAnswer,
  BatchRequest,
  BatchView,
  Explanation,
  Stats,
  TaskList,
  TaskRequest,
  TaskView,
  TaskWithAttempts,
  WorkerList,
} from '../api/schemas.ts';
import { type ErrorCode, OctasklyError } from '../base/errors.ts';
import type { TaskStatus, TerminalSize } from '../core/task.ts';
import { Backoff, sleep as realSleep, type Sleep } from './backoff.ts';
import {
  type Download,
  type DownloadOptions,
  type MissingBlob,
  missingBlobs,
  outputFile,
  outputFiles,
  putBlob,
  readBlob,
  type UploadOptions,
  type UploadResult,
} from './blobs.ts';
import { type EventOptions, type FeedItem, readEvents } from './events.ts';
import {
  type Connection,
  type Exchange,
  exchange,
  exchangeJson,
  exchangeText,
  type Fetch,
  isTransient,
  persist,
  query,
} from './http.ts';
import { attend, keepAttended, resize, type StdinChunk, writeStdin } from './live.ts';
import { type NotificationClient, notificationClient } from './notifications.ts';
import { type OutputOptions, readOutput } from './output.ts';
import { type OverviewClient, overviewClient } from './overview.ts';
import { type TrustClient, trustClient } from './trust.ts';
import { type UpdateClient, updateClient } from './updates.ts';
import { endedTasks } from './wait.ts';

export interface ClientOptions {
  /** `http://host:port`, with a path when the API is behind one. */
  readonly baseUrl: string;
  readonly token?: string | null;
  readonly fetch?: Fetch;
  /** Time limit of one call that neither follows nor waits, default 30,000 ms. */
  readonly timeoutMs?: number;
  /** Told when a follow or wait loses the dispatcher; it goes on trying. */
  readonly onLost?: (reason: string) => void;
  /** Replaces the timer between tries. */
  readonly sleep?: Sleep;
}

/** Filters of a list of tasks; all must hold. `id` is a prefix, `since` an ISO 8601 instant. */
export interface TaskQuery {
  readonly status?: readonly TaskStatus[] | undefined;
  readonly worker?: string | undefined;
  readonly batch?: string | undefined;
  /** `k=v`. */
  readonly tag?: string | undefined;
  readonly since?: string | undefined;
  readonly id?: string | undefined;
  /** Words that are in the name, the command or an argument, or begin the id. */
  readonly text?: string | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}

/** Options of a call that may be given up. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options of reading a list. */
export interface ListOptions extends CallOptions {
  /** Hears of each page, before its tasks come, what the workers in it are called. */
  readonly onWorkerNames?: ((names: TaskList['worker_names']) => void) | undefined;
}

export interface CancelOptions extends CallOptions {
  /** Wait for a dispatcher that is away instead of failing. */
  readonly patient?: boolean;
}

export interface SubmitOptions extends CallOptions {
  /** Drawn by lot when missing. The same key and request give the same answer. */
  readonly idempotencyKey?: string;
}

export interface WaitOptions extends CallOptions {
  /** Batches that hold all of the tasks: reads them by the page instead of one by one. */
  readonly batches?: readonly string[];
}

/** Every call throws `OctasklyError`; `unreachable` or `timeout` when there is no dispatcher to talk to. */
export interface Client {
  readonly baseUrl: string;
  /** Who may join and who may ask, and the record. */
  readonly trust: TrustClient;
  /** Sessions of browsers, and what pages show beside tasks. */
  readonly overview: OverviewClient;
  readonly notifications: NotificationClient;
  readonly updates: UpdateClient;
  submitTask(request: TaskRequest, options?: SubmitOptions): Promise<TaskView>;
  submitBatch(request: BatchRequest, options?: SubmitOptions): Promise<BatchAnswer>;
  task(id: string, options?: CallOptions): Promise<TaskWithAttempts>;
  /** One page, newest first. */
  tasks(filter?: TaskQuery, options?: CallOptions): Promise<TaskList>;
  /** All pages, one task after the other. */
  allTasks(filter?: TaskQuery, options?: ListOptions): AsyncIterable<TaskView>;
  /** Asks for the end of a task; resolves when the request is on record. */
  cancel(id: string, options?: CancelOptions): Promise<void>;
  /** Likewise of many, up to 1,000, all or none: one that is not there keeps all of them going. */
  cancelTasks(ids: readonly string[], options?: CallOptions): Promise<void>;
  /** Submits an ended task again and gives the new one. */
  retry(id: string, options?: CallOptions): Promise<TaskView>;
  output(id: string, options?: OutputOptions): AsyncIterable<Uint8Array>;
  /** Resolves when the task took the bytes, however long that is; waits for a dispatcher that is away. `conflict`: the task takes no more. */
  writeStdin(id: string, chunk: StdinChunk, options?: CallOptions): Promise<void>;
  /** Gives the task's terminal another size; waits for a dispatcher that is away. `conflict`: it has none, or has ended. */
  resize(id: string, size: TerminalSize, options?: CallOptions): Promise<void>;
  /** Holds on to a task submitted with `attached`, over losses of the dispatcher; resolves when the task has ended. */
  attend(id: string, options?: CallOptions): Promise<void>;
  /** Says that attached batches and tasks of none are wanted for `seconds`, 15 to 86400, default 15. Does not try again. */
  keepAttended(ids: readonly string[], options?: CallOptions & { readonly seconds?: number }): Promise<void>;
  explain(id: string, options?: CallOptions): Promise<Explanation>;
  /** Files a task left, by path; `problems` says why something was not collected. */
  outputFiles(id: string, options?: CallOptions): Promise<OutputFiles>;
  /** One of these files. Its content is not hashed here. */
  outputFile(id: string, path: string, options?: DownloadOptions): Promise<Download>;
  /** Which of `blobs` (`sha256:<hex>`) the dispatcher lacks, and how much of them came in before. */
  missingBlobs(blobs: readonly string[], options?: CallOptions): Promise<readonly MissingBlob[]>;
  /**
   * Uploads `body`, which is the blob's bytes from `from` on, to its end or a part. `invalid`: the hash is wrong.
   * A `ReadableStream` must hold all that is left, and is sent once; the others are sent again after a broken connection.
   */
  putBlob(
    blob: string,
    body: Blob | Uint8Array | ReadableStream<Uint8Array>,
    options: UploadOptions,
  ): Promise<UploadResult>;
  /** The bytes of a blob. They are not hashed here. */
  blob(blob: string, options?: DownloadOptions): Promise<Download>;
  batch(id: string, options?: CallOptions): Promise<BatchView>;
  cancelBatch(id: string, options?: CallOptions): Promise<void>;
  workers(): Promise<WorkerList>;
  /** The last lines of a worker's own log, oldest first. Errors: `worker_away`, `timeout`, `not_found`. */
  workerLog(workerId: string, lines: number): Promise<readonly string[]>;
  drain(workerId: string): Promise<void>;
  undrain(workerId: string): Promise<void>;
  /** Calls the machine of a worker that is away. Error: `conflict` where it cannot be called. */
  wake(workerId: string): Promise<void>;
  /** Stops dispatching; what runs goes on. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  stats(): Promise<Stats>;
  /** Deletes what is old; takes as long as it takes. */
  prune(request: PruneRequest): Promise<PruneAnswer>;
  /** Resolves when the dispatcher answers. */
  health(): Promise<void>;
  /** Whether it takes work now, and why not. */
  ready(): Promise<{ readonly ready: boolean; readonly reason: string | null }>;
  events(options?: EventOptions): AsyncIterable<FeedItem>;
  /** The tasks of `ids`, each as it ends. Waits for a dispatcher that is away. */
  ended(ids: readonly string[], options?: WaitOptions): AsyncIterable<TaskView>;
  /** The tasks of `ids`, in that order, once all have ended. */
  waitFor(ids: readonly string[], options?: WaitOptions): Promise<TaskView[]>;
}

/** A submission is repeated this often at most: about two seconds in all. */
const submitRetriesMax = 5;
const submitDelays = { baseMs: 100, capMs: 1000 } as const;

function connect(options: ClientOptions): Connection {
  const url = URL.canParse(options.baseUrl) ? new URL(options.baseUrl) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '') {
    // A password somebody put into the address is not repeated.
    const shown = options.baseUrl.replace(/\/\/.*@/, '//…@');
    throw new OctasklyError('usage', `"${shown}" is not an address like http://host:3000.`);
  }
  // RFC 6750, 2.1; what else an HTTP library would say of it might repeat it.
  if (typeof options.token === 'string' && !/^[\w.~+/-]+=*$/.test(options.token)) {
    throw new OctasklyError(
      'usage',
      'The access token is not valid: it must be one word of letters, digits and "-._~+/=".',
    );
  }
  return {
    baseUrl: url.href.replace(/\/+$/, ''),
    token: options.token ?? null,
    fetch: options.fetch ?? ((address, init) => fetch(address, init)),
    timeoutMs: options.timeoutMs ?? 30_000,
    sleep: options.sleep ?? realSleep,
    onLost: options.onLost ?? null,
  };
}

/** A key for one submission: 128 random bits, hex. (`randomUUID` is missing in browsers on plain HTTP.) */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function submit<T extends object>(
  connection: Connection,
  path: string,
  body: object,
  options: SubmitOptions,
): Promise<T> {
  const request: Exchange = {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json', 'idempotency-key': options.idempotencyKey ?? randomKey() },
    body: JSON.stringify(body),
    signal: options.signal,
  };
  const backoff = new Backoff(submitDelays);
  for (let retriesLeft = submitRetriesMax; ; retriesLeft--) {
    try {
      return await exchangeJson<T>(connection, request);
    } catch (error) {
      if (retriesLeft === 0 || !isTransient(error)) throw error;
      await connection.sleep(backoff.next(), options.signal);
    }
  }
}

async function* allTasks(
  connection: Connection,
  filter: TaskQuery,
  options: ListOptions & { readonly patient: boolean },
): AsyncGenerator<TaskView, void, undefined> {
  let cursor = filter.cursor;
  do {
    const read = () => listTasks(connection, { limit: 1000, ...filter, cursor }, options);
    const page = options.patient ? await persist(connection, options.signal, read) : await read();
    options.onWorkerNames?.(page.worker_names);
    yield* page.tasks;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

function listTasks(connection: Connection, filter: TaskQuery, options: CallOptions): Promise<TaskList> {
  const path = `/api/v1/tasks${query({ ...filter, status: filter.status?.join(',') })}`;
  return exchangeJson<TaskList>(connection, { method: 'GET', path, signal: options.signal });
}

async function order(connection: Connection, method: 'POST' | 'DELETE', path: string, options: CallOptions = {}) {
  const response = await exchange(connection, { method, path, signal: options.signal });
  await response.body?.cancel();
}

async function readLines(connection: Connection, path: string): Promise<readonly string[]> {
  const text = await exchangeText(connection, { method: 'GET', path, headers: { accept: 'text/plain' } });
  return text.split('\n').slice(0, -1);
}

function prune(connection: Connection, request: PruneRequest): Promise<PruneAnswer> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify(request);
  return exchangeJson<PruneAnswer>(connection, {
    method: 'POST',
    path: '/api/v1/prune',
    headers,
    body,
    timeoutMs: null,
  });
}

/** Answers of a dispatcher that is there and takes no work. What stands in the way of an answer is an error. */
const notReady = new Set<ErrorCode>(['not_ready', 'shutting_down', 'storage_unavailable']);

async function readReady(connection: Connection): Promise<{ ready: boolean; reason: string | null }> {
  try {
    await (await exchange(connection, { method: 'GET', path: '/ready' })).body?.cancel();
    return { ready: true, reason: null };
  } catch (error) {
    if (error instanceof OctasklyError && notReady.has(error.code)) return { ready: false, reason: error.message };
    throw error;
  }
}

function workerOrders(connection: Connection): Pick<Client, 'drain' | 'undrain' | 'wake'> {
  const tell = (what: string) => (id: string) =>
    order(connection, 'POST', `/api/v1/workers/${encodeURIComponent(id)}/${what}`);
  return { drain: tell('drain'), undrain: tell('undrain'), wake: tell('wake') };
}

/** Starts nothing: the first connection is made by the first call. Throws `usage` for a malformed `baseUrl`. */
export function createClient(options: ClientOptions): Client {
  const connection = connect(options);
  const at = (kind: 'tasks' | 'batches' | 'workers', id: string, rest = ''): string =>
    `/api/v1/${kind}/${encodeURIComponent(id)}${rest}`;
  const get = <T extends object>(path: string, call: CallOptions = {}): Promise<T> =>
    exchangeJson<T>(connection, { method: 'GET', path, signal: call.signal });
  const task = (id: string, call: CallOptions = {}) => get<TaskWithAttempts>(at('tasks', id), call);
  const ended = (ids: readonly string[], { signal, batches }: WaitOptions = {}) =>
    endedTasks(
      {
        events: () => readEvents(connection, { signal }),
        task: (id) => persist(connection, signal, () => task(id, { signal })),
        batchTasks: (batch) => allTasks(connection, { batch }, { signal, patient: true }),
      },
      ids,
      batches,
    );
  return {
    baseUrl: connection.baseUrl,
    trust: trustClient(connection),
    overview: overviewClient(connection),
    updates: updateClient(connection),
    notifications: notificationClient(connection),
    submitTask: (request, call = {}) => submit<TaskView>(connection, '/api/v1/tasks', request, call),
    submitBatch: (request, call = {}) => submit<BatchAnswer>(connection, '/api/v1/batches', request, call),
    task,
    tasks: (filter = {}, call = {}) => listTasks(connection, filter, call),
    allTasks: (filter = {}, call = {}) => allTasks(connection, filter, { ...call, patient: false }),
    cancel: (id, { patient = false, signal } = {}) => {
      const ask = () => order(connection, 'DELETE', at('tasks', id), { signal });
      return patient ? persist(connection, signal, ask) : ask();
    },
    cancelTasks: async (ids, { signal } = {}) => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ ids });
      await exchangeJson(connection, { method: 'POST', path: '/api/v1/tasks/cancel', headers, body, signal });
    },
    retry: (id, { signal } = {}) =>
      exchangeJson<TaskView>(connection, { method: 'POST', path: at('tasks', id, '/retry'), signal }),
    output: (id, call) => readOutput(connection, id, call),
    writeStdin: (id, chunk, { signal } = {}) => writeStdin(connection, id, chunk, signal),
    resize: (id, size, { signal } = {}) => resize(connection, id, size, signal),
    attend: (id, { signal } = {}) => attend(connection, id, signal),
    keepAttended: (ids, call = {}) => keepAttended(connection, ids, call),
    explain: (id, call) => get<Explanation>(at('tasks', id, '/explain'), call),
    outputFiles: (id, call = {}) => outputFiles(connection, id, call.signal),
    outputFile: (id, path, call = {}) => outputFile(connection, { id, path }, call),
    missingBlobs: (blobs, call = {}) => missingBlobs(connection, blobs, call.signal),
    putBlob: (blob, body, upload) => putBlob(connection, blob, body, upload),
    blob: (blob, call = {}) => readBlob(connection, blob, call),
    batch: (id, call) => get<BatchView>(at('batches', id), call),
    cancelBatch: (id, call) => order(connection, 'DELETE', at('batches', id), call),
    workers: () => get<WorkerList>('/api/v1/workers'),
    workerLog: (id, lines) => readLines(connection, at('workers', id, `/log${query({ lines })}`)),
    ...workerOrders(connection),
    pause: () => order(connection, 'POST', '/api/v1/pause'),
    resume: () => order(connection, 'POST', '/api/v1/resume'),
    stats: () => get<Stats>('/api/v1/stats'),
    prune: (request) => prune(connection, request),
    health: async () => void (await (await exchange(connection, { method: 'GET', path: '/health' })).body?.cancel()),
    ready: () => readReady(connection),
    events: (call) => readEvents(connection, call),
    ended,
    waitFor: async (ids, call) => {
      const found = new Map<string, TaskView>();
      for await (const one of ended(ids, call)) found.set(one.id, one);
      return ids.flatMap((id) => found.get(id) ?? []);
    },
  };
}
