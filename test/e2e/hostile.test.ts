/**
 * Hostile tasks at every level this machine offers, through the compiled file: what each may and may not do, what ends it,
 * and that nothing of it stays: no process, no mount, no directory, no memory of the worker.
 *
 * A worker started as root runs strict levels as another account, one started by a user as that user: both are tried
 * where the tests run as root.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { type SandboxLevel, sandboxLevels } from '../../src/core/isolation.ts';
import { sleepers, token, until } from '../integration/processes.ts';
import { type HostileCase, hostileCases, type Scene } from './hostile-cases.ts';
import { closeSites, type Node, openSite, type Site } from './site.ts';

const onLinux = process.platform === 'linux';
const isRoot = process.getuid?.() === 0;
/** The account of the unprivileged worker, and of strict tasks of the privileged one. */
const nobody = 65_534;
/** What a worker may have grown by after a case, KiB: the collector takes its time. */
const growthKbMax = 96 * 1024;

interface Stage {
  readonly site: Site;
  readonly worker: Node;
  readonly home: string;
  readonly offered: Scene['offers'];
  readonly listeners: Listeners;
}

interface Listeners {
  readonly tcpPort: number;
  readonly udpPort: number;
  readonly socket: string;
  readonly heard: string[];
  close(): Promise<void>;
}

async function listen(site: Site): Promise<Listeners> {
  const heard: string[] = [];
  const servers: Server[] = [];
  const serve = (name: string, where: object): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer((socket) => {
        heard.push(name);
        socket.destroy();
      });
      servers.push(server);
      server.listen(where, () => resolve(server));
    });
  const tcp = await serve('tcp', { host: '127.0.0.1', port: 0 });
  const socket = site.path('docker.sock');
  await serve('unix', { path: socket });
  chmodSync(socket, 0o777);
  const udp = await Bun.udpSocket({ hostname: '127.0.0.1', socket: { data: () => void heard.push('udp') } });
  const address = tcp.address();
  return {
    tcpPort: typeof address === 'object' ? (address?.port ?? 0) : 0,
    udpPort: udp.port,
    socket,
    heard,
    close: async () => {
      udp.close();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** A dispatcher and one worker; `through` makes the worker somebody else's. */
async function open(user: number | null): Promise<Stage> {
  const site = openSite();
  chmodSync(site.directory, 0o755);
  // What is tried here is what the deny list keeps people from by accident.
  const denyList = site.path('deny.toml');
  writeFileSync(denyList, 'rules = []\n');
  await site.dispatcher(['--deny-list', denyList]);
  const home = site.path('user');
  mkdirSync(join(home, '.ssh'), { recursive: true });
  mkdirSync(join(home, '.octaskly'), { mode: 0o700 });
  writeFileSync(join(home, '.ssh', 'id'), 'secret\n', { mode: 0o644 });
  cpSync(join(site.dataDir, 'secret'), join(home, '.octaskly', 'secret'));
  for (const path of [home, ...['.ssh', '.ssh/id', '.octaskly', '.octaskly/secret'].map((name) => join(home, name))]) {
    if (user !== null) chownSync(path, user, user);
  }
  const through = user === null ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'];
  const account = user === null && isRoot ? ['--task-user', 'nobody', '--work-dir', site.path('work')] : [];
  const env = { HOME: home, SECRET_TOKEN: 'hostile-secret' };
  const worker = await site.worker('hostile', ['--sandbox-level', 'none', ...account], { env, through, cwd: '/' });
  const [view] = await site.workers();
  const offered = new Map(view?.sandbox.levels.map((offer) => [offer.level, offer]));
  return { site, worker, home, offered, listeners: await listen(site) };
}

function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** Those of network namespaces are others' and come and go. */
const mounts = (): number =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => !line.includes(' /run/netns')).length;

/** What of task directories is left; spares, which are empty, do not count. */
function leftOvers({ home, site }: Stage): string[] {
  const places = [join(home, '.octaskly'), site.path('work')].filter((path) => existsSync(path));
  return places
    .flatMap((path) => readdirSync(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => /\/tasks\/[^/]+$/.test(entry.parentPath))
    .map((entry) => join(entry.parentPath, entry.name));
}

async function attempt(stage: Stage, hostile: HostileCase, level: SandboxLevel): Promise<void> {
  const { site, worker, home, listeners } = stage;
  const mark = token();
  const outside = site.path(`outside-${mark}`);
  mkdirSync(outside);
  chmodSync(outside, 0o777);
  writeFileSync(join(outside, 'mode'), '', { mode: 0o666 });
  listeners.heard.length = 0;
  const before = { mounts: mounts(), residentKb: residentKb(worker.pid) };
  const scene: Scene = {
    level,
    offers: stage.offered,
    mark,
    outside,
    home,
    ...listeners,
    workerPid: worker.pid,
    asRoot: isRoot && (level === 'none' || level === 'basic'),
  };
  const id = await site.submit({ ...hostile.request(scene), sandbox_level: level });
  const task = await site.reached(id, 'final', 90_000);
  expect(task.attempts[0]?.sandbox_level).toBe(level);
  hostile.check(task, scene);
  expect(sleepers(mark)).toEqual([]);
  expect(mounts()).toBe(before.mounts);
  await until('its directory is gone', () => leftOvers(stage).length === 0);
  await until('the memory of the worker is back', () => residentKb(worker.pid) < before.residentKb + growthKbMax);
  const next = await site.reached(await site.submit({ command: 'true', sandbox_level: level }), 'final');
  expect(next.status).toBe('completed');
  rmSync(outside, { recursive: true });
}

const accounts = isRoot ? ([null, nobody] as const) : ([null] as const);

describe.skipIf(!onLinux).each(accounts)('a worker of account %p', (user) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await open(user);
    for (const level of sandboxLevels) {
      if (!stage.offered.has(level)) process.stdout.write(`notice: no hostile tasks at ${level}: not offered here\n`);
    }
  }, 60_000);
  afterAll(async () => {
    await stage.listeners.close();
    await closeSites();
  }, 30_000);

  for (const hostile of hostileCases) {
    for (const level of hostile.levels ?? sandboxLevels) {
      if (hostile.unprivileged === true && user === null && isRoot && (level === 'none' || level === 'basic')) continue;
      test(`${hostile.name}, at ${level}`, async () => {
        if (stage.offered.has(level)) await attempt(stage, hostile, level);
      }, 120_000);
    }
  }

  test.each([...sandboxLevels])(
    'kill -9 of the worker leaves nothing of a task at %s',
    async (level) => {
      if (!stage.offered.has(level)) return;
      const { site, home } = stage;
      const mark = token();
      const through = user === null ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'];
      const account = user === null && isRoot ? ['--task-user', 'nobody', '--work-dir', site.path('work')] : [];
      const name = `victim-${level}`;
      const env = { HOME: home };
      const victim = await site.worker(name, ['--sandbox-level', 'none', '--label', `v=${level}`, ...account], {
        env,
        through,
        cwd: '/',
      });
      const id = await site.submit({
        command: `(setsid env -i /bin/sh -c 'trap "" TERM HUP; /bin/sleep ${mark} & wait' &); trap '' TERM; exec /bin/sleep ${mark}`,
        sandbox_level: level,
        requires: { labels: { v: level } },
      });
      await until('both run', () => sleepers(mark).length === 2);
      victim.kill('SIGKILL');
      await until('nothing is left', () => sleepers(mark).length === 0);
      await site.call('DELETE', `/api/v1/tasks/${id}`);
    },
    60_000,
  );
});
