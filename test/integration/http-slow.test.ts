/** The server under clients that say little, slowly, or far too much: what they cost, and whether others notice. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Subprocess } from 'bun';

/** Connections of each slow kind. */
const crowd = 200;
/** A connection without a whole header is ended within this, ms: 10 s and the coarseness of the server's clock. */
const slowEndsMs = 16_000;
const memoryGrowthMax = 48 * 1024 ** 2;

let server: Subprocess<'ignore', 'pipe', 'inherit'>;
let port = 0;

beforeAll(async () => {
  const command = [process.execPath, join(import.meta.dir, 'http-child.ts')];
  server = Bun.spawn(command, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' });
  for await (const chunk of server.stdout) {
    port = Number(new TextDecoder().decode(chunk));
    break;
  }
});

afterAll(async () => {
  server.kill('SIGKILL');
  await server.exited;
});

/** A connection that is never read faster than needed, and when it ended. */
interface Peer {
  readonly socket: Socket;
  readonly text: () => string;
  /** ms after its start. */
  readonly ended: Promise<number>;
}

function peer(first: string): Promise<Peer> {
  const startedAt = performance.now();
  let text = '';
  const socket = connect(port, '127.0.0.1');
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  // A connection that the other side resets ends as well.
  socket.on('error', () => {});
  const ended = new Promise<number>((resolve) => {
    socket.once('close', () => resolve(performance.now() - startedAt));
  });
  return new Promise((resolve) => {
    socket.once('connect', () => {
      if (first !== '') socket.write(first);
      resolve({ socket, text: () => text, ended });
    });
  });
}

function memoryBytes(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) * 1024;
}

async function honestMs(): Promise<number> {
  const startedAt = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}/`, { keepalive: false, signal: AbortSignal.timeout(5000) });
  expect(await response.text()).toBe('well');
  return performance.now() - startedAt;
}

describe.skipIf(process.platform !== 'linux')('slow clients', () => {
  test('serveHttp() ends connections without a whole header, and answers others meanwhile', async () => {
    const before = memoryBytes();
    const header = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ';
    const firsts = ['', 'GET /wel', header, 'POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n'];
    const peers: Peer[] = [];
    for (const first of firsts) {
      peers.push(...(await Promise.all(Array.from({ length: crowd }, () => peer(first)))));
    }
    const trickle = setInterval(() => {
      for (const { socket } of peers.slice(2 * crowd, 3 * crowd)) if (socket.writable) socket.write('a');
    }, 1000);
    let open = peers.length;
    for (const { ended } of peers) void ended.then(() => open--);
    while (open > 0) {
      expect(await honestMs()).toBeLessThan(1000);
      expect(memoryBytes() - before).toBeLessThan(memoryGrowthMax);
      await Bun.sleep(500);
    }
    clearInterval(trickle);
    const times = await Promise.all(peers.map(({ ended }) => ended));
    expect(Math.max(...times)).toBeLessThan(slowEndsMs);
    expect(Math.min(...times)).toBeGreaterThan(5000);
  }, 60_000);

  test('serveHttp() ends the connection of a refused request whose body goes on and on', async () => {
    for (const length of ['Transfer-Encoding: chunked', 'Content-Length: 1000000000']) {
      const { socket, text, ended } = await peer(`POST /refused HTTP/1.1\r\nHost: x\r\n${length}\r\n\r\n`);
      await ended;
      expect(text()).toStartWith('HTTP/1.1 401 ');
      expect(socket.bytesWritten).toBeLessThan(1000);
    }
  });

  test('serveHttp() lets the sender of a long body hear that it is refused', async () => {
    for (let round = 0; round < 5; round++) {
      const request = { method: 'POST', body: new Uint8Array(10_000_000), keepalive: false };
      expect((await fetch(`http://127.0.0.1:${port}/refused`, request)).status).toBe(401);
    }
  });

  test('serveHttp() ends the connection when a body that nobody reads goes on and on', async () => {
    const { socket, text, ended } = await peer('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    socket.write(`10000\r\n${'a'.repeat(65_536)}\r\n`);
    await ended;
    expect(text()).toStartWith('HTTP/1.1 200 ');
  });

  test('serveHttp() keeps the connection of a refused request with a short body', async () => {
    const { socket, text } = await peer('POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc');
    while (!text().includes('\r\n\r\nno')) await Bun.sleep(5);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    while (!text().endsWith('well')) await Bun.sleep(5);
    socket.destroy();
  });

  test('serveHttp() reads a long body that is wanted, and keeps the connection', async () => {
    const { socket, text } = await peer(
      `POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n${'a'.repeat(100_000)}`,
    );
    while (!text().endsWith('100000')) await Bun.sleep(5);
    expect(text().toLowerCase()).not.toContain('connection: close');
    socket.destroy();
  });

  test.each([
    ['an address of 256 KB', `GET /${'a'.repeat(262_144)} HTTP/1.1\r\nHost: x\r\n\r\n`],
    ['a header of 1 MB that does not end', `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(1024 ** 2)}`],
    ['5,000 header lines', `GET / HTTP/1.1\r\nHost: x\r\n${'X-Many: a\r\n'.repeat(5000)}\r\n`],
  ])('serveHttp() answers 431 to %s', async (_what, request) => {
    const { text, ended } = await peer(request);
    await ended;
    expect(text()).toStartWith('HTTP/1.1 431 ');
    expect(await honestMs()).toBeLessThan(1000);
  });

  test('serveHttp() ends a connection that sends requests and takes no answers', async () => {
    const before = memoryBytes();
    const { socket, ended } = await peer('');
    socket.pause();
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    const requests = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2000);
    while (!isOver && socket.bytesWritten < 200_000_000) {
      if (socket.writable && !socket.writableNeedDrain) socket.write(requests);
      await Bun.sleep(0);
    }
    expect(isOver).toBe(true);
    expect(memoryBytes() - before).toBeLessThan(memoryGrowthMax);
  });
});
