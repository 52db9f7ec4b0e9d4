/** Whole trees of real processes end: with their main process, by order, and when the worker itself is killed. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StdinSpec } from '../../src/core/task.ts';
import { createLauncher } from '../../src/runtime/launcher.ts';
import { isAlive, readProcess } from '../../src/runtime/procfs.ts';
import { unconfined } from '../unconfined.ts';
import { daemon, silentLog, sleepers, token, until } from './processes.ts';

const onLinux = process.platform === 'linux';
const fixture = join(import.meta.dir, 'launching.ts');

let launcher: ReturnType<typeof createLauncher>;
let serial = 0;

function launch(command: string, stdin: StdinSpec = { kind: 'closed' }) {
  return launcher.launch(
    {
      argv: ['/bin/sh', '-c', command],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      cwd: '/',
      stdin,
      marker: `tree-${process.pid}-${serial++}`,
      ...unconfined,
    },
    () => undefined,
  );
}

const running = (mark: string) => () => sleepers(mark).length > 0;

function zombies(): number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').map(Number);
  return children.filter((pid) => readProcess(pid)?.state === 'Z');
}

describe.skipIf(!onLinux)('a tree', () => {
  beforeAll(() => {
    launcher = createLauncher({ log: silentLog });
  });
  afterEach(() => expect(zombies()).toEqual([]));
  afterAll(() => launcher.close());

  const ways: [string, (mark: string) => string][] = [
    ['a background job', (mark) => `sleep ${mark} &`],
    ['a job in a group of its own', (mark) => `set -m; sleep ${mark} & :`],
    ['a process that ignores TERM', (mark) => `sh -c 'trap "" TERM HUP; sleep ${mark}; :' &`],
    ['a daemon', (mark) => daemon(mark)],
    ['a daemon with an empty environment', (mark) => daemon(mark, { scrubbed: true })],
    ['a daemon of a daemon', (mark) => `setsid sh -c '${daemon(mark).replaceAll("'", '"')}; sleep 60' &`],
  ];

  test.each(ways)('ends with its main process: %s', async (_name, way) => {
    const mark = token();
    const launched = launch(`${way(mark)}\nread -r line; exit 3`, { kind: 'stream' });
    await until('it runs', running(mark));
    launched.closeStdin();
    expect((await launched.ended).exitCode).toBe(3);
    expect(sleepers(mark)).toEqual([]);
  });

  test.each(ways)('ends by kill(): %s', async (_name, way) => {
    const mark = token();
    const launched = launch(`${way(mark)}\nsleep ${mark}`);
    await until('both run', () => sleepers(mark).length >= 2);
    launched.kill();
    expect((await launched.ended).signal).toBe('SIGKILL');
    expect(sleepers(mark)).toEqual([]);
  });

  test('gets TERM as a whole, daemons too', async () => {
    const mark = token();
    const launched = launch(`${daemon(mark)}; sleep ${mark}`);
    await until('both run', () => sleepers(mark).length >= 2);
    launched.terminate();
    await until('both are gone', () => sleepers(mark).length === 0);
    expect((await launched.ended).signal).toBe('SIGTERM');
  });

  test('ends alone: daemons of other running tasks stay', async () => {
    const [own, other] = [token(), token()];
    const long = launch(`${daemon(other)}; exec sleep ${other}`);
    await until('the other runs', () => sleepers(other).length >= 2);
    const short = launch(`${daemon(own)}; exec sleep ${own}`);
    await until('it runs', () => sleepers(own).length >= 2);
    short.kill();
    await short.ended;
    expect([sleepers(own).length, sleepers(other).length]).toEqual([0, 2]);
    long.kill();
    await long.ended;
    expect(sleepers(other)).toEqual([]);
  });

  test('that cannot be told from another is killed when no attempt that could have made it runs', async () => {
    const mark = token();
    const elder = launch(`exec sleep ${token()}`);
    const maker = launch(`${daemon(mark, { scrubbed: true })}\nread -r line`, { kind: 'stream' });
    await until('it runs', running(mark));
    maker.closeStdin();
    await maker.ended;
    expect(sleepers(mark).length).toBe(1);
    const [orphan = 0] = sleepers(mark);
    // The kernel tells starts apart by clock ticks only.
    const aTickLater = performance.now() + 25;
    await until('the clock ticked', () => performance.now() > aTickLater);
    const younger = launch('sleep 60');
    expect(readProcess(younger.pid)?.startedTicks).toBeGreaterThan(readProcess(orphan)?.startedTicks ?? 0);
    elder.kill();
    await elder.ended;
    expect(sleepers(mark)).toEqual([]);
    younger.kill();
    await younger.ended;
  });

  test('loses as a fork bomb', async () => {
    const mark = token();
    const bomb = `n=$1; [ $n -gt 0 ] || exec sleep ${mark}; setsid sh "$0" $((n-1)) & setsid sh "$0" $((n-1)) & wait`;
    const launched = launch(`f=$(mktemp); echo '${bomb}' > $f; sh $f 6; rm $f`);
    await until('it is under way', () => sleepers(mark).length > 5);
    launched.kill();
    await launched.ended;
    expect(sleepers(mark)).toEqual([]);
  }, 30_000);

  test('is not what other children of this process are', async () => {
    const mark = token();
    const own = Bun.spawn(['/bin/sleep', mark], { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' });
    await launch(daemon(token())).ended;
    expect(sleepers(mark)).toEqual([own.pid]);
    own.kill();
    await own.exited;
  });

  // Where it cannot be a subreaper they come to somebody else.
  test.skipIf(process.versions.bun === undefined)('takes the remains of its dead orphans while it runs', async () => {
    const launched = launch('for i in 1 2 3 4 5; do (true & ); done; exec sleep 60');
    await until('there are some', () => zombies().length > 0);
    await until('there are none', () => zombies().length === 0);
    launched.kill();
    await launched.ended;
  });
});

// Its workers are run from their sources, which Node cannot.
describe.skipIf(!onLinux || process.versions.bun === undefined)('a killed worker', () => {
  const workers: Bun.Subprocess[] = [];
  const start = (...commands: readonly string[]) => {
    const worker = Bun.spawn([process.execPath, fixture, ...commands], {
      env: { PATH: process.env.PATH ?? '' },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'ignore',
      detached: true,
    });
    workers.push(worker);
    return worker;
  };
  afterEach(() => {
    for (const worker of workers.splice(0)) worker.kill('SIGKILL');
  });

  /** Guards of a worker: shells in sessions of their own among its children. */
  const guards = (pid: number) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter((child) => child !== '' && readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('octaskly guard'))
      .map(Number);

  test('leaves nothing of its tasks', async () => {
    const mark = token();
    const worker = start(
      `exec sleep ${mark}`,
      `sleep ${mark} & wait`,
      `${daemon(mark)}; exec sleep ${mark}`,
      `${daemon(mark, { scrubbed: true })}; exec sleep ${mark}`,
      `trap '' TERM HUP; sleep ${mark}; :`,
    );
    await until('all run', () => sleepers(mark).length >= 7);
    const guard = guards(worker.pid);
    expect(guard.length).toBe(1);
    process.kill(-worker.pid, 'SIGKILL');
    await worker.exited;
    await until('none runs', () => sleepers(mark).length === 0);
    await until('the guard left', () => guard.every((pid) => !isAliveNow(pid)));
  }, 30_000);

  test('leaves nothing although its guard was asked to go', async () => {
    const mark = token();
    const worker = start(`exec sleep ${mark}`);
    await until('it runs', running(mark));
    for (const pid of guards(worker.pid)) {
      for (const name of ['SIGTERM', 'SIGHUP', 'SIGINT'] as const) process.kill(pid, name);
    }
    worker.kill('SIGKILL');
    await worker.exited;
    await until('none runs', () => sleepers(mark).length === 0);
  }, 30_000);

  test('leaves nothing although its guard was killed before', async () => {
    const mark = token();
    const worker = start(`exec sleep ${mark}`);
    await until('it runs', running(mark));
    const [first] = guards(worker.pid);
    process.kill(first ?? 0, 'SIGKILL');
    await until('another guards', () => guards(worker.pid).some((pid) => pid !== first));
    worker.kill('SIGKILL');
    await worker.exited;
    await until('none runs', () => sleepers(mark).length === 0);
  }, 30_000);

  test('does not take another worker with it', async () => {
    const [mine, other] = [token(), token()];
    const first = start(`exec sleep ${mine}`);
    const second = start(`${daemon(other, { scrubbed: true })}; exec sleep ${other}`);
    await until('both run', () => sleepers(mine).length === 1 && sleepers(other).length === 2);
    first.kill('SIGKILL');
    await until('the first is gone', () => sleepers(mine).length === 0);
    expect(sleepers(other).length).toBe(2);
    second.kill('SIGKILL');
    await until('the second is gone', () => sleepers(other).length === 0);
  }, 30_000);

  test('that leaves while its tasks run has them ended', async () => {
    const mark = token();
    const worker = start(`${daemon(mark)}; exec sleep ${mark}`, '--desert');
    expect(await worker.exited).toBe(0);
    await until('none runs', () => sleepers(mark).length === 0);
  }, 30_000);

  test('that leaves in good order is not kept by its guard, nor are its pipes', async () => {
    const worker = start('true', 'echo a', '--exit');
    const text = await new Response(worker.stdout).text();
    expect([await worker.exited, text]).toEqual([0, '']);
  }, 20_000);
});

function isAliveNow(pid: number): boolean {
  const facts = readProcess(pid);
  return facts !== null && isAlive(facts);
}
