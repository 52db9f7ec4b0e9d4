/**
 * Routes of batches: tasks submitted together, all or none.
 */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import { isFinal, taskStatuses } from '../../core/task.ts';
import { type Actor, scopeOf } from '../../core/trust.ts';
import type { Backend } from '../backend.ts';
import { jsonBody } from '../body.ts';
import { batchViewOf, newTaskOf } from '../convert.ts';
import { limits } from '../limits.ts';
import { storedDestination } from '../notify-schemas.ts';
import { json, noParams, noQuery, type Route, route } from '../route.ts';
import {
  type BatchView,
  batchAnswerSchema,
  batchListSchema,
  batchRequestSchema,
  batchSchema,
  idSchema,
} from '../schemas.ts';
import { admitTasks } from '../submitting.ts';
import { idempotencyHeaderRule, idempotencyOf, idParams, integerOf, repeatedHeader, sees } from './common.ts';

/** Of a batch that the actor sees. Throws `not_found`. */
function batchView(backend: Backend, actor: Actor, id: string): BatchView {
  const batch = sees(backend, actor, { batchId: id }) ? backend.batch(id) : null;
  if (batch === null) throw new OctasklyError('not_found', `There is no batch "${id}".`);
  return batchViewOf(batch);
}

const createBatch = route({
  name: 'createBatch',
  method: 'POST',
  path: '/api/v1/batches',
  access: 'tasks',
  summary: 'Submit tasks together, all or none',
  description:
    'All tasks are stored durably when the answer is sent. Names in depends_on refer to tasks of this request. With ' +
    '`batch` they join a batch of yours, which keeps its name and whom it tells; its end is told anew when they ended.',
  params: noParams,
  query: noQuery,
  requestHeaders: idempotencyHeaderRule,
  body: jsonBody({
    maxBytes: limits.bodyBytesMax,
    description: 'The tasks',
    schema: batchRequestSchema,
    example: {
      name: 'nightly',
      tasks: [
        { name: 'build', command: 'make' },
        { name: 'check', command: 'make check', depends_on: ['build'] },
      ],
    },
  }),
  answers: {
    201: {
      description: 'Ids, in the order of the request',
      schema: batchAnswerSchema,
      headers: {
        Location: 'Path of the new batch',
        'Idempotent-Replayed': '"true" when an earlier call with the same key gave this answer',
      },
    },
  },
  problems: ['conflict', 'denied_command', 'not_found', 'queue_full', 'shutting_down', 'storage_unavailable'],
  async handle({ body, headers, actor }, context) {
    const { options } = context;
    admitTasks(actor, { tasks: body.tasks, pathOf: (index) => `tasks.${index}` }, context);
    const submitted = await context.backend.submit({
      tasks: body.tasks.map((task) => newTaskOf(task, options)),
      batch:
        body.batch === undefined
          ? {
              name: body.name ?? null,
              ...(body.notify === undefined ? {} : { notify: body.notify.map(storedDestination) }),
            }
          : { joins: body.batch },
      idempotency: idempotencyOf({ headers, actor }, { kind: 'batch', body }, context),
      actor,
    });
    const id = submitted.batchId ?? '';
    return json(
      201,
      { id, task_ids: submitted.taskIds },
      { location: `/api/v1/batches/${id}`, ...(submitted.repeated ? { [repeatedHeader]: 'true' } : {}) },
    );
  },
});

const listBatches = route({
  name: 'listBatches',
  method: 'GET',
  path: '/api/v1/batches',
  access: 'tasks',
  summary: 'List batches, newest first',
  params: noParams,
  query: z.strictObject({
    // Fewer than of other lists: the tasks of each are counted.
    limit: integerOf(1, 100).default(20).describe('Most batches in the answer'),
    cursor: idSchema.optional().describe('`next_cursor` of the page before'),
  }),
  body: null,
  answers: { 200: { description: 'One page; next_cursor is null on the last', schema: batchListSchema } },
  problems: [],
  handle({ query: { limit, cursor }, actor }, { backend }) {
    const owner = scopeOf(actor);
    // One more than asked for tells whether there is a next page.
    const rows = backend.batches(owner === null ? {} : { owner }, { limit: limit + 1, before: cursor ?? null });
    const batches = rows.slice(0, limit).map(batchViewOf);
    return json(200, { batches, next_cursor: rows.length > limit ? (batches.at(-1)?.id ?? null) : null });
  },
});

const showBatch = route({
  name: 'showBatch',
  method: 'GET',
  path: '/api/v1/batches/{id}',
  access: 'tasks',
  summary: 'Show a batch and how many of its tasks are in which state',
  params: idParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The batch', schema: batchSchema } },
  problems: ['not_found'],
  handle: ({ params, actor }, { backend }) => json(200, batchView(backend, actor, params.id)),
});

const cancelBatch = route({
  name: 'cancelBatch',
  method: 'DELETE',
  path: '/api/v1/batches/{id}',
  access: 'tasks',
  summary: 'Cancel what has not ended of a batch',
  description: 'Idempotent.',
  params: idParams,
  query: noQuery,
  body: null,
  answers: {
    200: { description: 'The batch; all its tasks have ended', schema: batchSchema },
    202: { description: 'The batch; the request is on record and processes are being ended', schema: batchSchema },
  },
  problems: ['not_found', 'shutting_down', 'storage_unavailable'],
  async handle({ params, actor }, { backend }) {
    batchView(backend, actor, params.id);
    await backend.cancelBatch(params.id, actor);
    const batch = batchView(backend, actor, params.id);
    const ended = taskStatuses.every((status) => isFinal(status) || batch.counts[status] === 0);
    return json(ended ? 200 : 202, batch);
  },
});

export const batchRoutes: readonly Route[] = [createBatch, listBatches, showBatch, cancelBatch];
