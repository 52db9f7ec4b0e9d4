/** The dispatcher in memory behind a real port of this machine. An answer whose body fails breaks its connection. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FakeDispatcher } from '../unit/cli/dispatcher.ts';

export interface FakeServer {
  readonly dispatcher: FakeDispatcher;
  readonly baseUrl: string;
  stop(): Promise<void>;
}

async function answer(dispatcher: FakeDispatcher, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part as Uint8Array);
  const bytes = Buffer.concat(parts);
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const headers = new Headers(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  const isBytes = headers.get('content-type') === 'application/octet-stream';
  const result = await dispatcher.fetch(`http://localhost${request.url}`, {
    ...{ method: request.method ?? 'GET', headers, signal: gone.signal },
    body: isBytes ? new Uint8Array(bytes) : bytes.toString(),
  });
  response.writeHead(result.status, Object.fromEntries(result.headers));
  try {
    for await (const chunk of result.body ?? []) response.write(chunk);
    response.end();
  } catch {
    response.destroy();
  }
}

export async function startFakeServer(): Promise<FakeServer> {
  const dispatcher = new FakeDispatcher();
  const server = createServer((request, response) => {
    answer(dispatcher, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    dispatcher,
    baseUrl: `http://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
