import { describe, expect, test } from 'bun:test';
import { createClient } from '../../../src/client/client.ts';
import { FakeDispatcher, problem } from '../cli/dispatcher.ts';

function start(answer: unknown) {
  const fake = new FakeDispatcher();
  fake.intercept = () => (answer instanceof Response ? answer.clone() : Response.json(answer));
  const { trust } = createClient({ baseUrl: 'http://dispatcher:3000', token: 'a.b.c', fetch: fake.fetch });
  return { trust, fake };
}

describe('trust', () => {
  test('asks each route by its method, with ids made safe for a path', async () => {
    const { trust, fake } = start({});
    await trust.whoami();
    await trust.createToken({ name: 'ci', role: 'client' });
    await trust.tokens();
    await trust.revokeToken('../a b');
    await trust.createInvite({ uses: 2 });
    await trust.invites();
    await trust.revokeInvite('00');
    await trust.approvals();
    await trust.approve('d1');
    await trust.reject('d2');
    await trust.kick('w/1');
    await trust.rotateSecret(60);
    await trust.verifyAudit();
    const lines = fake.requests.map(
      ({ method, path, body }) => `${method} ${path.slice('/api/v1'.length)} ${body ?? ''}`,
    );
    expect(lines.map((line) => line.trim())).toEqual([
      'GET /whoami',
      'POST /tokens {"name":"ci","role":"client"}',
      'GET /tokens',
      'DELETE /tokens/..%2Fa%20b',
      'POST /invites {"uses":2}',
      'GET /invites',
      'DELETE /invites/00',
      'GET /approvals',
      'POST /workers/d1/approve',
      'POST /workers/d2/reject',
      'DELETE /workers/w%2F1',
      'POST /secret/rotate {"grace":60}',
      'GET /audit/verify',
    ]);
    for (const { method, body, headers } of fake.requests) {
      expect(headers.get('authorization')).toBe('Bearer a.b.c');
      const isJson = method === 'POST' && body !== null;
      expect(headers.get('content-type')).toBe(isJson ? 'application/json' : null);
    }
  });

  test('is made once: what is refused or lost is not repeated', async () => {
    const { trust, fake } = start(problem(503, 'shutting_down', 'Going down.'));
    expect(trust.createInvite({})).rejects.toMatchObject({ code: 'shutting_down' });
    expect(trust.kick('w')).rejects.toMatchObject({ code: 'shutting_down' });
    expect(fake.requests).toHaveLength(2);
  });

  test('audit() reads a page when it is needed', async () => {
    const { trust, fake } = start({ entries: [{ id: 1 }, { id: 2 }], next_cursor: 2 });
    for await (const entry of trust.audit()) if (entry.id === 2) break;
    expect(fake.requests).toHaveLength(1);
  });
});

test('createClient() refuses a token that no header can carry, without repeating it', () => {
  for (const token of ['two words', 'line\n', 'é', '']) {
    expect(() => createClient({ baseUrl: 'http://x', token })).toThrow(/^The access token is not valid: it must be/);
  }
});
