/** Routes that bring workers to the dispatcher's version, one after another. */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import { jsonBody } from '../body.ts';
import { json, noParams, noQuery, type Route, type RouteContext, route } from '../route.ts';
import { updateListSchema, updateRequestSchema, updateSchema, updateView } from '../update-schemas.ts';
import { smallBodyBytesMax } from './common.ts';
import { requireWorker } from './workers.ts';

type Updates = NonNullable<RouteContext['options']['updates']>;

function updatesOf({ options }: RouteContext): Updates {
  if (options.updates !== undefined) return options.updates;
  throw new OctasklyError('not_found', 'This dispatcher updates no workers.');
}

const updateParams = z.strictObject({ id: z.string().min(1).max(64).describe('Id of the update') });

const updateWorkers = route({
  name: 'updateWorkers',
  method: 'POST',
  path: '/api/v1/updates',
  access: 'admin',
  summary: "Bring workers to the dispatcher's version, one after another",
  description:
    'Each is drained, told to update, and given work again when it is back. The first that fails ends it. It goes on after this is answered; ask for how far it is by its id.',
  params: noParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: smallBodyBytesMax,
    description: 'Which, and how',
    schema: updateRequestSchema,
    example: { workers: ['pi-2'], wait: 600, allow_downgrade: false, dry_run: false },
  }),
  answers: {
    200: { description: 'What would be done', schema: updateSchema },
    202: { description: 'It was begun', schema: updateSchema },
  },
  problems: ['not_found', 'conflict', 'in_use', 'io', 'unreachable', 'shutting_down', 'storage_unavailable'],
  async handle({ body, actor, keepOpen }, context) {
    const { workers, wait, allow_downgrade: allowDowngrade, dry_run: dryRun } = body;
    const ids = workers?.map((name) => requireWorker(context.backend, name).id);
    const wish = { only: ids === undefined ? null : new Set(ids), waitMs: wait * 1000, allowDowngrade };
    // Programs may have to be unpacked, or fetched from a release first.
    keepOpen(0);
    const updates = updatesOf(context);
    if (dryRun) return json(200, updateView(await updates.plan(wish)));
    return json(202, updateView(await updates.start(wish, actor)));
  },
});

const listUpdates = route({
  name: 'listUpdates',
  method: 'GET',
  path: '/api/v1/updates',
  access: 'admin',
  summary: 'List the last updates of workers',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'Since the start of the dispatcher, the latest first', schema: updateListSchema } },
  problems: ['not_found'],
  handle: (_call, context) => json(200, { updates: updatesOf(context).rolls().map(updateView), next_cursor: null }),
});

function shown(id: string, roll: ReturnType<Updates['roll']>): Response {
  if (roll !== null) return json(200, updateView(roll));
  throw new OctasklyError(
    'not_found',
    `There is no update ${id}; those of before the dispatcher's start are forgotten.`,
  );
}

const showUpdate = route({
  name: 'showUpdate',
  method: 'GET',
  path: '/api/v1/updates/{id}',
  access: 'admin',
  summary: 'Show how far an update of workers is',
  params: updateParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The update', schema: updateSchema } },
  problems: ['not_found'],
  handle: ({ params }, context) => shown(params.id, updatesOf(context).roll(params.id)),
});

const stopUpdate = route({
  name: 'stopUpdate',
  method: 'DELETE',
  path: '/api/v1/updates/{id}',
  access: 'admin',
  summary: 'End an update after the worker under way',
  params: updateParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The update', schema: updateSchema } },
  problems: ['not_found'],
  handle: ({ params }, context) => shown(params.id, updatesOf(context).stop(params.id)),
});

export const updateRoutes: readonly Route[] = [updateWorkers, listUpdates, showUpdate, stopUpdate];
