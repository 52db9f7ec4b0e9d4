/** A server on loopback that takes notifications, as a test wants it to, and keeps what came in. */

import type { IncomingHttpHeaders } from 'node:http';

export interface Taken {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver {
  /** Without a slash at its end. */
  readonly url: string;
  readonly taken: readonly Taken[];
  /** Answers the next requests with these statuses, then with 200 again. */
  failNext(...statuses: readonly number[]): void;
  close(): void;
}

/** Listens on a free port. A redirect it answers with leads to its own `/redirected`. */
export function openReceiver(): Receiver {
  const taken: Taken[] = [];
  const next: number[] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      taken.push({ path: pathname, headers: Object.fromEntries(request.headers), body: await request.text() });
      const status = next.shift() ?? 200;
      return new Response('x'.repeat(1000), { status, headers: { location: '/redirected' } });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    taken,
    failNext: (...statuses) => next.push(...statuses),
    close: () => void server.stop(true),
  };
}
