/**
 * Bytes by their hash, to the dispatcher and back. An upload that breaks goes on where the dispatcher says it stopped, a
 * download at the byte after the last one given; both give up when several tries in a row bring nothing.
 *
 * Deliberately not here: hashing. The dispatcher refuses an upload whose hash is wrong; whoever downloads knows the hash
 * and has the means of its runtime to check it.
 */

import type { OutputFiles, UploadState } from '../api/file-schemas.ts';
import { OctasklyError } from '../base/errors.ts';
import { Backoff } from './backoff.ts';
import { type Connection, exchangeJson, isTransient } from './http.ts';
import { streamChunks } from './stream.ts';

/** Tries in a row that may fail without a byte of progress: some 20 s in all. */
const triesMax = 10;
const delays = { baseMs: 200, capMs: 5000 } as const;
/** An upload that is slower counts as dead. */
const bytesPerMsMin = 64;
/** What timers take in every runtime. */
const timerMsMax = 2 ** 31 - 1;
/** Blobs in one question; the dispatcher takes no more. */
const questionMax = 10_000;

/** A blob the dispatcher does not hold, and how much of it came in before: go on from there. */
export interface MissingBlob {
  /** `sha256:<hex>`. */
  readonly blob: string;
  /** Bytes. */
  readonly received: number;
}

export interface UploadOptions {
  /** Position of the body's first byte in the blob. */
  readonly from: number;
  /** Bytes of the whole blob. */
  readonly total: number;
  readonly signal?: AbortSignal | undefined;
}

export interface UploadResult {
  /** Bytes of the blob that are there. */
  readonly received: number;
  /** All are, and have the right hash: the blob can be named in `inputs`. */
  readonly stored: boolean;
}

export interface DownloadOptions {
  /** First byte wanted, below the size; default 0. */
  readonly from?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes on their way. The stream ends after the last one, and fails when no more can be had. */
export interface Download {
  /** Size of the whole, whatever `from` was. */
  readonly bytes: number;
  readonly stream: ReadableStream<Uint8Array>;
}

/** Which of `blobs` the dispatcher lacks, in their order. Throws as `exchange`. */
export async function missingBlobs(
  connection: Connection,
  blobs: readonly string[],
  signal?: AbortSignal,
): Promise<readonly MissingBlob[]> {
  const missing: MissingBlob[] = [];
  for (let at = 0; at < blobs.length; at += questionMax) {
    const answer = await exchangeJson<{ missing: MissingBlob[] }>(connection, {
      method: 'POST',
      path: '/api/v1/blobs/missing',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ blobs: blobs.slice(at, at + questionMax) }),
      signal,
    });
    missing.push(...answer.missing);
  }
  return missing;
}

/** Bytes that are in `body`; null = only known when it has been read. */
function lengthOf(body: Blob | Uint8Array | ReadableStream<Uint8Array>): number | null {
  if (body instanceof Blob) return body.size;
  return body instanceof Uint8Array ? body.length : null;
}

function restOf(body: Blob | Uint8Array | ReadableStream<Uint8Array>, skip: number) {
  if (body instanceof Blob) return skip === 0 ? body : body.slice(skip);
  return body instanceof Uint8Array ? new Uint8Array(body.subarray(skip)) : body;
}

/**
 * Uploads `body`: the bytes of `blob` from `from`, up to its end or only a part of it. A stream goes up to the end and is
 * sent once; the other kinds are sent again, from where the dispatcher stands, when the connection breaks.
 * Throws as `exchange`; `invalid`: the hash is wrong and nothing was kept; `conflict`: the dispatcher holds less than
 * `from` bytes, or somebody else goes on uploading the same blob without getting anywhere.
 */
export async function putBlob(
  connection: Connection,
  blob: string,
  body: Blob | Uint8Array | ReadableStream<Uint8Array>,
  { from, total, signal }: UploadOptions,
): Promise<UploadResult> {
  const length = lengthOf(body);
  const end = length === null ? total : from + length;
  if (end > total) throw new OctasklyError('usage', `Cannot upload ${end} bytes of ${blob}: it has only ${total}.`);
  const backoff = new Backoff(delays);
  for (let at = from, tries = 1; ; tries++) {
    try {
      return await put(connection, blob, restOf(body, at - from), { from: at, end, total, signal });
    } catch (error) {
      const passing = isTransient(error) || (error instanceof OctasklyError && error.code === 'conflict');
      if (length === null || !passing || tries >= triesMax) throw error;
      await connection.sleep(backoff.next(), signal);
      const received = await receivedOf(connection, blob, { at, total, signal });
      if (received >= end) return { received, stored: received === total };
      if (received < from) throw error;
      if (received > at) {
        tries = 0;
        backoff.reset();
      }
      at = received;
    }
  }
}

/** How much the dispatcher has; while it does not answer, `at` is as good as anything. */
async function receivedOf(
  connection: Connection,
  blob: string,
  { at, total, signal }: { at: number; total: number; signal: AbortSignal | undefined },
): Promise<number> {
  try {
    const [missing] = await missingBlobs(connection, [blob], signal);
    // All bytes but no blob: the last ones are still being hashed, and may be sent again.
    return missing === undefined ? total : Math.min(missing.received, Math.max(0, total - 1));
  } catch (error) {
    if (!isTransient(error)) throw error;
    return at;
  }
}

function uploadTimeoutMs(connection: Connection, bytes: number): number {
  return Math.min(timerMsMax, connection.timeoutMs + Math.ceil(bytes / bytesPerMsMin));
}

async function put(
  connection: Connection,
  blob: string,
  body: Blob | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  range: { from: number; end: number; total: number; signal: AbortSignal | undefined },
): Promise<UploadResult> {
  const { from, end, total, signal } = range;
  const isWhole = from === 0 && end === total && !(body instanceof ReadableStream);
  // RFC 9110, 14.4; no range describes zero bytes.
  const contentRange = isWhole || end === from ? {} : { 'content-range': `bytes ${from}-${end - 1}/${total}` };
  const answer = await exchangeJson<UploadState>(connection, {
    method: 'PUT',
    path: `/api/v1/blobs/${encodeURIComponent(blob)}`,
    headers: { 'content-type': 'application/octet-stream', ...contentRange },
    body,
    signal,
    timeoutMs: body instanceof ReadableStream ? null : uploadTimeoutMs(connection, end - from),
  });
  return { received: answer.received, stored: answer.stored };
}

/** The files a task left, by path, and why something was not collected. Throws as `exchange`; `not_found`. */
export async function outputFiles(connection: Connection, id: string, signal?: AbortSignal): Promise<OutputFiles> {
  const path = `/api/v1/tasks/${encodeURIComponent(id)}/outputs`;
  return exchangeJson<OutputFiles>(connection, { method: 'GET', path, signal });
}

/** One of the files a task left. Throws as `exchange`; `not_found`. */
export function outputFile(
  connection: Connection,
  file: { readonly id: string; readonly path: string },
  options: DownloadOptions,
): Promise<Download> {
  const path = file.path.split('/').map(encodeURIComponent).join('/');
  return download(connection, `/api/v1/tasks/${encodeURIComponent(file.id)}/outputs/${path}`, options);
}

/** The bytes of a blob. Throws as `exchange`; `not_found`. */
export function readBlob(connection: Connection, blob: string, options: DownloadOptions): Promise<Download> {
  return download(connection, `/api/v1/blobs/${encodeURIComponent(blob)}`, options);
}

/** The size of the whole, from the headers of its bytes or of a part of them. */
function sizeOf(headers: Headers): number {
  const [, total] = /^bytes \d+-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? [];
  return Number(total ?? headers.get('content-length') ?? Number.NaN);
}

async function download(connection: Connection, path: string, options: DownloadOptions): Promise<Download> {
  const { from = 0, signal } = options;
  let bytes = Number.NaN;
  const chunks = resumed(connection, { path, from, signal }, (size) => {
    bytes = size;
  });
  // The first bytes tell the size; an empty body tells it too.
  let next: Promise<IteratorResult<Uint8Array>> | null = Promise.resolve(await chunks.next());
  if (!Number.isSafeInteger(bytes)) {
    throw new OctasklyError('internal', `What answers at ${connection.baseUrl} does not say how large ${path} is.`);
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await (next ?? chunks.next());
        next = null;
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await chunks.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return { bytes, stream };
}

async function* resumed(
  connection: Connection,
  { path, from, signal }: { path: string; from: number; signal: AbortSignal | undefined },
  onSize: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  let at = from;
  let size = Number.POSITIVE_INFINITY;
  const backoff = new Backoff(delays);
  for (let tries = 1; ; tries++) {
    try {
      const headers = { accept: 'application/octet-stream', range: `bytes=${at}-` };
      const chunks = streamChunks(connection, { method: 'GET', path, headers, signal }, (response) => {
        size = sizeOf(response.headers);
        onSize(size);
      });
      for await (const chunk of chunks) {
        at += chunk.length;
        tries = 0;
        backoff.reset();
        yield chunk;
      }
      if (at >= size) return;
      throw new OctasklyError('unreachable', `${connection.baseUrl} sent ${at} of ${size} bytes of ${path}.`);
    } catch (error) {
      // Broken after the last byte: nothing is missing.
      if (at === size) return;
      if (!isTransient(error) || tries >= triesMax) throw error;
      await connection.sleep(backoff.next(), signal);
    }
  }
}
