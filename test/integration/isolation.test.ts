/**
 * The upper levels of this machine, for real: every level it offers runs tasks that try to get out. As root they run as
 * `nobody`. Levels it does not offer are told and left out.
 */

import { afterAll, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HostIsolation, notTried } from '../../src/core/host-isolation.ts';
import { type IsolationDemand, noDemand, noLimits } from '../../src/core/isolation.ts';
import type { LaunchPlan } from '../../src/ports/processes.ts';
import { findIsolation, tried } from '../../src/roles/isolation.ts';
import { findTaskUser } from '../../src/runtime/task-user.ts';
import { createWorkspace } from '../../src/runtime/workspace.ts';
import { offersOf } from '../../src/worker/offers.ts';
import { createSandbox } from '../../src/worker/sandbox.ts';
import { secondCandidates } from '../../src/worker/trials.ts';
import { assignment } from '../unit/worker/fakes.ts';
import { silentLog } from './processes.ts';

const isRoot = process.getuid?.() === 0;
const base = realpathSync(mkdtempSync(join(tmpdir(), 'isolation-')));
chmodSync(base, 0o711);
afterAll(() => rmSync(base, { recursive: true, force: true }));

const taskUser = findTaskUser(isRoot ? 'nobody' : undefined);
const workspace = createWorkspace({ root: join(base, 'work'), shared: isRoot, log: silentLog });
const cgroup = { memory: false, processes: false, cpu: false };
const self = [process.execPath, join(import.meta.dir, '../../src/main.ts')];
const found = await findIsolation({ taskUser, hidden: [base], cgroup, self, workspace });
const bare: HostIsolation = { ...found, bubblewrap: null };
const own = await tried(bare, secondCandidates(bare), workspace);
const none = { strict: notTried, veryStrict: notTried };

/** This machine as it is, and as it would be without bubblewrap, and without namespaces too. */
const hosts: readonly (readonly [string, HostIsolation])[] = [
  ['bubblewrap', found],
  ['the own launcher', own],
  ['the own launcher by Landlock', { ...own, launcher: own.launcher && { ...own.launcher, namespaces: none } }],
];
const cases = hosts.flatMap(([name, host]) => {
  const { levels, missing } = offersOf(host, 'strict');
  for (const { level, reason } of missing) console.log(`not tested: ${level} by ${name}: ${reason}`);
  return levels.map(({ level, limits }) => ({
    level,
    name,
    host,
    isAlone: limits.max_processes.enforcement === 'hard',
  }));
});

const hasPython = Bun.which('python3') !== null;
if (!hasPython) console.log('not tested: the network, for want of python3');

/** Contents in descriptors of files without a name. */
function openContents(contents: readonly Uint8Array[]): number[] {
  return contents.map((content, index) => {
    const path = join(base, `content-${index}`);
    writeFileSync(path, content, { mode: 0o600 });
    const fd = openSync(path, 'r');
    rmSync(path);
    return fd;
  });
}

async function runPlan(plan: LaunchPlan): Promise<{ code: number; out: string }> {
  const fds = openContents(plan.descriptors);
  const child = Bun.spawn([...plan.argv], {
    cwd: plan.cwd,
    env: { ...plan.env },
    stdio: ['ignore', 'pipe', 'pipe', ...fds],
    timeout: 10_000,
    ...(plan.user === null ? {} : { uid: plan.user.uid, gid: plan.user.gid }),
  });
  for (const fd of fds) closeSync(fd);
  const { stdout, stderr } = child as unknown as { stdout: ReadableStream; stderr: ReadableStream };
  const [out, err, code] = await Promise.all([new Response(stdout).text(), new Response(stderr).text(), child.exited]);
  return { code, out: out + err };
}

type Case = (typeof cases)[number];

/** Runs a shell script at a level in an area of its own. */
async function attempt({ level, host }: Case, command: string, demand: Partial<IsolationDemand> = {}) {
  const sandbox = createSandbox(host, { least: 'none', ownEnvironment: { ...process.env, OCTASKLY_SECRET: 'hush' } });
  const requires = { ...assignment('a').spec.requires, isolation: { ...noDemand, level, ...demand } };
  const task = assignment('a', 1, { command, requires, env: { LD_PRELOAD: '', GREETING: 'hello' } });
  const prepared = sandbox.prepare(requires.isolation);
  const area = workspace.createArea(prepared.area);
  try {
    return await runPlan(sandbox.plan(task, { prepared, area, marker: 'a.1', workerName: 'attic' }));
  } finally {
    await workspace.removeArea(area);
  }
}

describe.each(cases)('at $level by $name', (at) => {
  test("a task works in its directory and its own /tmp, with its environment and not the worker's", async () => {
    const script = 'echo a > file && cat file && echo b > "$TMPDIR/t" && cat "$TMPDIR/t" && echo "$GREETING"; env';
    const { code, out } = await attempt(at, script);
    expect([code, out.slice(0, 10)]).toEqual([0, 'a\nb\nhello\n']);
    expect(out).not.toContain('hush');
    expect(existsSync('/tmp/t')).toBe(false);
  });

  test('it writes nowhere else', async () => {
    const outside = join(base, 'open');
    mkdirSync(outside, { recursive: true });
    chmodSync(outside, 0o777);
    const places = [outside, '/usr', '/etc', '/', '/dev', homedir(), '/var/tmp'];
    const { out } = await attempt(at, places.map((dir) => `touch ${dir}/h1 2>/dev/null && echo ${dir}`).join('; '));
    expect([out, readdirSync(outside)]).toEqual(['', []]);
  });

  test('it sees no home and no private directory, not even what its account may read', async () => {
    const secret = join(base, 'secret');
    writeFileSync(secret, 'hush');
    if (taskUser !== null) chownSync(secret, taskUser.uid, taskUser.gid);
    const { out } = await attempt(at, `cat ${secret} ${homedir()}/.ssh/* 2>/dev/null; ls -A ${homedir()}/ 2>/dev/null`);
    expect(out).toBe('');
  });

  test.if(hasPython)('it has no network', async () => {
    const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } });
    const script = `python3 -c "print('tries'); import socket; socket.create_connection(('127.0.0.1', ${server.port}), 2)" 2>/dev/null && echo through`;
    try {
      expect((await attempt(at, script)).out).toBe('tries\n');
    } finally {
      server.stop(true);
    }
  });

  test.if(hasPython)('it reaches no socket with a path, such as that of docker', async () => {
    const path = join(base, 'service.sock');
    const server = Bun.listen({ unix: path, socket: { data: () => undefined } });
    chmodSync(path, 0o777);
    const script = `python3 -c "print('tries'); import socket; socket.socket(socket.AF_UNIX).connect('${path}')" 2>/dev/null && echo through`;
    try {
      expect((await attempt(at, script)).out).toBe('tries\n');
    } finally {
      server.stop(true);
      rmSync(path, { force: true });
    }
  });

  test('it has no privileges and sees no process but its own', async () => {
    const { out } = await attempt(at, 'grep -E "^(CapEff|NoNewPrivs)" /proc/self/status; ls /proc | grep -c "^[0-9]"');
    expect(out).toMatch(
      at.isAlone ? /CapEff:\s+0{16}\nNoNewPrivs:\s+1\n[1-9]\n$/ : /CapEff:\s+0{16}\nNoNewPrivs:\s+1\n/,
    );
  });

  test('limits hold inside', async () => {
    const limits = { ...noLimits, processes: 8, openFiles: 32, diskMb: 1 };
    const files = 'ulimit -n; head -c 2000000 /dev/zero > big; wc -c < big';
    expect((await attempt(at, files, { limits })).out).toContain('32\n1048576\n');
    if (!at.isAlone) return;
    const bomb = await attempt(at, 'for i in $(seq 30); do sleep 3 & done; echo all', { limits });
    expect(bomb.out).toMatch(/fork/i);
    expect(bomb.out).not.toContain('all');
  });

  test.if(isRoot)("a root worker's task is not root to the machine, and leaves nothing behind", async () => {
    const { code } = await attempt(at, 'touch mine; cp /bin/true t; echo 1 > /proc/sys/vm/panic_on_oom || exit 7');
    expect(code).not.toBe(0);
    expect(readdirSync(join(base, 'work', 'tasks'))).toEqual([]);
    const area = workspace.createArea({ isolated: true, user: taskUser });
    expect([statSync(area.directory).uid, statSync(area.temporary ?? '').uid]).toEqual([65534, 65534]);
    await workspace.removeArea(area);
  });
});

test.if(hasPython).each(cases.filter(({ level }) => level === 'strict'))(
  'strict by $name gives the network to a task that asks for it',
  async (at) => {
    const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => undefined } });
    const script = `python3 -c "import socket; socket.create_connection(('127.0.0.1', ${server.port}), 2)" && echo through`;
    try {
      expect((await attempt(at, script, { network: true })).out).toBe('through\n');
    } finally {
      server.stop(true);
    }
  },
);
