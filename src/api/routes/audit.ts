/** Routes of the record: reading it page by page, and checking that it is as it was written. */

import { z } from 'zod';
import type { AuditFilter } from '../../ports/store.ts';
import { entryViewOf, findingViewOf } from '../audit-views.ts';
import type { Backend } from '../backend.ts';
import { json, noParams, noQuery, type Route, route } from '../route.ts';
import { idSchema } from '../schemas.ts';
import { auditFindingSchema, auditListSchema } from '../trust-schemas.ts';
import { limitParameter, offsetParameter, workerIdOf } from './common.ts';

const auditQuery = z.strictObject({
  since: z
    .union([z.iso.datetime({ offset: true }), z.iso.date()], {
      error: 'should be an ISO 8601 instant such as 2026-01-31T12:00:00Z',
    })
    .optional()
    .describe('At or after this instant'),
  type: z
    .string()
    .regex(/^[a-z][a-z_]{0,63}$/, 'should be a type of entry such as task_submitted')
    .optional(),
  actor: z.string().min(1).max(200).optional().describe('Who did it'),
  task: idSchema.optional(),
  worker: z.string().min(1).max(200).optional().describe('Id or name of the worker'),
  order: z.enum(['oldest', 'newest']).default('oldest').describe('Which entries come first'),
  limit: limitParameter.describe('Most entries in the answer'),
  cursor: offsetParameter.default(0).describe('`next_cursor` of the page before'),
});

function filterOf(backend: Backend, query: z.output<typeof auditQuery>): AuditFilter {
  const { since, type, actor, task, worker } = query;
  return {
    ...(since === undefined ? {} : { since: Date.parse(since) }),
    ...(type === undefined ? {} : { eventType: type }),
    ...(actor === undefined ? {} : { actor }),
    ...(task === undefined ? {} : { taskId: task }),
    ...(worker === undefined ? {} : { workerId: workerIdOf(backend, worker) }),
  };
}

const listAudit = route({
  name: 'listAudit',
  method: 'GET',
  path: '/api/v1/audit',
  access: 'admin',
  summary: 'Read the record of what was done, oldest first unless asked otherwise',
  params: noParams,
  query: auditQuery,
  body: null,
  answers: { 200: { description: 'One page; next_cursor is null on the last', schema: auditListSchema } },
  problems: [],
  handle({ query }, { backend, trust }) {
    // One more than asked for tells whether there is a next page.
    const page = { limit: query.limit + 1, after: query.cursor, newestFirst: query.order === 'newest' };
    const found = trust.audit(filterOf(backend, query), page);
    const entries = found.slice(0, query.limit).map(entryViewOf);
    return json(200, { entries, next_cursor: found.length > query.limit ? (entries.at(-1)?.id ?? null) : null });
  },
});

const verifyAudit = route({
  name: 'verifyAudit',
  method: 'GET',
  path: '/api/v1/audit/verify',
  access: 'admin',
  summary: 'Check that no entry of the record was changed, removed or moved',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'What was found', schema: auditFindingSchema } },
  problems: ['storage_unavailable'],
  handle: (_call, { trust }) => json(200, findingViewOf(trust.verifyAudit())),
});

export const auditRoutes: readonly Route[] = [listAudit, verifyAudit];
