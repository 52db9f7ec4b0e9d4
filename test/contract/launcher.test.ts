/** What every `Launcher` has to do, with real processes. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { OctasklyError } from '../../src/base/errors.ts';
import type { LaunchPlan, ProcessEnd } from '../../src/ports/processes.ts';
import { createLauncher } from '../../src/runtime/launcher.ts';
import type { Stream } from '../../src/wire/messages.ts';
import { silentLog, until } from '../integration/processes.ts';
import { unconfined } from '../unconfined.ts';

const onPosix = process.platform !== 'win32';
const onLinux = process.platform === 'linux';
const path = '/usr/local/bin:/usr/bin:/bin';
const mebibyte = 1024 * 1024;

let launcher: ReturnType<typeof createLauncher>;
let home: string;
let serial = 0;

beforeAll(() => {
  launcher = createLauncher({ log: silentLog });
  home = mkdtempSync(join(tmpdir(), 'launcher-'));
});
afterAll(() => {
  launcher.close();
  rmSync(home, { recursive: true });
});

function shell(command: string, more: Partial<LaunchPlan> = {}): LaunchPlan {
  return {
    argv: ['/bin/sh', '-c', command],
    env: { PATH: path },
    cwd: home,
    stdin: { kind: 'closed' },
    marker: `contract-${serial++}`,
    ...unconfined,
    ...more,
  };
}

/** Launches and keeps all output. */
function collect(plan: LaunchPlan) {
  const chunks: Record<Stream, Uint8Array[]> = { stdout: [], stderr: [] };
  const launched = launcher.launch(plan, (stream, data) => {
    chunks[stream].push(data);
    return undefined;
  });
  const bytes = (stream: Stream) => Buffer.concat(chunks[stream]);
  return { launched, bytes, text: (stream: Stream) => bytes(stream).toString() };
}

async function run(plan: LaunchPlan): Promise<{ end: ProcessEnd; stdout: string; stderr: string }> {
  const { launched, text } = collect(plan);
  const end = await launched.ended;
  return { end, stdout: text('stdout'), stderr: text('stderr') };
}

function refusal(plan: LaunchPlan): OctasklyError {
  try {
    launcher.launch(plan, () => undefined);
  } catch (error) {
    if (error instanceof OctasklyError) return error;
  }
  throw new Error('the launch was not refused');
}

/** Pipes that are open for both ways wait for the next launches, where making them takes a process (Node). */
function isInStock(fd: string): boolean {
  const isPipe = readlinkSync(`/proc/self/fd/${fd}`).startsWith('pipe:');
  return isPipe && /^flags:\s*\d*2$/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
}

/** What the descriptors of this process are, sorted; pipes and sockets without their numbers. */
function openFiles(): string[] {
  if (!onLinux) return [];
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return isInStock(fd) ? '' : readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, 'N');
      } catch {
        return '';
      }
    })
    .filter((target) => target !== '')
    .sort();
}

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

describe.skipIf(!onPosix)('launch()', () => {
  test('tells exit code, streams apart, and the CPU time used', async () => {
    const { end, stdout, stderr } = await run(
      shell('echo out; echo err >&2; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 7'),
    );
    expect({ ...end, cpuMs: null, memoryPeakBytes: null }).toEqual({
      exitCode: 7,
      signal: null,
      cpuMs: null,
      memoryPeakBytes: null,
      // Node does not tell what a process used.
      writtenBytes: onLinux && process.versions.bun !== undefined ? 0 : null,
      limitExceeded: null,
    });
    expect([stdout, stderr]).toEqual(['out\n', 'err\n']);
    expect(end.cpuMs).toBeGreaterThan(1);
    expect(end.cpuMs).toBeLessThan(20_000);
  });

  test('names the signal that ended the process', async () => {
    expect((await run(shell('kill -KILL $$'))).end).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
    expect((await run(shell('kill -XCPU $$'))).end).toMatchObject({ exitCode: null, signal: 'SIGXCPU' });
  });

  test('tells the peak of memory where it is above that of this process', async () => {
    const bytes = 400 * mebibyte;
    const code = `const held = new Uint8Array(${bytes}).fill(1); process.exitCode = held.length > 1 ? 0 : 1;`;
    const plan = shell('', { argv: [process.execPath, '-e', code], env: { PATH: path, BUN_BE_BUN: '1' } });
    const { end } = await run(plan);
    expect(end.exitCode).toBe(0);
    // A test process that has itself grown larger than that cannot tell; Node is not told, and has to look.
    if (process.versions.bun !== undefined && process.resourceUsage().maxRSS * 1024 < bytes) {
      expect(end.memoryPeakBytes).toBeGreaterThan(bytes);
      expect(end.memoryPeakBytes).toBeLessThan(bytes * 3);
    }
    // Too short to be looked at but once, just after its start.
    expect((await run(shell('true'))).end.memoryPeakBytes ?? 0).toBeLessThan(bytes / 4);
  });

  test('inherits neither environment nor input nor descriptors', async () => {
    process.env.LAUNCHER_TEST_SECRET = 'x';
    const { stdout } = await run(
      shell('env | cut -d= -f1 | sort | tr "\\n" " "; cat; pwd', { env: { A: '1', PATH: path } }),
    );
    delete process.env.LAUNCHER_TEST_SECRET;
    const names = stdout.split(' ').filter((name) => !['_', 'SHLVL', 'PWD'].includes(name));
    expect(names).toEqual(['A', 'OCTASKLY_GUARD', 'OCTASKLY_MARK', 'PATH', `${home}\n`]);
    if (onLinux) {
      const { stdout: open } = await run(shell('', { argv: ['/bin/ls', '/proc/self/fd'] }));
      expect(open.trim().split('\n')).toEqual(['0', '1', '2', '3']);
    }
  });

  test('runs argv without a shell, and found in the PATH of the task', async () => {
    writeFileSync(join(home, 'mine'), '#!/bin/sh\necho "$1"\n');
    chmodSync(join(home, 'mine'), 0o755);
    const { stdout } = await run(shell('', { argv: ['mine', '$HOME; *'], env: { PATH: `${home}:${path}` } }));
    expect(stdout).toBe('$HOME; *\n');
  });

  test('keeps the binary outputs of eight at once apart, byte for byte', async () => {
    const all = Uint8Array.from({ length: 3 * mebibyte }, (_, index) => (index * 31 + (index >> 8)) & 255);
    writeFileSync(join(home, 'all'), all);
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const { launched, bytes } = collect(
          shell(`printf ${index}; cat all; cat all >&2; printf ${index} >&2`, { cwd: home }),
        );
        expect((await launched.ended).exitCode).toBe(0);
        expect(sha256(bytes('stdout'))).toBe(sha256(Buffer.concat([Buffer.from(`${index}`), all])));
        expect(sha256(bytes('stderr'))).toBe(sha256(Buffer.concat([all, Buffer.from(`${index}`)])));
      }),
    );
  });

  test('delivers output while the process runs', async () => {
    const { launched, text } = collect(shell('echo early; cat', { stdin: { kind: 'stream' } }));
    await until('the first line came', () => text('stdout') === 'early\n');
    launched.closeStdin();
    expect((await launched.ended).exitCode).toBe(0);
  });

  test.skipIf(!onLinux)('lets a task open /dev/stdout and /dev/stderr', async () => {
    const { stdout, stderr, end } = await run(shell('echo a > /dev/stdout; echo b | tee /dev/stderr'));
    expect([stdout, stderr, end.exitCode]).toEqual(['a\nb\n', 'b\n', 0]);
  });

  test('carries on when a task closes its output early', async () => {
    const { end, stdout, stderr } = await run(shell('echo a; exec >&-; sleep 0.05; echo late >&2; exit 4'));
    expect([stdout, stderr, end.exitCode]).toEqual(['a\n', 'late\n', 4]);
  });

  test.skipIf(!onLinux)(
    'does not read on while the consumer is busy: memory stays bounded',
    async () => {
      const total = 300_000_000;
      let bytes = 0;
      let chunks = 0;
      let busy = false;
      const before = process.memoryUsage.rss();
      let peak = before;
      const launched = launcher.launch(shell(`yes | head -c ${total}`), (_stream, data) => {
        expect(busy).toBe(false);
        bytes += data.length;
        if (++chunks % 32 !== 0) return undefined;
        busy = true;
        return Bun.sleep(1).then(() => {
          busy = false;
          peak = Math.max(peak, process.memoryUsage.rss());
        });
      });
      expect((await launched.ended).exitCode).toBe(0);
      expect(bytes).toBe(total);
      expect(peak - before).toBeLessThan(64 * mebibyte);
    },
    30_000,
  );

  test('ends with the rest of the output although the consumer is slow', async () => {
    const pieces: string[] = [];
    const launched = launcher.launch(shell('echo a; sleep 0.1; echo b; echo c >&2'), async (_stream, data) => {
      await Bun.sleep(30);
      pieces.push(Buffer.from(data).toString());
    });
    await launched.ended;
    expect(pieces.sort()).toEqual(['a\n', 'b\n', 'c\n']);
  });

  test('leaves no descriptor and no zombie behind after 500 launches', async () => {
    const batch = (size: number) => Promise.all(Array.from({ length: size }, () => run(shell('echo a'))));
    await batch(20);
    const before = openFiles();
    for (let round = 0; round < 25; round++) await batch(20);
    // Streams close their descriptors in the background.
    await until('all are closed', () => openFiles().length <= before.length);
    expect(openFiles()).toEqual(before);
    if (onLinux) {
      const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ');
      const zombies = children.filter((pid) => / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
      expect(zombies).toEqual([]);
    }
  }, 20_000);
});

describe.skipIf(!onPosix)('standard input', () => {
  test('given as text arrives whole, and its end too', async () => {
    const text = 'ä\n'.repeat(200_000);
    const { stdout } = await run(shell('wc -c', { stdin: { kind: 'text', text } }));
    expect(stdout.trim()).toBe(String(Buffer.byteLength(text)));
  });

  test('given as text to a task that does not read it does no harm', async () => {
    const { end } = await run(shell('exit 3', { stdin: { kind: 'text', text: 'x'.repeat(1_000_000) } }));
    expect(end.exitCode).toBe(3);
  });

  test('writeStdin() resolves when the bytes are taken, in order', async () => {
    const { launched, bytes } = collect(shell('sleep 0.1; cat', { stdin: { kind: 'stream' } }));
    let taken = false;
    const large = new Uint8Array(300_000).fill(65);
    const first = launched.writeStdin(large).then((ok) => {
      taken = true;
      return ok;
    });
    const second = launched.writeStdin(new Uint8Array([66]));
    await Bun.sleep(0);
    expect(taken).toBe(false);
    expect([await first, await second]).toEqual([true, true]);
    launched.closeStdin();
    launched.closeStdin();
    await launched.ended;
    expect(sha256(bytes('stdout'))).toBe(sha256(Buffer.concat([large, Buffer.from('B')])));
  });

  test('writeStdin() resolves false when the task takes no more', async () => {
    const { launched } = collect(shell('exec <&-; echo closed; sleep 0.2', { stdin: { kind: 'stream' } }));
    const taken = await launched.writeStdin(new Uint8Array(500_000));
    expect(taken).toBe(false);
    await launched.ended;
    expect(await launched.writeStdin(new Uint8Array(1))).toBe(false);
  });

  test('is at its end when closed', async () => {
    expect((await run(shell('wc -c'))).stdout.trim()).toBe('0');
    expect(await collect(shell('true')).launched.writeStdin(new Uint8Array(1))).toBe(false);
  });
});

describe.skipIf(!onPosix)('ending', () => {
  test('terminate() lets a task end in its own way', async () => {
    const { launched, text } = collect(shell('trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.02; done'));
    await until('the trap is set', () => text('stdout') !== '');
    launched.terminate();
    expect((await launched.ended).exitCode).toBe(5);
    expect(text('stdout')).toBe('up\nbye\n');
  });

  test('kill() ends a task that ignores TERM', async () => {
    const { launched, text } = collect(shell('trap "" TERM; echo up; while :; do sleep 0.02; done'));
    await until('the trap is set', () => text('stdout') !== '');
    launched.terminate();
    launched.kill();
    launched.kill();
    expect(await launched.ended).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
    launched.kill();
    launched.terminate();
  });

  test('does not wait for background jobs that hold the output open', async () => {
    const before = performance.now();
    const { end, stdout } = await run(shell('sleep 60 & echo done'));
    expect([end.exitCode, stdout]).toEqual([0, 'done\n']);
    expect(performance.now() - before).toBeLessThan(10_000);
  });
});

describe.skipIf(!onPosix)('the plan', () => {
  test('gives contents as descriptors from 3 on, each read from its beginning', async () => {
    const large = new Uint8Array(300_000).map((_, index) => index % 251);
    const descriptors = [new TextEncoder().encode('three'), large, new Uint8Array()];
    const { launched, bytes } = collect(shell('cat <&3; cat <&4; cat <&5', { descriptors }));
    await launched.ended;
    expect(sha256(bytes('stdout'))).toBe(sha256(Buffer.concat(descriptors)));
  });

  test('sets mask, niceness and core dumps of the process, and leaves those of this one', async () => {
    const before = [process.umask(), getPriority()];
    const command = 'umask; ulimit -c; cut -d" " -f19 /proc/self/stat; (cut -d" " -f19 /proc/self/stat)';
    const { stdout } = await run(
      shell(`sleep 0.05; ${onLinux ? command : 'umask; ulimit -c'}`, { umask: 0o27, nice: 3 }),
    );
    expect(stdout.split('\n').slice(0, 2)).toEqual(['0027', '0']);
    if (onLinux) expect(stdout.trim().split('\n').slice(2)).toEqual(Array(2).fill(String(getPriority() + 3)));
    expect([process.umask(), getPriority()]).toEqual(before);
  });

  test.skipIf(process.getuid?.() !== 0)('runs as another account, which may open its streams by name', async () => {
    const user = { name: 'nobody', uid: 65_534, gid: 65_534 };
    const command = 'id -u; id -g; echo named > /dev/stdout; cat /dev/stdin';
    const { end, stdout } = await run(shell(command, { user, cwd: '/', stdin: { kind: 'text', text: 'in' } }));
    expect([end.exitCode, stdout]).toEqual([0, '65534\n65534\nnamed\nin']);
  });

  test.skipIf(!onLinux)('sends TERM past its wrappers, and KILL to all', async () => {
    // Two programs that wait for their only child, as bubblewrap does; TERM would end them.
    const task = 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.02; done';
    const argv = ['/bin/sh', '-c', '/bin/sh -c \'/bin/sh -c "$1"; exit $?\' sh "$1"; exit $?', 'sh', task];
    const first = collect(shell('', { argv, wrappers: 2 }));
    await until('the trap is set', () => first.text('stdout') !== '');
    first.launched.terminate();
    expect(await first.launched.ended).toMatchObject({ exitCode: 5, signal: null });
    expect(first.text('stdout')).toBe('up\nbye\n');
    const second = collect(shell('', { argv, wrappers: 2 }));
    await until('the trap is set', () => second.text('stdout') !== '');
    second.launched.kill();
    expect((await second.launched.ended).signal).toBe('SIGKILL');
  });

  test('leaves no descriptor and no setting behind when it cannot be kept', () => {
    const before = { files: openFiles(), umask: process.umask() };
    const descriptors = [new Uint8Array(10), new Uint8Array(10)];
    for (let round = 0; round < 20; round++)
      refusal(shell('', { argv: ['/no/such/program'], descriptors, umask: 0o77 }));
    // Pipes of earlier launches may close meanwhile; none may be there that was not.
    const left = before.files;
    const added = openFiles().filter((file) => left.splice(left.indexOf(file) >>> 0, 1).length === 0);
    expect({ added, umask: process.umask() }).toEqual({ added: [], umask: before.umask });
  });
});

describe.skipIf(!onPosix)('refusals', () => {
  test.each([
    [{ argv: ['/no/such/program'] }, 'Cannot start "/no/such/program": there is no such program'],
    [{ argv: ['no-such-program'] }, 'Cannot start "no-such-program": there is no such program'],
    [{ argv: ['/etc/passwd'] }, 'Cannot start "/etc/passwd": it is not executable'],
    [{ cwd: '/no/such/dir' }, 'Cannot start "/bin/sh": its directory /no/such/dir does not exist.'],
    [{ cwd: '/etc/passwd' }, 'Cannot start "/bin/sh": /etc/passwd, the directory to run it in, is not a directory.'],
    [
      { argv: ['/bin/echo', 'x'.repeat(3_000_000)] },
      'Cannot start "/bin/echo": its arguments and environment together',
    ],
  ])('launch() says why not: %#', (more, message) => {
    const error = refusal(shell('true', more));
    expect(error.code).toBe('io');
    expect(error.message).toStartWith(message);
  });

  test('launch() that failed leaves no descriptor', () => {
    const before = openFiles();
    for (let round = 0; round < 50; round++) refusal(shell('', { argv: ['/no/such/program'] }));
    expect(openFiles()).toEqual(before);
  });
});
