/** The API behind a real server on loopback: limits on real sockets, back-pressure, disconnects, ports, the way down. */

import { afterEach, describe, expect, test } from 'bun:test';
import { connect, type Socket } from 'node:net';
import { limits } from '../../src/api/limits.ts';
import { type HttpAddress, type HttpServer, serveHttp } from '../../src/runtime/http.ts';
import { entry, type Harness, harness } from '../unit/api/fake.ts';

const id = '000000000001';
const servers: HttpServer[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await server.stop(0);
});

function serve(api: Harness, more: Partial<HttpAddress> = {}): HttpServer {
  const address = { host: '127.0.0.1', port: 0, bodyBytesMax: 2 * limits.bodyBytesMax, ...more };
  const server = serveHttp((request, peer) => api.app.fetch(request, peer), address);
  servers.push(server);
  return server;
}

async function started(): Promise<Harness & { server: HttpServer; url: string }> {
  const api = harness();
  await api.call('POST', '/api/v1/tasks', { command: 'true' });
  const server = serve(api);
  return { ...api, server, url: server.url };
}

/** Waits for a condition that others bring about; fails after 5 s. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await Bun.sleep(2);
  }
}

/** Sends raw text and gives the socket, which is not read from until told. */
function rawRequest(server: HttpServer, text: string): Socket {
  const socket = connect(server.port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(text);
  return socket;
}

const getOf = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

describe('serveHttp()', () => {
  test('serves the API, which knows that the caller is on this machine', async () => {
    const { url, backend } = await started();
    const response = await fetch(`${url}/api/v1/tasks`, {
      method: 'POST',
      body: JSON.stringify({ command: 'uname' }),
      headers: { 'content-type': 'application/json' },
    });
    expect(response.status).toBe(201);
    expect(backend.submissions.at(-1)?.actor).toEqual({ name: 'local', role: 'admin', from: '127.0.0.1' });
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  test('says in one sentence that a port is in use', async () => {
    const { server } = await started();
    const again = () => serve(harness(), { port: server.port });
    expect(again).toThrow(`Cannot listen on 127.0.0.1:${server.port} for HTTP: another program uses that port.`);
    expect(again).toThrow(expect.objectContaining({ code: 'in_use' }));
  });

  test('says that an address cannot be listened on', () => {
    expect(() => serve(harness(), { host: '203.0.113.7' })).toThrow(expect.objectContaining({ name: 'OctasklyError' }));
  });

  test('stops: requests in progress may end, streams without end are cut', async () => {
    const { server, url, backend } = await started();
    const response = await fetch(`${url}/api/v1/events`);
    await server.stop(10);
    await expect(response.text()).rejects.toThrow();
    await until(() => backend.subscribers.size === 0, 'the subscription ends');
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });

  test('lets an answer in progress end when it stops', async () => {
    const { server, url, backend } = await started();
    backend.cursor.push('begun ');
    const response = await fetch(`${url}/api/v1/tasks/${id}/output?follow=true`);
    const stopped = server.stop(5000);
    backend.cursor.push('done');
    backend.cursor.end();
    expect(await response.text()).toBe('begun done');
    await stopped;
  });
});

describe('the API on a socket', () => {
  test('refuses a declared and an undeclared body that is too large with a problem document', async () => {
    const { url, backend } = await started();
    const piece = new Uint8Array(1024 * 1024).fill(0x20);
    let left = limits.bodyBytesMax / piece.length + 2;
    const undeclared = new ReadableStream<Uint8Array>({
      pull: (controller) => (left-- > 0 ? controller.enqueue(piece) : controller.close()),
    });
    for (const body of [new Uint8Array(limits.bodyBytesMax + 1).fill(0x20), undeclared]) {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}/api/v1/tasks`, { method: 'POST', body, headers });
      expect([response.status, response.headers.get('content-type')]).toEqual([413, 'application/problem+json']);
      expect(await response.json()).toMatchObject({ type: 'urn:octaskly:problem:too_large' });
    }
    expect(backend.submissions).toHaveLength(1);
  });

  test.each([
    ['another name', 'HTTP/1.1\r\nHost: evil.example', '403'],
    ['two of them', 'HTTP/1.1\r\nHost: localhost\r\nHost: evil.example', '400'],
    ['two that are equal', 'HTTP/1.1\r\nHost: localhost\r\nHost: localhost', '400'],
    ['none', 'HTTP/1.0', '400'],
    ['an empty one', 'HTTP/1.1\r\nHost:', '403'],
    ['its own', 'HTTP/1.1\r\nHost: LocalHost:80', '200'],
  ])('checks the Host a client really sends: %s', async (_what, head, status) => {
    const { server } = await started();
    const socket = rawRequest(server, `GET /health ${head}\r\nConnection: close\r\n\r\n`);
    let text = '';
    socket.on('data', (data) => {
      text += String(data);
    });
    socket.resume();
    await until(() => text.includes('}'), 'the answer arrives');
    expect(text).toStartWith(`HTTP/1.1 ${status}`);
    expect(text.toLowerCase()).toContain('\r\nx-content-type-options: nosniff\r\n');
  });

  test('passes large output unaltered', async () => {
    const { url, backend } = await started();
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    for (let n = 0; n < 64; n++) backend.cursor.push(bytes);
    backend.cursor.end();
    const received = new Uint8Array(await (await fetch(`${url}/api/v1/tasks/${id}/output`)).arrayBuffer());
    const hash = (data: Uint8Array) => Bun.hash(data);
    expect(received.length).toBe(64 * bytes.length);
    for (let n = 0; n < 64; n++) {
      expect(hash(received.subarray(n * bytes.length, (n + 1) * bytes.length))).toBe(hash(bytes));
    }
  });

  test('reads no further from a task when the client stops reading, and closes when it leaves', async () => {
    const { server, backend } = await started();
    const total = 64 * 1024 * 1024;
    for (let sent = 0; sent < total; sent += 1024 * 1024) backend.cursor.push(new Uint8Array(1024 * 1024));
    const socket = rawRequest(server, getOf(`/api/v1/tasks/${id}/output?follow=true`));
    let before = -1;
    await until(() => {
      const still = backend.cursor.bytesRead > 0 && backend.cursor.bytesRead === before;
      before = backend.cursor.bytesRead;
      return still;
    }, 'reading stops');
    expect(backend.cursor.bytesRead).toBeLessThan(total / 2);
    expect(backend.cursor.closes).toBe(0);
    socket.destroy();
    await until(() => backend.cursor.closes === 1, 'the cursor is closed');
  });

  test('closes a follow when the client leaves while nothing comes', async () => {
    const { server, backend } = await started();
    const socket = rawRequest(server, getOf(`/api/v1/tasks/${id}/output?follow=true`));
    await until(() => backend.cursor.waits > 0, 'the follow waits');
    socket.destroy();
    await until(() => backend.cursor.closes === 1, 'the cursor is closed');
  });

  test('streams events as they happen and unsubscribes when the client leaves', async () => {
    const { server, backend } = await started();
    const socket = rawRequest(server, getOf('/api/v1/events'));
    let text = '';
    socket.on('data', (data) => {
      text += String(data);
    });
    socket.resume();
    await until(() => text.includes('retry: 1000'), 'the stream stands');
    backend.publish(entry(41));
    await until(() => text.includes('id: 41\nevent: task\n'), 'the event arrives');
    socket.destroy();
    await until(() => backend.subscribers.size === 0, 'the subscription ends');
  });

  test('ends a reader of events that stops reading', async () => {
    const { server, backend } = await started();
    rawRequest(server, getOf('/api/v1/events'));
    await until(() => backend.subscribers.size === 1, 'the stream stands');
    const large = entry(1);
    const event = { ...large.event, detail: 'x'.repeat(256 * 1024) };
    for (let n = 0; backend.subscribers.size > 0 && n < 400; n++) {
      backend.publish({ id: String(n), event, owner: null });
      backend.feed.length = 0;
      await Bun.sleep(1);
    }
    expect(backend.subscribers.size).toBe(0);
  });
});
