/** Figures and logs of the compiled file: what Prometheus is told, and a worker's own log read from elsewhere. */

import { afterEach, expect, test } from 'bun:test';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites);

async function scrape(site: Site, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(`${site.url}/metrics`, { headers, keepalive: false });
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
  return response.text();
}

function figureOf(text: string, line: string): number {
  const found = text.split('\n').find((each) => each.startsWith(`${line} `));
  return Number(found?.slice(line.length + 1));
}

test('/metrics tells what happened, in a text that promtool finds no fault with', async () => {
  const site = openSite();
  await site.dispatcher(['--max-workers', '2']);
  await site.worker('attic', ['-j', '2']);
  const waiting = await site.submit({ command: 'true', priority: 'high', requires: { labels: { no: 'where' } } });
  await site.reached(await site.submit({ command: 'echo hello > out', outputs: ['out'] }), 'completed');
  await site.reached(await site.submit({ command: 'exit 3' }), 'failed');
  await site.reached(await site.submit({ command: 'kill -9 $$' }), 'failed');
  const text = await scrape(site);
  const expected: [string, number][] = [
    ['octaskly_queue_tasks{state="queued",priority="high"}', 1],
    ['octaskly_tasks_submitted_total', 4],
    ['octaskly_tasks_ended_total{state="completed"}', 1],
    ['octaskly_placements_total{way="assigned"}', 3],
    ['octaskly_attempts_ended_total{end="succeeded"}', 1],
    ['octaskly_attempts_ended_total{end="failed"}', 1],
    ['octaskly_attempts_ended_total{end="signaled"}', 1],
    ['octaskly_workers{state="online"}', 1],
    ['octaskly_worker_slots{worker="attic"}', 2],
    ['octaskly_blob_bytes_total{direction="received",partner="workers"}', 6],
  ];
  for (const [line, value] of expected) expect([line, figureOf(text, line)]).toEqual([line, value]);
  for (const name of ['task_queue_wait', 'attempt_launch', 'attempt_run', 'attempt_result']) {
    expect([name, figureOf(text, `octaskly_${name}_seconds_count`)]).toEqual([name, 3]);
  }
  expect(figureOf(text, 'octaskly_store_written_bytes_total')).toBeGreaterThan(4096);
  expect(figureOf(text, 'process_resident_memory_bytes')).toBeGreaterThan(2 ** 20);
  expect(text).not.toContain(waiting);
  await site.text(['cancel', waiting]);

  if (Bun.which('promtool') === null) {
    console.warn('not tested: what promtool says of /metrics; it is not installed (Debian: prometheus)');
    return;
  }
  const check = Bun.spawn(['promtool', 'check', 'metrics'], {
    ...{ stdin: new Blob([text]), stdout: 'pipe', stderr: 'pipe', env: { PATH: process.env.PATH ?? '' } },
  });
  const said = await Promise.all([new Response(check.stdout).text(), new Response(check.stderr).text()]);
  expect([await check.exited, ...said]).toEqual([0, '', '']);
}, 60_000);

test('/metrics and the log of a worker need a token of the cluster where calls do', async () => {
  const site = openSite();
  await site.dispatcher(['--require-auth', 'true']);
  const token = (role: string) => site.text(['token', 'create', '--name', `of-${role}`, '--role', role, '-o', 'quiet']);
  const [owner, client] = [await token('dispatcher'), await token('client')];
  for (const path of ['/metrics', '/api/v1/workers/attic/log']) {
    const ask = async (headers: Record<string, string>) => (await fetch(site.url + path, { headers })).status;
    expect([await ask({}), await ask({ authorization: `Bearer ${client}` })]).toEqual([401, 403]);
  }
  expect(await scrape(site, { authorization: `Bearer ${owner}` })).toContain('octaskly_ready 1');
}, 60_000);

test('logs --node reads a worker’s log through the dispatcher, and says when the worker is away', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  const [file, log] = [site.path('attic.log'), ['--log-max-size', '0', '--log-format', 'json', '-v']];
  const attic = await site.start(['worker', '-n', 'attic', '-p', `${site.port}`, '--log-file', file, ...log]);
  await site.start(['worker', '-n', 'cellar', '-p', `${site.port}`, '-q']);
  await site.until('both have joined', async () => (await site.workers()).length === 2);
  const id = await site.submit({ command: 'true', name: 'red \u001b[31m', requires: { labels: {} } });
  await site.reached(id, 'completed');
  const lines = async (...args: string[]) => (await site.text(['logs', '--node', ...args])).split('\n');

  // One that says nothing itself still has its lines in memory.
  expect((await lines('cellar')).at(-1)).toMatch(/ info {2}Joined the dispatcher at 127\.0\.0\.1:\d+ as cellar\.$/);
  expect(await lines('attic', '-n', '1')).toHaveLength(1);
  const read = (await lines('attic')).map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(read.map(({ message }) => message)).toContainEqual(expect.stringContaining('Joined the dispatcher'));
  expect(readFileSync(file, 'utf8')).not.toMatch(/[^\n\P{Cc}]/u);

  // As logrotate does it.
  renameSync(file, `${file}.old`);
  attic.kill('SIGHUP');
  await site.until('it has a new file', () => existsSync(file));
  expect((await site.workers()).filter(({ status }) => status === 'online')).toHaveLength(2);

  attic.kill('SIGKILL');
  await site.until('it is away', () => dispatcher.log().includes('worker silent worker=attic'));
  const { status, stderr } = await site.run(['logs', '--node', 'attic']);
  expect([status, stderr]).toEqual([1, expect.stringContaining('Worker attic is not connected')]);
  expect((await site.run(['logs', '--node', 'attik'])).stderr).toContain('The nearest is "attic".');
}, 60_000);
