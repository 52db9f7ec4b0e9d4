/** What a browser may do for a page: the host it names, preflights, and which pages read answers. */

import { describe, expect, test } from 'bun:test';
import { harness } from './fake.ts';

const page = 'https://panel.example:8443';
const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };

function corsOf(response: Response): string[] {
  return [...response.headers.keys()].filter((name) => name.startsWith('access-control-'));
}

describe('CORS', () => {
  test('answers the preflight of a configured page, naming it alone', async () => {
    const { call } = harness();
    const response = await call('OPTIONS', '/api/v1/tasks', undefined, { origin: page, ...preflight });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe(page);
    expect(response.headers.get('vary')).toBe('Origin');
    expect(response.headers.get('access-control-allow-methods')).toBe('DELETE, GET, POST, PUT');
    const headers = response.headers.get('access-control-allow-headers')?.split(', ');
    expect(headers).toEqual(expect.arrayContaining(['authorization', 'content-type', 'idempotency-key']));
    expect(response.headers.has('access-control-allow-credentials')).toBe(false);
    expect(response.headers.get('x-frame-options')).toBe('DENY');
  });

  test('lets a configured page read answers, refusals too', async () => {
    const { call } = harness();
    for (const path of ['/health', '/api/v1/tasks/000000000001', '/nowhere', '/api/v1/events']) {
      const response = await call('GET', path, undefined, { origin: page });
      await response.body?.cancel();
      expect([path, response.headers.get('access-control-allow-origin')]).toEqual([path, page]);
      expect(response.headers.get('access-control-expose-headers')).toContain('location');
    }
  });

  test('gives no other page a header, and no preflight an answer', async () => {
    const { call } = harness();
    for (const origin of ['https://evil.example', 'null', `${page}.evil.example`, 'http://panel.example:8443', '*']) {
      const asked = await call('OPTIONS', '/api/v1/tasks', undefined, { origin, ...preflight });
      expect([origin, asked.status, corsOf(asked)]).toEqual([origin, 403, []]);
      const response = await call('GET', '/health', undefined, { origin });
      expect([origin, response.status, corsOf(response)]).toEqual([origin, 403, []]);
    }
  });

  test('is silent where no page is configured', async () => {
    const { call } = harness({ origins: [] });
    for (const origin of [page, 'http://localhost']) {
      const response = await call('OPTIONS', '/api/v1/tasks', undefined, { origin, ...preflight });
      expect([response.status, corsOf(response)]).toEqual([origin === page ? 403 : 405, []]);
      expect(response.headers.has('vary')).toBe(false);
    }
    expect(corsOf(await call('GET', '/health'))).toEqual([]);
  });
});

describe('Host', () => {
  test('has to be there, once', async () => {
    const { app, call } = harness();
    expect((await app.request('/health', {}, { remote: '127.0.0.1' })).status).toBe(400);
    for (const [host, status] of [
      ['localhost, evil.example', 400],
      ['localhost/x', 403],
      ['user@localhost', 403],
      ['[::1]:1', 200],
    ] as const) {
      expect([host, (await call('GET', '/health', undefined, { host })).status]).toEqual([host, status]);
    }
  });
});

describe('security headers', () => {
  test('are on every answer, whatever becomes of the call', async () => {
    const { call, backend } = harness();
    await call('POST', '/api/v1/tasks', { command: 'true' });
    const type = { 'content-type': 'application/json' };
    const calls: [number, () => Promise<Response>][] = [
      [200, () => call('GET', '/api/v1/events')],
      [200, () => call('GET', '/api/v1/tasks/000000000001/output')],
      [404, () => call('GET', '/nowhere')],
      [405, () => call('PUT', '/api/v1/tasks', {})],
      [413, () => call('POST', '/api/v1/tokens', ' '.repeat(65_537), type)],
      [415, () => call('POST', '/api/v1/tokens', '{}', { 'content-type': 'text/plain' })],
      [403, () => call('GET', '/health', undefined, { host: 'evil.example' })],
      [401, () => call('GET', '/api/v1/stats', undefined, { authorization: 'Bearer x' })],
      [
        500,
        () => {
          backend.failure = new Error('unforeseen');
          return call('GET', '/api/v1/stats');
        },
      ],
    ];
    for (const [status, make] of calls) {
      const { headers, body, ...response } = await make().then((each) => ({
        status: each.status,
        headers: each.headers,
        body: each.body,
      }));
      await body?.cancel();
      expect(response.status).toBe(status);
      expect([status, headers.get('x-content-type-options')]).toEqual([status, 'nosniff']);
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect([headers.get('x-frame-options'), headers.get('referrer-policy')]).toEqual(['DENY', 'no-referrer']);
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('cache-control')).toBe('no-store');
    }
  });
});
