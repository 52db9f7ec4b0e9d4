/**
 * Routes that carry bytes as they are and streams that last: a task's output and standard input, the feed of events.
 */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import { scopeOf } from '../../core/trust.ts';
import { bytesBody } from '../body.ts';
import { limits } from '../limits.ts';
import { outputBody } from '../output.ts';
import { noParams, type Route, route } from '../route.ts';
import { eventSchema } from '../schemas.ts';
import { booleanParameter } from '../validate.ts';
import { eventBody, heartbeatMs } from '../watch.ts';
import { checkTask, idParams, offsetParameter } from './common.ts';

/** A feed whose reader takes nothing, not even heartbeats, for this long is ended. */
const feedIdleSeconds = (4 * heartbeatMs) / 1000;

const readOutput = route({
  name: 'readOutput',
  method: 'GET',
  path: '/api/v1/tasks/{id}/output',
  access: 'tasks',
  summary: 'Read what a task wrote, byte by byte',
  params: idParams,
  query: z.strictObject({
    stream: z.enum(['stdout', 'stderr']).default('stdout'),
    follow: booleanParameter.default(false).describe('Go on until the task ends'),
    from: offsetParameter.default(0).describe('First byte wanted'),
  }),
  body: null,
  answers: {
    200: { description: 'The bytes', schema: null, mediaType: 'application/octet-stream' },
  },
  problems: ['not_found'],
  handle({ params, query, actor, keepOpen }, { backend }) {
    checkTask(backend, actor, params.id);
    const cursor = backend.output(params.id, query.stream, { from: query.from, follow: query.follow });
    // A task may say nothing for hours.
    if (query.follow) keepOpen(0);
    return new Response(outputBody(cursor, query), { headers: { 'content-type': 'application/octet-stream' } });
  },
});

const writeStdin = route({
  name: 'writeStdin',
  method: 'POST',
  path: '/api/v1/tasks/{id}/stdin',
  access: 'tasks',
  summary: 'Feed the standard input of a task submitted with "stdin": {"stream": true}',
  description:
    'Answers when the process took the bytes. Offsets make a repeated call harmless: bytes taken before are skipped.',
  params: idParams,
  query: z.strictObject({
    offset: offsetParameter.describe('Position of the first byte of the body in the stream'),
    eof: booleanParameter.default(false).describe('Nothing follows'),
  }),
  body: bytesBody({ maxBytes: limits.stdinChunkBytesMax, description: 'The bytes; may be empty together with eof' }),
  answers: { 204: { description: 'The process took the bytes', schema: null } },
  problems: ['not_found', 'conflict', 'shutting_down'],
  async handle({ params, query, body, actor, keepOpen }, { backend }) {
    checkTask(backend, actor, params.id);
    // A process may let its input wait for as long as it runs.
    keepOpen(0);
    await backend.writeStdin(params.id, { offset: query.offset, data: body, eof: query.eof });
    return new Response(null, { status: 204 });
  },
});

const eventIdSchema = z.string().regex(/^[\x21-\x7e]{1,128}$/, 'is not the id of an event');

const watchEvents = route({
  name: 'watchEvents',
  method: 'GET',
  path: '/api/v1/events',
  access: 'tasks',
  summary: 'Watch what happens, as server-sent events',
  description:
    'Each event has an id, its kind as event name, and JSON as data. After "reset" events may be missing: read anew what you follow. ' +
    'A client sees what happens to its own tasks.',
  params: noParams,
  query: z.strictObject({
    last_event_id: eventIdSchema.optional().describe('As the Last-Event-ID header, which goes before it'),
  }),
  requestHeaders: { 'Last-Event-ID': 'Id of the last event seen: the answer goes on after it' },
  body: null,
  answers: {
    200: { description: 'Events without end', schema: eventSchema, mediaType: 'text/event-stream' },
  },
  problems: [],
  handle({ query, headers, actor, holds, keepOpen }, { backend, options }) {
    // Browsers send an empty header before the first event.
    const given = headers.get('last-event-id');
    const lastId = given === null || given === '' ? (query.last_event_id ?? null) : given;
    if (lastId !== null && !eventIdSchema.safeParse(lastId).success) {
      throw new OctasklyError('bad_request', 'The Last-Event-ID header is not the id of an event.');
    }
    keepOpen(feedIdleSeconds);
    return new Response(eventBody(backend, { lastId, clock: options.clock, owner: scopeOf(actor), holds }), {
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' },
    });
  },
});

export const streamRoutes: readonly Route[] = [readOutput, writeStdin, watchEvents];
