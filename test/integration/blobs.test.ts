/** Blobs over real HTTP with the real client: broken, doubled, wrong and large uploads; downloads that go on. */

import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '../../src/api/limits.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import type { BlobReceiver } from '../../src/ports/files.ts';
import { type HttpServer, serveHttp } from '../../src/runtime/http.ts';
import { blobOf } from '../memory-blobs.ts';
import { type Harness, harness } from '../unit/api/fake.ts';
import { problem } from '../unit/cli/dispatcher.ts';

const servers: HttpServer[] = [];
const content = new Uint8Array(3_000_000).map((_, at) => (at * 7919) >> 3);
const blob = blobOf(content);

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(0);
});

interface Site extends Harness {
  readonly server: HttpServer;
  readonly client: Client;
  /** Requests so far, as `PUT bytes 0-9/10`. */
  readonly requests: string[];
}

/** `tamper` may answer in the place of the API. */
function site(tamper: (request: Request) => Response | null = () => null): Site {
  const api = harness();
  const requests: string[] = [];
  const server = serveHttp(
    (request, peer) => {
      requests.push(`${request.method} ${request.headers.get('content-range') ?? request.headers.get('range') ?? ''}`);
      return tamper(request) ?? api.app.fetch(request, peer);
    },
    { host: '127.0.0.1', port: 0, bodyBytesMax: limits.blobBytesMax },
  );
  servers.push(server);
  return { ...api, server, requests, client: createClient({ baseUrl: server.url, sleep: () => Bun.sleep(1) }) };
}

/** Waits for a condition that others bring about; fails after 5 s. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await Bun.sleep(2);
  }
}

/** Starts an upload, sends its first bytes, and gives what breaks it. */
async function beginUpload({ server, backend }: Site, bytes: number): Promise<() => void> {
  const socket = connect(server.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(
    `PUT /api/v1/blobs/${blob} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: ${content.length}\r\n\r\n`,
  );
  socket.write(content.subarray(0, bytes));
  await until(() => backend.blobs.received(blob) === bytes, 'the first bytes are there');
  return () => socket.destroy();
}

const whole = { from: 0, total: content.length };

describe('putBlob()', () => {
  test('uploads bytes, files and streams, whole and in parts', async () => {
    const { client, backend } = site();
    expect(await client.putBlob(blob, content, whole)).toEqual({ received: content.length, stored: true });
    expect(await client.putBlob(blob, content, whole)).toEqual({ received: content.length, stored: true });
    backend.blobs.lose(blob);
    const stream = new Response(content).body ?? new ReadableStream();
    expect((await client.putBlob(blob, stream, whole)).stored).toBe(true);
    backend.blobs.lose(blob);
    for (let from = 0; from < content.length; from += 1_000_000) {
      const part = new Blob([content.subarray(from, from + 1_000_000)]);
      const state = await client.putBlob(blob, part, { from, total: content.length });
      expect(state).toEqual({ received: from + part.size, stored: from + part.size === content.length });
    }
    expect(backend.blobs.read(blob, 0, content.length)).toEqual(content);
    const empty = blobOf(new Uint8Array(0));
    expect((await client.putBlob(empty, new Uint8Array(0), { from: 0, total: 0 })).stored).toBe(true);
  });

  test('goes on where a broken upload stopped', async () => {
    const here = site();
    const breakOff = await beginUpload(here, 1_000_000);
    breakOff();
    await until(() => here.errors.length === 0 && here.backend.blobs.received(blob) === 1_000_000, 'it is kept');
    const [missing] = await here.client.missingBlobs([blob]);
    expect(missing).toEqual({ blob, received: 1_000_000 });
    const from = missing?.received ?? 0;
    expect((await here.client.putBlob(blob, content.subarray(from), { from, total: content.length })).stored).toBe(
      true,
    );
    expect(here.backend.blobs.read(blob, 0, content.length)).toEqual(content);
  });

  test('waits for another upload of the same blob that breaks off, and goes on from there', async () => {
    const here = site();
    const breakOff = await beginUpload(here, 1_000_000);
    const second = here.client.putBlob(blob, content, whole);
    await until(() => here.requests.filter((request) => request.startsWith('PUT')).length > 1, 'the second one came');
    breakOff();
    expect((await second).stored).toBe(true);
    expect(here.requests.at(-1)).toBe(`PUT bytes 1000000-2999999/3000000`);
  });

  test('lets several upload the same blob at once', async () => {
    const { client, backend } = site();
    const results = await Promise.all([1, 2, 3].map(() => client.putBlob(blob, content, whole)));
    expect(results.map(({ stored }) => stored)).toEqual([true, true, true]);
    expect(backend.blobs.read(blob, 0, content.length)).toEqual(content);
  });

  test('tells a wrong hash from a broken line, and a gap from both', async () => {
    const { client, backend, requests } = site();
    const wrong = `sha256:${'0'.repeat(64)}`;
    await expect(client.putBlob(wrong, content, whole)).rejects.toMatchObject({ code: 'invalid' });
    expect([requests.length, backend.blobs.size(wrong), backend.blobs.received(wrong)]).toEqual([1, null, 0]);
    const gap = client.putBlob(blob, content.subarray(5), { from: 5, total: content.length });
    await expect(gap).rejects.toMatchObject({ code: 'conflict' });
    const long = client.putBlob(blob, content, { from: 1, total: content.length });
    await expect(long).rejects.toMatchObject({ code: 'usage' });
  });

  test('gives up on a dispatcher that stores nothing', async () => {
    const { client, requests } = site(({ method }) =>
      method === 'PUT' ? problem(503, 'shutting_down', 'Away.') : null,
    );
    await expect(client.putBlob(blob, content, whole)).rejects.toMatchObject({ code: 'shutting_down' });
    expect(requests.length).toBeLessThan(30);
  });

  test('of a large file keeps the memory flat', async () => {
    const here = site();
    const folder = mkdtempSync(join(tmpdir(), 'octaskly-blobs-'));
    try {
      const bytes = 200 * 1024 * 1024;
      const file = join(folder, 'sparse');
      writeFileSync(file, '');
      truncateSync(file, bytes);
      let received = 0;
      const receiver: BlobReceiver = {
        get received() {
          return received;
        },
        write: (data) => {
          received += data.length;
        },
        finish: () => Promise.resolve(true),
        suspend: () => undefined,
      };
      here.backend.blobs.receive = () => receiver;
      Bun.gc(true);
      const before = process.memoryUsage().rss;
      let peak = before;
      const watch = setInterval(() => {
        // What is held counts, not what the collector has not come by for yet.
        Bun.gc(true);
        peak = Math.max(peak, process.memoryUsage().rss);
      }, 10);
      const { stored } = await here.client.putBlob(blob, Bun.file(file), { from: 0, total: bytes });
      clearInterval(watch);
      expect([stored, received]).toEqual([true, bytes]);
      expect(peak - before).toBeLessThan(96 * 1024 * 1024);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 30_000);
});

const node = Bun.which('node');

test.skipIf(node === null)(
  'putBlob() and blob() work on Node (skipped without node)',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'octaskly-blobs-'));
    try {
      const script = join(import.meta.dir, 'blob-script.ts');
      const built = await Bun.build({ entrypoints: [script], target: 'node', outdir: folder, naming: 'script.mjs' });
      expect(built.success).toBe(true);
      const text = 'sent by another runtime';
      const argv = [site().server.url, blobOf(new TextEncoder().encode(text)), text];
      const child = Bun.spawn([node ?? '', join(folder, 'script.mjs'), ...argv], { stdout: 'pipe', stderr: 'inherit' });
      expect(await new Response(child.stdout).text()).toBe(`${JSON.stringify([4, true, true, text])}\n`);
      expect(await child.exited).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  20_000,
);

test('an upload that is not wanted costs no memory and leaves the connection in order', async () => {
  const { server, backend } = site();
  const zeros = new Uint8Array(64 * 1024 * 1024);
  const answer = await fetch(`${server.url}/api/v1/tasks`, {
    ...{ method: 'POST', body: zeros, headers: { 'content-type': 'application/json' } },
  });
  expect(answer.status).toBe(413);
  backend.blobs.add(content);
  for (let n = 0; n < 3; n++) {
    const again = await fetch(`${server.url}/api/v1/blobs/${blob}`, { method: 'PUT', body: content });
    expect([again.status, ((await again.json()) as { stored: boolean }).stored]).toEqual([200, true]);
  }
});

describe('blob() and outputFile()', () => {
  async function read(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  test('give bytes and the size of the whole, from anywhere', async () => {
    const { client, backend } = site();
    backend.blobs.add(content);
    const all = await client.blob(blob);
    expect(all.bytes).toBe(content.length);
    expect(await read(all.stream)).toEqual(content);
    const rest = await client.blob(blob, { from: 2_999_990 });
    expect([rest.bytes, (await read(rest.stream)).length]).toEqual([3_000_000, 10]);
    const empty = await client.blob(backend.blobs.add(new Uint8Array(0)));
    expect([empty.bytes, (await read(empty.stream)).length]).toEqual([0, 0]);
    await expect(client.blob(`sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({ code: 'not_found' });
    await expect(client.blob(blob, { from: 3_000_000 })).rejects.toMatchObject({ code: 'range_not_satisfiable' });
  });

  test('go on at the byte where the connection broke', async () => {
    let breaks = 2;
    const here = site(({ headers }) => {
      const from = Number(/^bytes=(\d+)-$/.exec(headers.get('range') ?? '')?.[1]);
      if (breaks-- <= 0) return null;
      // An answer that ends in good order, but too early.
      const body = content.subarray(from, from + 700_000);
      return new Response(body, { status: 206, headers: { 'content-range': `bytes ${from}-2999999/3000000` } });
    });
    here.backend.blobs.add(content);
    const { bytes, stream } = await here.client.blob(blob);
    expect([bytes, await read(stream)]).toEqual([3_000_000, content]);
    expect(here.requests).toHaveLength(3);
    expect(here.requests.at(-1)).not.toBe('GET bytes=0-');
  });

  test('find a file by its path', async () => {
    const { call, client, backend } = site();
    await call('POST', '/api/v1/tasks', { command: 'true' });
    backend.blobs.add(content);
    const file = { path: 'a b/c%d?#.bin', blob, bytes: content.length, executable: false };
    backend.collected = { files: [file], problems: ['p'] };
    const found = await client.outputFiles('000000000001');
    expect([found.outputs, found.problems]).toEqual([[{ ...file, at: null }], ['p']]);
    const { stream } = await client.outputFile('000000000001', file.path);
    expect(await read(stream)).toEqual(content);
    await expect(client.outputFile('000000000001', '../x')).rejects.toMatchObject({ code: 'not_found' });
  });
});
