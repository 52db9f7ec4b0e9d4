/** Workers that die, come back and leave, and a dispatcher that is told to stop. */

import { afterEach, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { daemon, sleepers, token } from '../integration/processes.ts';
import { closeSites, openSite, readLines, type Site } from './site.ts';

afterEach(closeSites, 20_000);

/** A task that stays at its first start, with a background job and a daemon, and prints "again" at its second. */
function stubborn(site: Site, name: string): { command: string; marks: readonly string[] } {
  const seen = site.path(name);
  const marks = [token(), token(), token(), token()] as const;
  const jobs = `sleep ${marks[0]} & ${daemon(marks[1])}; ${daemon(marks[2], { scrubbed: true })}; sleep ${marks[3]}`;
  return { command: `[ -e ${seen} ] && echo again && exit; touch ${seen}; ${jobs}`, marks };
}

const runAll = (marks: readonly string[]): boolean => marks.every((mark) => sleepers(mark).length === 1);
const noneRuns = (marks: readonly string[]): boolean => marks.every((mark) => sleepers(mark).length === 0);

test('a killed worker leaves no process, and its tasks run elsewhere', async () => {
  const site = openSite();
  await site.dispatcher(['--heartbeat-timeout', '2']);
  const worker = await site.worker('a', ['--max-jobs', '2']);
  const tasks = [stubborn(site, 'one'), stubborn(site, 'two')];
  const ids = [await site.submit({ command: tasks[0]?.command }), await site.submit({ command: tasks[1]?.command })];
  await site.until('both tasks run', () => tasks.every(({ marks }) => runAll(marks)));
  for (const id of ids) await site.reached(id, 'running');
  const waiting = await site.submit({ command: 'echo waited' });
  await site.worker('b');
  worker.kill('SIGKILL');
  await site.until('nothing of the worker is left', () => tasks.every(({ marks }) => noneRuns(marks)), 10_000);
  for (const id of ids) {
    const { attempts, stdout_tail: output, attempt } = await site.reached(id, 'completed', 15_000);
    expect(output).toBe('again\n');
    expect(attempts.map(({ outcome }) => outcome.kind)).toEqual(['lost', 'exited']);
    expect(attempt).toBe(2);
    expect(attempts[0]?.worker_id).not.toBe(attempts[1]?.worker_id);
  }
  expect((await site.reached(waiting, 'completed')).attempts.length).toBe(1);
  const offline = (await site.workers()).find(({ name }) => name === 'a');
  expect(offline?.status).toBe('offline');
  const explained = await site.text(['explain', ids[0] ?? '']);
  expect(explained).toContain('completed');
}, 60_000);

test('a killed worker that is started again gets its tasks anew at once', async () => {
  const site = openSite();
  await site.dispatcher();
  const worker = await site.worker('a');
  const { command, marks } = stubborn(site, 'one');
  const id = await site.submit({ command });
  await site.reached(id, 'running');
  await site.until('the task runs', () => runAll(marks));
  worker.kill('SIGKILL');
  await worker.ended;
  const startedAt = performance.now();
  await site.worker('a');
  const { attempts, stdout_tail: output } = await site.reached(id, 'completed', 10_000);
  // Far below the heartbeat timeout of 60 s.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(output).toBe('again\n');
  expect(attempts.map(({ outcome }) => outcome.kind)).toEqual(['lost', 'exited']);
  await site.until('nothing of the first attempt is left', () => noneRuns(marks), 10_000);
}, 60_000);

test('a worker told to stop finishes what runs, gives back what waits, and is offline', async () => {
  const site = openSite();
  await site.dispatcher();
  const worker = await site.worker('a', ['--max-jobs', '1']);
  const go = site.path('go');
  const running = await site.submit({ command: `until [ -e ${go} ]; do sleep 0.02; done; echo finished` });
  await site.reached(running, 'running');
  const waiting = await Promise.all(Array.from({ length: 6 }, (_, n) => site.submit({ command: `echo ${n}` })));
  worker.kill('SIGINT');
  await site.until('the worker is leaving', () => worker.log().includes('stopping when the running tasks have ended'));
  await site.worker('b');
  for (const [n, id] of waiting.entries()) {
    const task = await site.reached(id, 'completed');
    expect(task.stdout_tail).toBe(`${n}\n`);
    expect(task.attempts.map(({ outcome }) => outcome.kind)).toEqual(['exited']);
  }
  expect((await site.task(running)).status).toBe('running');
  await Bun.write(go, '');
  expect(await worker.ended).toEqual({ status: 0, signal: null });
  const task = await site.reached(running, 'completed');
  expect(task.stdout_tail).toBe('finished\n');
  expect(task.attempts.length).toBe(1);
  await site.until(
    'it is offline',
    async () => (await site.workers()).find(({ name }) => name === 'a')?.status === 'offline',
  );
}, 60_000);

test('a worker told to stop twice ends at once, and its tasks run elsewhere', async () => {
  const site = openSite();
  await site.dispatcher();
  const worker = await site.worker('a');
  const { command, marks } = stubborn(site, 'one');
  const id = await site.submit({ command });
  await site.reached(id, 'running');
  await site.until('the task runs', () => runAll(marks));
  await site.worker('b');
  const stoppedAt = performance.now();
  worker.kill('SIGINT');
  await site.until('the first was heard', () => worker.log().includes('stopping when'));
  worker.kill('SIGINT');
  expect(await worker.ended).toEqual({ status: 0, signal: null });
  expect(performance.now() - stoppedAt).toBeLessThan(5000);
  const { attempts, stdout_tail: output } = await site.reached(id, 'completed', 5000);
  expect(output).toBe('again\n');
  expect(attempts.map(({ outcome }) => outcome.kind)).toEqual(['lost', 'exited']);
  await site.until('nothing of the first attempt is left', () => noneRuns(marks), 5000);
}, 60_000);

test('a dispatcher told to stop ends quickly; what runs survives and its result arrives after the restart', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  await site.worker('a');
  const go = site.path('go');
  const seen = site.path('seen');
  const command = `echo >> ${seen}; echo before; until [ -e ${go} ]; do sleep 0.02; done; echo after`;
  const id = await site.submit({ command });
  const short = await site.submit({ command: `echo >> ${seen}; sleep 0.5; echo short` });
  await site.reached(id, 'running');
  await site.reached(short, 'running');
  // People who look on must not keep it from stopping, and see the rest when it is back.
  const follower = await site.open(['logs', '-f', id]);
  const shown = readLines(follower.stdout);
  expect(await shown.next()).toEqual({ done: false, value: 'before' });
  const stoppedAt = performance.now();
  dispatcher.kill('SIGTERM');
  expect(await dispatcher.ended).toEqual({ status: 0, signal: null });
  expect(performance.now() - stoppedAt).toBeLessThan(5000);
  await Bun.sleep(700);
  await site.dispatcher();
  await Bun.write(go, '');
  const task = await site.reached(id, 'completed');
  expect(task.stdout_tail).toBe('before\nafter\n');
  expect(task.attempts.length).toBe(1);
  const other = await site.reached(short, 'completed');
  expect(other.stdout_tail).toBe('short\n');
  expect(other.attempts.length).toBe(1);
  expect(existsSync(seen) ? (await Bun.file(seen).text()).length : 0).toBe(2);
  expect(await shown.next()).toEqual({ done: false, value: 'after' });
  expect(await shown.next()).toEqual({ done: true, value: undefined });
  expect(await follower.exited).toBe(0);
}, 60_000);

test('a worker frozen for too long loses its tasks, and what it still runs ends without a second result', async () => {
  const site = openSite();
  await site.dispatcher(['--heartbeat-timeout', '1']);
  const worker = await site.worker('a');
  const { command, marks } = stubborn(site, 'one');
  const id = await site.submit({ command });
  await site.reached(id, 'running');
  await site.until('the task runs', () => runAll(marks));
  await site.worker('b');
  worker.kill('SIGSTOP');
  const task = await site.reached(id, 'completed', 15_000);
  expect(task.attempts.map(({ outcome }) => outcome.kind)).toEqual(['lost', 'exited']);
  expect(runAll(marks)).toBe(true);
  worker.kill('SIGCONT');
  await site.until('its attempt is ended', () => noneRuns(marks), 15_000);
  await site.until('it is back', async () => (await site.stats()).workers.online === 2);
  expect(await site.task(id)).toEqual(task);
}, 60_000);

test('a dispatcher frozen for longer than the heartbeat timeout blames no worker', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher(['--heartbeat-timeout', '1']);
  await site.worker('a');
  const go = site.path('go');
  const id = await site.submit({ command: `until [ -e ${go} ]; do sleep 0.02; done; echo end` });
  await site.reached(id, 'running');
  dispatcher.kill('SIGSTOP');
  // Longer than the timeout is what this is about; nothing can be observed of a frozen process meanwhile.
  await Bun.sleep(3000);
  dispatcher.kill('SIGCONT');
  await site.until('it answers', async () => (await site.stats()).workers.online === 1);
  await Bun.write(go, '');
  const task = await site.reached(id, 'completed', 15_000);
  expect(task.stdout_tail).toBe('end\n');
  expect(task.attempts.map(({ outcome }) => outcome.kind)).toEqual(['exited']);
}, 60_000);
