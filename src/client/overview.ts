/**
 * Calls of pages that show the whole: a browser's session, pages of batches, the time line, the latest of the record, and
 * tasks handed in with their small files. Each is made once.
 */

import type { BatchList, TaskRequest, TaskView } from '../api/schemas.ts';
import type { Timeline } from '../api/timeline-schemas.ts';
import type { AuditEntryView, SessionView } from '../api/trust-schemas.ts';
import { type EventOptions, type News, readNews } from './events.ts';
import { type Connection, exchange, exchangeJson, query } from './http.ts';

/** A file that goes along with a task; `name` is its path in the task directory too. */
export interface FormFile {
  readonly name: string;
  readonly content: Blob;
}

export interface OverviewClient {
  /** Who one is, and what shows it. Error: `unauthorized`. */
  session(): Promise<SessionView>;
  /** Keeps the token in a cookie of the browser. Errors: `unauthorized`, `rate_limited`. */
  signIn(token: string): Promise<SessionView>;
  signOut(): Promise<void>;
  /** One page, newest first. */
  batches(page: { readonly limit: number; readonly cursor?: string | undefined }): Promise<BatchList>;
  /** What runs, and what ended at `since` (ISO 8601) or later. */
  timeline(since: string, limit: number): Promise<Timeline>;
  /** One page of the record, newest first. */
  latestAudit(page: {
    readonly type?: string | undefined;
    readonly actor?: string | undefined;
    readonly limit: number;
    readonly cursor?: number | undefined;
  }): Promise<{ readonly entries: readonly AuditEntryView[]; readonly next_cursor: number | null }>;
  /** What happened since an event, without holding a connection; see `readNews`. */
  news(options: EventOptions): Promise<News>;
  /** Submits a task whose `inputs` name the files. Errors: as `Client.submitTask`; `too_large`. */
  submitWithFiles(request: TaskRequest, files: readonly FormFile[], signal?: AbortSignal): Promise<TaskView>;
}

async function submitForm(
  connection: Connection,
  { request, files, signal }: { request: TaskRequest; files: readonly FormFile[]; signal: AbortSignal | undefined },
): Promise<TaskView> {
  const form = new FormData();
  form.set('task', JSON.stringify(request));
  for (const { name, content } of files) form.set(name, content, name);
  const encoded = new Response(form);
  return exchangeJson<TaskView>(connection, {
    method: 'POST',
    path: '/api/v1/tasks',
    headers: { 'content-type': encoded.headers.get('content-type') ?? '' },
    body: await encoded.blob(),
    // As long as it takes to send them.
    timeoutMs: null,
    signal,
  });
}

/** The calls over `connection`. Starts nothing. */
export function overviewClient(connection: Connection): OverviewClient {
  const path = '/api/v1/session';
  return {
    session: () => exchangeJson(connection, { method: 'GET', path }),
    signIn: (token) => {
      const headers = { 'content-type': 'application/json' };
      return exchangeJson(connection, { method: 'POST', path, headers, body: JSON.stringify({ token }) });
    },
    signOut: async () => void (await exchange(connection, { method: 'DELETE', path })),
    batches: (page) => exchangeJson(connection, { method: 'GET', path: `/api/v1/batches${query({ ...page })}` }),
    timeline: (since, limit) =>
      exchangeJson(connection, { method: 'GET', path: `/api/v1/timeline${query({ since, limit })}` }),
    latestAudit: (page) =>
      exchangeJson(connection, { method: 'GET', path: `/api/v1/audit${query({ ...page, order: 'newest' })}` }),
    news: (options) => readNews(connection, options),
    submitWithFiles: (request, files, signal) => submitForm(connection, { request, files, signal }),
  };
}
