/**
 * A blob as the body of an answer: whole, a range, or "you have it already". Bytes are read only when the connection asks
 * for them. Whatever it is, it is sent as bytes to be saved: a page of somebody's task must never run in our origin.
 */

import { OctasklyError } from '../base/errors.ts';
import type { Backend } from './backend.ts';
import { problemResponse } from './problem.ts';
import { type ByteRange, rangeOf } from './ranges.ts';

/** Bytes read at a time. */
const pieceBytesMax = 256 * 1024;

const headers = {
  'Accept-Ranges': '"bytes"',
  ETag: 'The hash; the same bytes have the same one',
  'Content-Range': 'Of a 206: which bytes of how many',
} as const;
const bytes = { schema: null, mediaType: 'application/octet-stream', headers } as const;

/** What routes that answer with a blob have in common: what they look at, and what they say. */
export const blobRoute = {
  requestHeaders: { Range: 'One range of bytes', 'If-Range': 'An ETag', 'If-None-Match': 'ETags' },
  body: null,
  answers: {
    200: { description: 'The bytes', ...bytes },
    206: { description: 'The range', ...bytes },
    304: { description: 'The bytes are those of the ETag', schema: null },
  },
  problems: ['not_found', 'gone', 'range_not_satisfiable', 'storage_unavailable', 'timeout', 'worker_away'],
} as const;

/** A connection whose answer begins is given up after this long without progress, seconds. */
const idleSeconds = 60;

/**
 * The size of a blob here, after it was brought from the worker that keeps it, if one does; null when nobody has it.
 * Errors: as `Backend.bring`.
 */
export async function sizeOnceHere(
  backend: Pick<Backend, 'blobs' | 'bring'>,
  blob: string,
  { signal, keepOpen }: { readonly signal: AbortSignal; readonly keepOpen: (idleSeconds: number) => void },
): Promise<number | null> {
  const size = backend.blobs.size(blob);
  if (size !== null) return size;
  // The worker's silence is bounded, and ends this too.
  keepOpen(0);
  try {
    return await backend.bring(blob, signal);
  } finally {
    keepOpen(idleSeconds);
  }
}

function blobBody(
  blobs: Pick<Backend['blobs'], 'read'>,
  blob: string,
  { from, end }: ByteRange,
): ReadableStream<Uint8Array> {
  let at = from;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = blobs.read(blob, at, Math.min(pieceBytesMax, end - at));
        // The status line is long gone: breaking off is the only way left to say that the rest is missing.
        if (piece.length === 0) throw new OctasklyError('io', `Blob ${blob} ends at ${at} instead of ${end}.`);
        at += piece.length;
        controller.enqueue(piece);
        if (at === end) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}

/** RFC 6266 and RFC 8187: a name any client understands, and the true one. */
function disposition(fileName: string): string {
  const plain = fileName.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(fileName.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** Answers a request for `blob`, which is here and `size` bytes long, by its `Range`, `If-Range` and `If-None-Match`. */
export function blobAnswer(
  blobs: Pick<Backend['blobs'], 'read'>,
  file: { readonly blob: string; readonly size: number; readonly name: string },
  request: Headers,
): Response {
  const { blob, size } = file;
  const etag = `"${blob}"`;
  const headers = {
    'accept-ranges': 'bytes',
    etag,
    'content-type': 'application/octet-stream',
    'content-disposition': disposition(file.name),
  };
  const known = request.get('if-none-match')?.split(',') ?? [];
  if (known.some((each) => each.trim().replace(/^W\//, '') === etag))
    return new Response(null, { status: 304, headers });
  const ifRange = request.get('if-range');
  let range: ByteRange | null;
  try {
    range = rangeOf(ifRange === null || ifRange === etag ? request.get('range') : null, size);
  } catch (error) {
    if (!(error instanceof OctasklyError)) throw error;
    return problemResponse(error, { 'content-range': `bytes */${size}` });
  }
  const { from, end } = range ?? { from: 0, end: size };
  const length = end - from;
  // What fits into one piece is sent with its length; a stream goes out in chunks, whatever its headers say.
  const body =
    length <= pieceBytesMax ? new Uint8Array(blobs.read(blob, from, length)) : blobBody(blobs, blob, { from, end });
  return new Response(body, {
    status: range === null ? 200 : 206,
    headers: {
      ...headers,
      'content-length': String(length),
      ...(range === null ? {} : { 'content-range': `bytes ${from}-${end - 1}/${size}` }),
    },
  });
}
