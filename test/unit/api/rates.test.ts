/** Limits on tokens that do not hold and on submissions, and the deny list: what a submission passes beside its schema. */

import { describe, expect, test } from 'bun:test';
import { harness } from './fake.ts';

const carl = { authorization: 'Bearer client:carl' };
const wrong = { authorization: 'Bearer wrong' };
const command = { command: 'true' };

describe('tokens that do not hold', () => {
  test('end in 429 until some time has passed; one that holds is not held up', async () => {
    const { call, clock, trust } = harness({ remote: '10.0.0.9' });
    const tried = async (headers: Record<string, string>) =>
      (await call('GET', '/api/v1/whoami', undefined, headers)).status;
    for (let n = 0; n < 20; n++) expect(await tried(wrong)).toBe(401);
    const refused = await call('GET', '/api/v1/whoami', undefined, wrong);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '3']);
    expect(await refused.json()).toMatchObject({ type: 'urn:octaskly:problem:rate_limited' });
    expect(await tried(carl)).toBe(200);
    expect(trust.refusals.map(({ eventType }) => eventType)).toEqual(Array(21).fill('login_failed'));
    clock.advance(3000);
    expect([await tried(wrong), await tried(wrong), await tried(carl)]).toEqual([401, 429, 200]);
  });

  test('hold up nobody who shows none, and no other address', async () => {
    const { app, call } = harness();
    for (let n = 0; n < 21; n++) await call('GET', '/api/v1/whoami', undefined, wrong);
    expect((await call('GET', '/api/v1/whoami')).status).toBe(200);
    const init = { headers: { host: 'localhost', ...wrong } };
    expect((await app.request('/api/v1/whoami', init, { remote: '10.0.0.8' })).status).toBe(401);
    expect((await app.request('/api/v1/whoami', init, { remote: '127.0.0.1' })).status).toBe(429);
  });
});

describe('submissions', () => {
  test('are counted for each name, task by task, and not for the owner', async () => {
    const { call, clock, backend } = harness({ submitRate: 2 });
    const submit = (headers: Record<string, string>) => call('POST', '/api/v1/tasks', command, headers);
    const batch = (size: number) => call('POST', '/api/v1/batches', { tasks: Array(size).fill(command) }, carl);
    expect((await batch(19)).status).toBe(201);
    expect((await submit(carl)).status).toBe(201);
    const refused = await submit(carl);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect((await call('POST', '/api/v1/tasks/000000000002/retry', undefined, carl)).status).toBe(429);
    expect((await submit({ authorization: 'Bearer client:eve' })).status).toBe(201);
    for (let n = 0; n < 25; n++) expect((await submit({})).status).toBe(201);
    // More than may ever come at once: it waits until as much is free, and takes it all.
    const large = await batch(100);
    expect([large.status, large.headers.get('retry-after')]).toEqual([429, '10']);
    clock.advance(10_000);
    expect([(await batch(100)).status, (await submit(carl)).status]).toEqual([201, 429]);
    expect(backend.submissions).toHaveLength(29);
  });

  test('have no limit when it is 0', async () => {
    const { call } = harness({ submitRate: 0 });
    for (let n = 0; n < 50; n++) expect((await call('POST', '/api/v1/tasks', command, carl)).status).toBe(201);
  });
});

describe('the deny list', () => {
  const denied = ({ command: text, argv }: { command: string | null; argv: readonly string[] | null }) =>
    text?.includes('mkfs') || argv?.[0] === 'mkfs' ? 'rule "mkfs": makes a file system' : null;

  test('refuses a task and names the rule; it goes on record, the command does not', async () => {
    const { call, backend, trust } = harness({ denied });
    for (const [place, task] of [
      ['command', { command: 'mkfs /dev/sda # hunter2' }],
      ['argv', { argv: ['mkfs', '/dev/sda', 'hunter2'] }],
    ] as const) {
      const response = await call('POST', '/api/v1/tasks', task, carl);
      expect(await response.json()).toMatchObject({
        status: 422,
        type: 'urn:octaskly:problem:denied_command',
        detail: expect.stringContaining('rule "mkfs"'),
        errors: [{ path: place, message: 'rule "mkfs": makes a file system' }],
      });
    }
    expect(backend.submissions).toEqual([]);
    expect(trust.refusals).toMatchObject([
      { eventType: 'command_denied', actor: 'carl', from: '127.0.0.1', details: { place: 'command' } },
      { eventType: 'command_denied', details: { rule: 'rule "mkfs": makes a file system', place: 'argv' } },
    ]);
    expect(JSON.stringify(trust.refusals)).not.toContain('hunter2');
  });

  test('refuses a whole batch and names each place', async () => {
    const { call, backend } = harness({ denied });
    const tasks = [command, { command: 'mkfs a' }, command, { argv: ['mkfs'] }];
    const body = await (await call('POST', '/api/v1/batches', { tasks })).json();
    expect(body).toMatchObject({ status: 422, errors: [{ path: 'tasks.1' }, { path: 'tasks.3' }] });
    expect(backend.submissions).toEqual([]);
  });

  test('holds for a task that is submitted again', async () => {
    let strict = false;
    const { call, backend } = harness({ denied: (question) => (strict ? denied(question) : null) });
    await call('POST', '/api/v1/tasks', { command: 'mkfs a' });
    strict = true;
    expect((await call('POST', '/api/v1/tasks/000000000001/retry')).status).toBe(422);
    expect(backend.submissions).toHaveLength(1);
  });
});
