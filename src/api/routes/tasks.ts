/**
 * Routes of single tasks, all but their streams of bytes: submit, list, show, cancel, retry, explain.
 */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import { isFinal } from '../../core/task.ts';
import { type Actor, scopeOf } from '../../core/trust.ts';
import type { TaskFilter } from '../../ports/store.ts';
import type { Backend } from '../backend.ts';
import { jsonBody } from '../body.ts';
import { newTaskOf, taskViewOf, taskWithAttemptsOf } from '../convert.ts';
import { limits } from '../limits.ts';
import { stagedTask, taskBody } from '../multipart.ts';
import { json, noParams, noQuery, type Route, route } from '../route.ts';
import {
  explanationSchema,
  idSchema,
  statusSchema,
  taskListSchema,
  taskSchema,
  taskWithAttemptsSchema,
} from '../schemas.ts';
import { admitTasks } from '../submitting.ts';
import { listParameter } from '../validate.ts';
import {
  checkTask,
  idempotencyHeaderRule,
  idempotencyOf,
  idParams,
  limitParameter,
  noTask,
  repeatedHeader,
  requireTask,
  smallBodyBytesMax,
  workerIdOf,
  workerNamesOf,
} from './common.ts';

const location = { Location: 'Path of the new task' } as const;

function pathOf(id: string): string {
  return `/api/v1/tasks/${id}`;
}

/** Puts bytes that are all here into the store. Errors: `storage_unavailable`, `conflict` (somebody uploads them just now). */
async function storeBlob(blobs: Backend['blobs'], blob: string, bytes: Uint8Array): Promise<void> {
  const receiver = blobs.receive(blob, bytes.length);
  try {
    receiver.write(bytes.subarray(receiver.received));
    if (await receiver.finish()) return;
  } finally {
    receiver.suspend();
  }
  throw new OctasklyError('conflict', `Bytes of ${blob} that came in before were damaged and are dropped; try again.`);
}

const createTask = route({
  name: 'createTask',
  method: 'POST',
  path: '/api/v1/tasks',
  access: 'tasks',
  summary: 'Submit a task',
  description:
    'The task is stored durably when the answer is sent. Blobs that its inputs name must be here; ' +
    'small files may come along, as parts of a multipart request.',
  params: noParams,
  query: noQuery,
  requestHeaders: idempotencyHeaderRule,
  body: taskBody,
  answers: {
    201: {
      description: 'The task',
      schema: taskSchema,
      headers: { ...location, 'Idempotent-Replayed': '"true" when an earlier call with the same key gave this answer' },
    },
  },
  problems: ['conflict', 'denied_command', 'queue_full', 'shutting_down', 'storage_unavailable'],
  async handle({ body, headers, actor }, context) {
    admitTasks(actor, { tasks: [body.task] }, context);
    const { task: asked, blobs } = stagedTask(body, context.options.sha256Hex);
    for (const [blob, bytes] of blobs) await storeBlob(context.backend.blobs, blob, bytes);
    const { repeated, taskIds } = await context.backend.submit({
      tasks: [newTaskOf(asked, context.options)],
      batch: null,
      idempotency: idempotencyOf({ headers, actor }, { kind: 'task', body: asked }, context),
      actor,
    });
    const id = taskIds[0] ?? '';
    const task = taskViewOf(requireTask(context.backend, actor, id));
    return json(201, task, { location: pathOf(id), ...(repeated ? { [repeatedHeader]: 'true' } : {}) });
  },
});

const listQuery = z.strictObject({
  status: listParameter(statusSchema, statusSchema.options.length)
    .optional()
    .describe('Any of these; repeat or separate by commas'),
  worker: z.string().min(1).max(200).optional().describe('Id or name of the worker of the current or last attempt'),
  batch: idSchema.optional(),
  tag: z
    .string()
    .regex(/^[^=]{1,63}=.{0,255}$/, 'should be name=value')
    .optional()
    .describe('name=value'),
  since: z
    .union([idSchema, z.iso.datetime({ offset: true }), z.iso.date()], {
      error: 'should be an ISO 8601 instant such as 2026-01-31T12:00:00Z, or the id of a task',
    })
    .optional()
    .describe('Created at or after this instant, or not before this task'),
  id: z
    .string()
    .regex(/^[0-9a-hjkmnp-tv-z]{1,12}$/, 'is not the beginning of an id')
    .optional()
    .describe('Ids that begin with this'),
  text: z
    .string()
    .max(limits.searchLengthMax)
    .refine((text) => !text.includes('\0'), 'must not contain a NUL character')
    .optional()
    .describe(
      'Each of these words is in the name, the command or an argument, or begins the id; in upper or lower case',
    ),
  limit: limitParameter.describe('Most tasks in the answer'),
  cursor: idSchema.optional().describe('`next_cursor` of the page before'),
});

function sinceOf(backend: Backend, actor: Actor, since: string): number {
  return idSchema.safeParse(since).success ? requireTask(backend, actor, since).task.createdAt : Date.parse(since);
}

function filterOf(backend: Backend, actor: Actor, query: z.output<typeof listQuery>): TaskFilter {
  const owner = scopeOf(actor);
  const { status, worker, batch, tag, since, id, text } = query;
  const words = text?.split(/\s+/).filter((word) => word !== '');
  const split = tag?.indexOf('=') ?? 0;
  return {
    ...(status === undefined ? {} : { statuses: status }),
    ...(worker === undefined ? {} : { workerId: workerIdOf(backend, worker) }),
    ...(batch === undefined ? {} : { batchId: batch }),
    ...(tag === undefined ? {} : { tag: { key: tag.slice(0, split), value: tag.slice(split + 1) } }),
    ...(since === undefined ? {} : { since: sinceOf(backend, actor, since) }),
    ...(id === undefined ? {} : { idPrefix: id }),
    ...(words === undefined ? {} : { words }),
    ...(owner === null ? {} : { owner }),
  };
}

const listTasks = route({
  name: 'listTasks',
  method: 'GET',
  path: '/api/v1/tasks',
  access: 'tasks',
  summary: 'List tasks, newest first',
  params: noParams,
  query: listQuery,
  body: null,
  answers: { 200: { description: 'One page; next_cursor is null on the last', schema: taskListSchema } },
  problems: ['not_found'],
  handle({ query, actor }, { backend }) {
    // One more than asked for tells whether there is a next page.
    const page = { limit: query.limit + 1, before: query.cursor ?? null };
    const rows = backend.tasks(filterOf(backend, actor, query), page);
    const tasks = rows.slice(0, query.limit).map(taskViewOf);
    const workers = tasks.map(({ worker_id }) => worker_id);
    return json(200, {
      tasks,
      next_cursor: rows.length > query.limit ? (tasks.at(-1)?.id ?? null) : null,
      worker_names: workerNamesOf(backend, workers),
    });
  },
});

const showTask = route({
  name: 'showTask',
  method: 'GET',
  path: '/api/v1/tasks/{id}',
  access: 'tasks',
  summary: 'Show a task and its attempts',
  params: idParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The task', schema: taskWithAttemptsSchema } },
  problems: ['not_found'],
  handle({ params, actor }, { backend }) {
    const task = taskWithAttemptsOf(requireTask(backend, actor, params.id), backend.attempts(params.id));
    const workers = [task.worker_id, ...task.attempts.map(({ worker_id }) => worker_id)];
    return json(200, { ...task, worker_names: workerNamesOf(backend, workers) });
  },
});

const cancelTask = route({
  name: 'cancelTask',
  method: 'DELETE',
  path: '/api/v1/tasks/{id}',
  access: 'tasks',
  summary: 'Cancel a task',
  description: 'Idempotent. A task that has ended stays as it is.',
  params: idParams,
  query: noQuery,
  body: null,
  answers: {
    200: { description: 'The task, which has ended', schema: taskSchema },
    202: { description: 'The task; the request is on record and its processes are being ended', schema: taskSchema },
  },
  problems: ['not_found', 'shutting_down', 'storage_unavailable'],
  async handle({ params, actor }, { backend }) {
    checkTask(backend, actor, params.id);
    await backend.cancel([params.id], actor);
    const row = requireTask(backend, actor, params.id);
    return json(isFinal(row.task.status) ? 200 : 202, taskViewOf(row));
  },
});

const cancelTasks = route({
  name: 'cancelTasks',
  method: 'POST',
  path: '/api/v1/tasks/cancel',
  access: 'tasks',
  summary: 'Cancel many tasks at once, all or none',
  description: 'Idempotent. Tasks that have ended stay as they are.',
  params: noParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: smallBodyBytesMax,
    description: 'The tasks',
    schema: z.strictObject({ ids: z.array(idSchema).min(1).max(limits.cancelMax) }),
    example: { ids: ['01hq3v5k7m2p'] },
  }),
  answers: {
    200: { description: 'Those whose processes are yet being ended', schema: z.object({ ending: z.array(idSchema) }) },
  },
  problems: ['not_found', 'shutting_down', 'storage_unavailable'],
  async handle({ body: { ids }, actor }, { backend }) {
    for (const id of ids) checkTask(backend, actor, id);
    await backend.cancel(ids, actor);
    const isEnding = (id: string): boolean => !isFinal(requireTask(backend, actor, id).task.status);
    return json(200, { ending: ids.filter(isEnding) });
  },
});

const retryTask = route({
  name: 'retryTask',
  method: 'POST',
  path: '/api/v1/tasks/{id}/retry',
  access: 'tasks',
  summary: 'Submit an ended task again, as a new one',
  params: idParams,
  query: noQuery,
  body: null,
  answers: { 201: { description: 'The new task', schema: taskSchema, headers: location } },
  problems: ['not_found', 'conflict', 'denied_command', 'queue_full', 'shutting_down', 'storage_unavailable'],
  async handle({ params, actor }, context) {
    const { backend } = context;
    // What the deny list says may have changed since the task was first submitted.
    const { spec } = requireTask(backend, actor, params.id).task;
    admitTasks(actor, { tasks: [spec] }, context);
    const id = await backend.retry(params.id, actor);
    return json(201, taskViewOf(requireTask(backend, actor, id)), { location: pathOf(id) });
  },
});

const explainTask = route({
  name: 'explainTask',
  method: 'GET',
  path: '/api/v1/tasks/{id}/explain',
  access: 'tasks',
  summary: 'Say why a task waits, worker by worker, or what ended it',
  params: idParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The explanation', schema: explanationSchema } },
  problems: ['not_found'],
  handle({ params, actor }, { backend }) {
    checkTask(backend, actor, params.id);
    // It speaks of this task, those it waits for, and workers; never of what else is in the queue.
    const explanation = backend.explain(params.id);
    if (explanation === null) throw noTask(params.id);
    return json(200, explanation);
  },
});

export const taskRoutes: readonly Route[] = [
  createTask,
  listTasks,
  showTask,
  cancelTask,
  cancelTasks,
  retryTask,
  explainTask,
];
