/**
 * Routes that carry bytes as they are and streams that last: a task's output and standard input, the feed of events.
 */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import { scopeOf } from '../../core/trust.ts';
import { bytesBody, jsonBody } from '../body.ts';
import { limits } from '../limits.ts';
import { outputBody } from '../output.ts';
import { json, noParams, noQuery, type Route, route } from '../route.ts';
import { eventSchema, idSchema, terminalSizeSchema } from '../schemas.ts';
import { booleanParameter } from '../validate.ts';
import { eventBody, heartbeatMs } from '../watch.ts';
import { checkTask, idParams, offsetParameter, sees } from './common.ts';

/** A feed whose reader takes nothing, not even heartbeats, for this long is ended. */
const feedIdleSeconds = (4 * heartbeatMs) / 1000;

/** A size is far shorter. */
const sizeBodyBytesMax = 1024;

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
  handle({ params, query, actor, holds, keepOpen }, { backend, options }) {
    checkTask(backend, actor, params.id);
    const cursor = backend.output(params.id, query.stream, { from: query.from, follow: query.follow });
    // A task may say nothing for hours.
    if (query.follow) keepOpen(0);
    const body = outputBody(cursor, query.follow ? { holds, clock: options.clock } : null);
    return new Response(body, { headers: { 'content-type': 'application/octet-stream' } });
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

const resizeTerminal = route({
  name: 'resizeTerminal',
  method: 'POST',
  path: '/api/v1/tasks/{id}/terminal',
  access: 'tasks',
  summary: 'Resize the terminal of a task submitted with "terminal"',
  params: idParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: sizeBodyBytesMax,
    description: 'Its new size, in characters',
    schema: terminalSizeSchema,
    example: { columns: 120, rows: 40 },
  }),
  answers: { 204: { description: 'Its programs are told, at once or when it has started', schema: null } },
  problems: ['not_found', 'conflict', 'shutting_down'],
  handle({ params, body, actor }, { backend }) {
    checkTask(backend, actor, params.id);
    backend.resize(params.id, body);
    return new Response(null, { status: 204 });
  },
});

const attendedSchema = z.object({ again: z.boolean() });

const attendTask = route({
  name: 'attendTask',
  method: 'POST',
  path: '/api/v1/tasks/{id}/attend',
  access: 'tasks',
  summary: 'Hold on to a task submitted with "attached": true',
  description:
    'Answers when the task has ended, or after 10 s: then ask again. The task is cancelled when nobody has held on to it ' +
    'for 15 s. At once for a task that needs nobody.',
  params: idParams,
  query: noQuery,
  body: null,
  answers: {
    200: { description: 'Whether to ask again: false once the task needs nobody', schema: attendedSchema },
  },
  problems: ['not_found'],
  async handle({ params, actor, keepOpen, signal }, { backend }) {
    checkTask(backend, actor, params.id);
    keepOpen(0);
    return json(200, { again: await backend.attend(params.id, signal) });
  },
});

const keepAttended = route({
  name: 'keepAttended',
  method: 'POST',
  path: '/api/v1/attended',
  access: 'tasks',
  summary: 'Say that tasks submitted with "attached": true are still wanted',
  description:
    'Answers at once, for many tasks in one call: those of a batch go by the id of the batch. For so many seconds nobody need ' +
    'hold on to them. What is not there, has ended or was not submitted so is passed over.',
  params: noParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: 64 * 1024,
    description: 'Batches, and tasks of none',
    schema: z.strictObject({
      ids: z.array(idSchema).min(1).max(limits.attendedMax),
      seconds: z.number().min(0).max(limits.awaySecondsMax).optional().describe('15 if not given, and at least'),
    }),
    example: { ids: ['01hq3v5k7m2p'], seconds: 3600 },
  }),
  answers: {
    200: { description: 'Whether to say so again: false once none of them needs anybody', schema: attendedSchema },
  },
  problems: [],
  handle({ body, actor }, { backend }) {
    const own = body.ids.filter(
      (id) => sees(backend, actor, { batchId: id }) || sees(backend, actor, { idPrefix: id }),
    );
    return json(200, { again: backend.keepAttended(own, (body.seconds ?? 0) * 1000) });
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
    follow: booleanParameter
      .default(true)
      .describe('False: the answer ends after what happened up to now; without a last event it says where that is'),
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
    const reader = { lastId, owner: scopeOf(actor), follow: query.follow, holds, clock: options.clock };
    return new Response(eventBody(backend, reader), {
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' },
    });
  },
});

export const streamRoutes: readonly Route[] = [
  readOutput,
  writeStdin,
  resizeTerminal,
  attendTask,
  keepAttended,
  watchEvents,
];
