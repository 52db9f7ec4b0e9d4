/** Limits of the launcher with real processes that do not keep to them. Linux only: elsewhere there is less to see. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LaunchLimits, LaunchPlan, ProcessEnd } from '../../src/ports/processes.ts';
import { groupAt } from '../../src/runtime/cgroup.ts';
import { createLauncher } from '../../src/runtime/launcher.ts';
import { readProcesses } from '../../src/runtime/procfs.ts';
import { unconfined } from '../unconfined.ts';
import { daemon, silentLog, sleepers, token, until } from './processes.ts';

const onLinux = process.platform === 'linux';
const mebibyte = 1024 * 1024;

let launcher: ReturnType<typeof createLauncher>;
let directory: string;
let serial = 0;

function launch(command: string, limits: Partial<LaunchLimits>, more: Partial<LaunchPlan> = {}) {
  return launcher.launch(
    {
      argv: ['/bin/sh', '-c', command],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      cwd: directory,
      stdin: { kind: 'closed' },
      marker: `limits-${process.pid}-${serial++}`,
      ...unconfined,
      limits: { ...unconfined.limits, ...limits },
      directories: [directory],
      ...more,
    },
    () => undefined,
  );
}

const run = (command: string, limits: Partial<LaunchLimits>, more?: Partial<LaunchPlan>): Promise<ProcessEnd> =>
  launch(command, limits, more).ended;

/** Shell text that runs a script in this runtime. */
function script(code: string): string {
  const file = join(directory, `script-${serial++}.js`);
  writeFileSync(file, code);
  return `BUN_BE_BUN=1 exec ${process.execPath} ${file}`;
}

/** Our children in sessions of their own: the guard, and what is left of attempts. */
const leftovers = () =>
  [...readProcesses().values()].filter((facts) => facts.parent === process.pid && facts.session === facts.pid);

function expectExceeded(end: ProcessEnd, limit: string, limitValue: number): void {
  expect(end.limitExceeded).toEqual({ limit, limitValue, reached: expect.any(Number) });
  expect(end.limitExceeded?.reached ?? 0).toBeGreaterThan(limitValue);
}

describe.skipIf(!onLinux)('limits', () => {
  let guardPid: number | undefined;
  beforeAll(async () => {
    launcher = createLauncher({ log: silentLog });
    directory = mkdtempSync(join(tmpdir(), 'limits-'));
    await run('true', {});
    guardPid = leftovers()[0]?.pid;
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    expect(leftovers().filter((facts) => facts.pid !== guardPid)).toEqual([]);
  });
  afterAll(() => {
    launcher.close();
    rmdirSync(directory);
  });

  describe('max_processes', () => {
    test('ends a fork bomb', async () => {
      expectExceeded(await run('f() { f | f & }; f; sleep 60', { processes: 100 }), 'max_processes', 100);
    }, 30_000);

    test('ends a fork bomb whose every process has a session of its own', async () => {
      const mark = token();
      writeFileSync(join(directory, 'bomb'), `setsid sh bomb ${mark} & setsid sh bomb ${mark} & sleep ${mark}\n`);
      expectExceeded(await run('sh bomb & sleep 60', { processes: 100 }), 'max_processes', 100);
      expect(sleepers(mark)).toEqual([]);
    }, 30_000);

    test('counts threads', async () => {
      const code = "for (let i = 0; i < 40; i++) new Worker('data:text/javascript,setInterval(() => 0, 1000)');";
      expectExceeded(await run(script(code), { processes: 40 }), 'max_processes', 40);
    }, 30_000);

    test('lets be what stays within', async () => {
      const end = await run('for i in 1 2 3 4 5; do sleep 0.1 & done; wait', { processes: 20 });
      expect([end.exitCode, end.limitExceeded]).toEqual([0, null]);
    });
  });

  describe('memory_limit_mb', () => {
    const hog = 'const held = []; setInterval(() => { held.push(new Uint8Array(8 << 20).fill(1)); }, 5);';
    const limits = { memoryBytes: 300 * mebibyte };

    test('ends a hog that is a grandchild', async () => {
      const end = await run(`sh -c '${script(hog)}' & wait`, limits);
      expectExceeded(end, 'memory_limit_mb', 300);
      expect(end.memoryPeakBytes).toBeGreaterThan(300 * mebibyte);
    }, 30_000);

    test('is one for the sum of many processes', async () => {
      const one = script('globalThis.held = new Uint8Array(80 << 20).fill(1); setInterval(() => 0, 1000);');
      expectExceeded(await run(`for i in 1 2 3 4 5; do (${one}) & done; wait`, limits), 'memory_limit_mb', 300);
    }, 30_000);

    test('counts files in /dev/shm that it makes', async () => {
      const file = `/dev/shm/octaskly-${token()}`;
      try {
        const end = await run(`dd if=/dev/zero of=${file} bs=1M count=400 2>/dev/null; sleep 60`, {
          memoryBytes: 100 * mebibyte,
        });
        expectExceeded(end, 'memory_limit_mb', 100);
      } finally {
        rmSync(file, { force: true });
      }
    }, 30_000);

    test('neither counts nor touches files in /dev/shm that others made', async () => {
      const file = `/dev/shm/octaskly-${token()}`;
      try {
        writeFileSync(file, new Uint8Array(200 * mebibyte));
        const end = await run(`exec 3<${file}; sleep 0.4; dd if=/dev/zero of=/dev/null bs=300M count=40`, {
          memoryBytes: 100 * mebibyte,
        });
        expectExceeded(end, 'memory_limit_mb', 100);
        const calm = await run(`exec 3<${file}; sleep 0.4`, { memoryBytes: 100 * mebibyte });
        expect([calm.exitCode, calm.limitExceeded]).toEqual([0, null]);
        expect(existsSync(file)).toBe(true);
      } finally {
        rmSync(file, { force: true });
      }
    }, 30_000);

    test('counts files in /dev/shm that nobody holds open', async () => {
      const file = `/dev/shm/octaskly-${token()}`;
      try {
        const loop = `i=0; while [ $i -lt 400 ]; do head -c 1048576 /dev/zero > ${file}.$i; i=$((i+1)); done; sleep 60`;
        expectExceeded(await run(loop, { memoryBytes: 100 * mebibyte }), 'memory_limit_mb', 100);
      } finally {
        for (let index = 0; index < 400; index++) rmSync(`${file}.${index}`, { force: true });
      }
    }, 30_000);

    test('counts memory files that are not mapped', async () => {
      const code = `
        import { dlopen } from 'bun:ffi';
        import { writeSync } from 'node:fs';
        const { memfd_create } = dlopen('libc.so.6', { memfd_create: { args: ['ptr', 'i32'], returns: 'i32' } }).symbols;
        const fd = memfd_create(new TextEncoder().encode('x\\0'), 0);
        const block = new Uint8Array(8 << 20);
        setInterval(() => writeSync(fd, block), 5);`;
      expectExceeded(await run(script(code), limits), 'memory_limit_mb', 300);
    }, 30_000);

    test('does not count the pages of a file that is mapped by many as often', async () => {
      const one = script(
        'globalThis.held = Bun.mmap(process.execPath).reduce((a, b) => (a + b) | 0, 0); await Bun.sleep(400);',
      );
      const end = await run(`for i in 1 2 3 4; do (${one}) & done; wait`, { memoryBytes: 420 * mebibyte });
      expect([end.exitCode, end.limitExceeded]).toEqual([0, null]);
    }, 30_000);
  });

  describe('cpu_time_limit', () => {
    const burn = 'while :; do :; done';

    test('is one for all processes together, daemons too', async () => {
      const end = await run(`${burn} & (setsid sh -c '${burn}' &) ; sleep 60`, { cpuTimeMs: 600 });
      expectExceeded(end, 'cpu_time_limit', 0.6);
      expect(end.limitExceeded?.reached).toBeLessThan(3);
      expect(end.cpuMs).toBeGreaterThan(550);
    }, 30_000);

    test('counts children that have ended, waited for or not', async () => {
      const short = 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done';
      for (const loop of [`while :; do (${short}); done`, `while :; do (setsid sh -c '${short}' &); sleep 0.02; done`])
        expectExceeded(await run(loop, { cpuTimeMs: 500 }), 'cpu_time_limit', 0.5);
    }, 30_000);

    test("is told when the kernel's own limit came first", async () => {
      const end = await run(`ulimit -t 1; ${burn}`, { cpuTimeMs: 1010 });
      expectExceeded(end, 'cpu_time_limit', 1.01);
    }, 30_000);

    test('is told of what ended before it was looked at', async () => {
      const end = await run('i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; exit 3', { cpuTimeMs: 1 });
      expectExceeded(end, 'cpu_time_limit', 0.001);
    });
  });

  describe('disk_limit_mb', () => {
    const limits = { diskBytes: 20 * mebibyte };
    const ways: [string, string][] = [
      ['one file', 'dd if=/dev/zero of=big bs=1M count=200 2>/dev/null; sleep 60'],
      ['many files', 'i=0; while [ $i -lt 400 ]; do head -c 200000 /dev/zero > f$i; i=$((i+1)); done; sleep 60'],
      ['a deleted file', 'exec 9>gone; rm gone; dd if=/dev/zero bs=1M count=200 2>/dev/null >&9; sleep 60'],
    ];
    test.each(ways)(
      'ends who fills the disk with %s',
      async (_name, command) => {
        expectExceeded(await run(command, limits), 'disk_limit_mb', 20);
      },
      30_000,
    );

    test("ends who goes on after the kernel's own limit on files stopped one of his", async () => {
      const command = 'ulimit -f 40960; exec 9>gone; rm gone; head -c 90000000 /dev/zero >&9; sleep 60';
      expectExceeded(await run(command, limits), 'disk_limit_mb', 20);
    }, 30_000);

    test('holds also for who was gone before he was looked at', async () => {
      expectExceeded(await run('head -c 30000000 /dev/zero > big', limits), 'disk_limit_mb', 20);
    });

    test("is told when the kernel's own limit on files came first", async () => {
      const end = await run('ulimit -f 40960; exec head -c 90000000 /dev/zero > big', limits);
      expectExceeded(end, 'disk_limit_mb', 20);
    });

    test('counts a file with many names once', async () => {
      const end = await run('head -c 9000000 /dev/zero > a; ln a b; ln a c; sleep 0.3', limits);
      expect([end.exitCode, end.limitExceeded]).toEqual([0, null]);
      expect(end.writtenBytes).toBeGreaterThanOrEqual(9_000_000);
    });
  });

  test('an attempt without any ends as before', async () => {
    const end = await run(`${daemon(token())}; exit 4`, {});
    expect([end.exitCode, end.limitExceeded]).toEqual([4, null]);
  });
});

const unified = '/sys/fs/cgroup/unified';
const groupsHere = onLinux && process.getuid?.() === 0 && existsSync(join(unified, 'cgroup.procs'));
if (onLinux && !groupsHere) console.warn('skipped: control groups, since no cgroup v2 is writable here');

describe.skipIf(!groupsHere)('a control group', () => {
  test('is joined at the start, killed as a whole and removed', async () => {
    const dir = mkdtempSync(join(unified, 'octaskly-test-'));
    const grouped = createLauncher({
      log: silentLog,
      cgroups: {
        facts: { memory: false, processes: false, cpu: false, why: 'a test' },
        create: () => {
          mkdirSync(join(dir, 'task'));
          return groupAt(join(dir, 'task'));
        },
      },
    });
    try {
      const mark = token();
      const launched = grouped.launch(
        {
          argv: ['/bin/sh', '-c', `${daemon(mark, { scrubbed: true })}; exec sleep ${mark}`],
          env: { PATH: '/usr/bin:/bin' },
          cwd: '/',
          stdin: { kind: 'closed' },
          marker: token(),
          ...unconfined,
        },
        () => undefined,
      );
      await until('both run', () => sleepers(mark).length === 2);
      const members = await Bun.file(join(dir, 'task', 'cgroup.procs')).text();
      expect(members.trim().split('\n').length).toBeGreaterThanOrEqual(2);
      launched.kill();
      expect((await launched.ended).signal).toBe('SIGKILL');
      expect([sleepers(mark), existsSync(join(dir, 'task'))]).toEqual([[], false]);
    } finally {
      grouped.close();
      rmdirSync(dir);
    }
  }, 30_000);
});
