/** Routes of tasks, batches, workers and the dispatcher: what they answer, what they refuse, their limits at the edge. */

import { describe, expect, test } from 'bun:test';
import { limits } from '../../../src/api/limits.ts';
import {
  batchAnswerSchema,
  batchSchema,
  explanationSchema,
  statsSchema,
  taskListSchema,
  taskSchema,
  taskWithAttemptsSchema,
} from '../../../src/api/schemas.ts';
import { workerListSchema, workerSchema } from '../../../src/api/worker-schemas.ts';
import { harness } from './fake.ts';

const first = '000000000001';

async function submitted(count: number) {
  const all = harness();
  for (let n = 0; n < count; n++) await all.call('POST', '/api/v1/tasks', { command: `echo ${n}` });
  return all;
}

describe('POST /tasks', () => {
  test('answers 201 with the task and where it is', async () => {
    const { call, backend } = harness();
    const response = await call('POST', '/api/v1/tasks', { argv: ['ls', '-l'], priority: 'high', timeout: 1.5 });
    expect([response.status, response.headers.get('location')]).toEqual([201, `/api/v1/tasks/${first}`]);
    const task = taskSchema.strict().parse(await response.json());
    expect(task).toMatchObject({ id: first, argv: ['ls', '-l'], command: null, priority: 50, timeout: 1.5 });
    expect(backend.submissions[0]).toMatchObject({
      batch: null,
      idempotency: null,
      actor: { name: 'local', role: 'admin', from: '127.0.0.1' },
    });
  });

  test('gives the same task for the same key and body, whatever the order of its keys', async () => {
    const { call, backend } = harness();
    const key = { 'idempotency-key': 'k 1' };
    const one = await call('POST', '/api/v1/tasks', { command: 'a', tags: { x: '1', y: '2' } }, key);
    const two = await call('POST', '/api/v1/tasks', { tags: { y: '2', x: '1' }, command: 'a' }, key);
    expect(await two.json()).toEqual(await one.json());
    expect([one, two].map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true']);
    expect(backend.submissions[0]?.idempotency?.bodyHash).toMatch(/^[0-9a-f]{64}$/);
    expect((await call('POST', '/api/v1/tasks', { command: 'b' }, key)).status).toBe(409);
    expect((await call('POST', '/api/v1/batches', { tasks: [{ command: 'a' }] }, key)).status).toBe(409);
  });

  test('takes keys of 1 to 255 printable characters', async () => {
    const { call } = harness();
    const status = async (key: string) =>
      (await call('POST', '/api/v1/tasks', { command: 'a' }, { 'idempotency-key': key })).status;
    expect(await status('k'.repeat(255))).toBe(201);
    expect(await status('k'.repeat(256))).toBe(400);
    expect(await status('kä')).toBe(400);
  });

  const refused: [string, object, string][] = [
    ['neither command nor argv', {}, 'command'],
    ['both command and argv', { command: 'a', argv: ['a'] }, 'command'],
    ['an empty command', { command: '' }, 'command'],
    ['a NUL character', { command: 'a\0b' }, 'command'],
    ['a command beyond the limit', { command: 'x'.repeat(limits.commandLengthMax + 1) }, 'command'],
    ['no time at all', { command: 'a', timeout: 0 }, 'timeout'],
    ['more time than the limit', { command: 'a', timeout: limits.timeoutSecondsMax + 1 }, 'timeout'],
    ['a priority without meaning', { command: 'a', priority: 101 }, 'priority'],
    ['an unknown name of a priority', { command: 'a', priority: 'urgent' }, 'priority'],
    ['too many retries', { command: 'a', retry_count: 101 }, 'retry_count'],
    ['a bad variable', { command: 'a', env: { 'A=B': 'x' } }, 'env.A=B'],
    [
      'too many tags',
      { command: 'a', tags: Object.fromEntries(Array.from({ length: 1025 }, (_, n) => [n, ''])) },
      'tags',
    ],
    ['a number as text', { command: 'a', retry_count: '1' }, 'retry_count'],
    ['an unknown key inside', { command: 'a', requires: { cpus: 1 } }, 'requires.cpus'],
    ['a dependency that is no id', { command: 'a', depends_on: ['x'] }, 'depends_on.0'],
  ];
  for (const [what, body, path] of refused) {
    test(`refuses ${what} with 422`, async () => {
      const { call, backend } = harness();
      const response = await call('POST', '/api/v1/tasks', body);
      const { errors } = (await response.json()) as { errors: { path: string }[] };
      expect([response.status, errors[0]?.path]).toEqual([422, path]);
      expect(backend.submissions).toEqual([]);
    });
  }

  test('refuses a key that objects would swallow, wherever it stands', async () => {
    const { call, backend } = harness();
    for (const part of ['"env":{"__proto__":"x"}', '"requires":{"labels":{"__proto__":"x"}}', '"__proto__":{}']) {
      const json = { 'content-type': 'application/json' };
      const response = await call('POST', '/api/v1/tasks', `{"command":"a",${part}}`, json);
      expect(response.status).toBe(422);
    }
    expect(backend.submissions).toEqual([]);
  });

  test('takes what is just within the limits', async () => {
    const { call } = harness();
    const body = {
      command: 'x'.repeat(limits.commandLengthMax),
      timeout: limits.timeoutSecondsMax,
      priority: -100,
      retry_count: 100,
      retry_delay: 300,
      max_output: limits.outputBytesMax,
    };
    expect((await call('POST', '/api/v1/tasks', body)).status).toBe(201);
  });
});

describe('GET /tasks', () => {
  test('pages through all tasks, newest first, each once', async () => {
    const { call } = await submitted(5);
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = taskListSchema.parse(await (await call('GET', `/api/v1/tasks?limit=2${cursor}`)).json());
      seen.push(...page.tasks.map(({ id }) => id));
      cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`;
    } while (cursor !== '');
    expect(seen).toEqual([5, 4, 3, 2, 1].map((n) => `00000000000${n}`));
  });

  test('hands every filter to the dispatcher', async () => {
    const { call, backend } = await submitted(1);
    const query = `status=queued,running&status=failed&worker=kitchen&batch=${first}&tag=a=b=c&since=2026-05-01T14:00:00%2B02:00&id=00&text=+make%20All`;
    expect((await call('GET', `/api/v1/tasks?${query}`)).status).toBe(200);
    expect(backend.filters.at(-1)).toEqual({
      filter: {
        statuses: ['queued', 'running', 'failed'],
        workerId: 'w-1',
        batchId: first,
        tag: { key: 'a', value: 'b=c' },
        since: Date.UTC(2026, 4, 1, 12),
        idPrefix: '00',
        words: ['make', 'All'],
      },
      limit: limits.pageDefault + 1,
      before: null,
    });
  });

  test('takes the id of a task as "since"', async () => {
    const { call, backend } = await submitted(1);
    await call('GET', `/api/v1/tasks?since=${first}`);
    expect(backend.filters.at(-1)?.filter.since).toBe(backend.task(first)?.task.createdAt);
    expect((await call('GET', '/api/v1/tasks?since=000000000009')).status).toBe(404);
  });

  test('refuses what is out of range or given twice', async () => {
    const { call } = harness();
    const bad = [
      ...['limit=0', `limit=${limits.pageMax + 1}`, 'limit=1e2', 'limit=', 'limit=1&limit=2', 'cursor=x', 'id=*'],
      ...['status=done', 'status=', 'tag=x', 'since=yesterday', 'worker='],
    ];
    for (const query of bad)
      expect([query, (await call('GET', `/api/v1/tasks?${query}`)).status]).toEqual([query, 400]);
    expect((await call('GET', `/api/v1/tasks?limit=${limits.pageMax}`)).status).toBe(200);
  });
});

describe('routes of one task', () => {
  test('GET shows the task and its attempts', async () => {
    const { call, backend } = await submitted(1);
    backend.attemptRecords = [
      {
        taskId: first,
        attempt: 1,
        workerId: 'w-1',
        startedAt: 1000,
        endedAt: 3500,
        outcome: { kind: 'exited', exitCode: 3 },
        usage: null,
      },
    ];
    const body = taskWithAttemptsSchema.strict().parse(await (await call('GET', `/api/v1/tasks/${first}`)).json());
    expect(body.attempts).toMatchObject([{ attempt: 1, duration_ms: 2500, outcome: { exit_code: 3 } }]);
  });

  test('answer 404 for what is not there or cannot be', async () => {
    const { call } = harness();
    for (const id of [first, 'nonsense', '%00']) {
      for (const [method, rest] of [
        ['GET', ''],
        ['DELETE', ''],
        ['POST', '/retry'],
        ['GET', '/output'],
        ['POST', '/stdin?offset=0'],
        ['GET', '/explain'],
      ] as const) {
        expect([rest, (await call(method, `/api/v1/tasks/${id}${rest}`)).status]).toEqual([rest, 404]);
      }
    }
  });

  test('DELETE cancels, answers 202 while it runs and 200 once it ended, and may be repeated', async () => {
    const { call, backend } = await submitted(2);
    const running = backend.task('000000000002');
    if (running !== null) running.task.status = 'running';
    const statuses = [];
    for (const id of [first, first, '000000000002'])
      statuses.push((await call('DELETE', `/api/v1/tasks/${id}`)).status);
    expect(statuses).toEqual([200, 200, 202]);
    expect(backend.actions[0]).toBe(`cancel ${first} by local`);
  });

  test('POST cancel ends many in one go, says which yet end, and knows a limit', async () => {
    const { call, backend } = await submitted(3);
    const running = backend.task('000000000002');
    if (running !== null) running.task.status = 'running';
    const cancel = (ids: readonly string[]) => call('POST', '/api/v1/tasks/cancel', { ids });
    const answer = await cancel([first, '000000000002']);
    expect([answer.status, await answer.json()]).toEqual([200, { ending: ['000000000002'] }]);
    expect((await cancel([first, '0000000000zz'])).status).toBe(404);
    expect((await cancel([])).status).toBe(422);
    expect((await cancel(Array.from({ length: 1001 }, () => first))).status).toBe(422);
  });

  test('POST retry makes a new task of an ended one', async () => {
    const { call } = await submitted(1);
    expect((await call('POST', `/api/v1/tasks/${first}/retry`)).status).toBe(409);
    await call('DELETE', `/api/v1/tasks/${first}`);
    const response = await call('POST', `/api/v1/tasks/${first}/retry`);
    expect([response.status, response.headers.get('location')]).toEqual([201, '/api/v1/tasks/000000000002']);
    expect(taskSchema.parse(await response.json()).command).toBe('echo 0');
  });

  test('GET explain says why', async () => {
    const { call } = await submitted(1);
    const body = explanationSchema.parse(await (await call('GET', `/api/v1/tasks/${first}/explain`)).json());
    expect(body.workers[0]?.reasons).toEqual(['no free slot']);
  });

  test('POST stdin hands over bytes up to its limit', async () => {
    const { call, backend } = await submitted(1);
    const path = `/api/v1/tasks/${first}/stdin`;
    expect((await call('POST', `${path}?offset=7&eof=true`, 'abc')).status).toBe(204);
    expect((await call('POST', `${path}?offset=10&eof=true`)).status).toBe(204);
    expect(backend.stdin).toEqual([
      { id: first, offset: 7, text: 'abc', eof: true },
      { id: first, offset: 10, text: '', eof: true },
    ]);
    expect((await call('POST', `${path}?offset=0`, new Uint8Array(limits.stdinChunkBytesMax))).status).toBe(204);
    expect((await call('POST', `${path}?offset=0`, new Uint8Array(limits.stdinChunkBytesMax + 1))).status).toBe(413);
    expect((await call('POST', path, 'abc')).status).toBe(400);
    expect((await call('POST', `${path}?offset=-1`, 'abc')).status).toBe(400);
    expect((await call('POST', `${path}?offset=0`, { a: 1 })).status).toBe(415);
  });
});

describe('terminals and attendance', () => {
  test('POST terminal resizes, POST attend says whether to ask again', async () => {
    const { call, backend } = await submitted(1);
    const path = `/api/v1/tasks/${first}`;
    expect((await call('POST', `${path}/terminal`, { columns: 132, rows: 43 })).status).toBe(204);
    for (const wrong of [
      { columns: 0, rows: 1 },
      { columns: 80 },
      { columns: 80, rows: 4097 },
      { columns: 1.5, rows: 1 },
    ])
      expect((await call('POST', `${path}/terminal`, wrong)).status).toBe(422);
    const answer = await call('POST', `${path}/attend`);
    expect([answer.status, await answer.json()]).toEqual([200, { again: false }]);
    expect(backend.actions).toEqual([`resize ${first} to 132x43`]);
    expect((await call('POST', '/api/v1/tasks/00000000000z/attend')).status).toBe(404);
    const kept = await call('POST', '/api/v1/attended', { ids: [first], seconds: 60 });
    expect([kept.status, await kept.json()]).toEqual([200, { again: true }]);
    expect(backend.actions.at(-1)).toBe(`keep ${first} for 60000 ms`);
    for (const wrong of [{ ids: [] }, { ids: ['x'] }, { ids: [first], seconds: 86_401 }])
      expect((await call('POST', '/api/v1/attended', wrong)).status).toBe(422);
  });

  test('POST tasks refuses a terminal that nobody feeds, that is named like a path, or on a system without them', async () => {
    const { call } = harness();
    const fed = { command: 'vi', stdin: { stream: true }, terminal: { columns: 80, rows: 24 } };
    const size = fed.terminal;
    for (const wrong of [
      { ...fed, stdin: 'text' },
      { command: 'vi', terminal: size },
      { ...fed, terminal: { ...size, term: '../../etc/x' } },
      { ...fed, requires: { platform: 'darwin' } },
    ])
      expect((await call('POST', '/api/v1/tasks', wrong)).status).toBe(422);
    expect((await call('POST', '/api/v1/tasks', { ...fed, attached: true })).status).toBe(201);
  });
});

describe('batches', () => {
  test('are submitted, shown and cancelled', async () => {
    const { call, backend } = harness();
    const tasks = [
      { command: 'a', name: 'one' },
      { command: 'b', depends_on: ['one'] },
    ];
    const created = await call('POST', '/api/v1/batches', { name: 'night', tasks });
    const answer = batchAnswerSchema.strict().parse(await created.json());
    expect([created.status, created.headers.get('location')]).toEqual([201, `/api/v1/batches/${answer.id}`]);
    expect(answer.task_ids).toHaveLength(2);
    expect(backend.submissions[0]?.tasks[1]?.dependsOn).toEqual(['one']);
    const shown = batchSchema.strict().parse(await (await call('GET', `/api/v1/batches/${answer.id}`)).json());
    expect(shown).toMatchObject({ name: 'night', size: 2, counts: { queued: 2 } });
    const cancelled = await call('DELETE', `/api/v1/batches/${answer.id}`);
    expect([cancelled.status, batchSchema.parse(await cancelled.json()).counts.cancelled]).toEqual([200, 2]);
  });

  test('are refused when empty, too large or unknown', async () => {
    const { call } = harness();
    const many = Array.from({ length: limits.batchTasksMax + 1 }, () => ({ command: 'a' }));
    expect((await call('POST', '/api/v1/batches', { tasks: [] })).status).toBe(422);
    expect((await call('POST', '/api/v1/batches', { tasks: many })).status).toBe(422);
    expect((await call('POST', '/api/v1/batches', { tasks: many.slice(1) })).status).toBe(201);
    expect((await call('GET', `/api/v1/batches/${first.replace('1', '9')}`)).status).toBe(404);
    expect((await call('DELETE', '/api/v1/batches/x')).status).toBe(404);
  });
});

describe('workers and the dispatcher', () => {
  test('workers are listed, and shown by id or name', async () => {
    const { call } = harness();
    expect(workerListSchema.parse(await (await call('GET', '/api/v1/workers')).json()).workers).toHaveLength(1);
    for (const id of ['w-1', 'kitchen']) {
      expect(workerSchema.parse(await (await call('GET', `/api/v1/workers/${id}`)).json()).id).toBe('w-1');
    }
    const missing = await call('GET', '/api/v1/workers/kitchn');
    expect([missing.status, ((await missing.json()) as { detail: string }).detail]).toEqual([
      404,
      'There is no worker "kitchn"; did you mean "kitchen"?',
    ]);
  });

  test('drain and undrain answer the worker as it is then', async () => {
    const { call, backend } = harness();
    const status = async (path: string) => workerSchema.parse(await (await call('POST', path)).json()).status;
    expect(await status('/api/v1/workers/kitchen/drain')).toBe('draining');
    expect(await status('/api/v1/workers/w-1/undrain')).toBe('online');
    expect(backend.actions).toEqual(['drain w-1 by local', 'undrain w-1 by local']);
    expect((await call('POST', '/api/v1/workers/none/drain')).status).toBe(404);
  });

  test('pause and resume', async () => {
    const { call, backend } = harness();
    expect(await (await call('POST', '/api/v1/pause')).json()).toEqual({ paused: true });
    expect(await (await call('POST', '/api/v1/resume')).json()).toEqual({ paused: false });
    expect(backend.actions).toEqual(['pause by local', 'resume by local']);
  });

  test('stats, health and readiness', async () => {
    const { call, backend } = harness();
    statsSchema.strict().parse(await (await call('GET', '/api/v1/stats')).json());
    expect(await (await call('GET', '/health')).json()).toEqual({ status: 'ok', version: '0.1.0' });
    expect((await call('GET', '/ready')).status).toBe(200);
    backend.state = { ready: false, reason: 'The disk is full.' };
    const response = await call('GET', '/ready');
    expect([response.status, ((await response.json()) as { detail: string }).detail]).toEqual([
      503,
      'The disk is full.',
    ]);
    expect((await call('GET', '/health')).status).toBe(200);
  });
});
