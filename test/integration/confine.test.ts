/** The own launcher in the compiled file, on the real kernel: what a held task cannot do, and what it notices nothing of. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, copyFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { confineFailedStatus, type SocketsAllowed } from '../../src/confine/spec.ts';
import { asRoot, nobody, openScene, type Scene, type Way } from './confine-scene.ts';
import { sleepers, token, until } from './processes.ts';

const ways: Way[] = asRoot ? ['landlock from root', 'landlock', 'namespaces'] : ['landlock', 'namespaces'];
const python = '/usr/bin/python3';
const linux = process.platform === 'linux';
const scene: Scene | null = linux ? await openScene() : null;

/** Ways this kernel has; the others are told and left out. */
const here = ways.filter((way) => {
  const trial = scene?.run(way, {});
  if (trial?.status === 0) return true;
  process.stderr.write(`not tested here: ${way}: ${trial?.stderr.trim() ?? 'only on Linux'}\n`);
  return false;
});

function on(): Scene {
  if (scene === null) throw new Error('there is no scene');
  return scene;
}

const servers: Server[] = [];
const places = { port: 0, socket: '', abstract: '' };

async function listen(where: { port: number; host: string } | { path: string }): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(where, resolve);
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

beforeAll(async () => {
  if (!linux) return;
  places.port = await listen({ port: 0, host: '127.0.0.1' });
  places.socket = join(on().folder, 'docker.sock');
  await listen({ path: places.socket });
  chmodSync(places.socket, 0o777);
  places.abstract = `octaskly-confine-${process.pid}`;
  await listen({ path: `\0${places.abstract}` });
});

afterAll(() => {
  for (const server of servers) server.close();
  scene?.close();
});

/** What the hostile script could do, beside a process of the task's own account that is not the task's. */
function attempts(way: Way, sockets?: SocketsAllowed): Record<string, string> {
  const account = asRoot ? { uid: nobody, gid: nobody } : {};
  const victim = Bun.spawn(['/bin/sleep', token()], {
    ...account,
    env: { SECRET: 'x' },
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  try {
    const text = readFileSync(join(import.meta.dir, 'confine-attempts.py'), 'utf8');
    const { folder, home } = on();
    const around = JSON.stringify({ folder, home, victim: victim.pid, ...places });
    const ended = on().run(way, { argv: [python, '-c', text, around], ...(sockets === undefined ? {} : { sockets }) });
    if (ended.status !== 0) throw new Error(`the script ended with ${ended.status}: ${ended.stderr}`);
    expect(victim.exitCode).toBeNull();
    expect(readFileSync(join(home, 'secret'), 'utf8')).toBe('secret');
    return JSON.parse(ended.stdout);
  } finally {
    victim.kill('SIGKILL');
  }
}

const deniedCalls = {
  ptrace: 'EPERM',
  process_vm_readv: 'EPERM',
  unshare: 'EPERM',
  'clone of a namespace': 'EPERM',
  clone3: 'ENOSYS',
  setns: 'EPERM',
  mount: 'EPERM',
  chroot: 'EPERM',
  pivot_root: 'EPERM',
  bpf: 'EPERM',
  keyctl: 'EPERM',
  add_key: 'EPERM',
  io_uring_setup: 'ENOSYS',
  perf_event_open: 'EPERM',
  userfaultfd: 'EPERM',
  reboot: 'EPERM',
  setgroups: 'EPERM',
};
const noSockets = {
  tcp: 'EACCES',
  udp: 'EACCES',
  'udp of IPv6': 'EACCES',
  netlink: 'EACCES',
  packet: 'EACCES',
  vsock: 'EACCES',
  'socket with a path': 'EACCES',
  'abstract socket': 'EACCES',
  'pair of streams': 'done',
  'pair of datagrams': 'EACCES',
};
/** Files that are there and closed. */
const closed = {
  'write below its own directory': 'done',
  'write beside the home': 'EACCES',
  'write into a home': 'EACCES',
  'overwrite in a home': 'EACCES',
  'truncate in a home': 'EACCES',
  'write to the system': 'EACCES',
  'write to the root': 'EACCES',
  'read in a home': 'EACCES',
  'list a home': 'EACCES',
  'link out of a home': 'EXDEV',
  'rename out of a home': 'EACCES',
  'remove in a home': 'EACCES',
  // The hole of Landlock: the mode of a file of the task's own account. With an account of its own there is none.
  'chmod in a home': 'done',
  'read the shadow': 'EACCES',
  kill: 'EPERM',
  setuid: 'EPERM',
  'environment of another': 'EACCES',
  'memory of another': 'EACCES',
};
/** Files that are not there at all. */
const absent = {
  'write below its own directory': 'done',
  'write beside the home': 'ENOENT',
  'write into a home': 'ENOENT',
  'overwrite in a home': 'ENOENT',
  'truncate in a home': 'ENOENT',
  'write to the system': 'EROFS',
  'write to the root': 'EROFS',
  'read in a home': 'ENOENT',
  'list a home': 'ENOENT',
  'link out of a home': 'ENOENT',
  'rename out of a home': 'ENOENT',
  'remove in a home': 'ENOENT',
  'chmod in a home': 'ENOENT',
  'read the shadow': 'ENOENT',
  kill: 'ESRCH',
  // Root has no number there.
  setuid: 'EINVAL',
  'environment of another': 'ENOENT',
  'memory of another': 'ENOENT',
};

describe.each(here)('%s', (way) => {
  const files = way === 'namespaces' ? absent : closed;

  test.skipIf(!existsSync(python))('leaves nothing of a list of attacks', () => {
    expect(attempts(way)).toEqual({ ...files, ...noSockets, ...deniedCalls });
  });

  test.skipIf(!existsSync(python))('with the network opens IP alone', () => {
    const found = attempts(way, { network: true, unixSockets: false });
    const ip = { tcp: 'done', udp: 'done', netlink: 'done' };
    expect(found).toMatchObject({ ...files, ...noSockets, 'udp of IPv6': expect.any(String), ...ip, ...deniedCalls });
  });

  test('is an ordinary process inside', () => {
    const facts =
      'id -u; umask; nice; pwd; grep -E "^(Sig(Ign|Blk)|Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp):" /proc/self/status';
    const ended = on().shell(way, facts);
    const none = '0000000000000000';
    const held = ['SigBlk', 'SigIgn', 'CapInh', 'CapPrm', 'CapEff', 'CapAmb'].map((name) => `${name}:\t${none}`);
    const expected = [`${asRoot ? nobody : process.getuid?.()}`, '0077', '5', on().workSeenBy(way), ...held];
    expect(ended.stdout.trim().split('\n')).toEqual([...expected, 'NoNewPrivs:\t1', 'Seccomp:\t2']);
    expect(ended.stderr).toBe('');
  });

  test('hands on no descriptor, and no variable but the named', () => {
    // The listing has one open itself.
    expect(on().shell(way, 'ls /proc/self/fd').stdout.split('\n').filter(Boolean)).toEqual(['0', '1', '2', '3']);
    const env = { OCTASKLY_MARK: 'm', OTHER: 'o' };
    const ended = on().run(
      way,
      { argv: ['env'], env: { A: '1', PATH: '/usr/bin' }, inherit: ['OCTASKLY_MARK', 'B'] },
      env,
    );
    const seen = ended.stdout
      .trim()
      .split('\n')
      .filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line));
    expect(seen.sort()).toEqual(['A=1', 'OCTASKLY_MARK=m', 'PATH=/usr/bin']);
  });

  test('gives back how the task ended', () => {
    expect(on().shell(way, 'exit 7')).toEqual({ status: 7, signal: null, stdout: '', stderr: '' });
    const killed = on().shell(way, 'kill -KILL $$');
    const tooLong = on().shell(way, 'while :; do :; done', { rlimits: [{ resource: 'cpu', soft: 1, hard: 2 }] });
    if (way === 'namespaces') {
      expect(killed).toEqual({ status: 137, signal: null, stdout: '', stderr: '' });
      expect(tooLong).toEqual({ status: 152, signal: null, stdout: '', stderr: '' });
    } else {
      expect(killed.signal).toBe('SIGKILL');
      expect(tooLong.signal).toBe('SIGXCPU');
    }
  });

  test('says as shells do that a program is not there, or is none', () => {
    const missing = on().run(way, { argv: ['no-such-program'] });
    expect(missing).toMatchObject({ status: 127, stdout: '' });
    expect(missing.stderr).toContain('no-such-program');
    expect(on().run(way, { argv: ['/usr'] })).toMatchObject({ status: 126, stdout: '' });
  });

  test('limits each process, and never beyond what the launcher has itself', () => {
    const rlimits = [
      { resource: 'nofile', soft: 30, hard: 40 },
      { resource: 'fsize', soft: 4096, hard: 4096 },
    ] as const;
    const ended = on().shell(way, 'ulimit -Sn; ulimit -Hn; head -c 9000 /dev/zero > big; wc -c < big', { rlimits });
    expect(ended.stdout).toBe('30\n40\n4096\n');
    const beyond = on().shell(way, 'ulimit -Hn', {
      rlimits: [{ resource: 'nofile', soft: 2 ** 40, hard: 2 ** 40 }],
    });
    expect(beyond.status).toBe(0);
    expect(Number(beyond.stdout)).toBeLessThan(2 ** 40);
  });

  test.skipIf(!asRoot)('gives set-user-id programs nothing', () => {
    const program = join(on().work, 'id');
    copyFileSync('/usr/bin/id', program);
    chmodSync(program, 0o4755);
    expect(Bun.spawnSync([program, '-u'], { uid: nobody, gid: nobody }).stdout.toString()).toBe('0\n');
    expect(on().shell(way, './id -u')).toMatchObject({ stdout: `${nobody}\n` });
  });

  test('is not touched by what the environment of the task would do to the launcher', () => {
    const env = { PATH: '/usr/bin:/bin', BUN_BE_BUN: '1', LD_PRELOAD: '/nowhere.so', BUN_OPTIONS: '--smol' };
    const ended = on().run(way, { argv: ['/bin/sh', '-c', 'echo $BUN_BE_BUN $BUN_OPTIONS'], env });
    expect(ended).toMatchObject({ status: 0, stdout: '1 --smol\n' });
    // The dynamic linker complains once for each program of the task: had it been the launcher's, once more.
    expect(ended.stderr.split('nowhere.so').length - 1).toBe(way === 'namespaces' ? 2 : 1);
  });

  test.each([
    ['/usr/bin/python3', 'python3 -c "import threading; t = threading.Thread(target=print, args=(5,)); t.start()"'],
    ['/usr/bin/node', 'node -e "setTimeout(() => console.log(5), 1)"'],
    ['/usr/bin/java', 'java -version 2>/dev/null && echo 5'],
    ['/usr/bin/gcc', `echo 'int main(){return 5;}' > a.c && gcc a.c -o a && { ./a; echo $?; }`],
    ['/usr/bin/git', 'git init -q r && test -d r/.git && echo 5'],
  ])('lets %s work', (program, command) => {
    if (!existsSync(program)) {
      process.stderr.write(`not tested here: ${program} is missing\n`);
      return;
    }
    const ended = on().shell(way, command);
    expect(ended.stderr).toBe('');
    expect(ended.stdout).toBe('5\n');
  });

  test.each([
    ['a directory that is not there', { cwd: '/nowhere' }, 'cannot enter /nowhere: No such file or directory'],
    ['a parent that is gone', { parentPid: 1 }, 'what started it has ended'],
    ['another account', { user: { uid: 4242, gid: 4242 } }, /it must be 4242|cannot enter/],
  ])('starts nothing with %s', (_name, parts, reason) => {
    const ended = on().run(way, { argv: ['/bin/echo', 'ran'], ...parts });
    expect(ended).toMatchObject({ status: confineFailedStatus, stdout: '' });
    expect(ended.stderr).toMatch(reason);
    expect(ended.stderr.trim().split('\n')).toHaveLength(1);
  });

  test('ends with the one that started it', async () => {
    const mark = token();
    const specs = new URL('../../src/confine/spec.ts', import.meta.url).pathname;
    const { argv, account, descriptor, close } = on().prepare(way, on().spec(way, { argv: ['/bin/sleep', mark] }));
    // A worker in miniature: starts the launcher and is killed.
    const text = `
      const { decodeSpec, encodeSpec } = await import(${JSON.stringify(specs)});
      const fs = await import('node:fs');
      const spec = { ...decodeSpec(fs.readFileSync(3)), parentPid: ${way === 'namespaces' ? 'null' : 'process.pid'} };
      const file = ${JSON.stringify(join(on().folder, 'spec'))} + process.pid;
      fs.writeFileSync(file, encodeSpec(spec));
      Bun.spawn(${JSON.stringify(argv)}, { ...${JSON.stringify(account)}, env: {}, detached: true, stdio: ['ignore', 'ignore', 'inherit', fs.openSync(file)] });
      setInterval(() => {}, 1000);`;
    const worker = Bun.spawn([process.execPath, '-e', text], { stdio: ['ignore', 'ignore', 'inherit', descriptor] });
    try {
      await until('the task runs', () => sleepers(mark).length > 0);
      worker.kill('SIGKILL');
      await until('nothing of it runs', () => sleepers(mark).length === 0);
    } finally {
      worker.kill('SIGKILL');
      close();
    }
  });
});

describe.if(here.includes('namespaces'))('namespaces', () => {
  const way = 'namespaces';

  test('show no more than was mounted, read-only but for its own places', () => {
    const ended = on().shell(
      way,
      'ls /; ls /dev; ls /tmp /dev/shm; hostname; touch /tmp/a /dev/shm/b a && echo written',
    );
    const root = ['bin', 'dev', 'etc', 'lib', 'lib64', 'proc', 'sbin', 'task', 'tmp', 'usr'];
    const dev = ['fd', 'full', 'null', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero'];
    expect(ended.stdout.trim().split('\n')).toEqual([...root, ...dev, '/dev/shm:', '', '/tmp:', 'task', 'written']);
    const mounts = on().shell(way, 'cut -d" " -f2,4 /proc/mounts').stdout.trim().split('\n');
    const writable = mounts.filter((line) => / rw\b/.test(line)).map((line) => line.split(' ')[0]);
    expect(writable.filter((path) => !/^\/dev\/[a-z]+$/.test(path ?? '') || path === '/dev/shm').sort()).toEqual([
      '/dev/shm',
      '/proc',
      '/task',
      '/tmp',
    ]);
  });

  test('bound what is kept in memory', () => {
    const ended = on().shell(way, 'head -c 9000000 /dev/zero > /tmp/big; wc -c < /tmp/big');
    expect(Number(ended.stdout)).toBe(1024 * 1024);
  });

  test('start nothing when something to be mounted is missing, unless it may be', () => {
    const mount = { kind: 'bind', source: '/nowhere', target: '/nowhere', write: false } as const;
    const root = on().spec(way, {}).root ?? [];
    const run = (optional: boolean) =>
      on().run(way, { argv: ['/bin/echo', 'ran'], root: [...root, { ...mount, optional }] });
    expect(run(false)).toMatchObject({ status: confineFailedStatus, stdout: '' });
    expect(run(false).stderr).toContain('cannot reach /nowhere');
    expect(run(true)).toMatchObject({ status: 0, stdout: 'ran\n' });
  });

  test('leave process 1 to a shell: a task that asks to be ended ends', () => {
    expect(on().shell(way, 'test $$ -ne 1 && kill -TERM $$; sleep 300').status).toBe(143);
  });
});

describe.if(linux)('octaskly __exec', () => {
  test.skipIf(!asRoot)('refuses to leave a task root', () => {
    const ended = on().run('landlock from root', { argv: ['/bin/echo', 'ran'], user: null });
    expect(ended).toMatchObject({ status: confineFailedStatus, stdout: '' });
    expect(ended.stderr).toContain('root cannot be held');
  });

  test.each([
    ['nothing', 'cannot read descriptor 3'],
    ['an empty one', 'is not JSON'],
  ])('given %s for a spec says so', (what, reason) => {
    const third = what === 'nothing' ? [] : [Bun.file('/dev/null')];
    const ended = Bun.spawnSync([join(on().folder, 'octaskly'), '__exec'], {
      stdio: ['ignore', 'pipe', 'pipe', ...third] as ['ignore', 'pipe', 'pipe'],
      env: {},
    });
    expect(ended.exitCode).toBe(confineFailedStatus);
    expect(ended.stderr.toString()).toContain(reason);
  });

  test('is no command of people', () => {
    const help = Bun.spawnSync([join(on().folder, 'octaskly'), '--help']);
    expect(help.stdout.toString()).not.toContain('__exec');
  });
});
