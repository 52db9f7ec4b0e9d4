/** Routes of a browser's session: sign in with a token, ask who one is, sign out. What the cookie means is in `session.ts`. */

import { OctasklyError } from '../../base/errors.ts';
import { jsonBody } from '../body.ts';
import { json, noParams, noQuery, type Route, route } from '../route.ts';
import { sessionCookie } from '../session.ts';
import { sessionRequestSchema, sessionSchema } from '../trust-schemas.ts';
import { smallBodyBytesMax } from './common.ts';

/** A cookie is one of the characters of a token alone, so that nobody adds attributes to it (RFC 6265, 4.1.1). */
const tokenText = /^[\w.~+/=:-]+$/;

const createSession = route({
  name: 'createSession',
  method: 'POST',
  path: '/api/v1/session',
  access: 'public',
  summary: 'Sign a browser in: its token is kept in a cookie no script can read',
  description: 'The cookie counts for calls of pages of this origin alone, and lives as long as the token.',
  params: noParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: smallBodyBytesMax,
    description: 'The token, as `octaskly token create` printed it',
    schema: sessionRequestSchema,
    example: { token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2lnbmF0dXJl' },
  }),
  answers: {
    200: { description: 'Who one is', schema: sessionSchema, headers: { 'Set-Cookie': 'The session' } },
  },
  problems: ['unauthorized', 'forbidden'],
  handle({ body: { token }, actor: { from }, headers }, { options, trust, rates }) {
    const identity = tokenText.test(token) ? trust.verifyToken(token) : { ok: false as const, reason: notOne };
    if (!identity.ok) {
      const details = { method: 'POST', path: '/api/v1/session', reason: identity.reason };
      trust.noteRefusal({ eventType: 'login_failed', actor: 'anonymous', from, details });
      rates.loginFailed(from);
      throw new OctasklyError('unauthorized', identity.reason);
    }
    const { name, role, expiresAt } = identity;
    if (role === 'worker') throw new OctasklyError('forbidden', forWorkers);
    trust.noteLogin({ name, role, from });
    const seconds = expiresAt === undefined ? null : (expiresAt - options.clock.wall()) / 1000;
    return json(200, { name, role, by: 'cookie' }, { 'set-cookie': sessionCookie(token, seconds, headers) });
  },
});

const forWorkers =
  'The token has the role "worker": it lets a device join, and there is nothing to see with it. One for people: octaskly token create --name NAME --role client';
const notOne = 'The token is not valid: it should be one word, as "octaskly token create" prints it.';

const showSession = route({
  name: 'showSession',
  method: 'GET',
  path: '/api/v1/session',
  access: 'self',
  summary: 'Say who one is, and what shows it',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'Name, role, and what shows them', schema: sessionSchema } },
  problems: [],
  handle: ({ actor: { name, role }, shown }) => json(200, { name, role, by: shown ?? 'place' }),
});

const endSession = route({
  name: 'endSession',
  method: 'DELETE',
  path: '/api/v1/session',
  access: 'public',
  summary: 'Sign a browser out: its cookie is removed; the token stays valid',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 204: { description: 'There is no session', schema: null, headers: { 'Set-Cookie': 'Its removal' } } },
  problems: [],
  handle: ({ headers }) =>
    new Response(null, { status: 204, headers: { 'set-cookie': sessionCookie('', 0, headers) } }),
});

export const sessionRoutes: readonly Route[] = [createSession, showSession, endSession];
