/** Sessions of browsers: which cookie counts for which call, signing in and out; and the files a browser is shown. */

import { describe, expect, test } from 'bun:test';
import { type PageFile, pageSecurityPolicy } from '../../../src/api/pages.ts';
import { harness, worker } from './fake.ts';

const host = '10.0.0.1:3000';
const cookie = 'octaskly_3000=client:ann';
const own = { host, cookie };

describe('a call with a cookie', () => {
  const far = { remote: '10.0.0.9' };
  const page = 'http://10.0.0.1:3000';
  test.each([
    ['reads for its own page', 'GET', own, 200],
    ['reads where the browser says nothing of where from', 'GET', { ...own, 'sec-fetch-site': 'same-origin' }, 200],
    ['reads nothing with the cookie of another port', 'GET', { host, cookie: 'octaskly_8080=client:ann' }, 401],
    ['reads nothing with two cookies of the name', 'GET', { host, cookie: `${cookie}; ${cookie}` }, 401],
    ['reads nothing for a page on another port', 'GET', { ...own, 'sec-fetch-site': 'same-site' }, 403],
    ['changes for its own page', 'POST', { ...own, origin: page }, 201],
    ['changes with the word of the browser', 'POST', { ...own, 'sec-fetch-site': 'same-origin' }, 201],
    ['changes nothing for a page of the host by HTTPS', 'POST', { ...own, origin: 'https://10.0.0.1:3000' }, 403],
    ['changes nothing where nobody says from where', 'POST', own, 401],
    ['changes nothing for a page on another port', 'POST', { ...own, origin: 'http://10.0.0.1:8080' }, 403],
    ['changes nothing for an allowed foreign page', 'POST', { ...own, origin: 'https://panel.example:8443' }, 401],
  ])('%s', async (_name, method, headers, status) => {
    const { call } = harness(far);
    const body = method === 'POST' ? { command: 'true' } : undefined;
    expect((await call(method, '/api/v1/tasks', body, headers)).status).toBe(status);
  });

  test('that does not hold is on record and counted as a bad token is', async () => {
    const { call, trust } = harness(far);
    const bad = { host, cookie: 'octaskly_3000=nonsense' };
    const statuses = new Set<number>();
    for (let tries = 0; tries < 25; tries++) statuses.add((await call('GET', '/api/v1/tasks', undefined, bad)).status);
    expect([...statuses]).toEqual([401, 429]);
    expect(trust.refusals[0]).toMatchObject({ eventType: 'login_failed', from: '10.0.0.9' });
  });
});

describe('/api/v1/session', () => {
  test('keeps a good token in a cookie no script reads, and removes it again', async () => {
    const { call, trust } = harness({ remote: '10.0.0.9' });
    const headers = { host, origin: 'http://10.0.0.1:3000' };
    const made = await call('POST', '/api/v1/session', { token: 'client:ann' }, headers);
    expect([made.status, await made.json()]).toEqual([200, { name: 'ann', role: 'client', by: 'cookie' }]);
    expect(made.headers.get('set-cookie')).toBe('octaskly_3000=client:ann; Path=/; HttpOnly; SameSite=Strict');
    expect(trust.logins).toEqual([{ name: 'ann', role: 'client', from: '10.0.0.9' }]);
    const shown = await call('GET', '/api/v1/session', undefined, own);
    expect(await shown.json()).toEqual({ name: 'ann', role: 'client', by: 'cookie' });
    const ended = await call('DELETE', '/api/v1/session', undefined, { ...headers, cookie });
    expect([ended.status, ended.headers.get('set-cookie')]).toEqual([
      204,
      'octaskly_3000=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0',
    ]);
  });

  test('is Secure under HTTPS, and ends with the token', async () => {
    const { call, trust, clock } = harness();
    trust.verifyToken = () => ({ ok: true, name: 'ann', role: 'client', expiresAt: clock.wall() + 90_500 });
    const headers = { host: 'nas.local', origin: 'https://nas.local', 'x-forwarded-proto': 'https' };
    const made = await call('POST', '/api/v1/session', { token: 'x' }, headers);
    expect(made.headers.get('set-cookie')).toBe('octaskly=x; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=90');
  });

  test('says of a token for workers that there is nothing to see with it', async () => {
    const { call } = harness();
    const answer = await call('POST', '/api/v1/session', { token: 'worker:w1' });
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([403, null]);
    expect(JSON.stringify(await answer.json())).toContain('octaskly token create');
  });

  test('refuses, records and counts what is no good token, and sets no cookie', async () => {
    const { call, trust } = harness();
    for (const token of ['nobody', 'client:a; Domain=x', 'client:a\r\nx: y']) {
      const answer = await call('POST', '/api/v1/session', { token });
      expect([answer.status, answer.headers.get('set-cookie')]).toEqual([401, null]);
    }
    expect(trust.refusals.map(({ eventType }) => eventType)).toEqual(Array(3).fill('login_failed'));
    let status = 0;
    for (let tries = 0; tries < 25; tries++) status = (await call('POST', '/api/v1/session', { token: 'no' })).status;
    expect(status).toBe(429);
  });
});

describe('the files of pages', () => {
  const bytes = new TextEncoder().encode('let page = "octaskly";'.repeat(50));
  const file = (path: string, immutable: boolean): PageFile => {
    return { path, mediaType: 'text/javascript', bytes: async () => bytes, etag: '"1a"', immutable };
  };
  const files = [file('/', false), file('/x-1.js', true)];
  const { call } = harness({ page: async (path) => files.find((each) => each.path === path) ?? null });

  test('go to anybody, under the policy of pages, to be kept or asked for anew', async () => {
    const script = await call('GET', '/x-1.js', undefined, { host });
    expect(await script.bytes()).toEqual(bytes);
    const { headers } = script;
    expect(headers.get('content-security-policy')).toBe(pageSecurityPolicy);
    expect([headers.get('cache-control'), headers.get('x-frame-options')]).toEqual([
      'public, max-age=31536000, immutable',
      'DENY',
    ]);
    expect((await call('GET', '/')).headers.get('cache-control')).toBe('no-cache');
    expect(pageSecurityPolicy).not.toContain('unsafe');
  });

  test('go compressed to whoever takes that, under a tag of their own', async () => {
    const packed = await call('GET', '/x-1.js', undefined, { 'accept-encoding': 'br, gzip' });
    expect([packed.headers.get('content-encoding'), packed.headers.get('etag')]).toEqual(['gzip', '"1a-gzip"']);
    expect(Bun.gunzipSync(await packed.bytes())).toEqual(bytes);
    const plain = await call('GET', '/x-1.js', undefined, { 'accept-encoding': 'gzip;q=0' });
    expect(plain.headers.get('content-encoding')).toBeNull();
    for (const [accepted, coding] of [
      ['*', 'gzip'],
      ['br, *;q=0.5', 'gzip'],
      ['*;q=0', null],
      ['gzip;q=0, *', null],
    ] as const) {
      const answer = await call('GET', '/openapi.json', undefined, { 'accept-encoding': accepted });
      expect([accepted, answer.headers.get('content-encoding')]).toEqual([accepted, coding]);
      const bytes = await answer.bytes();
      expect(JSON.parse(new TextDecoder().decode(coding === null ? bytes : Bun.gunzipSync(bytes)))).toHaveProperty(
        'openapi',
      );
    }
  });

  test('have one name, and where there is none a person gets a page', async () => {
    const moved = await call('GET', '/index.html');
    expect([moved.status, moved.headers.get('location')]).toEqual([308, '/']);
    const page = await call('GET', '/<b>', undefined, { accept: 'text/html,*/*' });
    expect([page.status, page.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
    expect(await page.text()).not.toContain('<b>');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const program = await call('GET', '/nowhere');
    expect([program.status, program.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
  });

  test('are not sent again while they are the same, change nothing, and there are no others', async () => {
    expect((await call('GET', '/', undefined, { 'if-none-match': 'W/"1a"' })).status).toBe(304);
    expect((await call('GET', '/', undefined, { 'if-none-match': '"1b"' })).status).toBe(200);
    expect((await call('HEAD', '/')).body).toBeNull();
    const post = await call('POST', '/', {});
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await call('GET', '/y.js')).status).toBe(404);
    expect((await call('GET', '/', undefined, { host: 'evil.example' })).status).toBe(403);
  });
});

describe('what pages ask for', () => {
  const ann = { authorization: 'Bearer client:ann' };

  test('GET /batches lists newest first by the page, to a client its own', async () => {
    const { call, backend } = harness();
    for (const headers of [{}, ann, {}]) {
      await call('POST', '/api/v1/batches', { name: 'b', tasks: [{ command: 'true' }] }, headers);
    }
    const page = await (await call('GET', '/api/v1/batches?limit=2')).json();
    expect(page).toMatchObject({ batches: [{ size: 1 }, { owner: 'ann' }] });
    const rest = await (await call('GET', `/api/v1/batches?limit=2&cursor=${page.next_cursor}`)).json();
    expect([rest.batches.length, rest.next_cursor]).toEqual([1, null]);
    await call('GET', '/api/v1/batches', undefined, ann);
    expect(backend.batchPages.at(-1)?.[0]).toEqual({ owner: 'ann' });
  });

  test('GET /timeline gives what ended since, and asks for an instant', async () => {
    const { call, backend } = harness();
    const at = Date.parse('2026-05-01T12:00:00Z');
    const record = { taskId: '000000000001', attempt: 2, workerId: 'w', startedAt: at, endedAt: at + 5, usage: null };
    const outcome = { kind: 'exited', exitCode: 3 } as const;
    backend.workerViews = ['attic', 'other'].map((name) => ({ ...worker, name, id: name === 'attic' ? 'w' : 'x' }));
    backend.endedRecords = [
      { record: { ...record, outcome }, name: null, command: 'x'.repeat(100) },
      { record: { ...record, startedAt: null, outcome: { kind: 'cancelled' } }, name: 'never began', command: null },
    ];
    const answer = await (await call('GET', '/api/v1/timeline?since=2026-05-01T00:00:00Z', undefined, ann)).json();
    expect(answer).toEqual({
      spans: [
        {
          ...{ task_id: '000000000001', attempt: 2, name: 'x'.repeat(80), worker_id: 'w', outcome: 'exited' },
          ...{ exit_code: 3, started_at: '2026-05-01T12:00:00.000Z', ended_at: '2026-05-01T12:00:00.005Z' },
        },
      ],
      complete: true,
      worker_names: { w: 'attic' },
    });
    expect(backend.endedAsked[0]?.[0]).toEqual({ since: Date.parse('2026-05-01T00:00:00Z'), owner: 'ann' });
    expect((await call('GET', '/api/v1/timeline')).status).toBe(400);
  });

  test('GET /audit gives the newest first when asked', async () => {
    const { call, trust } = harness();
    await call('GET', '/api/v1/audit?order=newest&limit=5');
    expect(trust.filters.at(-1)).toEqual({ filter: {}, limit: 6, after: 0, newestFirst: true });
    expect((await call('GET', '/api/v1/audit?order=sideways')).status).toBe(400);
  });
});
