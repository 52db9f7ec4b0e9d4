/**
 * Routes of blobs: upload, whole or going on after a break, download, and the question which ones are missing.
 * An upload flows into its receiver piece by piece; a connection that breaks leaves what has come for the next one.
 */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import type { BlobReceiver } from '../../ports/files.ts';
import type { Backend } from '../backend.ts';
import { blobAnswer, blobRoute, sizeOnceHere } from '../blob-answer.ts';
import { jsonBody, streamBody } from '../body.ts';
import { missingRequestSchema, missingSchema, uploadSchema } from '../file-schemas.ts';
import { limits } from '../limits.ts';
import { problemResponse } from '../problem.ts';
import { type ContentRange, contentRangeOf } from '../ranges.ts';
import { json, noParams, noQuery, type Route, route } from '../route.ts';

/** An upload from which nothing comes for this long is ended; it can go on later. */
const stallSeconds = 20;

const offsetHeader = 'Upload-Offset';
const offsetRule = { [offsetHeader]: 'Bytes that are here: the next one wanted' } as const;

const blobParams = z.strictObject({
  hash: z
    .string()
    .regex(/^(?:sha256:)?[0-9a-fA-F]{64}$/, 'is not a SHA-256 in 64 hex digits')
    .describe('SHA-256 of the bytes, hex, with or without "sha256:" before it'),
});

function blobOf({ hash }: z.output<typeof blobParams>): string {
  return `sha256:${hash.slice(-64).toLowerCase()}`;
}

/** Which bytes of how many the body holds, from its headers. Errors: `bad_request`, `too_large`. */
function announced(headers: Headers, hasBody: boolean): ContentRange {
  const header = headers.get('content-range');
  // A request that has no body may leave out that it is empty.
  const length = headers.get('content-length') ?? (hasBody ? null : '0');
  if (header === null && length === null) {
    const message = 'Cannot tell how large the blob is: send Content-Length, or Content-Range "bytes FROM-TO/TOTAL".';
    throw new OctasklyError('bad_request', message);
  }
  const range = header === null ? { from: 0, end: Number(length), total: Number(length) } : contentRangeOf(header);
  if (length !== null && Number(length) !== range.end - range.from) {
    throw new OctasklyError('bad_request', `Content-Range "${header}" does not fit the Content-Length ${length}.`);
  }
  if (range.total <= limits.blobBytesMax) return range;
  throw new OctasklyError('too_large', `The blob is too large: it may have at most ${limits.blobBytesMax} bytes.`);
}

/** Appends the body to what is here; bytes that are here already are skipped. Error: `bad_request` when it breaks off. */
async function takeIn(
  receiver: BlobReceiver,
  body: ReadableStream<Uint8Array> | null,
  { from, end }: ContentRange,
): Promise<void> {
  const reader = body?.getReader();
  let at = from;
  for (;;) {
    const part = await reader?.read().catch((cause: unknown) => {
      throw new OctasklyError('bad_request', 'The body broke off before its end.', { cause });
    });
    if (part === undefined || part.done) break;
    if (at + part.value.length > end) throw new OctasklyError('bad_request', 'The body is longer than announced.');
    const here = Math.min(part.value.length, Math.max(0, receiver.received - at));
    receiver.write(here === 0 ? part.value : part.value.subarray(here));
    at += part.value.length;
  }
  if (at < end) throw new OctasklyError('bad_request', `The body ended after ${at - from} of ${end - from} bytes.`);
}

const putBlob = route({
  name: 'putBlob',
  method: 'PUT',
  path: '/api/v1/blobs/{hash}',
  access: 'tasks',
  summary: 'Upload bytes under their hash',
  description:
    'With Content-Range a part of them: each goes on where the one before ended, also after a break, with the same ' +
    'total; another total begins anew at byte 0. What is damaged here is replaced. ' +
    'It is made durable together with the first task that names it, and deleted once it is old and no task does.',
  params: blobParams,
  query: noQuery,
  requestHeaders: { 'Content-Range': '"bytes FROM-TO/TOTAL" of the body; without it the body is the whole' },
  body: streamBody({ maxBytes: limits.blobBytesMax, description: 'The bytes' }),
  answers: {
    200: { description: 'It was here already', schema: uploadSchema },
    201: { description: 'It is here, whole', schema: uploadSchema },
    202: { description: 'This part is here, the end is still to come', schema: uploadSchema, headers: offsetRule },
  },
  problems: ['conflict', 'invalid', 'storage_unavailable'],
  async handle({ params, body, headers, keepOpen }, { backend }) {
    const blob = blobOf(params);
    const range = announced(headers, body !== null);
    const bytes = range.total;
    const here = wantedAgain(backend.blobs, blob);
    if (here === bytes) return json(200, { blob, bytes, received: bytes, stored: true });
    // Either size may be the wrong one. What is damaged here is dropped, and makes way for what comes.
    if (here !== null && (await backend.blobs.verify(blob))) {
      throw wrongHash(blob, `it has ${here} bytes, not ${bytes}`);
    }
    const receiver = backend.blobs.receive(blob, bytes);
    try {
      if (range.from > receiver.received) {
        return gap(range.from, receiver.received);
      }
      keepOpen(stallSeconds);
      await takeIn(receiver, body, range);
      const { received } = receiver;
      if (received < bytes) {
        return json(202, { blob, bytes, received, stored: false }, { [offsetHeader]: String(received) });
      }
      // Nothing more comes from the other side now, however long hashing takes.
      keepOpen(0);
      if (!(await receiver.finish())) throw wrongHash(blob, 'the bytes that came in have another hash; none were kept');
      return json(201, { blob, bytes, received, stored: true });
    } finally {
      receiver.suspend();
    }
  },
});

function wrongHash(blob: string, why: string): OctasklyError {
  return new OctasklyError('invalid', `This is not ${blob}: ${why}.`);
}

function gap(from: number, received: number): Response {
  const error = new OctasklyError(
    'conflict',
    `Cannot go on at byte ${from}: ${received} bytes are here, and the next one wanted is byte ${received}.`,
  );
  return problemResponse(error, { [offsetHeader]: String(received) });
}

const readBlob = route({
  name: 'readBlob',
  method: 'GET',
  path: '/api/v1/blobs/{hash}',
  access: 'tasks',
  summary: 'Read bytes by their hash, all or a range',
  description:
    'A blob that is only partly here is not found; Upload-Offset then says how much of it came. One that a worker keeps ' +
    'for a task is brought from there first.',
  params: blobParams,
  query: noQuery,
  ...blobRoute,
  async handle({ params, headers, ...connection }, { backend }) {
    const blob = blobOf(params);
    const size = await sizeOnceHere(backend, blob, connection);
    if (size !== null) return blobAnswer(backend.blobs, { blob, size, name: blob.replace(':', '-') }, headers);
    const received = backend.blobs.received(blob);
    const error = new OctasklyError('not_found', `There is no blob ${blob}.`);
    return problemResponse(error, received === 0 ? {} : { [offsetHeader]: String(received) });
  },
});

/** The size of a blob that is here, which somebody is about to name; null when it is not here. */
function wantedAgain(blobs: Backend['blobs'], blob: string): number | null {
  const size = blobs.size(blob);
  // Asking to bring it makes it as good as new for those who delete what is old.
  if (size !== null) blobs.receive(blob, size).suspend();
  return size;
}

function missingOf(blobs: Backend['blobs'], wanted: readonly string[]) {
  const missing = [...new Set(wanted)].filter((blob) => wantedAgain(blobs, blob) === null);
  return missing.map((blob) => ({ blob, received: blobs.received(blob) }));
}

const findMissing = route({
  name: 'findMissingBlobs',
  method: 'POST',
  path: '/api/v1/blobs/missing',
  access: 'tasks',
  summary: 'Say which blobs are missing, and how much of each came in before',
  params: noParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: limits.bodyBytesMax,
    description: 'The blobs one wants to name',
    schema: missingRequestSchema,
    example: { blobs: [`sha256:${'0123456789abcdef'.repeat(4)}`] },
  }),
  answers: { 200: { description: 'Those that are not here, each once', schema: missingSchema } },
  problems: ['storage_unavailable'],
  handle: ({ body }, { backend }) => json(200, { missing: missingOf(backend.blobs, body.blobs) }),
});

export const blobRoutes: readonly Route[] = [findMissing, putBlob, readBlob];
