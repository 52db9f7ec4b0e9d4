/** The route that deletes what is old, at once. */

import { OctasklyError } from '../../base/errors.ts';
import { jsonBody } from '../body.ts';
import { pruneAnswerSchema, pruneRequestSchema } from '../prune-schemas.ts';
import { json, noParams, noQuery, type Route, route } from '../route.ts';
import { smallBodyBytesMax } from './common.ts';

const prune = route({
  name: 'prune',
  method: 'POST',
  path: '/api/v1/prune',
  access: 'admin',
  summary: 'Delete ended tasks and stored files now',
  description:
    'What --retention of the dispatcher does each hour, by an age of your own. The record loses what is past --audit-retention, whatever the age. Answers when all is deleted, and the database was made smaller.',
  params: noParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: smallBodyBytesMax,
    description: 'What to delete',
    schema: pruneRequestSchema,
    example: { older_than: 604_800, statuses: ['completed' as const], blobs: false, dry_run: true },
  }),
  answers: { 200: { description: 'What was deleted, or would be', schema: pruneAnswerSchema } },
  problems: ['not_found', 'in_use', 'shutting_down', 'storage_unavailable'],
  async handle({ body, actor, keepOpen }, { options }) {
    if (options.prune === undefined) throw new OctasklyError('not_found', 'Nothing can be deleted here.');
    keepOpen(0);
    return json(200, await options.prune(body, actor));
  },
});

export const pruneRoutes: readonly Route[] = [prune];
