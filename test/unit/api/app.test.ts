/** The line of checks before every route: host, origin, method, caller, role, body. Problem documents. */

import { describe, expect, test } from 'bun:test';
import { limits } from '../../../src/api/limits.ts';
import { problemSchema } from '../../../src/api/schemas.ts';
import { OctasklyError } from '../../../src/base/errors.ts';
import { harness } from './fake.ts';

async function problem(response: Response) {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const document = problemSchema.strict().parse(await response.json());
  expect(document.status).toBe(response.status);
  return document;
}

describe('createApi()', () => {
  test('puts the security headers on answers, problems and unknown routes', async () => {
    const { call } = harness();
    for (const path of ['/health', '/api/v1/tasks/none', '/nowhere']) {
      const { headers } = await call('GET', path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      const policy = headers.get('content-security-policy') ?? '';
      for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "form-action 'none'"]) {
        expect(policy.split('; ')).toContain(rule);
      }
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  test('answers an unknown route with 404', async () => {
    const response = await harness().call('GET', '/api/v1/nothing');
    expect(await problem(response)).toMatchObject({ status: 404, type: 'urn:octaskly:problem:not_found' });
  });

  test('answers a wrong method with 405 and says which are right', async () => {
    const response = await harness().call('PUT', '/api/v1/tasks', {});
    expect(response.headers.get('allow')).toBe('POST, GET, HEAD');
    expect((await problem(response)).status).toBe(405);
  });

  test('answers HEAD like GET without a body, and closes what GET would have streamed', async () => {
    const { call, backend } = harness();
    await call('POST', '/api/v1/tasks', { command: 'true' });
    const response = await call('HEAD', '/api/v1/tasks/000000000001/output?follow=true');
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
    expect(backend.cursor.closes).toBe(1);
    await call('HEAD', '/api/v1/events');
    expect(backend.subscribers.size).toBe(0);
  });

  test('refuses a host that is not its own', async () => {
    const { call } = harness();
    const refused = await call('GET', '/health', undefined, { host: 'evil.example:3000' });
    expect((await problem(refused)).detail).toContain('"evil.example:3000"');
    for (const host of ['localhost:3000', 'NAS.local', '10.1.2.3', '[fe80::1]:3000']) {
      expect((await call('GET', '/health', undefined, { host })).status).toBe(200);
    }
  });

  test('refuses calls of foreign pages and allows its own and configured ones', async () => {
    const { call, backend } = harness();
    const pause = (headers: Record<string, string>) =>
      call('POST', '/api/v1/pause', undefined, { host: 'localhost:3000', ...headers });
    expect((await pause({ origin: 'https://evil.example' })).status).toBe(403);
    expect((await pause({ origin: 'null' })).status).toBe(403);
    expect((await pause({ origin: 'http://localhost:8080' })).status).toBe(403);
    expect((await pause({ 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect(backend.actions).toEqual([]);
    expect((await pause({ origin: 'http://localhost:3000' })).status).toBe(200);
    expect((await pause({ origin: 'https://panel.example:8443', 'sec-fetch-site': 'cross-site' })).status).toBe(200);
  });

  test('needs a token from afar, none from this machine', async () => {
    const far = harness({ remote: '10.0.0.9' });
    const refused = await far.call('GET', '/api/v1/stats');
    expect(refused.headers.get('www-authenticate')).toStartWith('Bearer');
    expect((await problem(refused)).status).toBe(401);
    expect((await far.call('GET', '/health')).status).toBe(200);
    expect((await far.call('GET', '/api/v1/stats', undefined, { authorization: 'Bearer admin:ann' })).status).toBe(200);
    expect((await harness().call('GET', '/api/v1/stats')).status).toBe(200);
    expect((await harness({ requireAuth: 'true' }).call('GET', '/api/v1/stats')).status).toBe(401);
  });

  test('counts a caller of whom nothing is known as foreign', async () => {
    expect((await harness().app.request('/api/v1/stats', { headers: { host: 'localhost' } })).status).toBe(401);
  });

  test('lets a role do what it may and names it as the actor', async () => {
    const { call, backend } = harness();
    const client = { authorization: 'Bearer client:carl' };
    expect((await call('POST', '/api/v1/tasks', { command: 'true' }, client)).status).toBe(201);
    expect(backend.submissions[0]?.actor).toEqual({ name: 'carl', role: 'client', from: '127.0.0.1' });
    expect((await problem(await call('POST', '/api/v1/pause', undefined, client))).detail).toContain('"client"');
    const worker = { authorization: 'Bearer worker:w' };
    expect((await call('POST', '/api/v1/tasks', { command: 'true' }, worker)).status).toBe(403);
    expect((await call('GET', '/api/v1/whoami', undefined, worker)).status).toBe(200);
  });

  test('names an unknown query parameter and the nearest valid one', async () => {
    const document = await problem(await harness().call('GET', '/api/v1/tasks?stauts=queued'));
    expect(document).toMatchObject({
      status: 400,
      errors: [{ path: 'stauts', message: 'unknown key "stauts"; did you mean "status"?' }],
    });
    expect((await harness().call('POST', '/api/v1/pause?now=1')).status).toBe(400);
  });

  test('names an unknown key of a task and the nearest valid one', async () => {
    const { call, backend } = harness();
    const document = await problem(
      await call('POST', '/api/v1/batches', { tasks: [{ command: 'a' }, { command: 'b', timout: 3 }] }),
    );
    expect(document).toMatchObject({
      status: 422,
      errors: [{ path: 'tasks.1.timout', message: 'unknown key "timout"; did you mean "timeout"?' }],
    });
    expect(backend.submissions).toEqual([]);
  });

  test('takes tasks that join a batch, and no other name for it', async () => {
    const { call, backend } = harness();
    const asked = { batch: '000000000001', tasks: [{ command: 'a' }] };
    expect(await (await call('POST', '/api/v1/batches', asked)).json()).toMatchObject({ id: '000000000001' });
    expect(backend.submissions.map(({ batch }) => batch)).toEqual([{ joins: '000000000001' }]);
    expect(await problem(await call('POST', '/api/v1/batches', { ...asked, name: 'other' }))).toMatchObject({
      status: 422,
      errors: [{ path: 'batch' }],
    });
  });

  test('refuses a body that is no JSON, no UTF-8, or nested without end', async () => {
    const { call } = harness();
    const type = { 'content-type': 'application/json; charset=utf-8' };
    for (const body of ['{"command": ', '', new Uint8Array([0x22, 0xff, 0x22]), '['.repeat(1_000_000)]) {
      const document = await problem(await call('POST', '/api/v1/tasks', body, type));
      expect([document.status, document.type]).toEqual([400, 'urn:octaskly:problem:bad_request']);
      expect(document.detail).not.toContain('.ts');
    }
  });

  test('refuses another content type with 415, also where no body is expected', async () => {
    const { call, backend } = harness();
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await problem(await call('POST', '/api/v1/tasks', '{"command":"true"}', form))).status).toBe(415);
    expect((await problem(await call('POST', '/api/v1/pause', '', form))).status).toBe(415);
    expect(backend.actions).toEqual([]);
  });

  test('refuses a body above its limit while reading it, whatever its length claims', async () => {
    const { app, backend } = harness();
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1024 * 1024;
        controller.enqueue(new Uint8Array(1024 * 1024).fill(0x20));
      },
    });
    const init = { method: 'POST', body, headers: { host: 'localhost', 'content-type': 'application/json' } };
    const response = await app.request('/api/v1/tasks', init, { remote: '127.0.0.1' });
    expect((await problem(response)).status).toBe(413);
    expect(sent).toBeLessThan(limits.bodyBytesMax + 4 * 1024 * 1024);
    expect(backend.submissions).toEqual([]);
  });

  test('says when to come back for what may succeed later', async () => {
    const { call, backend } = harness();
    backend.failure = new OctasklyError('queue_full', 'The queue holds 10000 tasks; that is the most.');
    const response = await call('POST', '/api/v1/tasks', { command: 'true' });
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await problem(response)).toEqual({
      type: 'urn:octaskly:problem:queue_full',
      title: 'The queue is full',
      status: 429,
      detail: 'The queue holds 10000 tasks; that is the most.',
    });
  });

  test('logs what was not foreseen and tells the caller nothing of it', async () => {
    const { call, backend, errors } = harness();
    backend.failure = new Error('secret inside /home/x.ts');
    const document = await problem(await call('GET', '/api/v1/stats'));
    expect(document.status).toBe(500);
    expect(JSON.stringify(document)).not.toContain('secret');
    expect(errors).toEqual(['secret inside /home/x.ts']);
  });
});
