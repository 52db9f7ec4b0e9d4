/**
 * Services with the compiled file. The whole life of one is lived under Termux:Boot, whose part a shell plays: that of
 * systemd needs a machine that systemd has started. What systemd is told is seen in the file and in the commands.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeSites, openSite, type Site, until } from './site.ts';

afterEach(closeSites);

/** Directory of programs that play the part of a phone's, and the variables of one. */
function phone(site: Site): Record<string, string> {
  const bin = site.path('bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'termux-wake-lock'), '#!/bin/sh\n');
  chmodSync(join(bin, 'termux-wake-lock'), 0o755);
  return { PATH: `${bin}:${process.env.PATH}`, TERMUX_VERSION: '0.118', PREFIX: '/usr' };
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);
const pidIn = (file: string): number => (existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0);

test('service install starts a dispatcher that is started again when it is killed, and uninstall removes it', async () => {
  const site = openSite();
  const env = phone(site);
  const service = async (...args: string[]) => site.run(['service', ...args], { env });
  const lock = join(site.dataDir, 'dispatcher.lock');
  const ports = ['--bind', '127.0.0.1', '--port', `${site.port}`, '--api-port', `${site.apiPort}`];
  const isReady = async (): Promise<boolean> => (await fetch(`${site.url}/ready`).catch(() => null))?.ok === true;
  try {
    const installed = await service('install', 'dispatcher', ...ports, '--secret', 'a secret of the cluster');
    expect(installed.status, installed.stderr).toBe(0);
    expect(installed.stderr).toContain('Termux:Boot');
    await until('it is ready', isReady);
    const script = join(site.home, '.termux/boot/octaskly-dispatcher');
    expect(readFileSync(script, 'utf8')).not.toContain('a secret');
    expect(readFileSync(join(site.dataDir, 'secret'), 'utf8')).toBe('a secret of the cluster\n');
    expect(statSync(join(site.dataDir, 'secret')).mode & 0o777).toBe(0o600);
    const status = await service('status', '-o', 'json');
    expect(status.status, status.stderr).toBe(0);
    const [one] = JSON.parse(status.stdout.toString()).services;
    expect(one).toMatchObject({ name: 'octaskly-dispatcher', status: 'running', init: 'termux', next: null });
    expect((await service('logs', 'dispatcher')).stdout.toString()).toContain('dispatcher ready');
    const before = pidIn(lock);
    process.kill(before, 'SIGKILL');
    await until('it runs anew', async () => pidIn(lock) !== before && (await isReady()));
    const removed = await service('uninstall', 'dispatcher');
    expect(removed.status, removed.stderr).toBe(0);
    expect(existsSync(script)).toBe(false);
    expect(isAlive(one.pid)).toBe(false);
    expect(await isReady()).toBe(false);
    expect((await service('status', '-o', 'quiet')).status).toBe(4);
  } finally {
    await service('uninstall', 'dispatcher');
  }
});

test('service install says so when what it started ends at once', async () => {
  const site = openSite();
  const env = phone(site);
  mkdirSync(site.path('empty'));
  const service = async (...args: string[]) => site.run(['service', ...args], { env });
  const wanted = ['install', 'dispatcher', ...site.places];
  const missing = await service(...wanted, '--dist', site.path('none'));
  expect([missing.status, missing.stderr]).toEqual([2, expect.stringContaining('there is no such file or directory')]);
  expect(existsSync(join(site.home, '.termux'))).toBe(false);
  const { status, stdout, stderr } = await service(...wanted, '--dist', site.path('empty'));
  expect([status, stdout.toString()]).toEqual([1, expect.not.stringContaining('started it')]);
  expect(stderr).toContain('the service octaskly-dispatcher was started and ended at once');
  expect(stderr).toContain(`--dist=${site.path('empty')}`);
  await service('uninstall', 'dispatcher');
});

describe('systemd', () => {
  const user = ['--user', '--init', 'systemd'];

  test('service install --dry-run shows unit and commands, and changes nothing', async () => {
    const site = openSite();
    const args = ['service', 'install', 'worker', ...user, '--dry-run', '--label', 'a=b %h', '--work-dir', 'w'];
    const { status, stdout, stderr } = await site.run(args);
    expect(status, stderr).toBe(0);
    const text = stdout.toString();
    expect(text).toContain('"--label=a=b %%h"');
    expect(text).toContain(`"--work-dir=${site.directory}/w"`);
    expect(text).toContain('systemctl --user enable octaskly-worker.service');
    expect(existsSync(join(site.home, '.config'))).toBe(false);
    // A slip of the pen makes no account.
    const typo = await site.run([
      ...args.slice(0, 3),
      '--system',
      '--init',
      'systemd',
      '--dry-run',
      '--run-as',
      'octasky',
    ]);
    expect([typo.status, typo.stdout.toString().match(/useradd|adduser/)]).toEqual([0, null]);
  });

  test('service uninstall --all removes what runs this program, whatever its name, and nothing else', async () => {
    const site = openSite();
    const bin = site.path('bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'systemctl'), '#!/bin/sh\n', { mode: 0o755 });
    const env = { PATH: `${bin}:${process.env.PATH}` };
    for (const name of [[], ['--name', 'night']]) {
      const { status, stderr } = await site.run(['service', 'install', 'worker', ...user, ...name, '--no-now'], {
        env,
      });
      expect(status, stderr).toBe(0);
    }
    const directory = join(site.home, '.config/systemd/user');
    const unit = readFileSync(join(directory, 'octaskly-worker.service'), 'utf8');
    const others = unit.replace(/^ExecStart="[^"]*"/m, 'ExecStart="/opt/octaskly"');
    writeFileSync(join(directory, 'octaskly-dispatcher.service'), others);
    const all = ['service', 'uninstall', '--all', '--init', 'systemd'];
    const planned = await site.run([...all, '--dry-run'], { env });
    expect([planned.status, readdirSync(directory).length]).toEqual([0, 3]);
    const { status, stdout } = await site.run(all, { env });
    expect([status, stdout.toString().match(/octaskly-worker(-night)? /g)?.length]).toEqual([0, 2]);
    expect(readdirSync(directory)).toEqual(['octaskly-dispatcher.service']);
    expect(await site.run(all, { env })).toMatchObject({ status: 0 });
  });

  test('service install leaves a unit alone that is not its own', async () => {
    const site = openSite();
    const directory = join(site.home, '.config/systemd/user');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'octaskly-worker.service'), '[Service]\n');
    const { status, stderr } = await site.run(['service', 'install', 'worker', ...user]);
    expect([status, stderr]).toEqual([1, expect.stringContaining('was not made by')]);
    const listed = await site.run(['service', 'status', '-o', 'json', ...user]);
    expect([listed.status, JSON.parse(listed.stdout.toString())]).toEqual([4, { services: [] }]);
    await site.run(['service', 'uninstall', 'worker', ...user]);
    expect(readFileSync(join(directory, 'octaskly-worker.service'), 'utf8')).toBe('[Service]\n');
  });
});

test('a worker with --leave-within hands back what has not ended by then', async () => {
  const site = openSite();
  await site.dispatcher();
  const worker = await site.worker('w', ['--leave-within', '200ms']);
  const id = (await site.run(['submit', 'sleep 600'])).stdout.toString().trim();
  const status = async (): Promise<string> => {
    const { stdout } = await site.run(['show', id, '-o', 'json']);
    return JSON.parse(stdout.toString()).status;
  };
  await site.until('it runs', async () => (await status()) === 'running');
  worker.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ status: 0 });
  await site.until('it waits again', async () => (await status()) === 'queued');
});
