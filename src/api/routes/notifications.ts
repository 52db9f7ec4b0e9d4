/** Routes of notifications: sending one by hand, and the key that webhooks are signed with. */

import { z } from 'zod';
import { OctasklyError } from '../../base/errors.ts';
import type { Backend } from '../backend.ts';
import { jsonBody } from '../body.ts';
import { limits } from '../limits.ts';
import {
  deliverySchema,
  notificationAnswerSchema,
  notificationRequestSchema,
  notifyKeySchema,
  storedDestination,
} from '../notify-schemas.ts';
import { json, noParams, noQuery, type Route, route } from '../route.ts';

function notificationsOf({ notifications }: Backend): NonNullable<Backend['notifications']> {
  if (notifications !== null) return notifications;
  throw new OctasklyError('not_found', 'This dispatcher sends no notifications.');
}

const sendNotification = route({
  name: 'sendNotification',
  method: 'POST',
  path: '/api/v1/notifications',
  access: 'tasks',
  summary: 'Send a notification of your own',
  description: 'It is stored when the answer is sent, and delivered as those of tasks are: signed, and tried again.',
  params: noParams,
  query: noQuery,
  body: jsonBody({
    maxBytes: limits.bodyBytesMax,
    description: 'What to send, and where to',
    schema: notificationRequestSchema,
    example: {
      url: 'ntfy:https://ntfy.sh/my-topic',
      event: 'message',
      text: 'The nightly build is done.',
      check: false,
    },
  }),
  answers: { 202: { description: 'It is on its way, or would be', schema: notificationAnswerSchema } },
  problems: ['forbidden', 'conflict', 'not_found', 'rate_limited', 'shutting_down', 'storage_unavailable'],
  async handle({ body: { url, event, text, check }, actor }, { backend, rates }) {
    rates.submit(actor, 1);
    const to = url === undefined ? null : storedDestination(url);
    if (check) notificationsOf(backend).check({ to }, actor);
    return json(202, { ids: check ? [] : await notificationsOf(backend).send({ to, event, text }, actor) });
  },
});

const delivery = route({
  name: 'delivery',
  method: 'GET',
  path: '/api/v1/deliveries/{id}',
  access: 'tasks',
  summary: 'Say what became of a notification of your own',
  description: 'Of those that were asked for since the start of the dispatcher, the last 1000.',
  params: z.strictObject({ id: z.string().min(1).max(64) }),
  query: noQuery,
  body: null,
  answers: { 200: { description: 'How far it is', schema: deliverySchema } },
  problems: ['not_found'],
  handle({ params: { id }, actor }, { backend }) {
    const found = notificationsOf(backend).delivery(id, actor);
    if (found === null) throw new OctasklyError('not_found', 'There is no such notification, or it was too long ago.');
    return json(200, { ...found });
  },
});

const notificationKey = route({
  name: 'notificationKey',
  method: 'GET',
  path: '/api/v1/notifications/key',
  access: 'admin',
  summary: 'Show the key that webhooks are signed with',
  params: noParams,
  query: noQuery,
  body: null,
  answers: { 200: { description: 'The key, derived from the cluster secret', schema: notifyKeySchema } },
  problems: ['not_found'],
  handle: (_call, { backend }) => json(200, { key: notificationsOf(backend).key() }),
});

export const notificationRoutes: readonly Route[] = [sendNotification, delivery, notificationKey];
