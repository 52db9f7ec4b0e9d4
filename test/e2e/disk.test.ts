/**
 * A dispatcher whose disk is full or read-only. The disk is a small tmpfs in a mount namespace of the dispatcher's own,
 * which takes root on Linux; elsewhere the tests say that they are skipped.
 */

import { afterEach, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import type { Problem } from '../../src/api/schemas.ts';
import { closeSites, openSite, type Site } from './site.ts';

afterEach(closeSites, 20_000);

const canMount =
  process.platform === 'linux' &&
  spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs -o size=1m none /mnt']).status === 0;
if (!canMount) console.log('skipped: tests of full and read-only disks need the right to mount (root on Linux)');

const secret = 'the secret of a cluster with a small disk';
const env = { OCTASKLY_SECRET: secret };

/** Runs what follows with a tmpfs of 6 MB at `directory`, seen by it alone. */
function onSmallDisk(directory: string): string[] {
  return ['unshare', '-m', 'sh', '-c', `mount -t tmpfs -o size=6m,mode=700 none ${directory} && exec "$@"`, 'sh'];
}

/** Left free by `fill`: room for a few submissions, so that the disk fills up while they are written. */
const leftBytes = 400_000;

/** Fills the disk that process `pid` sees at `directory` but for `leftBytes`; returns what frees it again. */
function fill(pid: number, directory: string): () => void {
  const file = `/proc/${pid}/root${directory}/filler`;
  for (const size of [65_536, 4096, 512]) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  truncateSync(file, statSync(file).size - leftBytes);
  return () => rmSync(file);
}

/** Submits until it is refused; ids of what was acknowledged, and the refusal. */
async function submitUntilRefused(site: Site): Promise<{ ids: string[]; refusal: Problem }> {
  const ids: string[] = [];
  for (let n = 0; n < 2000; n++) {
    const request = { command: 'echo stored', env: { FILL: 'x'.repeat(8000) } };
    const { status, body } = await site.call<Problem & { id: string }>('POST', '/api/v1/tasks', request);
    if (status !== 201) return { ids, refusal: body };
    ids.push(body.id);
  }
  throw new Error('a full disk was never noticed');
}

test.skipIf(!canMount)(
  'a full disk refuses submissions with 507, keeps what was acknowledged, and passes by itself',
  async () => {
    const site = openSite();
    const disk = site.path('disk');
    mkdirSync(disk);
    const node = await site.dispatcher(['--data-dir', disk], { through: onSmallDisk(disk), env });
    const workerDir = site.path('worker');
    await site.worker('a', ['--data-dir', workerDir], { env });
    const go = site.path('go');
    const starts = site.path('starts');
    const command = `echo >> ${starts}; until [ -e ${go} ]; do sleep 0.02; done; echo survived`;
    const running = await Promise.all([site.submit({ command }), site.submit({ command })]);
    for (const id of running) await site.reached(id, 'running');

    const free = fill(node.pid, disk);
    const { ids, refusal } = await submitUntilRefused(site);
    expect(ids.length).toBeGreaterThan(0);
    expect(refusal).toMatchObject({ status: 507, type: 'urn:octaskly:problem:storage_unavailable' });
    expect(refusal.detail).toContain('the disk is full');
    const { status, stderr } = await site.run(['submit', 'true']);
    expect(status).toBe(1);
    expect(stderr).toContain('the disk is full');
    const ready = await site.call<Problem>('GET', '/ready');
    expect(ready.status).toBe(503);
    expect((await site.call('GET', '/health')).status).toBe(200);
    // They end while nothing can be stored.
    await Bun.write(go, '');
    await site.until('the tasks have ended', () => !site.processes().some((one) => one.command.includes(starts)));
    for (const id of running) expect((await site.task(id)).status).toBe('running');

    free();
    await site.until('it is ready again', async () => (await site.call('GET', '/ready')).status === 200);
    for (const id of running) {
      const { attempts, stdout_tail: output } = await site.reached(id, 'completed');
      expect(output).toBe('survived\n');
      expect(attempts.length).toBe(1);
    }
    expect(readFileSync(starts, 'utf8')).toBe('\n\n');
    for (const id of ids) expect((await site.reached(id, 'completed')).stdout_tail).toBe('stored\n');
    // Nothing that was refused came to be.
    expect((await site.allTasks()).length).toBe(ids.length + running.length);
    expect((await site.run(['run', 'echo works'], { env })).stdout.toString()).toBe('works\n');
    expect(node.log()).toContain('storing works again');
    expect(node.log()).not.toMatch(/\$bunfs|Octaskly made a mistake/);
  },
  90_000,
);

test.skipIf(!canMount)(
  'a dispatcher killed while its disk is full has everything it acknowledged, and goes on when there is room',
  async () => {
    const site = openSite();
    const disk = site.path('disk');
    mkdirSync(disk);
    // The disk belongs to a process that stays, so that it outlives the dispatcher.
    const keeper = await site.start(['worker', '--data-dir', site.path('keeper'), '--port', `${site.port}`], {
      through: onSmallDisk(disk),
      env,
    });
    await site.until('the disk is there', () => keeper.log() !== '');
    const through = ['nsenter', '-t', `${keeper.pid}`, '-m'];
    const node = await site.dispatcher(['--data-dir', disk], { through, env });
    const free = fill(keeper.pid, disk);
    const { ids } = await submitUntilRefused(site);
    expect(ids.length).toBeGreaterThan(0);
    node.kill('SIGKILL');
    await node.ended;
    const again = await site.dispatcher(['--data-dir', disk], { through, env });
    expect((await site.task(ids[0] ?? '')).id).toBe(ids[0] ?? '');
    const more = await submitUntilRefused(site);
    expect(more.refusal.status).toBe(507);
    ids.push(...more.ids);
    free();
    await site.until('it is ready again', async () => (await site.call('GET', '/ready')).status === 200);
    for (const id of ids) await site.reached(id, 'completed');
    expect((await site.allTasks()).length).toBe(ids.length);
    expect(again.log()).not.toMatch(/\$bunfs|Octaskly made a mistake/);
  },
  90_000,
);

test.skipIf(!canMount)(
  'a read-only disk is refused at the start in one sentence',
  async () => {
    const site = openSite();
    const first = await site.dispatcher();
    const id = await site.submit({ command: 'true' });
    first.kill('SIGKILL');
    await first.ended;
    const mount = `mount --bind ${site.dataDir} ${site.dataDir} && mount -o remount,ro,bind ${site.dataDir} && exec "$@"`;
    const through = ['unshare', '-m', 'sh', '-c', mount, 'sh'];
    const { status, stderr } = await site.run(['dispatcher', '--port', `${site.port}`, '--api-port', '0'], { through });
    expect(status).toBe(1);
    expect(stderr).toContain('read-only');
    expect(stderr.trimEnd().split('\n').length).toBe(1);
    expect(stderr).toStartWith('octaskly: ');
    await site.dispatcher();
    expect((await site.task(id)).status).toBe('queued');
  },
  60_000,
);
