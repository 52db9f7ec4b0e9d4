/** Blobs over the API: upload whole and in parts, questions, ranges; and the files a task left. */

import { describe, expect, test } from 'bun:test';
import { OctasklyError } from '../../../src/base/errors.ts';
import { blobOf } from '../../memory-blobs.ts';
import { type Harness, harness } from './fake.ts';

const bytes = new TextEncoder().encode('the content of a file');
const blob = blobOf(bytes);
const path = `/api/v1/blobs/${blob.slice(7)}`;

function part(from: number, end: number, total = bytes.length): [Uint8Array, Record<string, string>] {
  return [bytes.slice(from, end), { 'content-range': `bytes ${from}-${end - 1}/${total}` }];
}

/** A harness whose requests say how long they are, as a server's do. */
function sized(): Harness {
  const inner = harness();
  return {
    ...inner,
    call: (method, where, body, headers = {}) => {
      const length = body instanceof Uint8Array ? { 'content-length': String(body.length) } : {};
      return inner.call(method, where, body, { ...length, ...headers });
    },
  };
}

describe('PUT /blobs/{hash}', () => {
  test('stores what has the hash, and says when it is here already', async () => {
    const { call, backend } = sized();
    const first = await call('PUT', path, bytes);
    expect(first.status).toBe(201);
    expect(await first.json()).toEqual({ blob, bytes: 21, received: 21, stored: true });
    expect(backend.blobs.size(blob)).toBe(21);
    expect((await call('PUT', `/api/v1/blobs/${blob.toUpperCase().replace('SHA', 'sha')}`, bytes)).status).toBe(200);
    expect((await call('PUT', path, bytes.slice(1))).status).toBe(422);
  });

  test('stores the empty blob', async () => {
    const empty = blobOf(new Uint8Array(0));
    const { call, backend } = sized();
    expect((await call('PUT', `/api/v1/blobs/${empty}`)).status).toBe(201);
    expect(backend.blobs.size(empty)).toBe(0);
  });

  test('takes parts in order, skips what came before, and says where to go on', async () => {
    const { call, backend } = sized();
    const first = await call('PUT', path, ...part(0, 8));
    expect([first.status, first.headers.get('upload-offset')]).toEqual([202, '8']);
    expect(await first.json()).toEqual({ blob, bytes: 21, received: 8, stored: false });
    const ahead = await call('PUT', path, ...part(9, 21));
    expect([ahead.status, ahead.headers.get('upload-offset')]).toEqual([409, '8']);
    const head = await call('HEAD', path);
    expect([head.status, head.headers.get('upload-offset')]).toEqual([404, '8']);
    expect((await call('PUT', path, ...part(4, 12))).headers.get('upload-offset')).toBe('12');
    expect((await call('PUT', path, bytes)).status).toBe(201);
    expect(backend.blobs.read(blob, 0, 99)).toEqual(bytes);
  });

  test('replaces what was cut short at rest, and nothing that is whole', async () => {
    const { call, backend } = sized();
    backend.blobs.blobs.set(blob, bytes.slice(0, 5));
    expect((await call('PUT', path, bytes)).status).toBe(201);
    expect(backend.blobs.read(blob, 0, 99)).toEqual(bytes);
    expect((await call('PUT', path, bytes.slice(0, 5))).status).toBe(422);
    expect(backend.blobs.size(blob)).toBe(21);
  });

  test('goes on with no part of another total; at byte 0 that begins anew', async () => {
    const { call } = sized();
    expect((await call('PUT', path, ...part(0, 8, 30))).status).toBe(202);
    const other = await call('PUT', path, ...part(8, 12));
    expect([other.status, other.headers.get('upload-offset')]).toEqual([409, '0']);
    expect((await call('PUT', path, ...part(0, 12))).headers.get('upload-offset')).toBe('12');
    expect((await call('PUT', path, ...part(12, 21))).status).toBe(201);
  });

  test('keeps nothing of bytes with another hash', async () => {
    const { call, backend } = sized();
    const wrong = await call('PUT', path, bytes.slice().reverse());
    expect(wrong.status).toBe(422);
    expect([backend.blobs.size(blob), backend.blobs.received(blob)]).toEqual([null, 0]);
  });

  test('keeps what came of a body that breaks off', async () => {
    const { app, backend } = harness();
    let pulls = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) =>
        pulls++ === 0 ? controller.enqueue(bytes.slice(0, 5)) : controller.error(new Error('gone')),
    });
    const headers = { 'content-range': 'bytes 0-20/21' };
    const answer = await app.request(
      path,
      { method: 'PUT', body, headers: { host: 'localhost', ...headers } },
      { remote: '127.0.0.1' },
    );
    expect([answer.status, backend.blobs.received(blob)]).toEqual([400, 5]);
    expect((await sized().call('PUT', path, bytes.slice(0, 3), part(0, 8)[1])).status).toBe(400);
  });

  test('refuses a second upload of the same blob while one is under way', async () => {
    const { call, app, backend } = sized();
    let more: () => void = () => undefined;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes.slice(0, 5));
        more = () => {
          controller.enqueue(bytes.slice(5));
          controller.close();
        };
      },
    });
    const headers = { 'content-length': '21' };
    const first = app.request(
      path,
      { method: 'PUT', body, headers: { host: 'localhost', ...headers } },
      { remote: '127.0.0.1' },
    );
    while (backend.blobs.received(blob) < 5) await Promise.resolve();
    expect((await call('PUT', path, bytes)).status).toBe(409);
    more();
    expect((await first).status).toBe(201);
  });

  test('says what is wrong with the request', async () => {
    const { call, app, backend } = sized();
    expect((await call('PUT', '/api/v1/blobs/xyz', bytes)).status).toBe(404);
    expect((await call('PUT', path, bytes, { 'content-range': 'bytes 0-4/5' })).status).toBe(400);
    expect((await call('PUT', path, bytes, { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await call('PUT', path, ...part(0, 8, 2 ** 41))).status).toBe(413);
    const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.close() });
    const unknown = await app.request(
      path,
      { method: 'PUT', body, headers: { host: 'localhost' } },
      { remote: '127.0.0.1' },
    );
    expect([unknown.status, ((await unknown.json()) as { detail: string }).detail]).toEqual([
      400,
      'Cannot tell how large the blob is: send Content-Length, or Content-Range "bytes FROM-TO/TOTAL".',
    ]);
    backend.blobs.bytesMax = 5;
    expect((await call('PUT', path, bytes)).status).toBe(507);
  });

  test('is for those who may submit', async () => {
    const { call } = sized();
    const worker = { authorization: 'Bearer worker:w' };
    expect((await call('PUT', path, bytes, worker)).status).toBe(403);
    expect((await call('PUT', path, bytes, { authorization: 'Bearer client:c' })).status).toBe(201);
    expect((await call('GET', path, undefined, worker)).status).toBe(403);
  });
});

describe('GET /blobs/{hash}', () => {
  test('gives the bytes to be saved, whole and in ranges', async () => {
    const { call, backend } = harness();
    backend.blobs.add(bytes);
    const whole = await call('GET', path);
    expect(await whole.text()).toBe('the content of a file');
    expect(whole.headers.get('content-type')).toBe('application/octet-stream');
    expect(whole.headers.get('content-disposition')).toStartWith('attachment; filename="sha256-');
    expect(whole.headers.get('accept-ranges')).toBe('bytes');
    const etag = whole.headers.get('etag') ?? '';
    const some = await call('GET', path, undefined, { range: 'bytes=4-10' });
    expect([some.status, await some.text(), some.headers.get('content-range')]).toEqual([
      206,
      'content',
      'bytes 4-10/21',
    ]);
    const behind = await call('GET', path, undefined, { range: 'bytes=21-' });
    expect([behind.status, behind.headers.get('content-range')]).toEqual([416, 'bytes */21']);
    expect((await call('GET', path, undefined, { 'if-none-match': `"x", ${etag}` })).status).toBe(304);
    const other = await call('GET', path, undefined, { range: 'bytes=4-10', 'if-range': '"other"' });
    expect([other.status, await other.text()]).toEqual([200, 'the content of a file']);
    const head = await call('HEAD', path);
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '21', '']);
  });

  test('streams what is large, and breaks off when the blob does', async () => {
    const { call, backend } = harness();
    const large = new Uint8Array(1_000_000).map((_, at) => at % 251);
    const name = backend.blobs.add(large);
    const whole = await call('GET', `/api/v1/blobs/${name}`, undefined, { range: 'bytes=10-' });
    expect(new Uint8Array(await whole.arrayBuffer())).toEqual(large.subarray(10));
    const broken = await call('GET', `/api/v1/blobs/${name}`);
    backend.blobs.blobs.set(name, large.subarray(0, 300_000));
    await expect(broken.arrayBuffer()).rejects.toThrow('ends at 300000');
  });
});

test('POST /blobs/missing names what is not here, once, with what came of it', async () => {
  const { call, backend } = sized();
  await call('PUT', path, ...part(0, 8));
  const here = backend.blobs.add(new Uint8Array(3));
  const other = `sha256:${'0'.repeat(64)}`;
  const answer = await call('POST', '/api/v1/blobs/missing', { blobs: [here, blob, other, blob] });
  expect(await answer.json()).toEqual({
    missing: [
      { blob, received: 8 },
      { blob: other, received: 0 },
    ],
  });
  expect((await call('POST', '/api/v1/blobs/missing', { blobs: ['x'] })).status).toBe(422);
});

describe('GET /tasks/{id}/outputs', () => {
  async function collected(...paths: string[]): Promise<Harness> {
    const api = harness();
    await api.call('POST', '/api/v1/tasks', { command: 'true', outputs: ['**'] });
    const content = api.backend.blobs.add(bytes);
    const files = paths.map((path) => ({ path, blob: content, bytes: bytes.length, executable: false }));
    api.backend.collected = { files, problems: ['"pipe" is no regular file'] };
    return api;
  }
  const outputs = '/api/v1/tasks/000000000001/outputs';

  test('lists what was collected and why something was not', async () => {
    const { call } = await collected('a');
    const file = { path: 'a', blob, bytes: 21, executable: false, at: null };
    expect(await (await call('GET', outputs)).json()).toEqual({
      ...{ outputs: [file], problems: ['"pipe" is no regular file'], next_cursor: null },
    });
    expect((await call('GET', '/api/v1/tasks/000000000009/outputs')).status).toBe(404);
  });

  test('gives a file by its path, slashes and escapes included, never to be shown', async () => {
    const { call } = await collected('dir/päge "1".html', '100%', 'a b/c');
    const page = await call('GET', `${outputs}/dir/p%C3%A4ge%20%221%22.html`);
    expect([page.status, await page.text()]).toEqual([200, 'the content of a file']);
    expect(page.headers.get('content-type')).toBe('application/octet-stream');
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    expect(page.headers.get('content-disposition')).toBe(
      `attachment; filename="p_ge _1_.html"; filename*=UTF-8''p%C3%A4ge%20%221%22.html`,
    );
    for (const path of ['dir%2Fp%C3%A4ge%20%221%22.html', '100%25', 'a%20b/c']) {
      expect([path, (await call('GET', `${outputs}/${path}`)).status]).toEqual([path, 200]);
    }
    expect((await call('GET', `${outputs}/100%25`, undefined, { range: 'bytes=4-10' })).status).toBe(206);
  });

  test('finds nothing but what is in the list', async () => {
    const { call } = await collected('a');
    const names = [
      '..%2F..%2Fetc%2Fpasswd',
      '%2Fetc%2Fpasswd',
      'a%00',
      'a/',
      '.%2Fa',
      'b%2F..%2Fa',
      '%zz',
      'A',
      '%5Ca',
    ];
    for (const name of [...names, '../../../../etc/passwd']) {
      expect([name, (await call('GET', `${outputs}/${name}`)).status]).toEqual([name, 404]);
    }
  });

  test('says when the content is gone, or was cut short at rest', async () => {
    const { call, backend } = await collected('a');
    backend.blobs.blobs.set(blob, bytes.slice(0, 5));
    expect((await call('GET', `${outputs}/a`)).status).toBe(404);
    backend.blobs.lose(blob);
    expect((await call('GET', `${outputs}/a`)).status).toBe(404);
  });

  test('names the worker that keeps a file, and has it brought once somebody reads it', async () => {
    const { call, backend } = await collected('a');
    backend.blobs.lose(blob);
    backend.keeper = 'pi-2';
    backend.brought = bytes;
    expect(await (await call('GET', outputs)).json()).toMatchObject({ outputs: [{ path: 'a', at: 'pi-2' }] });
    const read = await call('GET', `${outputs}/a`, undefined, { range: 'bytes=4-10' });
    expect([read.status, await read.text()]).toEqual([206, 'content']);
    expect((await call('GET', `${outputs}/a`)).status).toBe(200);
    expect(backend.actions.filter((action) => action.startsWith('bring'))).toEqual([`bring ${blob}`]);
    backend.blobs.lose(blob);
    expect(await (await call('GET', `/api/v1/blobs/${blob}`)).text()).toBe('the content of a file');
  });

  test('says that the worker which keeps a file is away, or gone for good', async () => {
    const { call, backend } = await collected('a');
    backend.blobs.lose(blob);
    backend.keeper = 'pi-2';
    backend.failure = new OctasklyError('worker_away', 'It stayed with pi-2, which is not connected.');
    const away = await call('GET', `${outputs}/a`);
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await away.json()).toMatchObject({ detail: 'It stayed with pi-2, which is not connected.' });
    backend.failure = new OctasklyError('gone', 'It stayed with pi-2, which was shut out.');
    const gone = await call('GET', `${outputs}/a`);
    expect([gone.status, gone.headers.get('retry-after')]).toEqual([410, null]);
  });
});
