/** The log of a worker, read through the dispatcher from the worker itself. */

import { z } from 'zod';
import { limits } from '../limits.ts';
import { type Route, route } from '../route.ts';
import { requireWorker, workerParams } from './workers.ts';

const workerLog = route({
  name: 'workerLog',
  method: 'GET',
  path: '/api/v1/workers/{id}/log',
  access: 'cluster',
  summary: "Read the last lines of a worker's own log",
  description:
    'Lines as the worker writes them, oldest first: text, or JSON objects where it was started with --log-format json. They come from the worker, from its memory or its log file; those of its memory begin with its start.',
  params: workerParams,
  query: z.strictObject({
    lines: z.coerce
      .number()
      .int()
      .min(1)
      .max(limits.logLinesMax)
      .default(limits.logLinesDefault)
      .describe('How many, at most'),
  }),
  body: null,
  answers: { 200: { description: 'The lines', schema: null, mediaType: 'text/plain' } },
  problems: ['not_found', 'worker_away', 'timeout', 'rate_limited'],
  async handle({ params, query }, { backend }) {
    const { id, name } = requireWorker(backend, params.id);
    const lines = await backend.workerLog({ id, name }, query.lines);
    const text = lines.map((line) => `${line}\n`).join('');
    return new Response(text, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
  },
});

export const logRoutes: readonly Route[] = [workerLog];
