/** Plans of every level, as data: what is launched, what it is told, and what of the task never touches the wrappers. */

import { describe, expect, test } from 'bun:test';
import { OctasklyError } from '../../../src/base/errors.ts';
import { noDemand } from '../../../src/core/isolation.ts';
import { createSandbox } from '../../../src/worker/sandbox.ts';
import { processesDefault } from '../../../src/worker/sandbox-limits.ts';
import { seatbeltProfile } from '../../../src/worker/sandbox-seatbelt.ts';
import { area, asking, debian, failed, planOf, wordsOf, works } from './hosts.ts';

const none = { ...area, temporary: null };
const isRefused = (error: unknown) => error instanceof OctasklyError && error.code === 'refused';
const refusal = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (isRefused(error)) return (error as Error).message;
    throw error;
  }
  return 'nothing was refused';
};

describe('plan() below strict', () => {
  test('none is the command as it is', () => {
    const plan = planOf(debian, asking({ level: 'none' }, { command: 'echo' }), none);
    expect(plan).toMatchObject({
      argv: ['/bin/sh', '-c', 'echo'],
      cwd: area.directory,
      descriptors: [],
      user: null,
      umask: null,
      nice: 0,
      wrappers: 0,
      directories: [area.directory],
      limits: { cpuTimeMs: null, memoryBytes: null, diskBytes: null, processes: processesDefault },
    });
  });

  test('basic adds umask and niceness, and no program', () => {
    const plan = planOf(debian, asking({ level: 'basic' }, { argv: ['true'] }), none);
    expect([plan.argv, plan.umask, plan.nice]).toEqual([['true'], 0o077, 5]);
    expect(plan.env).toMatchObject({ HOME: '/home/ada', TMPDIR: area.directory });
  });

  test('a terminal is taken over by the leader of the session, within the limits, and named to the task', () => {
    const stdin = { kind: 'terminal', columns: 80, rows: 24, term: 'xterm' } as const;
    const task = asking({ level: 'basic', limits: { openFiles: 64 } }, { argv: ['vi', '$x'], stdin });
    const plan = planOf(debian, task, none);
    expect(plan.argv[0]).toBe('/usr/bin/prlimit');
    const taking = 'exec "$@" 0<>/proc/self/fd/0 1>&0 2>&0';
    expect(plan.argv.slice(plan.argv.indexOf('--') + 1)).toEqual(['/bin/sh', '-c', taking, 'sh', 'vi', '$x']);
    expect([plan.stdin, plan.env.TERM, plan.env.COLUMNS]).toEqual([stdin, 'xterm', undefined]);
    const own = { env: { TERM: 'vt100' } };
    expect(planOf(debian, asking({ level: 'basic' }, { argv: ['vi'], stdin, ...own }), none).env.TERM).toBe('vt100');
  });

  test('limits put one program in front that becomes the task', () => {
    const limits = { cpuTimeMs: 1500, memoryMb: 2048, diskMb: 3, openFiles: 64, processes: 9 };
    const plan = planOf(debian, asking({ level: 'basic', limits }, { argv: ['make'] }), none);
    expect(plan.argv).toEqual([
      ...['/usr/bin/prlimit', '--cpu=2:3', '--fsize=3145728:3145728', '--nofile=64:64'],
      ...['--core=0:0', '--', 'make'],
    ]);
    expect(plan.wrappers).toBe(0);
    expect(plan.limits).toEqual({
      cpuTimeMs: 1500,
      memoryBytes: 2048 * 2 ** 20,
      diskBytes: 3 * 2 ** 20,
      processes: 9,
    });
  });

  test('a memory limit is no resource limit: those count what is reserved', () => {
    const task = asking({ limits: { memoryMb: 16 } }, { argv: ['make'] });
    expect(planOf(debian, task, none).argv).toEqual(['make']);
  });

  test('without prlimit the shell sets limits in its units', () => {
    const task = asking({ limits: { cpuTimeMs: 1000, diskMb: 1, openFiles: 64 } }, { argv: ['make', 'all'] });
    expect(planOf({ ...debian, prlimit: null }, task, none).argv).toEqual([
      '/bin/sh',
      '-c',
      'ulimit -S -t 1 && ulimit -H -t 2 && ulimit -S -f 2048 && ulimit -H -f 2048 && ulimit -S -n 64 && ulimit -H -n 64 && ulimit -S -c 0 && ulimit -H -c 0 && exec "$@"',
      'sh',
      'make',
      'all',
    ]);
  });

  test("what sets the limits does not run under the task's loader variables", () => {
    const env = { LD_PRELOAD: '/evil.so', X: '1' };
    const plan = planOf(debian, asking({ limits: { openFiles: 64 } }, { argv: ['make'], env }), none);
    expect(plan.env).not.toHaveProperty('LD_PRELOAD');
    expect(plan.env).toHaveProperty('X', '1');
    expect(plan.argv.slice(-3)).toEqual(['/usr/bin/env', 'LD_PRELOAD=/evil.so', 'make']);
  });
});

describe('plan() by bubblewrap', () => {
  const strict = asking({ level: 'strict' }, { command: 'id', env: { LD_PRELOAD: '/evil.so', TOKEN: 'secret' } });

  test('gives the wrapper an empty environment and tells it everything by a descriptor', () => {
    const plan = planOf(debian, strict);
    expect(plan.argv).toEqual(['/usr/bin/bwrap', '--args', '3', '--', '/bin/sh', '-c', 'id']);
    expect([plan.env, plan.cwd, plan.wrappers, plan.descriptors.length]).toEqual([{}, '/', 2, 1]);
    const words = wordsOf(plan.descriptors[0]);
    const text = words.join(' ');
    expect(words.indexOf('--clearenv')).toBeLessThan(words.indexOf('--setenv'));
    for (const option of [
      '--die-with-parent',
      '--unshare-user',
      '--unshare-pid',
      '--unshare-net',
      '--cap-drop ALL',
      '--ro-bind /usr /usr',
      '--symlink usr/bin /bin',
      '--ro-bind /etc /etc',
      '--size 67108864 --tmpfs /dev/shm',
      '--bind /var/tasks/1.tmp /tmp',
      '--bind /var/tasks/1 /task',
      '--chdir /task',
      '--setenv TOKEN secret',
      '--setenv HOME /task',
      '--setenv TMPDIR /tmp',
    ]) {
      expect(text).toContain(option);
    }
    expect(text).not.toContain('/home/ada');
    expect(words.slice(-2)).toEqual(['--remount-ro', '/']);
    expect(plan.directories).toEqual(['/var/tasks/1', '/var/tasks/1.tmp']);
  });

  test('covers private directories below visible ones, and closes the cover after the task directory is in', () => {
    const words = wordsOf(planOf(debian, strict).descriptors[0]).join(' ');
    const at = (text: string) => words.indexOf(text);
    expect(at('--tmpfs /opt/octaskly')).toBeGreaterThan(at('--ro-bind /opt /opt'));
    expect(at('--remount-ro /opt/octaskly')).toBeGreaterThan(at('--bind /var/tasks/1 /task'));
  });

  test('opens the network of a strict task that asks for it, with the names of hosts', () => {
    const words = wordsOf(planOf(debian, asking({ level: 'strict', network: true })).descriptors[0]);
    expect(words).not.toContain('--unshare-net');
    expect(words).toContain('/run/systemd/resolve/stub-resolv.conf');
  });

  test('very-strict adds a filter, nobody, a neutral place, and sees less', () => {
    const plan = planOf(debian, asking({ level: 'very-strict' }));
    const text = wordsOf(plan.descriptors[0]).join(' ');
    for (const option of [
      '--seccomp 4',
      '--uid 65534',
      '--disable-userns',
      '--bind /var/tasks/1 /task',
      '--unshare-net',
    ])
      expect(text).toContain(option);
    for (const option of ['--ro-bind /etc /etc', '/opt', '/home/ada']) expect(text).not.toContain(option);
    expect(plan.descriptors).toHaveLength(2);
    expect((plan.descriptors[1]?.length ?? 0) % 8).toBe(0);
    expect(plan.descriptors[1]?.length).toBeGreaterThan(80);
  });

  test('an older bubblewrap is not asked for what it does not know', () => {
    const bubblewrap = { path: '/usr/bin/bwrap', version: '0.6.1', strict: works, veryStrict: works };
    const plan = planOf({ ...debian, bubblewrap }, asking({ level: 'very-strict' }));
    expect(wordsOf(plan.descriptors[0])).not.toContain('--disable-userns');
  });

  test('counts processes inside the namespace, and bounds shared memory by the memory limit', () => {
    const plan = planOf(debian, asking({ level: 'strict', limits: { processes: 10, memoryMb: 32 } }, { argv: ['x'] }));
    expect(plan.argv).toEqual([
      ...['/usr/bin/bwrap', '--args', '3', '--', '/usr/bin/prlimit'],
      ...['--nproc=12:12', '--core=0:0', '--', 'x'],
    ]);
    expect(wordsOf(plan.descriptors[0]).join(' ')).toContain(`--size ${32 * 2 ** 20} --tmpfs /dev/shm`);
  });

  test('a value cannot smuggle an option in', () => {
    const env = { X: '1\0--bind\0/\0/host' };
    expect(refusal(() => planOf(debian, asking({ level: 'strict' }, { env })))).toContain('NUL');
  });

  test.each([
    ['/home/ada', 'strict'],
    ['../../secret', 'strict'],
    ['/etc', 'very-strict'],
  ] as const)('refuses to start in %s at %s', (workdir, level) => {
    expect(refusal(() => planOf(debian, asking({ level }, { workdir })))).toContain(`"${workdir}"`);
  });

  test.each([
    ['sub/dir', '/task/sub/dir'],
    ['/usr/share', '/usr/share'],
    ['/tmp/../tmp/x', '/tmp/x'],
  ])('starts in %s', (workdir, seen) => {
    const words = wordsOf(planOf(debian, asking({ level: 'strict' }, { workdir })).descriptors[0]);
    expect(words[words.indexOf('--chdir') + 1]).toBe(seen);
  });
});

describe('plan() without bubblewrap', () => {
  const idle = { path: '/usr/bin/bwrap', version: '0.8.0', strict: failed('no'), veryStrict: failed('no') };

  test('the own launcher is told by a descriptor, and has an environment without a word of the task', () => {
    const launcher = debian.launcher && { ...debian.launcher, namespaces: { strict: works, veryStrict: works } };
    const plan = planOf(
      { ...debian, bubblewrap: null, launcher },
      asking({ level: 'very-strict' }, { env: { A: 'b' } }),
    );
    expect(plan.argv.slice(-2)).toEqual(['/opt/octaskly', '__exec']);
    expect([plan.env, plan.descriptors.length, plan.cwd]).toEqual([{}, 1, '/']);
    expect(plan.wrappers).toBeGreaterThan(0);
  });

  test('Landlock alone gives strict in the real tree, with a temporary directory by name', () => {
    const launcher = debian.launcher && { ...debian.launcher, landlock: works };
    const host = { ...debian, bubblewrap: idle, launcher, paths: { ...debian.paths, hidden: [] } };
    const plan = planOf(host, asking({ level: 'strict' }));
    expect(plan.argv).toEqual(['/opt/octaskly', '__exec']);
    const spec = new TextDecoder().decode(plan.descriptors[0]);
    expect(spec).toContain('/var/tasks/1.tmp');
    expect(refusal(() => planOf(host, asking({ level: 'very-strict' })))).toContain('bubblewrap 0.8.0 does not work');
  });

  test('Landlock is not used where something private lies below what it would open', () => {
    const launcher = debian.launcher && { ...debian.launcher, landlock: works };
    expect(refusal(() => planOf({ ...debian, bubblewrap: idle, launcher }, asking({ level: 'strict' })))).toContain(
      'strict',
    );
  });

  test('macOS gets a profile that names the directories', () => {
    const sandboxExec = { path: '/usr/bin/sandbox-exec', strict: works };
    const host = { ...debian, platform: 'darwin', bubblewrap: null, launcher: null, prlimit: null, sandboxExec };
    const plan = planOf(host, asking({ level: 'strict' }, { argv: ['make'] }));
    expect([plan.argv[0], plan.argv[1], plan.argv[3], plan.cwd]).toEqual([
      '/usr/bin/sandbox-exec',
      '-p',
      'make',
      area.directory,
    ]);
    expect(plan.env.TMPDIR).toBe('/var/tasks/1.tmp');
    expect(plan.argv[2]).toContain('(deny network*)');
    expect(refusal(() => planOf(host, asking({ level: 'very-strict' })))).toContain('macOS');
  });
});

describe('seatbeltProfile()', () => {
  test('refuses by default, and cannot be left through a name', () => {
    const profile = seatbeltProfile({
      directory: '/a"(allow default)\\',
      temporary: '/t',
      network: true,
      hidden: ['/opt/x'],
    });
    expect(profile.startsWith('(version 1)\n(deny default)\n')).toBe(true);
    expect(profile).toContain('(subpath "/a\\"(allow default)\\\\")');
    expect(profile).toContain('(deny file-read* file-write* (subpath "/opt/x"))');
    expect(profile).not.toContain('(deny network*)');
  });
});

describe('prepare()', () => {
  const taskUser = { name: 'octaskly-task', uid: 990, gid: 990 };

  test('a task on Windows is cmd.exe with its line as it was typed, in a directory written as there', () => {
    const windows = { ...debian, platform: 'win32', bubblewrap: null, launcher: null, prlimit: null, jobObjects: true };
    const where = { ...area, directory: 'C:\\tasks\\1', temporary: null };
    const plan = planOf(windows, asking({}, { command: 'echo "a" & b', workdir: 'sub/x' }), where);
    expect(plan.argv.slice(1)).toEqual(['/d', '/s', '/c', '"echo "a" & b"']);
    expect([plan.isVerbatim, plan.cwd]).toEqual([true, 'C:\\tasks\\1\\sub\\x']);
    expect(planOf(windows, asking({}, { workdir: 'D:\\data' }), where).cwd).toBe('D:\\data');
    expect(planOf(windows, asking({}, { command: null, argv: ['x', 'a b'] }), where)).toMatchObject({
      argv: ['x', 'a b'],
    });
    expect(refusal(() => planOf(windows, asking({}, { command: 'a\nb' }), where))).toContain('one line alone');
    const share = '\\\\host\\share';
    expect(refusal(() => planOf(windows, asking({}, { workdir: share }), where))).toContain(
      'no directory of the network',
    );
    const onShare = { ...where, directory: share };
    expect(refusal(() => planOf(windows, asking({}, { workdir: 'sub' }), onShare))).toContain(`${share}\\sub`);
    const bare = asking({}, { command: null, argv: ['x'], workdir: share });
    expect(planOf(windows, bare, where).cwd).toBe(share);
  });

  test('a root worker runs the upper levels as the task account, the lower ones as itself', () => {
    const sandbox = createSandbox({ ...debian, isRoot: true, taskUser }, { least: 'basic', ownEnvironment: {} });
    expect(sandbox.prepare(noDemand)).toEqual({ level: 'basic', area: { isolated: false, user: null } });
    expect(sandbox.prepare({ ...noDemand, level: 'strict' }).area).toEqual({ isolated: true, user: taskUser });
    const plan = planOf({ ...debian, isRoot: true, taskUser }, asking({ level: 'strict' }), {
      ...area,
      user: taskUser,
    });
    expect(plan.user).toEqual(taskUser);
  });

  test('a root worker without such an account refuses them', () => {
    const sandbox = createSandbox({ ...debian, isRoot: true }, { least: 'basic', ownEnvironment: {} });
    expect(refusal(() => sandbox.prepare({ ...noDemand, level: 'strict' }))).toContain('runs as root');
  });

  test('gives the stricter of what is asked and what the worker gives at least', () => {
    const sandbox = createSandbox(debian, { least: 'strict', ownEnvironment: {} });
    expect(sandbox.prepare({ ...noDemand, level: 'none' }).level).toBe('strict');
    expect(sandbox.prepare({ ...noDemand, level: 'very-strict' }).level).toBe('very-strict');
  });

  test('never weakens: a network at very-strict, a limit nobody keeps', () => {
    const sandbox = createSandbox({ ...debian, watcher: false }, { least: 'basic', ownEnvironment: {} });
    expect(refusal(() => sandbox.prepare({ ...noDemand, level: 'very-strict', network: true }))).toContain('network');
    const limits = { ...noDemand.limits, diskMb: 1 };
    expect(refusal(() => sandbox.prepare({ ...noDemand, limits }))).toContain('disk_limit_mb');
  });
});
