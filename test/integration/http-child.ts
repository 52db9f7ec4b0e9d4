/** A server of its own process, for tests that measure it: prints its port; `/body` is read, `/refused` is not. */

import { serveHttp } from '../../src/runtime/http.ts';

const server = serveHttp(
  async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === '/refused') return new Response('no', { status: 401 });
    return new Response(pathname === '/body' ? `${(await request.arrayBuffer()).byteLength}` : 'well');
  },
  { host: '127.0.0.1', port: 0, bodyBytesMax: 1024 ** 3 },
);
process.stdout.write(`${server.port}\n`);
