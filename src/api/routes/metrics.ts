/** The figures of the dispatcher for Prometheus, outside `/api/v1` where it looks for them. */

import { metricsMediaType, metricsText } from '../metrics.ts';
import { noParams, noQuery, type Route, route } from '../route.ts';

const metrics = route({
  name: 'metrics',
  method: 'GET',
  path: '/metrics',
  access: 'cluster',
  summary: 'Give the figures of the dispatcher and its workers to Prometheus',
  description: 'Counters begin at 0 when the dispatcher starts.',
  params: noParams,
  query: noQuery,
  body: null,
  answers: {
    200: { description: 'The figures in Prometheus text format 0.0.4', schema: null, mediaType: 'text/plain' },
  },
  problems: [],
  handle: (_call, { backend }) =>
    new Response(metricsText(backend.metrics()), { headers: { 'content-type': metricsMediaType } }),
});

export const metricsRoutes: readonly Route[] = [metrics];
