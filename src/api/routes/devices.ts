/**
 * Routes of devices that want in: invites, which are handed to a device before it comes, and approvals of devices that
 * come without one. Shutting one out again is with the workers.
 */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import type { Actor } from '../../core/trust.ts';
import { jsonBody } from '../body.ts';
import { json, noParams, noQuery, type Route, type RouteContext, route } from '../route.ts';
import {
  approvalListSchema,
  approvalSchema,
  createdInviteSchema,
  inviteListSchema,
  inviteRequestSchema,
  inviteSchema,
} from '../trust-schemas.ts';
import { smallBodyBytesMax } from './common.ts';

const inviteParams = z.strictObject({ id: z.string().min(1).max(64).describe('Id of the invite') });
const deviceParams = z.strictObject({
  id: z.string().min(1).max(200).describe('Code or id of a device that waits to be approved'),
});

const createInvite = route({
  name: 'createInvite',
  method: 'POST',
  path: '/api/v1/invites',
  access: 'cluster',
  summary: 'Invite devices: a join token for one or several of them',
  params: noParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: smallBodyBytesMax,
    description: 'For how many devices and how long',
    schema: inviteRequestSchema,
    example: { uses: 1, expires_in: 3600, name: 'pi-3' },
  }),
  answers: {
    201: { description: 'The invite with its join token, which is shown this once', schema: createdInviteSchema },
  },
  problems: ['conflict', 'shutting_down', 'storage_unavailable'],
  handle: async ({ body, actor }, { trust }) => json(201, await trust.createInvite(body, actor)),
});

const listInvites = route({
  name: 'listInvites',
  method: 'GET',
  path: '/api/v1/invites',
  access: 'cluster',
  summary: 'List invites',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'All invites known, without their tokens', schema: inviteListSchema } },
  problems: [],
  handle: (_call, { trust }) => json(200, { invites: trust.invites(), next_cursor: null }),
});

const revokeInvite = route({
  name: 'revokeInvite',
  method: 'DELETE',
  path: '/api/v1/invites/{id}',
  access: 'cluster',
  summary: 'Revoke an invite; devices it let in before stay',
  params: inviteParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The invite', schema: inviteSchema } },
  problems: ['not_found', 'shutting_down', 'storage_unavailable'],
  handle: async ({ params, actor }, { trust }) => json(200, await trust.revokeInvite(params.id, actor)),
});

const listApprovals = route({
  name: 'listApprovals',
  method: 'GET',
  path: '/api/v1/approvals',
  access: 'cluster',
  summary: 'List devices that wait to be approved, oldest first',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The devices, each with its code', schema: approvalListSchema } },
  problems: [],
  handle: (_call, { trust }) => json(200, { approvals: trust.approvals(), next_cursor: null }),
});

/** Approves or rejects; a try that fails counts, so that nobody tries all codes. */
async function judge(
  verdict: 'approve' | 'reject',
  { id, actor }: { readonly id: string; readonly actor: Actor },
  { trust, rates }: RouteContext,
): Promise<Response> {
  rates.tryDevice(actor);
  try {
    const device = await trust[verdict](id, actor);
    rates.deviceFound(actor);
    return json(200, device);
  } catch (error) {
    const details = { verdict, reason: 'no such device waits' };
    const isGuess = error instanceof OctasklyError && error.code === 'not_found';
    if (isGuess) trust.noteRefusal({ eventType: 'approval_refused', actor: actor.name, from: actor.from, details });
    throw error;
  }
}

const approveDevice = route({
  name: 'approveDevice',
  method: 'POST',
  path: '/api/v1/workers/{id}/approve',
  access: 'cluster',
  summary: 'Let in a device whose code you compared',
  params: deviceParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The device; it joins by itself', schema: approvalSchema } },
  problems: ['not_found', 'conflict', 'shutting_down', 'storage_unavailable'],
  handle: ({ params, actor }, context) => judge('approve', { id: params.id, actor }, context),
});

const rejectDevice = route({
  name: 'rejectDevice',
  method: 'POST',
  path: '/api/v1/workers/{id}/reject',
  access: 'cluster',
  summary: 'Turn away a device that waits to be approved',
  params: deviceParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The device', schema: approvalSchema } },
  problems: ['not_found', 'conflict', 'shutting_down', 'storage_unavailable'],
  handle: ({ params, actor }, context) => judge('reject', { id: params.id, actor }, context),
});

export const deviceRoutes: readonly Route[] = [
  createInvite,
  listInvites,
  revokeInvite,
  listApprovals,
  approveDevice,
  rejectDevice,
];
