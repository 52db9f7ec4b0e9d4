/** Calls about notifications. Each is made once: a message sent twice is told twice. */

import type { DeliveryView, NotificationAnswer, NotificationRequest } from '../api/notify-schemas.ts';
import { type Connection, exchangeJson } from './http.ts';

/** Every call throws `OctasklyError`; `forbidden` for what the role of the token does not allow. */
export interface NotificationClient {
  /** Has the dispatcher send a text. Resolves with the ids of the deliveries when they are stored. */
  send(request: NotificationRequest): Promise<NotificationAnswer>;
  /** What became of a notification that was sent with this token. */
  delivery(id: string): Promise<DeliveryView>;
  /** The key that webhooks are signed with. */
  key(): Promise<{ readonly key: string }>;
}

/** The calls over `connection`. Starts nothing. */
export function notificationClient(connection: Connection): NotificationClient {
  const path = '/api/v1/notifications';
  const headers = { 'content-type': 'application/json' };
  return {
    send: (request) => exchangeJson(connection, { method: 'POST', path, headers, body: JSON.stringify(request) }),
    delivery: (id) => exchangeJson(connection, { method: 'GET', path: `/api/v1/deliveries/${encodeURIComponent(id)}` }),
    key: () => exchangeJson(connection, { method: 'GET', path: `${path}/key` }),
  };
}
