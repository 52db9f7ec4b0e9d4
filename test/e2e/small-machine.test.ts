/**
 * A machine with little: a disk of 64 MB, in a mount namespace of its own, and 512 MB of memory, by a control group. Both
 * take root on Linux; elsewhere the tests say that they are skipped.
 */

import { afterAll, afterEach, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

const canMount =
  process.platform === 'linux' &&
  spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs -o size=1m none /mnt']).status === 0;
if (!canMount) console.warn('not tested: small disks, which need the right to mount (root on Linux)');

/** A dispatcher and a worker that share a disk of 64 MB; `through` makes a command see it. */
async function onSmallDisk(site: Site) {
  const disk = site.path('disk');
  mkdirSync(disk);
  const mount = `mount -t tmpfs -o size=64m,mode=700 none ${disk} && mkdir -m 700 ${disk}/d ${disk}/w && exec "$@"`;
  const node = await site.dispatcher(['--data-dir', `${disk}/d`], {
    through: ['unshare', '-m', 'sh', '-c', mount, 'sh'],
  });
  const through = ['nsenter', '-t', `${node.pid}`, '-m'];
  const invite = await site.text(['invite', '-o', 'quiet'], { through });
  const worker = await site.worker('a', ['--data-dir', `${disk}/w`, '--join', invite], { through });
  return { disk, node, worker, through };
}

test.skipIf(!canMount)(
  'with a disk of 64 MB a dispatcher and a worker start, say so, work, and refuse files before the disk is full',
  async () => {
    const site = openSite();
    const { node, worker } = await onSmallDisk(site);
    expect(node.log()).toContain('the disk is nearly full');
    expect(worker.log()).toContain('the disk is nearly full');
    const inFile = site.path('in');
    writeFileSync(inFile, new Uint8Array(10 * 2 ** 20));
    const ran = await site.run(['run', '--in', inFile, '--out', 'out', 'wc -c < in | tee out']);
    expect([ran.status, ran.stdout.toString()]).toEqual([0, `${10 * 2 ** 20}\n`]);

    const big = site.path('big');
    writeFileSync(big, new Uint8Array(60 * 2 ** 20).fill(7));
    const refused = await site.run(['run', '--in', big, 'true']);
    expect(refused.status).toBe(125);
    expect(refused.stderr).toContain('no space left');
    const after = await site.run(['run', 'echo goes on']);
    expect(after.stdout.toString()).toBe('goes on\n');
    expect(await site.text(['prune', '--older-than', '0', '--blobs'])).toContain('Deleted 2 tasks');
    expect(node.log()).not.toContain('storing failed');
  },
  60_000,
);

test.skipIf(!canMount)(
  'a task that fills the disk of dispatcher and worker ends, says what was not kept, and both go on',
  async () => {
    const site = openSite();
    const { node, worker } = await onSmallDisk(site);
    // Longer than what is kept in memory, when there is no room for a file.
    const output = 'head -c 1000 /dev/zero; sleep 0.2; head -c 200000 /dev/zero';
    const id = await site.submit({ command: `head -c 80M /dev/zero > big; ${output}`, outputs: ['big'] });
    expect((await site.reached(id, 'completed')).discarded_bytes).toBeGreaterThan(0);
    expect(await site.text(['show', id])).toContain('"big" was not collected: the disk of the worker is full');
    expect((await site.run(['run', 'echo goes on'])).stdout.toString()).toBe('goes on\n');
    expect([node, worker].map((one) => one.log()).join()).not.toContain('mistake');
  },
  60_000,
);

test.skipIf(!canMount)(
  'a disk that can only be read is backed up to another, and told of as the place of a backup',
  async () => {
    const site = openSite();
    const node = await site.dispatcher();
    await site.submit({ command: 'true', name: 'kept' });
    node.kill('SIGTERM');
    await node.ended;
    const readOnly = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"';
    const through = ['unshare', '-m', 'sh', '-c', readOnly, site.dataDir];
    const file = site.path('backup.tar');
    const refused = await site.run(['backup', join(site.dataDir, 'x.tar')], { through });
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('That disk can only be read') });
    await site.text(['backup', file], { through });
    await site.text(['restore', '--force', file]);
    await site.dispatcher();
    expect((await site.allTasks()).map(({ name }) => name)).toEqual(['kept']);
  },
  30_000,
);

/** A new control group whose processes share `bytes` of memory; null where there can be none. */
function memoryGroup(bytes: number): { readonly directory: string; readonly peak: () => number } | null {
  if (process.platform !== 'linux') return null;
  const name = `octaskly-test-${process.pid}`;
  const forms = [
    {
      directory: join('/sys/fs/cgroup/memory', name),
      limit: 'memory.limit_in_bytes',
      peak: 'memory.max_usage_in_bytes',
    },
    { directory: join('/sys/fs/cgroup', name), limit: 'memory.max', peak: 'memory.peak' },
  ];
  for (const { directory, limit, peak } of forms) {
    try {
      mkdirSync(directory);
      writeFileSync(join(directory, limit), `${bytes}`);
      if (readFileSync(join(directory, limit), 'utf8').trim() !== `${bytes}`) throw new Error('no such limit');
      return { directory, peak: () => Number(readFileSync(join(directory, peak), 'utf8')) };
    } catch {
      if (existsSync(directory)) rmdirSync(directory);
    }
  }
  return null;
}

const memoryBytes = 512 * 2 ** 20;
const group = memoryGroup(memoryBytes);
afterAll(() => {
  if (group !== null) rmdirSync(group.directory);
});
if (group === null) console.warn('not tested: 512 MB of memory, which needs a control group (root on Linux)');

test.skipIf(group === null)(
  'in 512 MB of memory a dispatcher and a worker run 300 tasks, and one with 200 MB to read',
  async () => {
    const site = openSite();
    const directory = group?.directory ?? '';
    const through = ['sh', '-c', `echo $$ > ${directory}/cgroup.procs && exec "$@"`, 'sh'];
    const node = await site.dispatcher([], { through });
    const worker = await site.worker('a', [], { through });
    const mapped = await site.run(['map', 'echo {}'], { stdin: Array.from({ length: 300 }, (_, n) => n).join('\n') });
    expect([mapped.status, mapped.stdout.toString().trimEnd().split('\n').length]).toEqual([0, 300]);
    const big = site.path('big');
    writeFileSync(big, new Uint8Array(200_000_000));
    const ran = await site.run(['run', '--in', big, 'wc -c < big']);
    expect([ran.status, ran.stdout.toString()]).toEqual([0, '200000000\n']);
    expect(group?.peak()).toBeLessThanOrEqual(memoryBytes);
    for (const one of [node, worker]) {
      one.kill('SIGTERM');
      expect((await one.ended).signal).toBeNull();
    }
  },
  90_000,
);
