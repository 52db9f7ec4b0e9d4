/** Control groups over a directory that looks like the kernel's: what is asked for, written and read. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CgroupSystem, groupAt, openAt, openCgroups } from '../../src/runtime/cgroup.ts';

let mount: string;
let serial = 0;
const none = { cpuTimeMs: null, memoryBytes: null, diskBytes: null, processes: null };

beforeAll(() => {
  mount = mkdtempSync(join(tmpdir(), 'cgroup-'));
  writeFileSync(join(mount, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
});
afterAll(() => rmSync(mount, { recursive: true }));

/** A group as the kernel shows it, with some controllers already enabled for its children. */
function makeGroup(enabled = 'cpu memory pids'): string {
  const path = `group-${serial++}`;
  mkdirSync(join(mount, path));
  const files = {
    'cgroup.controllers': 'cpu memory pids\n',
    'cgroup.subtree_control': `${enabled}\n`,
    'cgroup.procs': '',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(mount, path, name), text);
  return path;
}

/** `own` is what /proc/self/cgroup says first; what is run can change it. */
function system(own: string, more: Partial<CgroupSystem> = {}): CgroupSystem {
  return {
    membership: () => `4:memory:/elsewhere\n0::/${own}\n`,
    mounts: `30 23 0:26 / ${mount} rw,relatime - cgroup2 cgroup2 rw\n`,
    pid: 4711,
    systemd: true,
    root: true,
    isMarked: () => false,
    run: async () => false,
    ...more,
  };
}

const read = (...parts: string[]) => readFileSync(join(mount, ...parts), 'utf8');

describe('openCgroups()', () => {
  test('says why there are none', async () => {
    const whyNot = async (own: CgroupSystem) => {
      const { facts, create } = await openCgroups(own);
      expect([facts.memory, facts.processes, facts.cpu, create(none)]).toEqual([false, false, false, null]);
      return facts.why;
    };
    const group = makeGroup();
    expect(await whyNot(system(group, { mounts: '' }))).toBe('cgroup v2 is not mounted');
    expect(await whyNot(system(group))).toContain('systemd gives no scope');
    expect(await whyNot(system('not/there', { root: false, systemd: false }))).toContain('is not delegated');
    writeFileSync(join(mount, 'cgroup.controllers'), '\n');
    expect(await whyNot(system(group))).toContain('no controllers');
    writeFileSync(join(mount, 'cgroup.controllers'), 'cpu memory pids\n');
  });

  test('takes the group it is in when that is delegated, and goes aside in it', async () => {
    const group = makeGroup();
    const marked: string[] = [];
    const isMarked = (directory: string) => marked.push(directory) > 0;
    const { facts } = await openCgroups(system(group, { isMarked }));
    expect(facts).toMatchObject({ memory: true, processes: true, cpu: true });
    expect(marked).toEqual([join(mount, group)]);
    expect(read(group, 'worker', 'cgroup.procs')).toBe('4711');
  });

  test('asks systemd for a scope, without the policy that older ones refuse', async () => {
    const asked: (readonly string[])[] = [];
    let own = 'not/there';
    const scope = 'octaskly-worker-4711.scope';
    const run = async (argv: readonly string[]) => {
      asked.push(argv);
      if (argv.includes('OOMPolicy')) return false;
      mkdirSync(join(mount, scope));
      writeFileSync(join(mount, scope, 'cgroup.controllers'), 'pids\n');
      writeFileSync(join(mount, scope, 'cgroup.subtree_control'), 'pids\n');
      own = scope;
      return true;
    };
    const { facts } = await openCgroups(system(own, { root: false, run, membership: () => `0::/${own}\n` }));
    expect(facts).toEqual({ memory: false, processes: true, cpu: false, why: `cgroup v2 at ${join(mount, scope)}` });
    expect(asked.map((argv) => argv.slice(0, 3))).toEqual([
      ['busctl', '--user', 'call'],
      ['busctl', '--user', 'call'],
    ]);
    expect(asked[1]?.slice(-9)).toEqual(['2', 'PIDs', 'au', '1', '4711', 'Delegate', 'b', 'true', '0']);
  });
});

describe('create()', () => {
  test('writes the limits that groups keep, and no others', () => {
    const group = makeGroup();
    const { create } = openAt(join(mount, group), 1);
    const first = create({ ...none, memoryBytes: 1_000_000, processes: 50 })?.dir ?? '';
    const values = ['memory.max', 'memory.swap.max', 'memory.oom.group', 'pids.max'].map((name) =>
      readFileSync(join(first, name), 'utf8'),
    );
    expect(values).toEqual(['1000000', '0', '1', '50']);
    const second = create(none)?.dir ?? '';
    expect(second).not.toBe(first);
    expect(() => readFileSync(join(second, 'memory.max'))).toThrow();
  });
});

describe('a group', () => {
  test('tells what happened and what was used, and nothing where there are no such files', () => {
    const dir = join(mount, makeGroup());
    expect(groupAt(dir).events()).toEqual({ kernelKills: 0, refusedForks: 0 });
    expect(groupAt(dir).usage()).toEqual({ cpuMs: null, memoryPeakBytes: null, writtenBytes: null });
    const files = {
      'memory.events': 'low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 1\n',
      'pids.events': 'max 7\n',
      'cpu.stat': 'usage_usec 1234567\nuser_usec 1\n',
      'memory.peak': '4096\n',
      'io.stat': '8:0 rbytes=1 wbytes=100 rios=1\n8:16 rbytes=1 wbytes=23 rios=1\n',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    expect(groupAt(dir).events()).toEqual({ kernelKills: 3, refusedForks: 7 });
    expect(groupAt(dir).usage()).toEqual({ cpuMs: 1234.567, memoryPeakBytes: 4096, writtenBytes: 123 });
    groupAt(dir).kill();
    expect(readFileSync(join(dir, 'cgroup.kill'), 'utf8')).toBe('1');
  });
});
