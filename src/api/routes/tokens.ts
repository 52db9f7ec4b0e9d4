/** Routes of people and programs: tokens, the secret they are signed with, and the question who one is. */

import { z } from 'zod';
import { jsonBody } from '../body.ts';
import { isoTime } from '../convert.ts';
import { json, noParams, noQuery, type Route, route } from '../route.ts';
import {
  createdTokenSchema,
  identitySchema,
  rotatedSchema,
  rotateRequestSchema,
  tokenListSchema,
  tokenRequestSchema,
  tokenSchema,
} from '../trust-schemas.ts';
import { smallBodyBytesMax } from './common.ts';

const tokenParams = z.strictObject({
  id: z.string().min(1).max(200).describe('Id of the token, or a name: of all valid tokens that have it'),
});

const createToken = route({
  name: 'createToken',
  method: 'POST',
  path: '/api/v1/tokens',
  access: 'admin',
  summary: 'Make a token for a person or a program',
  params: noParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: smallBodyBytesMax,
    description: 'For whom, as what, and for how long',
    schema: tokenRequestSchema,
    example: { name: 'ci', role: 'client' as const, expires_in: 7_776_000 },
  }),
  answers: {
    201: { description: 'The token, which is shown this once; only its hash is kept', schema: createdTokenSchema },
  },
  problems: ['conflict', 'shutting_down', 'storage_unavailable'],
  handle: async ({ body, actor }, { trust }) => json(201, await trust.createToken(body, actor)),
});

const listTokens = route({
  name: 'listTokens',
  method: 'GET',
  path: '/api/v1/tokens',
  access: 'admin',
  summary: 'List the tokens that were made here',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'All tokens known, without what is secret of them', schema: tokenListSchema } },
  problems: [],
  handle: (_call, { trust }) => json(200, { tokens: trust.tokens(), next_cursor: null }),
});

const revokeToken = route({
  name: 'revokeToken',
  method: 'DELETE',
  path: '/api/v1/tokens/{id}',
  access: 'admin',
  summary: 'Revoke a token at once',
  params: tokenParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The token', schema: tokenSchema } },
  problems: ['not_found', 'shutting_down', 'storage_unavailable'],
  handle: async ({ params, actor }, { trust }) => json(200, await trust.revokeToken(params.id, actor)),
});

const rotateSecret = route({
  name: 'rotateSecret',
  method: 'POST',
  path: '/api/v1/secret/rotate',
  access: 'admin',
  summary: 'Replace the cluster secret while everything goes on',
  description: 'The old secret, and what was made with it, stays valid for the grace time.',
  params: noParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: smallBodyBytesMax,
    description: 'How long the old secret stays valid',
    schema: rotateRequestSchema,
    example: { grace: 86_400 },
  }),
  answers: { 200: { description: 'When the old secret ends', schema: rotatedSchema } },
  problems: ['conflict', 'shutting_down', 'storage_unavailable'],
  async handle({ body, actor }, { trust }) {
    return json(200, { grace_ends_at: isoTime(await trust.rotateSecret(body.grace * 1000, actor)) });
  },
});

const whoAmI = route({
  name: 'whoAmI',
  method: 'GET',
  path: '/api/v1/whoami',
  access: 'self',
  summary: 'Say who one is to the dispatcher',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'Name and role', schema: identitySchema } },
  problems: [],
  handle: ({ actor }) => json(200, { name: actor.name, role: actor.role }),
});

export const tokenRoutes: readonly Route[] = [createToken, listTokens, revokeToken, rotateSecret, whoAmI];
