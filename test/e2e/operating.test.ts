/** What an operator does: drain, pause, limits, backup, export, cancel, wait. */

import { afterEach, expect, test } from 'bun:test';
import type { Problem, TaskView } from '../../src/api/schemas.ts';
import { sleepers, token } from '../integration/processes.ts';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

async function pair(dispatcherArgs: readonly string[] = []): Promise<Site> {
  const site = openSite();
  await site.dispatcher(dispatcherArgs);
  await site.worker('a');
  return site;
}

test('drain keeps new tasks away and lets what runs end; undrain takes it back', async () => {
  const site = openSite();
  await site.dispatcher();
  const worker = await site.worker('a');
  const go = site.path('go');
  const running = await site.submit({ command: `until [ -e ${go} ]; do sleep 0.02; done` });
  await site.reached(running, 'running');
  await site.text(['drain', 'a']);
  const waiting = await site.submit({ command: 'true' });
  expect(await site.text(['workers'])).toContain('draining');
  expect(await site.text(['explain', waiting])).toContain('it is draining');
  await Bun.write(go, '');
  await site.reached(running, 'completed');
  expect((await site.task(waiting)).status).toBe('queued');
  // Draining is a decision about the worker, not about its process.
  worker.kill('SIGTERM');
  await worker.ended;
  await site.worker('a');
  expect((await site.workers())[0]?.status).toBe('draining');
  await site.text(['undrain', 'a']);
  await site.reached(waiting, 'completed');
  const typo = await site.run(['drain', 'z']);
  expect(typo.status).toBe(1);
  expect(typo.stderr).toContain('"a"');
}, 60_000);

test('pause outlives a restart; resume starts what waited', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  await site.worker('a');
  await site.text(['pause']);
  const id = await site.submit({ command: 'true' });
  dispatcher.kill('SIGKILL');
  await dispatcher.ended;
  await site.dispatcher();
  await site.until('the worker is back', async () => (await site.stats()).workers.online === 1);
  expect((await site.stats()).paused).toBe(true);
  expect((await site.task(id)).status).toBe('queued');
  expect(await site.text(['explain', id])).toContain('paused');
  await site.text(['resume']);
  await site.reached(id, 'completed');
}, 60_000);

test('a worker beyond --max-workers is told why and joins when there is room', async () => {
  const site = openSite();
  await site.dispatcher(['--max-workers', '2']);
  await site.worker('a');
  const second = await site.worker('b');
  const third = await site.start(['worker', '--port', `${site.port}`, '--name', 'c']);
  await site.until('it is told why', () => third.log().includes('already has 2 workers, its --max-workers'));
  expect((await site.stats()).workers.online).toBe(2);
  second.kill('SIGINT');
  await second.ended;
  await site.until('it has joined', () => third.log().includes('Joined the dispatcher'));
  const online = (await site.workers()).filter(({ status }) => status === 'online').map(({ name }) => name);
  expect(online).toEqual(['a', 'c']);
}, 60_000);

test('a submission past --max-queue-size is refused with 429, all or nothing', async () => {
  const site = openSite();
  await site.dispatcher(['--max-queue-size', '5']);
  const tasks = (count: number) => ({ tasks: Array(count).fill({ command: 'true' }) });
  expect((await site.call('POST', '/api/v1/batches', tasks(3))).status).toBe(201);
  const refused = await site.call<Problem>('POST', '/api/v1/batches', tasks(3));
  expect(refused.status).toBe(429);
  expect(refused.body.type).toBe('urn:octaskly:problem:queue_full');
  expect(refused.body.detail).toContain('--max-queue-size is 5');
  expect((await site.allTasks()).length).toBe(3);
  expect((await site.call('POST', '/api/v1/batches', tasks(2))).status).toBe(201);
  const { status, stderr } = await site.run(['submit', 'true']);
  expect(status).toBe(1);
  expect(stderr).toContain('--max-queue-size is 5');
  await site.worker('a');
  await site.until('the queue is empty', async () => (await site.stats()).queue.size === 0);
  expect((await site.run(['run', 'true'])).status).toBe(0);
}, 60_000);

test('an idempotency key gives the same task, and 409 for another body, also after a restart', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  const post = (command: string) =>
    site.call<TaskView>('POST', '/api/v1/tasks', { command }, { 'idempotency-key': 'the-key' });
  const first = await post('true');
  dispatcher.kill('SIGKILL');
  await dispatcher.ended;
  await site.dispatcher();
  expect((await post('true')).body.id).toBe(first.body.id);
  expect((await post('false')).status).toBe(409);
  expect((await site.allTasks()).length).toBe(1);
}, 60_000);

test('cancel ends waiting and running tasks, wait tells how they ended', async () => {
  const site = await pair();
  const marks = [token(), token()] as const;
  const running = await site.text(['submit', '--tag', 'job=x', `sleep ${marks[0]} & sleep ${marks[1]}`]);
  const blocked = await site.text(['submit', '--tag', 'job=x', '--after', running, 'true']);
  const other = await site.text(['submit', 'true']);
  await site.until('it runs', () => marks.every((mark) => sleepers(mark).length === 1));
  const waiting = site.run(['wait', 'tag:job=x']);
  expect((await site.text(['cancel', 'tag:job=x'])).split('\n').sort()).toEqual([running, blocked].sort());
  expect((await waiting).status).toBe(1);
  for (const id of [running, blocked]) expect((await site.task(id)).status).toBe('cancelled');
  expect(marks.map((mark) => sleepers(mark).length)).toEqual([0, 0]);
  expect((await site.run(['wait', other])).status).toBe(0);
  const ended = await site.run(['cancel', other]);
  expect(ended.status).toBe(0);
  expect(ended.stderr).toContain('has ended already: completed');
  const [again] = (await site.text(['retry', 'tag:job=x'])).split('\n');
  await site.text(['cancel', again ?? '']);
  await site.text(['cancel', 'all']);
}, 60_000);

test('export gives every task as CSV and as JSONL', async () => {
  const site = await pair();
  const odd = 'echo "a,b"; : "quoted", and\n: over two lines';
  await site.text(['submit', '--wait', '--name', 'odd', odd]);
  await site.run(['submit', '--wait', 'exit 3']);
  const csv = await site.text(['export']);
  expect(csv).toStartWith('id,name,command,status,exit_code');
  expect(csv).toContain('"echo ""a,b""; : ""quoted"", and\n: over two lines",completed,0,');
  expect(csv).toContain(',exit 3,failed,3,');
  const lines = (await site.text(['export', '--format', 'jsonl']))
    .split('\n')
    .map((line) => JSON.parse(line) as TaskView);
  expect(lines.map(({ status, command }) => [status, command])).toEqual([
    ['failed', 'exit 3'],
    ['completed', odd],
  ]);
  expect(await site.text(['export', '--format', 'jsonl', '--status', 'failed'])).toContain('"exit_code":3');
}, 60_000);

test('the looking commands show what is there', async () => {
  const site = await pair();
  const id = await site
    .text(['submit', '--wait', '--name', 'hello', '-o', 'quiet', 'echo hi'])
    .then(() => site.text(['ps', '-o', 'quiet']));
  expect(await site.text(['ps'])).toMatch(/ID +STATUS +EXIT.*\n.*completed.*hello/);
  expect(await site.text(['show', 'last'])).toContain('hi');
  expect(JSON.parse(await site.text(['show', '-o', 'json', id.slice(0, 10)]))).toMatchObject({ id, exit_code: 0 });
  expect(await site.text(['stats'])).toContain('1 completed');
  expect(await site.text(['workers'])).toContain('online');
  const jobs = await site.run(['map', '-k', 'echo {}', ':::', 'x', 'y z', "it's"]);
  expect(jobs.stdout.toString()).toBe("x\ny z\nit's\n");
  expect(jobs.status).toBe(0);
  expect((await site.run(['map', 'exit {}', ':::', '0', '1', '2'])).status).toBe(2);
}, 60_000);

test('up is a dispatcher and a worker in one, stopped by one Ctrl-C', async () => {
  const site = openSite();
  const node = await site.start(['up', ...site.places]);
  await site.until('its worker has joined', () => node.log().includes('Joined the dispatcher'));
  expect((await site.run(['run', 'echo up; exit 4'])).status).toBe(4);
  node.kill('SIGINT');
  expect(await node.ended).toEqual({ status: 0, signal: null });
}, 60_000);

test('up, asked to stop, stops also when its worker comes to a bad end meanwhile', async () => {
  const site = openSite();
  const ports = ['--bind', '127.0.0.1', '--port', `${site.port}`, '--api-port', `${site.apiPort}`];
  const node = await site.start(['up', ...ports, '--name', 'a']);
  await site.until('its worker has joined', () => node.log().includes('Joined the dispatcher'));
  const running = await site.submit({ command: `sleep ${token()}` });
  await site.reached(running, 'running');
  node.kill('SIGTERM');
  await site.until('that was heard', () => node.log().includes('stopping when'));
  await site.text(['kick', 'a']);
  expect(await node.ended).toMatchObject({ signal: null });
  expect(node.log()).not.toContain('goes on without it');
}, 30_000);
