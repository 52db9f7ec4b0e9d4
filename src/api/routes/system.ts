/**
 * Routes of the dispatcher itself: pause, resume, stats, and outside `/api/v1` what watchdogs and programmers ask for.
 */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import { documentAnswer } from '../page-answer.ts';
import { json, noParams, noQuery, type Route, route } from '../route.ts';
import { healthSchema, pausedSchema, readySchema, statsSchema } from '../schemas.ts';

const pause = route({
  name: 'pause',
  method: 'POST',
  path: '/api/v1/pause',
  access: 'cluster',
  summary: 'Hand out no further tasks; what runs goes on and submissions are taken',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'Dispatching is paused', schema: pausedSchema } },
  problems: ['shutting_down', 'storage_unavailable'],
  async handle({ actor }, { backend }) {
    await backend.setPaused(true, actor);
    return json(200, { paused: true });
  },
});

const resume = route({
  name: 'resume',
  method: 'POST',
  path: '/api/v1/resume',
  access: 'cluster',
  summary: 'Hand out tasks again',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'Dispatching goes on', schema: pausedSchema } },
  problems: ['shutting_down', 'storage_unavailable'],
  async handle({ actor }, { backend }) {
    await backend.setPaused(false, actor);
    return json(200, { paused: false });
  },
});

const stats = route({
  name: 'stats',
  method: 'GET',
  path: '/api/v1/stats',
  access: 'cluster',
  summary: 'Count tasks, workers, slots',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The figures', schema: statsSchema } },
  problems: [],
  handle: (_call, { backend }) => json(200, backend.stats()),
});

const health = route({
  name: 'health',
  method: 'GET',
  path: '/health',
  access: 'public',
  summary: 'Say that the process answers',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'It does', schema: healthSchema } },
  problems: [],
  handle: (_call, { options }) => json(200, { status: 'ok', version: options.version }),
});

const ready = route({
  name: 'ready',
  method: 'GET',
  path: '/ready',
  access: 'public',
  summary: 'Say whether submissions are taken now',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'They are', schema: readySchema } },
  problems: ['not_ready'],
  handle(_call, { backend }) {
    const state = backend.ready();
    if (!state.ready) throw new OctasklyError('not_ready', state.reason ?? 'The dispatcher is not ready.');
    return json(200, { status: 'ready' });
  },
});

const openApi = route({
  name: 'openApi',
  method: 'GET',
  path: '/openapi.json',
  access: 'public',
  summary: 'This description',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'An OpenAPI 3.1 document', schema: z.looseObject({ openapi: z.literal('3.1.1') }) } },
  problems: [],
  handle: ({ headers }, context) => documentAnswer(context.openApi(), headers),
});

export const systemRoutes: readonly Route[] = [pause, resume, stats, health, ready, openApi];
