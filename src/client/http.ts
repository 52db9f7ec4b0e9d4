/**
 * One HTTP exchange with the dispatcher: address, token, time limit, and problem documents (RFC 9457) turned into
 * `OctasklyError`s. Web globals only. It never repeats a request by itself except in `persist`, which says so.
 */

import { type ErrorCode, errorCodes, type FieldError, OctasklyError, reasonOf } from '../base/errors.ts';
import { Backoff, reconnectDelays, type Sleep } from './backoff.ts';

/** What `fetch` is to this client. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Exchange {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With its query, beginning with `/`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream can be read once: such a request cannot be made again. */
  readonly body?: string | Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
  /** Null: as long as it takes. Default: the connection's. */
  readonly timeoutMs?: number | null;
}

export interface Connection {
  readonly baseUrl: string;
  readonly fetch: Fetch;
  readonly token: string | null;
  readonly timeoutMs: number;
  readonly sleep: Sleep;
  /** Told once for each loss of the dispatcher during a follow or wait. */
  readonly onLost: ((reason: string) => void) | null;
}

const problemPrefix = 'urn:octaskly:problem:';
/** Most bytes of an error answer that are looked at. */
const problemLengthMax = 1024 * 1024;

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

function codeOfStatus(status: number): ErrorCode {
  for (const [code, facts] of Object.entries(errorCodes)) {
    if (facts.http === status && isErrorCode(code)) return code;
  }
  return status < 500 ? 'bad_request' : 'internal';
}

function fieldErrors(value: unknown): FieldError[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    const { path, message } = (entry ?? {}) as { path?: unknown; message?: unknown };
    return typeof path === 'string' && typeof message === 'string' ? [{ path, message }] : [];
  });
}

/** The error an answer with a status of 400 or more stands for. `text`: its body. */
function errorOfAnswer(status: number, text: string, baseUrl: string): OctasklyError {
  let body: { type?: unknown; title?: unknown; detail?: unknown; reason?: unknown; errors?: unknown } = {};
  try {
    const parsed: unknown = JSON.parse(text.slice(0, problemLengthMax));
    if (typeof parsed === 'object' && parsed !== null) body = parsed;
  } catch {
    // Not a problem document: some proxy's page, or not our dispatcher. The status says enough.
  }
  const named = typeof body.type === 'string' && body.type.startsWith(problemPrefix) ? body.type : null;
  const code = named?.slice(problemPrefix.length) ?? '';
  const known = isErrorCode(code) ? code : codeOfStatus(status);
  const sentence = [body.detail, body.reason, body.title].find((text) => typeof text === 'string' && text !== '');
  const message = typeof sentence === 'string' ? sentence : `${baseUrl} answered with HTTP status ${status}.`;
  return new OctasklyError(known, message, { fields: fieldErrors(body.errors) });
}

/** Why a connection failed, in words: runtimes hide it in `code`, `cause` or an aggregate of causes. */
export function networkReason(error: unknown): string {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const code = (at as { code?: unknown }).code;
    if (code === 'ECONNREFUSED' || code === 'ConnectionRefused') return 'the connection was refused';
    if (code === 'ECONNRESET' || code === 'ConnectionClosed') return 'the connection was closed';
    if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER') return 'no TLS is spoken there';
    if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name is not known';
    if (typeof code === 'string' && at.cause === undefined) return `${at.message} (${code})`;
  }
  return error instanceof Error && error.cause !== undefined ? reasonOf(error.cause) : reasonOf(error);
}

export function unreachableError(baseUrl: string, error: unknown): OctasklyError {
  return new OctasklyError('unreachable', `Cannot reach a dispatcher at ${baseUrl}: ${networkReason(error)}.`, {
    cause: error,
  });
}

/** Nobody answers, or a dispatcher that goes down, or that comes up and reads what it has first (`not_ready`). */
const transientCodes: readonly ErrorCode[] = ['unreachable', 'timeout', 'shutting_down', 'not_ready'];

/** True when the same call may succeed once the dispatcher is back. */
export function isTransient(error: unknown): boolean {
  return error instanceof OctasklyError && transientCodes.includes(error.code);
}

/** The answer, when its status is below 400. */
async function answerOf(connection: Connection, request: Exchange, signal: AbortSignal | undefined): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', ...request.headers };
  if (connection.token !== null) headers.authorization = `Bearer ${connection.token}`;
  const response = await connection.fetch(`${connection.baseUrl}${request.path}`, {
    method: request.method,
    headers,
    ...(request.body === undefined ? {} : { body: request.body }),
    // Fetch Standard, 5.4: a body that is a stream has to say that the answer comes after it.
    ...(request.body instanceof ReadableStream ? { duplex: 'half' } : {}),
    ...(signal === undefined ? {} : { signal }),
    // A redirect would carry the token to where it was not meant to go.
    redirect: 'error',
    cache: 'no-store',
  });
  if (response.status < 400) return response;
  throw errorOfAnswer(response.status, await textOf(response, signal), connection.baseUrl);
}

/** The body. It is given up by its reader, as not everywhere the signal of the request reaches it (`limited`). */
async function textOf(response: Response, signal: AbortSignal | undefined): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  signal?.addEventListener('abort', () => void reader.cancel(signal.reason).catch(() => {}), { once: true });
  const decoder = new TextDecoder();
  for (let text = ''; ; ) {
    const { done, value } = await reader.read();
    signal?.throwIfAborted();
    text += done ? decoder.decode() : decoder.decode(value, { stream: true });
    if (done) return text;
  }
}

/**
 * What `work` makes of the exchange, within its time limit. The signal it gets is a controller's own and held on to here:
 * some runtimes (Node 20) collect one that is made of others, or their own use of it, while an answer is read.
 */
async function limited<T>(
  connection: Connection,
  request: Exchange,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeoutMs = request.timeoutMs === undefined ? connection.timeoutMs : request.timeoutMs;
  const stop = new AbortController();
  // One of its own: runtimes warn of many listeners at one signal.
  const asked = request.signal === undefined ? null : AbortSignal.any([request.signal]);
  const onAbort = (): void => stop.abort(asked?.reason);
  let isLate = false;
  const onLate = (): void => {
    isLate = true;
    stop.abort();
  };
  const timer = timeoutMs === null ? undefined : setTimeout(onLate, timeoutMs);
  asked?.addEventListener('abort', onAbort, { once: true });
  try {
    asked?.throwIfAborted();
    return await work(stop.signal);
  } catch (error) {
    if (error instanceof OctasklyError) throw error;
    if (asked?.aborted) throw asked.reason;
    if (!isLate) throw unreachableError(connection.baseUrl, error);
    const limit = `within ${(timeoutMs ?? 0) / 1000} s`;
    throw new OctasklyError('timeout', `The dispatcher at ${connection.baseUrl} did not answer ${limit}.`);
  } finally {
    clearTimeout(timer);
    asked?.removeEventListener('abort', onAbort);
  }
}

/**
 * The answer, its body unread, when its status is below 400. The time limit is for its beginning; without one the signal is
 * for the body, too.
 * Throws `OctasklyError`: `unreachable`, `timeout`, or what the problem document says; the signal's reason on abort.
 */
export function exchange(connection: Connection, request: Exchange): Promise<Response> {
  return limited(connection, request, (signal) =>
    answerOf(connection, request, request.timeoutMs === null ? request.signal : signal),
  );
}

/** The whole answer as text. Throws as `exchange`. */
export function exchangeText(connection: Connection, request: Exchange): Promise<string> {
  return limited(connection, request, async (signal) => textOf(await answerOf(connection, request, signal), signal));
}

/** The answer's JSON object. Throws as `exchange`, and `internal` when the answer is none. */
export function exchangeJson<T extends object>(connection: Connection, request: Exchange): Promise<T> {
  return limited(connection, request, async (signal) => {
    const response = await answerOf(connection, request, signal);
    const isJson = /^application\/(?:[^;]*\+)?json\b/.test(response.headers.get('content-type') ?? '');
    if (!isJson) await response.body?.cancel();
    const value = isJson ? parsed(await textOf(response, signal)) : null;
    if (typeof value === 'object' && value !== null) return value as T;
    throw notOurs(connection);
  });
}

/** What answered is some other program, or a page of a network that wants a login. */
export function notOurs({ baseUrl }: Connection): OctasklyError {
  return new OctasklyError('internal', `What answers at ${baseUrl} is no Octaskly dispatcher.`);
}

/** Null for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Runs `action` until it succeeds or fails for a lasting reason; waits with backoff while the dispatcher is away. */
export async function persist<T>(
  connection: Connection,
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
): Promise<T> {
  const backoff = new Backoff(reconnectDelays);
  for (let told = false; ; told = true) {
    try {
      return await action();
    } catch (error) {
      if (!isTransient(error)) throw error;
      if (!told) connection.onLost?.(reasonOf(error));
      await connection.sleep(backoff.next(), signal);
    }
  }
}

/** `?a=1&b=2` of the entries that are defined; '' when none is. */
export function query(entries: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(entries)) {
    if (value !== undefined) parameters.append(key, String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}
