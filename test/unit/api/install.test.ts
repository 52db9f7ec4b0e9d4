import { describe, expect, test } from 'bun:test';
import { createApi } from '../../../src/api/app.ts';
import { DownloadPlaces } from '../../../src/api/download-places.ts';
import type { Installs } from '../../../src/api/installs.ts';
import { installRoutes } from '../../../src/api/routes/install.ts';
import { OctasklyError } from '../../../src/base/errors.ts';
import type { Log } from '../../../src/ports/time.ts';
import { harness } from './fake.ts';

const bytes = new Uint8Array(600_000).fill(7);

function installs(): Installs {
  return {
    script: (kind, base) => `${kind} of ${base}`,
    sums: async () => 'abc  linux-x64\n',
    program: async (target, form) => {
      if (target !== 'linux-x64') throw new OctasklyError('not_found', 'There is only linux-x64.');
      return { file: `${form}1`, size: bytes.length };
    },
    read: (_file, at, max) => bytes.subarray(at, at + max),
    signed: null,
    places: new DownloadPlaces({ steady: () => 0 }),
  };
}

describe('the install routes', () => {
  test('answer anybody, with the address the script was asked at', async () => {
    const { call } = harness({ installs: installs(), remote: '192.0.2.7', requireAuth: 'true' });
    const script = await call('GET', '/install.sh', undefined, { host: '192.0.2.1:3000' });
    expect([script.status, script.headers.get('content-type')]).toEqual([200, 'text/x-shellscript; charset=utf-8']);
    expect(await script.text()).toBe('sh of http://192.0.2.1:3000');
    expect(await (await call('GET', '/install.ps1')).text()).toBe('ps1 of http://localhost');
    expect(await (await call('GET', '/download/SHA256SUMS')).text()).toBe('abc  linux-x64\n');
    expect((await call('GET', '/download/manifest.json')).status).toBe(404);
    expect((await call('GET', '/install.sh', undefined, { host: "a'b" })).status).toBe(403);
    expect((await call('GET', '/install.sh', undefined, { host: 'evil.example' })).status).toBe(403);
  });

  test('give the program whole, in parts, gzipped, and its head alone', async () => {
    const { call } = harness({ installs: installs() });
    const whole = await call('GET', '/download/linux-x64');
    expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'application/octet-stream']);
    expect(await whole.bytes()).toEqual(bytes);
    const part = await call('GET', '/download/linux-x64', undefined, { range: 'bytes=10-19' });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 10-19/600000']);
    expect((await call('GET', '/download/linux-x64.gz')).headers.get('etag')).toBe('"gzip1"');
    const head = await call('HEAD', '/download/linux-x64');
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '600000', '']);
    expect((await call('GET', '/download/plan9')).status).toBe(404);
    expect((await call('GET', '/download/..%2f..%2fsecret')).status).toBe(404);
    expect((await call('POST', '/download/linux-x64')).status).toBe(405);
  });

  test('hold a place for a download until its last byte is taken or nobody wants it, and no longer', async () => {
    const given = installs();
    const { call } = harness({ installs: given });
    const open = await Promise.all([1, 2, 3].map(() => call('GET', '/download/linux-x64')));
    const refused = await call('GET', '/download/linux-x64');
    expect([refused.status, refused.headers.get('retry-after'), given.places.count]).toEqual([429, '3', 3]);
    await open[0]?.arrayBuffer();
    await open[1]?.body?.cancel();
    expect(given.places.count).toBe(1);
    await call('HEAD', '/download/linux-x64');
    await call('GET', '/download/plan9');
    expect(given.places.count).toBe(1);
  });

  test('tell the log what is wrong with a file, and whoever asks that it is', async () => {
    const logged: unknown[] = [];
    const given = installs();
    const fail = async (): Promise<never> => {
      throw new OctasklyError('io', 'Cannot read "/home/ada/.octaskly/dist/abc".');
    };
    const quiet = (): void => undefined;
    const warn: Log['warn'] = (_message, fields) => void logged.push(fields?.reason);
    const log: Log = { debug: quiet, info: quiet, warn, error: quiet };
    const { call } = harness({ installs: { ...given, sums: fail, program: fail }, log });
    for (const name of ['SHA256SUMS', 'linux-x64', 'linux-x64.gz']) {
      const answer = await call('GET', `/download/${name}`);
      const said = await answer.text();
      expect([answer.status, said.includes('ada'), said.includes('the log of the dispatcher')]).toEqual([
        500,
        false,
        true,
      ]);
    }
    expect(logged).toEqual(Array.from({ length: 3 }, () => 'Cannot read "/home/ada/.octaskly/dist/abc".'));
    expect(given.places.count).toBe(0);
  });

  test('say 404 where nothing is handed out', async () => {
    const { call } = harness();
    expect((await call('GET', '/install.sh')).status).toBe(404);
    expect((await call('GET', '/download/linux-x64')).status).toBe(404);
  });

  test('are all there is where they are served alone', async () => {
    const { backend, trust, clock } = harness();
    const quiet = (): void => undefined;
    const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const given = { version: '1', clock, log, sha256Hex: () => '', defaultTimeoutMs: 1, hosts: [], origins: [] };
    const more = { requireAuth: 'false', submitRate: 0, page: async () => null, denied: () => null } as const;
    const app = createApi(backend, trust, { ...given, ...more, installs: installs() }, installRoutes);
    const status = async (method: string, path: string): Promise<number> => {
      return (await app.request(path, { method, headers: { host: '192.0.2.1' } })).status;
    };
    expect(await status('GET', '/install.sh')).toBe(200);
    for (const path of ['/', '/health', '/metrics', '/openapi.json', '/docs', '/api/v1/tasks', '/api/v1/session']) {
      expect([path, await status('GET', path), await status('POST', path)]).toEqual([path, 404, 404]);
    }
  });
});

test('DownloadPlaces.ask() lets an address ask sixty times at once, and then says when to come back', () => {
  const places = new DownloadPlaces({ steady: () => 0 });
  for (let n = 0; n < 60; n++) places.ask('192.0.2.7');
  expect(() => places.ask('192.0.2.7')).toThrow('asks too often');
  expect(() => places.ask('192.0.2.8')).not.toThrow();
});

test('DownloadPlaces.take() gives eight places in all, three to one address', () => {
  const places = new DownloadPlaces({ steady: () => 0 });
  const ends = ['a', 'a', 'a', 'b', 'b', 'b', 'c', 'c'].map((from) => places.take(from));
  expect(() => places.take('d')).toThrow('Others download');
  expect(() => places.take('a')).toThrow('This address download');
  ends[0]?.();
  ends[0]?.();
  expect(places.count).toBe(7);
  places.take('d');
});
