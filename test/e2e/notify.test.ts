/** Notifications from the compiled file: what a receiver gets, when it fails, when the dispatcher is killed, and who may name it. */

import { afterEach, expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Problem, Stats } from '../../src/api/schemas.ts';
import type { Notice } from '../../src/core/notification.ts';
import { openReceiver, type Receiver, type Taken } from './receiver.ts';
import { closeSites, openSite, type Site } from './site.ts';

const receivers: Receiver[] = [];

afterEach(async () => {
  for (const receiver of receivers.splice(0)) receiver.close();
  await closeSites();
}, 20_000);

function receive(): Receiver {
  const receiver = openReceiver();
  receivers.push(receiver);
  return receiver;
}

function noticeOf({ body }: Taken): Notice {
  return JSON.parse(body);
}

function count(site: Site, receiver: Receiver, wanted: number): Promise<void> {
  return site.until(`${wanted} notifications came in`, () => receiver.taken.length >= wanted);
}

/** The example of the documentation that verifies a signature. */
async function documentedVerify(
  site: Site,
): Promise<(key: string, header: string, body: string, now?: number) => boolean> {
  const page = readFileSync(new URL('../../docs/NOTIFY.md', import.meta.url), 'utf8');
  const [, code = ''] = /```js\n(.*?)```/s.exec(page) ?? [];
  writeFileSync(site.path('verify.mjs'), code);
  return (await import(site.path('verify.mjs'))).verify;
}

test('tasks, batches and maps tell the destinations they name, signed as documented, also after a 500', async () => {
  const site = openSite();
  const receiver = receive();
  await site.dispatcher();
  await site.worker('w1');
  receiver.failNext(500);
  await site.text(['submit', '--notify', `${receiver.url}/task`, '--name', 'a "b" <c>\n', 'exit 3']);
  await count(site, receiver, 2);
  const [first, second] = receiver.taken.map(noticeOf);
  expect(second).toMatchObject({ event: 'task_failed', task: { name: 'a "b" <c>\n', exit_code: 3, worker: 'w1' } });
  expect(second).toEqual(first as Notice);
  expect(second?.text).toMatch(/^Task \w{12} \(a "b" <c>\\n\) failed on w1 after \S+: exited with status 3$/);

  const verify = await documentedVerify(site);
  const key = await site.text(['notify', 'key']);
  for (const { headers, body, path } of receiver.taken) {
    const signature = `${headers['octaskly-signature']}`;
    expect([path, headers['octaskly-event'], headers['octaskly-delivery']]).toEqual([
      '/task',
      'task_failed',
      second?.id,
    ]);
    expect([
      verify(key, signature, body),
      verify(key, signature, `${body} `),
      verify(`${key}0`, signature, body),
    ]).toEqual([...[true, false, false]]);
    expect(verify(key, signature, body, Date.now() / 1000 + 1000)).toBe(false);
  }

  writeFileSync(site.path('jobs.json'), JSON.stringify([{ command: 'true' }, { command: 'false' }]));
  await site.text(['batch', '--wait', '--notify', `ntfy:${receiver.url}/topic`, 'jobs.json']).catch(() => '');
  await count(site, receiver, 3);
  expect(receiver.taken[2]).toMatchObject({
    path: '/topic',
    headers: { title: 'Octaskly: batch ended', priority: 'high' },
  });
  expect(receiver.taken[2]?.body).toMatch(/^Batch \w{12} ended: 1 of 2 completed, 1 failed$/);

  await site.text(['map', `--notify=slack:${receiver.url}/hook`, 'echo {} <&-', ':::', 'a', 'b']);
  await site.text(['run', '--notify', `${receiver.url}/run`, 'echo', 'x']);
  await count(site, receiver, 5);
  expect(JSON.parse(receiver.taken[3]?.body ?? '').text).toBe(
    'Map ended: 2 of 2 jobs completed, 0 failed (echo {} &lt;&amp;-)',
  );
  expect(noticeOf(receiver.taken[4] as Taken)).toMatchObject({ event: 'task_completed', task: { command: 'echo x' } });
}, 40_000);

test('the dispatcher tells of failed tasks, batches and lost workers, once each, and of what was due when it was killed', async () => {
  const site = openSite();
  const receiver = receive();
  const options = ['--notify', `${receiver.url}/all`, '--heartbeat-timeout', '1'];
  const dispatcher = await site.dispatcher(options);
  const worker = await site.worker('w1');
  receiver.failNext(503);
  await site.reached(await site.submit({ command: 'exit 1' }), 'failed');
  await count(site, receiver, 1);
  dispatcher.kill('SIGKILL');
  await dispatcher.ended;
  await site.dispatcher(options);
  await count(site, receiver, 2);
  const [before, after] = receiver.taken.map(noticeOf);
  expect([after?.id, after?.event]).toEqual([before?.id, 'task_failed']);

  await site.until('w1 is back', async () => (await site.workers()).some(({ status }) => status === 'online'));
  await site.reached(await site.submit({ command: 'true' }), 'completed');
  worker.kill('SIGKILL');
  await count(site, receiver, 3);
  expect(noticeOf(receiver.taken[2] as Taken)).toMatchObject({ event: 'worker_lost', worker: { name: 'w1' } });
  await site.text(['notify', 'test']);
  await count(site, receiver, 4);
  await site.until('all have arrived', async () => (await site.stats()).notifications?.pending === 0);
  expect((await site.stats()).notifications).toMatchObject({
    delivered: 3,
    dropped: 0,
    last_error: null,
  } satisfies Partial<NonNullable<Stats['notifications']>>);
  const events = receiver.taken.map((one) => noticeOf(one).event);
  expect(events).toEqual(['task_failed', 'task_failed', 'worker_lost', 'test']);
  const start = await site.text(['audit', '--type', 'dispatcher_started', '-o', 'jsonl']);
  expect([start.includes(receiver.url), start.includes('/all')]).toEqual([true, false]);
}, 40_000);

test('addresses are refused: what is none, what a client may not name, and where a redirect leads', async () => {
  const site = openSite();
  const receiver = receive();
  const other = receive();
  await site.dispatcher(['--require-auth', 'true', '--api-bind', '127.0.0.1', '--notify', `${receiver.url}/all`]);
  const token = await site.text(['token', 'create', '--name', 'ci', '--role', 'client', '-o', 'quiet']);
  const headers = { authorization: `Bearer ${token}` };
  const submit = (notify: unknown[]) =>
    site.call<Problem>('POST', '/api/v1/tasks', { command: 'true', notify }, headers);
  for (const url of [
    other.url,
    'http://127.0.0.1:1/',
    'http://localhost/',
    'http://[::1]/',
    'http://169.254.169.254/',
  ]) {
    const { status, body } = await submit([url]);
    expect([url, status, body.detail]).toEqual([url, 403, expect.stringContaining('--notify-allow')]);
  }
  const statuses = [];
  for (const wrong of [
    'ftp://x/',
    'file:///etc/passwd',
    'https://a:b@x/',
    'x',
    7,
    { url: receiver.url, on: ['lost'] },
  ]) {
    statuses.push((await submit([wrong])).status);
  }
  expect(statuses).toEqual([422, 422, 422, 422, 422, 422]);
  expect((await submit([`${receiver.url}/own`])).status).toBe(201);
  expect((await site.call('GET', '/api/v1/notifications/key', undefined, headers)).status).toBe(403);

  receiver.failNext(307);
  const sent = await site.run(['notify', 'test', `${receiver.url}/moved`]);
  expect([sent.status, sent.stderr]).toEqual([
    1,
    expect.stringContaining('it answered 307; redirects are not followed'),
  ]);
  const env = { OCTASKLY_TOKEN: token };
  const mapped = await site.run(['map', `--notify=${other.url}/x`, 'touch ran', ':::', '1'], { env });
  expect([mapped.status, mapped.stderr]).toEqual([125, expect.stringContaining('--notify-allow')]);
  expect(await site.text(['stats', '-o', 'quiet'])).toBe('1');
  await count(site, receiver, 2);
  expect(receiver.taken.map(({ path }) => path)).toEqual(['/moved', '/moved']);
  expect(other.taken).toEqual([]);

  for (const args of [
    ['--notify', 'nonsense'],
    ['--notify-on', 'task_faild'],
    ['--notify-allow', 'http://x'],
  ]) {
    const { status, stderr } = await site.run(['dispatcher', ...args]);
    expect([status, stderr.trimEnd().split('\n').length]).toEqual([2, 1]);
  }
}, 40_000);

test('run --notify and map --notify call the program of the desktop with the text as one argument', async () => {
  const site = openSite();
  await site.dispatcher();
  await site.worker('w1');
  mkdirSync(site.path('bin'));
  const program = site.path('bin', 'notify-send');
  writeFileSync(program, `#!/bin/sh\nfor word; do printf '%s\\n' "$word"; done >>${site.path('shown')}\n`);
  chmodSync(program, 0o755);
  const env = { PATH: `${site.path('bin')}:${process.env.PATH ?? ''}` };
  const ran = await site.run(['run', '--notify', '--name', '$(touch pwned) \x1b]0;x\x07', 'exit 4'], { env });
  expect([ran.status, ran.stderr.includes('\x07')]).toEqual([4, false]);
  await site.run(['map', '--notify', 'exit {}', ':::', '0', '1'], { env });
  const shown = readFileSync(site.path('shown'), 'utf8').replaceAll(/\b\w{12}\b/g, 'ID');
  expect(shown.split('\n').filter((line) => line.includes(' '))).toEqual([
    'Task ID ($(touch pwned) \\x1b]0;x\\x07) failed',
    'Map ended: 1 of 2 jobs completed, 1 failed (exit {})',
  ]);
  expect(existsSync(site.path('pwned'))).toBe(false);
}, 40_000);
