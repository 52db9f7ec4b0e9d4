/** Routes of trust: tokens, invites, devices that wait, the secret, the record; and what is put on record by the API. */

import { describe, expect, test } from 'bun:test';
import {
  approvalListSchema,
  approvalSchema,
  auditFindingSchema,
  auditListSchema,
  createdInviteSchema,
  createdTokenSchema,
  identitySchema,
  inviteListSchema,
  inviteSchema,
  rotatedSchema,
  tokenListSchema,
  tokenSchema,
} from '../../../src/api/trust-schemas.ts';
import { harness } from './fake.ts';

describe('tokens', () => {
  test('are shown once, listed without what is secret, and revoked by id or name', async () => {
    const { call, trust } = harness();
    const created = await call('POST', '/api/v1/tokens', { name: 'ci', role: 'client' });
    expect(created.status).toBe(201);
    expect(createdTokenSchema.strict().parse(await created.json())).toMatchObject({ name: 'ci', token: 'client:ci' });
    const list = await (await call('GET', '/api/v1/tokens')).text();
    expect(tokenListSchema.parse(JSON.parse(list)).tokens).toHaveLength(1);
    expect(list).not.toContain('client:ci');
    const revoked = await call('DELETE', '/api/v1/tokens/ci');
    expect(tokenSchema.strict().parse(await revoked.json()).status).toBe('revoked');
    expect((await call('DELETE', '/api/v1/tokens/nobody')).status).toBe(404);
    expect(trust.actions).toEqual(['token ci by local', 'revoke t-1 by local']);
  });

  test('are not made in the name of the owner, without a role, or for ever', async () => {
    const { call, trust } = harness();
    const bad = [
      { name: 'owner', role: 'client' },
      { name: 'ci' },
      { name: 'ci', role: 'root' },
      { name: 'ci', role: 'client', expires_in: 0 },
      { name: 'ci', role: 'client', expires_in: 1e10 },
      { name: '../ci', role: 'client' },
    ];
    for (const body of bad) expect([body, (await call('POST', '/api/v1/tokens', body)).status]).toEqual([body, 422]);
    expect(trust.actions).toEqual([]);
  });
});

describe('invites', () => {
  test('are made, listed without their token, and revoked', async () => {
    const { call, trust } = harness();
    const created = await call('POST', '/api/v1/invites', { name: 'pi-3' });
    expect(created.status).toBe(201);
    expect(createdInviteSchema.strict().parse(await created.json())).toMatchObject({ uses_max: 1, name: 'pi-3' });
    const list = await (await call('GET', '/api/v1/invites')).text();
    expect(inviteListSchema.parse(JSON.parse(list)).invites).toHaveLength(1);
    expect(list).not.toContain('octa1-secret');
    const revoked = await call('DELETE', '/api/v1/invites/i-1');
    expect(inviteSchema.strict().parse(await revoked.json()).status).toBe('revoked');
    expect(trust.actions).toEqual(['invite pi-3 by local', 'revoke i-1 by local']);
  });
});

describe('devices that wait', () => {
  test('are listed, approved by code and rejected by name', async () => {
    const { call, trust } = harness();
    const list = await (await call('GET', '/api/v1/approvals')).json();
    expect(approvalListSchema.parse(list).approvals).toHaveLength(1);
    const approved = await call('POST', '/api/v1/workers/012345/approve');
    expect([approved.status, approvalSchema.strict().parse(await approved.json()).id]).toEqual([200, 'p-1']);
    expect((await call('POST', '/api/v1/workers/pi-3/reject')).status).toBe(200);
    expect(trust.actions).toEqual(['approve p-1 by local', 'reject p-1 by local']);
  });

  test('are approved one after another without limit', async () => {
    const { call } = harness();
    for (let n = 0; n < 25; n++) expect((await call('POST', '/api/v1/workers/012345/approve')).status).toBe(200);
  });

  test('are not found by trying all codes', async () => {
    const { call, clock, trust } = harness();
    const guess = async (code: number) => (await call('POST', `/api/v1/workers/99${code}/approve`)).status;
    const statuses = await Promise.all(Array.from({ length: 25 }, (_, n) => guess(1000 + n)));
    expect(statuses.filter((status) => status === 404)).toHaveLength(20);
    const right = await call('POST', '/api/v1/workers/012345/approve');
    expect([right.status, right.headers.get('retry-after')]).toEqual([429, '3']);
    expect(trust.actions).toEqual([]);
    clock.advance(3000);
    expect((await call('POST', '/api/v1/workers/012345/approve')).status).toBe(200);
  });
});

describe('DELETE /workers/{id}', () => {
  test('kicks a worker by id or name', async () => {
    const { call, trust } = harness();
    expect((await call('DELETE', '/api/v1/workers/kitchen')).status).toBe(204);
    expect((await call('DELETE', '/api/v1/workers/w-1')).status).toBe(204);
    expect((await call('DELETE', '/api/v1/workers/cellar')).status).toBe(404);
    expect(trust.actions).toEqual(['kick w-1 by local', 'kick w-1 by local']);
  });
});

test('POST /secret/rotate takes a grace time and says when it ends', async () => {
  const { call, trust } = harness();
  const response = await call('POST', '/api/v1/secret/rotate', { grace: 60 });
  expect(rotatedSchema.parse(await response.json()).grace_ends_at).toBe('2026-05-01T12:01:00.000Z');
  expect((await call('POST', '/api/v1/secret/rotate', {})).status).toBe(200);
  expect(trust.actions).toEqual(['rotate 60000 by local', 'rotate 86400000 by local']);
});

test('GET /whoami names the caller', async () => {
  const whoAmI = async (headers: Record<string, string>) =>
    identitySchema.strict().parse(await (await harness().call('GET', '/api/v1/whoami', undefined, headers)).json());
  expect(await whoAmI({})).toEqual({ name: 'local', role: 'admin' });
  expect(await whoAmI({ authorization: 'Bearer worker:w' })).toEqual({ name: 'w', role: 'worker' });
});

describe('GET /audit', () => {
  const record = (id: number, details: string) => ({
    id,
    timestamp: Date.UTC(2026, 0, 1),
    eventType: 'task_submitted',
    actor: 'local',
    workerId: null,
    taskId: null,
    details,
    previousHash: '',
  });

  test('pages through the record, oldest first, and shows details that are no JSON as they are', async () => {
    const { call, trust } = harness();
    trust.entries = [record(1, '{"n":1}'), record(2, ''), record(3, '{"n":')];
    const first = auditListSchema.parse(await (await call('GET', '/api/v1/audit?limit=2')).json());
    expect([first.entries.map(({ details }) => details), first.next_cursor]).toEqual([[{ n: 1 }, {}], 2]);
    const next = auditListSchema.parse(await (await call('GET', '/api/v1/audit?limit=2&cursor=2')).json());
    expect([next.entries.map(({ details }) => details), next.next_cursor]).toEqual([[{ text: '{"n":' }], null]);
  });

  test('hands every filter on, and refuses what is none', async () => {
    const { call, trust } = harness();
    const query = 'since=2026-05-01T14:00:00%2B02:00&type=worker_kicked&actor=ann&task=000000000001&worker=kitchen';
    expect((await call('GET', `/api/v1/audit?${query}`)).status).toBe(200);
    expect(trust.filters[0]?.filter).toEqual({
      since: Date.UTC(2026, 4, 1, 12),
      eventType: 'worker_kicked',
      actor: 'ann',
      taskId: '000000000001',
      workerId: 'w-1',
    });
    for (const bad of ['since=1h', 'type=A', 'task=x', 'cursor=-1', 'limit=0', 'what=x']) {
      expect([bad, (await call('GET', `/api/v1/audit?${bad}`)).status]).toEqual([bad, 400]);
    }
  });

  test('/verify says what was found', async () => {
    const { call, trust } = harness();
    const verify = async () => auditFindingSchema.parse(await (await call('GET', '/api/v1/audit/verify')).json());
    expect(await verify()).toMatchObject({ ok: true, id: null, what: null });
    trust.finding = { ok: false, entries: 3, id: 2, what: 'removed', detail: 'Entry 2 is missing.' };
    expect(await verify()).toEqual({ ...trust.finding, removed_through: null, removed_at: null });
    trust.finding = { ok: true, entries: 3, cut: { through: 7, at: Date.UTC(2026, 0, 2) } };
    const removed = { removed_through: 7, removed_at: '2026-01-02T00:00:00.000Z' };
    expect(await verify()).toMatchObject({ ok: true, entries: 3, ...removed });
    expect((await verify()).detail).toStartWith('All 3 entries are as they were written, from entry 8 on;');
  });
});

describe('the record', () => {
  test('is told of logins, tokens that do not hold and refused calls, from where and without the query', async () => {
    const { call, trust } = harness({ remote: '10.0.0.9' });
    await call('GET', '/api/v1/whoami', undefined, { authorization: 'Bearer client:carl' });
    expect(trust.logins).toEqual([{ name: 'carl', role: 'client', from: '10.0.0.9' }]);
    await call('GET', '/api/v1/stats?token=hidden', undefined, { authorization: 'Bearer wrong' });
    await call('GET', '/api/v1/stats', undefined, { authorization: 'Bearer client:carl' });
    await call('GET', '/api/v1/stats', undefined, { origin: 'https://evil.example' });
    const path = '/api/v1/stats';
    expect(trust.refusals).toMatchObject([
      { eventType: 'login_failed', actor: 'anonymous', from: '10.0.0.9', details: { method: 'GET', path } },
      { eventType: 'call_refused', actor: 'carl', details: { path } },
      { eventType: 'call_refused', actor: 'anonymous', details: { path } },
    ]);
    expect(JSON.stringify(trust.refusals)).not.toMatch(/hidden|wrong/);
  });

  test('is not told of who shows no token', async () => {
    const { call, trust } = harness({ remote: '10.0.0.9' });
    expect((await call('GET', '/api/v1/stats')).status).toBe(401);
    expect([trust.refusals, trust.logins]).toEqual([[], []]);
  });
});
