/** Calls about updates: of workers, and of the program that calls. Each is made once. */

import type { UpdateList, UpdateRequest, UpdateView } from '../api/update-schemas.ts';
import { type Connection, exchange, exchangeJson, exchangeText } from './http.ts';

/** Every call throws `OctasklyError`; `forbidden` for what the role of the token does not allow. */
export interface UpdateClient {
  /** Begins to update workers, or says what would be done. */
  start(request: UpdateRequest): Promise<UpdateView>;
  show(id: string): Promise<UpdateView>;
  list(): Promise<UpdateList>;
  /** Ends it after the worker under way. */
  stop(id: string): Promise<UpdateView>;
  /** The version of the dispatcher. */
  version(): Promise<string>;
  /** What lies at `/download/NAME`, as text: sums, a manifest, its signature. */
  text(name: string): Promise<string>;
  /** The program for a target, its body unread. */
  program(target: string): Promise<Response>;
}

/** Preparing programs may take the dispatcher this long, ms. */
const startMs = 10 * 60_000;

/** The calls over `connection`. Starts nothing. */
export function updateClient(connection: Connection): UpdateClient {
  const path = '/api/v1/updates';
  const of = (id: string): string => `${path}/${encodeURIComponent(id)}`;
  const headers = { 'content-type': 'application/json' };
  const download = (name: string): string => `/download/${encodeURIComponent(name)}`;
  return {
    start: (request) =>
      exchangeJson(connection, { method: 'POST', path, headers, body: JSON.stringify(request), timeoutMs: startMs }),
    show: (id) => exchangeJson(connection, { method: 'GET', path: of(id) }),
    list: () => exchangeJson(connection, { method: 'GET', path }),
    stop: (id) => exchangeJson(connection, { method: 'DELETE', path: of(id) }),
    async version() {
      return (await exchangeJson<{ version: string }>(connection, { method: 'GET', path: '/health' })).version;
    },
    text: (name) => exchangeText(connection, { method: 'GET', path: download(name) }),
    program: (target) => exchange(connection, { method: 'GET', path: download(target), timeoutMs: startMs }),
  };
}
