/**
 * Routes of workers: list, show, drain, undrain, wake and kick. A worker is named by its id or, unless that is also an id, its name.
 */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import { didYouMean } from '../../base/nearest.ts';
import type { Actor } from '../../core/trust.ts';
import type { Backend } from '../backend.ts';
import { json, noParams, noQuery, type Route, type RouteContext, route } from '../route.ts';
import type { WorkerView } from '../schemas.ts';
import { workerListSchema, workerSchema } from '../worker-schemas.ts';

/** The worker that a path names. */
export const workerParams = z.strictObject({ id: z.string().min(1).max(200).describe('Id or name of the worker') });

/** By id or name. Error: `not_found`, with the nearest name. */
export function requireWorker(backend: Backend, idOrName: string): WorkerView {
  const workers = backend.workers();
  const worker = workers.find(({ id }) => id === idOrName) ?? workers.find(({ name }) => name === idOrName);
  if (worker !== undefined) return worker;
  const hint = didYouMean(
    idOrName,
    workers.map(({ name }) => name),
  );
  throw new OctasklyError('not_found', `There is no worker "${idOrName}"${hint === '' ? '.' : hint}`);
}

const listWorkers = route({
  name: 'listWorkers',
  method: 'GET',
  path: '/api/v1/workers',
  access: 'cluster',
  summary: 'List workers',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'All workers known', schema: workerListSchema } },
  problems: [],
  handle: (_call, { backend }) => json(200, { workers: backend.workers(), next_cursor: null }),
});

const showWorker = route({
  name: 'showWorker',
  method: 'GET',
  path: '/api/v1/workers/{id}',
  access: 'cluster',
  summary: 'Show a worker',
  params: workerParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The worker', schema: workerSchema } },
  problems: ['not_found'],
  handle: ({ params }, { backend }) => json(200, requireWorker(backend, params.id)),
});

async function setDraining(
  idOrName: string,
  order: { readonly draining: boolean; readonly actor: Actor },
  { backend }: RouteContext,
): Promise<Response> {
  const { id } = requireWorker(backend, idOrName);
  await backend.setDraining(id, order.draining, order.actor);
  return json(200, requireWorker(backend, id));
}

const drainWorker = route({
  name: 'drainWorker',
  method: 'POST',
  path: '/api/v1/workers/{id}/drain',
  access: 'cluster',
  summary: 'Give a worker no further tasks; what runs there goes on',
  params: workerParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The worker', schema: workerSchema } },
  problems: ['not_found', 'shutting_down', 'storage_unavailable'],
  handle: ({ params, actor }, context) => setDraining(params.id, { draining: true, actor }, context),
});

const undrainWorker = route({
  name: 'undrainWorker',
  method: 'POST',
  path: '/api/v1/workers/{id}/undrain',
  access: 'cluster',
  summary: 'Give a worker tasks again',
  params: workerParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The worker', schema: workerSchema } },
  problems: ['not_found', 'shutting_down', 'storage_unavailable'],
  handle: ({ params, actor }, context) => setDraining(params.id, { draining: false, actor }, context),
});

const wakeWorker = route({
  name: 'wakeWorker',
  method: 'POST',
  path: '/api/v1/workers/{id}/wake',
  access: 'cluster',
  summary: 'Wake the machine of a worker that is away (Wake-on-LAN)',
  description: 'Whether it heard the packets shows by its coming back.',
  params: workerParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The worker', schema: workerSchema } },
  problems: ['not_found', 'conflict', 'shutting_down', 'storage_unavailable'],
  async handle({ params, actor }, { backend }) {
    const { id } = requireWorker(backend, params.id);
    await backend.wakeWorker(id, actor);
    return json(200, requireWorker(backend, id));
  },
});

const kickWorker = route({
  name: 'kickWorker',
  method: 'DELETE',
  path: '/api/v1/workers/{id}',
  access: 'cluster',
  summary: 'Shut a worker out and end its link at once',
  description: 'What runs there is lost. Only a new invite or approval lets the device in again.',
  params: workerParams,
  query: noQuery,
  body: null,
  answers: { 204: { description: 'It is shut out', schema: null } },
  problems: ['not_found', 'shutting_down', 'storage_unavailable'],
  async handle({ params, actor }, { backend, trust }) {
    await trust.kick(requireWorker(backend, params.id).id, actor);
    return new Response(null, { status: 204 });
  },
});

export const workerRoutes: readonly Route[] = [
  listWorkers,
  showWorker,
  drainWorker,
  undrainWorker,
  wakeWorker,
  kickWorker,
];
