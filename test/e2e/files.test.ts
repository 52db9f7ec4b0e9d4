/** Files that travel: brought along, placed, collected, brought back; and what happens when they are hurt on the way. */

import { afterEach, expect, test } from 'bun:test';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

/** A dispatcher and one worker. */
async function pair(...workerArgs: string[]): Promise<Site> {
  const site = openSite();
  await site.dispatcher();
  await site.worker('a', workerArgs);
  return site;
}

function folder(site: Site, name: string): string {
  const path = site.path(name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** Every file of a directory with this name, however deep. */
function filesNamed(directory: string, name: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name === name)
    .map((entry) => join(entry.parentPath, entry.name));
}

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** Files of a blob: on the dispatcher, and in the caches of workers. */
function blobFiles(site: Site, hash: string): { dispatcher: string[]; workers: string[] } {
  const all = [hash, hash.slice(2)].flatMap((name) => filesNamed(site.dataDir, name));
  const own = join(site.dataDir, 'blobs');
  return {
    dispatcher: all.filter((path) => path.startsWith(own)),
    workers: all.filter((path) => !path.startsWith(own)),
  };
}

test('run brings files along and back: names, bytes, directories, executables', async () => {
  const site = await pair();
  const here = folder(site, 'here');
  mkdirSync(join(here, 'data/deep dir'), { recursive: true });
  const big = randomBytes(3_000_000);
  writeFileSync(join(here, 'data/big.bin'), big);
  writeFileSync(join(here, "data/deep dir/ä 'quoted'"), 'small');
  writeFileSync(
    join(here, 'tool.sh'),
    '#!/bin/sh\nmkdir -p out; cp data/big.bin out/copy; cat "data/deep dir/"* > out/all; cp "$0" out/tool\n',
  );
  chmodSync(join(here, 'tool.sh'), 0o755);
  const { status, stderr } = await site.run(['run', '--in', 'data', '--in', 'tool.sh', '--out', 'out/*', './tool.sh'], {
    cwd: here,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(readFileSync(join(here, 'out/copy')).equals(big)).toBe(true);
  expect(readFileSync(join(here, 'out/all'), 'utf8')).toBe('small');
  expect(statSync(join(here, 'out/tool')).mode & 0o100).toBe(0o100);
  expect(statSync(join(here, 'out/copy')).mode & 0o100).toBe(0);
}, 60_000);

test('the same content is kept once, and reused by the worker', async () => {
  const site = await pair();
  const here = folder(site, 'here');
  const content = randomBytes(500_000);
  for (const name of ['one', 'two']) writeFileSync(join(here, name), content);
  for (let round = 0; round < 2; round++) {
    const { status, stdout } = await site.run(['run', '--in', 'one', '--in', 'two', 'cat one two | wc -c'], {
      cwd: here,
    });
    expect([status, stdout.toString().trim()]).toEqual([0, '1000000']);
  }
  const kept = blobFiles(site, sha256(content));
  expect([kept.dispatcher.length, kept.workers.length]).toEqual([1, 1]);
}, 60_000);

test('a damaged copy in the cache of a worker is noticed and fetched again', async () => {
  const site = await pair();
  const here = folder(site, 'here');
  const content = randomBytes(400_000);
  writeFileSync(join(here, 'in.bin'), content);
  const command = ['run', '--in', 'in.bin', 'sha256sum in.bin'];
  expect((await site.run(command, { cwd: here })).stdout.toString()).toContain(sha256(content));
  const [cached = ''] = blobFiles(site, sha256(content)).workers;
  chmodSync(cached, 0o600);
  const damaged = Buffer.from(content);
  damaged[200_000] = (damaged[200_000] ?? 0) ^ 1;
  writeFileSync(cached, damaged);
  const again = await site.run(command, { cwd: here });
  expect([again.status, again.stdout.toString()]).toEqual([0, expect.stringContaining(sha256(content))]);
}, 60_000);

test('a file damaged or gone at the dispatcher fails the attempt with its name before the command starts', async () => {
  const site = await pair();
  const here = folder(site, 'here');
  for (const how of ['damaged', 'gone']) {
    const content = randomBytes(400_000);
    writeFileSync(join(here, 'in.bin'), content);
    // It is stored while nothing can start, then hurt.
    await site.run(['pause']);
    const id = await site.text(['submit', '--in', 'in.bin', 'touch /tmp/never; echo started'], { cwd: here });
    const [stored = ''] = blobFiles(site, sha256(content)).dispatcher;
    if (how === 'gone') rmSync(stored);
    else {
      chmodSync(stored, 0o600);
      writeFileSync(stored, randomBytes(400_000));
    }
    await site.run(['resume']);
    const task = await site.reached(id, 'final');
    expect(task).toMatchObject({ status: 'failed', stdout_tail: '', reason: expect.stringContaining('in.bin') });
    expect(task.attempts[0]?.outcome.kind).toBe('spawn_failed');
  }
}, 60_000);

test('only regular files below the task directory are collected; the rest is named', async () => {
  const site = await pair();
  const secret = site.path('secret-outside');
  writeFileSync(secret, 'not yours');
  const here = folder(site, 'here');
  const command = [
    'echo good > good',
    `ln -s ${secret} link`,
    'ln -s / root; mkdir dir; echo deep > dir/deep; ln -s ../good dir/up',
    `ln ${secret} hard 2>/dev/null || ln good hard`,
    'mkfifo pipe',
  ].join('; ');
  const outs = ['good', 'link', 'root/etc/passwd', 'dir/**', 'hard', 'pipe', 'missing'].flatMap((name) => [
    '--out',
    name,
  ]);
  const { status, stderr } = await site.run(['run', ...outs, command], { cwd: here });
  expect(status).toBe(125);
  for (const name of ['link', 'root/etc/passwd', 'hard', 'pipe', 'missing']) expect(stderr).toContain(name);
  const got = readdirSync(here, { recursive: true }).map(String).sort();
  expect(got).toContain('dir/deep');
  for (const name of ['link', 'root', 'pipe', 'hard', 'dir/up']) expect(got).not.toContain(name);
  for (const path of ['../x', '/etc/passwd', 'a/../../b']) {
    const { status: refused } = await site.call('POST', '/api/v1/tasks', { command: 'true', outputs: [path] });
    expect(refused).toBe(422);
  }
}, 60_000);

test('fetched files stay below the directory they are fetched into', async () => {
  const site = await pair();
  const here = folder(site, 'here');
  const elsewhere = folder(site, 'elsewhere');
  symlinkSync(elsewhere, join(here, 'out'));
  const { status, stderr } = await site.run(['run', '--out', 'out/*', 'mkdir out; echo x > out/file'], { cwd: here });
  expect(status).toBe(125);
  expect(stderr).toContain('out/file');
  expect(existsSync(join(elsewhere, 'file'))).toBe(false);
}, 60_000);

test('outputs come back after a failure, survive restarts, and are served by name and by range', async () => {
  const site = openSite();
  const dispatcher = await site.dispatcher();
  await site.worker('a');
  const id = await site.submit({ command: 'printf 0123456789 > "a b.txt"; exit 3', outputs: ['*.txt'] });
  expect((await site.reached(id, 'final')).exit_code).toBe(3);
  dispatcher.kill('SIGKILL');
  await dispatcher.ended;
  await site.dispatcher();
  const answer = await fetch(`${site.url}/api/v1/tasks/${id}/outputs/a%20b.txt`, { headers: { range: 'bytes=2-4' } });
  expect([answer.status, await answer.text()]).toEqual([206, '234']);
  const to = folder(site, 'to');
  const { status } = await site.run(['outputs', id, '--dir', to]);
  expect(status).toBe(0);
  expect(readFileSync(join(to, 'a b.txt'), 'utf8')).toBe('0123456789');
}, 60_000);

test('map brings each task its own file and its result back', async () => {
  const site = await pair();
  const here = folder(site, 'here');
  for (const name of ['x', 'y', 'z']) writeFileSync(join(here, `${name}.txt`), name.repeat(10));
  const { status } = await site.run(
    ['map', '--in', '{}', '--out', '{.}.count', 'wc -c < {} > {.}.count; ls | wc -l', ':::', 'x.txt', 'y.txt', 'z.txt'],
    { cwd: here },
  );
  expect(status).toBe(0);
  for (const name of ['x', 'y', 'z']) expect(readFileSync(join(here, `${name}.count`), 'utf8').trim()).toBe('10');
}, 60_000);

test('a missing local file, a path that leads out and a full disk are said by name', async () => {
  const site = await pair();
  const missing = await site.run(['run', '--in', 'nowhere.bin', 'true']);
  expect([missing.status, missing.stderr]).toEqual([2, expect.stringContaining('nowhere.bin')]);
  const blob = `sha256:${'0'.repeat(64)}`;
  for (const [inputs, word] of [
    [[{ path: 'x', blob }], blob],
    [[{ path: '../x', blob }], '..'],
  ] as const) {
    const answer = await site.call('POST', '/api/v1/tasks', { command: 'true', inputs });
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([422, expect.stringContaining(word)]);
  }
}, 60_000);

test('a worker that is killed while files come in takes them in again', async () => {
  const site = openSite();
  await site.dispatcher(['--heartbeat-timeout', '5']);
  const first = await site.worker('a');
  const here = folder(site, 'here');
  const content = randomBytes(60_000_000);
  writeFileSync(join(here, 'big'), content);
  const id = await site.text(['submit', '--in', 'big', '--out', 'sum', 'sha256sum < big > sum'], { cwd: here });
  first.kill('SIGKILL');
  await first.ended;
  await site.worker('b');
  const task = await site.reached(id, 'final', 60_000);
  expect(task.status).toBe('completed');
  const answer = await fetch(`${site.url}/api/v1/tasks/${id}/outputs/sum`);
  expect(await answer.text()).toContain(sha256(content));
}, 90_000);

test('a hard link to another file of the machine is not collected', async () => {
  const site = await pair('--work-dir', '.');
  const target = site.path('target');
  writeFileSync(target, 'not yours');
  linkSync(target, site.path('same'));
  const id = await site.submit({ command: `ln ${target} stolen || cp ${target} stolen-copy`, outputs: ['stolen'] });
  await site.reached(id, 'final');
  const outputs = await site.get<{ outputs: unknown[]; problems: string[] }>(`/api/v1/tasks/${id}/outputs`);
  expect(outputs.outputs).toEqual([]);
  expect(outputs.problems.join()).toContain('stolen');
}, 60_000);
