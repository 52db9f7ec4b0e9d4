/** What a client sees and changes: its own tasks and batches, under keys of its own, and nothing that tells of others. */

import { describe, expect, test } from 'bun:test';
import { batchSchema, taskListSchema, taskSchema } from '../../../src/api/schemas.ts';
import { entry, harness } from './fake.ts';

const carl = { authorization: 'Bearer client:carl' };
const eve = { authorization: 'Bearer client:eve' };
const boss = { authorization: 'Bearer dispatcher:boss' };
const command = { command: 'true' };

async function submit(call: ReturnType<typeof harness>['call'], headers: Record<string, string>): Promise<string> {
  return taskSchema.parse(await (await call('POST', '/api/v1/tasks', command, headers)).json()).id;
}

describe('tasks and batches', () => {
  test('carry the name they were submitted under, null for the owner of the dispatcher', async () => {
    const { call } = harness();
    const ownerOf = async (headers: Record<string, string>) =>
      taskSchema.parse(await (await call('POST', '/api/v1/tasks', command, headers)).json()).owner;
    expect([await ownerOf(carl), await ownerOf(boss), await ownerOf({})]).toEqual(['carl', 'boss', null]);
    const batch = await call('POST', '/api/v1/batches', { tasks: [command] }, carl);
    const shown = await call('GET', batch.headers.get('location') ?? '', undefined, carl);
    expect(batchSchema.parse(await shown.json()).owner).toBe('carl');
  });

  test('are listed for their owner, and all of them for who runs the cluster', async () => {
    const { call } = harness();
    const ids = [await submit(call, carl), await submit(call, eve), await submit(call, {})];
    const listed = async (headers: Record<string, string>, query = '') =>
      taskListSchema.parse(await (await call('GET', `/api/v1/tasks${query}`, undefined, headers)).json());
    expect((await listed(carl)).tasks.map(({ id }) => id)).toEqual(ids.slice(0, 1));
    expect((await listed(eve)).tasks.map(({ id }) => id)).toEqual(ids.slice(1, 2));
    expect((await listed(boss)).tasks).toHaveLength(3);
    // A page ends where one's own tasks end, and starts after any id, also one that is another's.
    expect((await listed(carl, '?limit=1')).next_cursor).toBeNull();
    expect((await listed(carl, `?cursor=${ids[2]}`)).tasks).toHaveLength(1);
  });

  test('of others do not serve as "since"', async () => {
    const { call } = harness();
    const [own, foreign] = [await submit(call, carl), await submit(call, eve)];
    const since = async (id: string) => {
      const response = await call('GET', `/api/v1/tasks?since=${id}`, undefined, carl);
      return [response.status, (await response.text()).replaceAll(id, 'ID')];
    };
    expect((await since(own))[0]).toBe(200);
    expect((await since(foreign))[0]).toBe(404);
    expect(await since(foreign)).toEqual(await since('00000000zzzz'));
  });

  test('are retried and cancelled by their owner', async () => {
    const { call, backend } = harness();
    const own = await submit(call, carl);
    expect((await call('DELETE', `/api/v1/tasks/${own}`, undefined, eve)).status).toBe(404);
    expect((await call('DELETE', `/api/v1/tasks/${own}`, undefined, carl)).status).toBe(200);
    expect(backend.actions).toEqual([`cancel ${own} by carl`]);
    expect((await call('POST', `/api/v1/tasks/${own}/retry`, undefined, eve)).status).toBe(404);
    expect((await call('POST', `/api/v1/tasks/${own}/retry`, undefined, carl)).status).toBe(201);
  });
});

describe('Idempotency-Key', () => {
  test('of a client is its own: the same key of another is neither answered nor in conflict', async () => {
    const { call } = harness();
    const key = { 'idempotency-key': 'nightly' };
    const post = async (body: object, headers: Record<string, string>) => {
      const response = await call('POST', '/api/v1/tasks', body, { ...key, ...headers });
      const { id } = (await response.json()) as { id?: string };
      return { status: response.status, id, repeated: response.headers.get('idempotent-replayed') };
    };
    const first = await post(command, carl);
    expect(await post(command, carl)).toEqual({ ...first, repeated: 'true' });
    for (const other of [eve, {}]) {
      const answer = await post(command, other);
      expect([answer.status, answer.repeated]).toEqual([201, null]);
      expect(answer.id).not.toBe(first.id);
    }
    expect((await post({ command: 'false' }, carl)).status).toBe(409);
  });
});

describe('GET /events', () => {
  test('tells a client of its own tasks, live and replayed, and everybody else of everything', async () => {
    const { call, backend } = harness();
    for (const [n, owner] of [null, 'carl', 'eve'].entries()) backend.publish(entry(n, owner));
    const follow = async (headers: Record<string, string>) => {
      const { body } = await call('GET', '/api/v1/events?last_event_id=0', undefined, headers);
      return async () => {
        let text = '';
        for await (const piece of body ?? []) text += new TextDecoder().decode(piece);
        return [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id);
      };
    };
    const [ofCarl, ofBoss] = [await follow(carl), await follow(boss)];
    backend.publish(entry(3, 'eve'));
    backend.publish(entry(4, 'carl'));
    for (const subscriber of backend.subscribers) subscriber.onEnd();
    expect(await ofCarl()).toEqual(['1', '4']);
    expect(await ofBoss()).toEqual(['1', '2', '3', '4']);
  });
});
