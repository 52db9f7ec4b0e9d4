/** Files that stay with the worker they were made by: brought on demand, moved before it goes, gone with it when it must. */

import { afterEach, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OutputFiles } from '../../src/api/file-schemas.ts';
import type { Problem } from '../../src/api/schemas.ts';
import { closeSites, type Node, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

const bytesOfBig = 2_000_000;
const command = `mkdir out; head -c ${bytesOfBig} /dev/urandom > out/big; echo small > out/note; sha256sum < out/big`;

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** A task whose files stay with a worker: its id, and the hash its command printed of the large one. */
async function stayed(site: Site, run = command): Promise<{ id: string; hash: string }> {
  const id = await site.submit({ command: run, outputs: ['out/*'], outputs_at: 'worker' });
  const { status, stdout_tail: printed } = await site.reached(id, 'final');
  expect(status).toBe('completed');
  return { id, hash: printed.slice(0, 64) };
}

const list = (site: Site, id: string): Promise<OutputFiles> => site.get(`/api/v1/tasks/${id}/outputs`);

/** Path and place of each file of a task. */
async function places(site: Site, id: string): Promise<(readonly [string, string | null])[]> {
  return (await list(site, id)).outputs.map(({ path, at }) => [path, at] as const);
}

async function fetched(site: Site, id: string, path: string): Promise<{ status: number; hash: string }> {
  const response = await fetch(`${site.url}/api/v1/tasks/${id}/outputs/${path}`, { keepalive: false });
  return { status: response.status, hash: sha256(await response.bytes()) };
}

const refused = (site: Site, id: string) => site.call<Problem>('GET', `/api/v1/tasks/${id}/outputs/out/big`);

/** The dispatcher has the blob of this hash in its own folder. */
function isHere(site: Site, hash: string): boolean {
  const names = readdirSync(join(site.dataDir, 'blobs'), { recursive: true, encoding: 'utf8' });
  return names.some((name) => name.replace('/', '').endsWith(hash));
}

/** The nodes a worker takes as peers. */
function rosterOf(site: Site, name: string): string {
  return readFileSync(join(site.dataDir, 'workers', `name-${name}`, 'roster.json'), 'utf8');
}

async function killed(node: Node): Promise<void> {
  node.kill('SIGKILL');
  await node.ended;
}

async function keptAt(site: Site, name: string): Promise<number | undefined> {
  return (await site.workers()).find((worker) => worker.name === name)?.kept_outputs;
}

test('files stay with their worker until they are asked for, and then are here too', async () => {
  const site = openSite();
  await site.dispatcher();
  await site.worker('w1');
  const { id, hash } = await stayed(site);
  expect(await places(site, id)).toEqual([
    ['out/big', 'w1'],
    ['out/note', 'w1'],
  ]);
  expect([isHere(site, hash), await keptAt(site, 'w1')]).toEqual([false, 2]);
  expect(await fetched(site, id, 'out/big')).toEqual({ status: 200, hash });
  expect([isHere(site, hash), await keptAt(site, 'w1')]).toEqual([true, 1]);
  expect((await places(site, id))[0]).toEqual(['out/big', null]);
  const target = site.path('target');
  await site.text(['outputs', id, '--dir', target]);
  expect(sha256(readFileSync(join(target, 'out/big')))).toBe(hash);
  expect(readFileSync(join(target, 'out/note'), 'utf8')).toBe('small\n');
  expect(await keptAt(site, 'w1')).toBe(0);
}, 60_000);

test('without being asked for, files go to the dispatcher as the task ends', async () => {
  const site = openSite();
  await site.dispatcher();
  await site.worker('w1');
  const id = await site.submit({ command, outputs: ['out/*'] });
  const { stdout_tail: printed, outputs_at: place } = await site.reached(id, 'completed');
  expect([place, isHere(site, printed.slice(0, 64))]).toEqual(['dispatcher', true]);
}, 60_000);

test('files that stayed outlive restarts of the dispatcher and of their worker', async () => {
  const site = openSite();
  const first = await site.dispatcher();
  // A cache too small for anything but what is held.
  const small = ['--cache-size', '3M'];
  const worker = await site.worker('w1', small);
  const { id, hash } = await stayed(site);
  await killed(worker);
  expect(await refused(site, id)).toMatchObject({ status: 503, body: { type: 'urn:octaskly:problem:worker_away' } });
  await killed(first);
  await site.dispatcher();
  expect((await refused(site, id)).body.detail).toContain(
    'stayed with worker w1 when its task ended, which is not conn',
  );
  await site.worker('w1', small);
  await site.reached(await site.submit({ command: 'head -c 2500000 /dev/zero > x', outputs: ['x'] }), 'completed');
  expect(isHere(site, hash)).toBe(false);
  expect(await fetched(site, id, 'out/big')).toEqual({ status: 200, hash });
}, 90_000);

test('a drain moves what stayed, and what ends while it lasts does not stay', async () => {
  const site = openSite();
  await site.dispatcher();
  await site.worker('w1');
  const { id, hash } = await stayed(site);
  const lasting = await site.submit({
    command: `while [ ! -e ${site.path('go')} ]; do sleep 0.05; done; ${command}`,
    outputs: ['out/*'],
    outputs_at: 'worker',
  });
  await site.reached(lasting, 'running');
  await site.text(['drain', 'w1']);
  await site.until('what stayed is here', async () => (await keptAt(site, 'w1')) === 0);
  expect(await places(site, id)).toEqual([
    ['out/big', null],
    ['out/note', null],
  ]);
  expect(isHere(site, hash)).toBe(true);
  await Bun.write(site.path('go'), '');
  await site.reached(lasting, 'completed');
  expect(await places(site, lasting)).toEqual([
    ['out/big', null],
    ['out/note', null],
  ]);
}, 60_000);

test('a worker that is told to stop gives away what stayed before it goes', async () => {
  const site = openSite();
  await site.dispatcher();
  const worker = await site.worker('w1');
  const { id, hash } = await stayed(site);
  worker.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ status: 0 });
  expect(isHere(site, hash)).toBe(true);
  expect(await fetched(site, id, 'out/big')).toEqual({ status: 200, hash });
}, 60_000);

test('what stayed with a worker that is kicked is gone, and the answer says so', async () => {
  const site = openSite();
  await site.dispatcher();
  await site.worker('w1');
  const { id } = await stayed(site);
  await site.text(['kick', 'w1']);
  const { status, body } = await refused(site, id);
  expect([status, body.type]).toEqual([410, 'urn:octaskly:problem:gone']);
  expect(body.detail).toContain('stayed with worker w1 when its task ended, which was shut out of the cluster');
  const outputs = await site.run(['outputs', id, '--dir', site.path('target')]);
  expect(outputs.status).toBe(1);
  expect(outputs.stderr).toContain('shut out of the cluster');
}, 60_000);

for (const [how, args, isBrought] of [
  ['from the worker they stayed with', [], false],
  ['through the dispatcher where peers are not allowed', ['--p2p-enabled', 'false'], true],
] as const) {
  test(`a following task elsewhere gets files that stayed ${how}`, async () => {
    const site = openSite();
    await site.dispatcher([...args]);
    await site.worker('w1', ['--label', 'place=1', ...args]);
    const { id, hash } = await stayed(site);
    await site.worker('w2', ['--label', 'place=2', ...args]);
    // Who is not on the roster of a peer is not let in, and has to take the longer way.
    if (!isBrought) await site.until('w1 knows w2', () => rosterOf(site, 'w1').includes('"w2"'));
    const [big] = (await list(site, id)).outputs;
    const next = await site.submit({
      command: 'sha256sum < in',
      inputs: [{ path: 'in', blob: big?.blob ?? '', bytes: bytesOfBig }],
      requires: { labels: { place: '2' } },
    });
    const { status, stdout_tail: printed, reason } = await site.reached(next, 'final');
    expect([status, reason, printed.slice(0, 64)]).toEqual(['completed', null, hash]);
    expect(isHere(site, hash)).toBe(isBrought);
  }, 60_000);
}
