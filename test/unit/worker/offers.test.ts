import { describe, expect, test } from 'bun:test';
import { notTried } from '../../../src/core/host-isolation.ts';
import { offersOf, rootWarning } from '../../../src/worker/offers.ts';
import { firstCandidates, secondCandidates, trialPlan, withTrial } from '../../../src/worker/trials.ts';
import { area, debian, failed, wordsOf, works } from './hosts.ts';

const levelsOf = (isolation: ReturnType<typeof offersOf>) => isolation.levels.map(({ level }) => level);

describe('offersOf()', () => {
  test('offers no level below the least, and lacks none of those either', () => {
    expect(levelsOf(offersOf(debian, 'none'))).toEqual(['none', 'basic', 'strict', 'very-strict']);
    expect(levelsOf(offersOf(debian, 'strict'))).toEqual(['strict', 'very-strict']);
    const bare = offersOf({ ...debian, bubblewrap: null }, 'very-strict');
    expect([bare.levels, bare.missing.map(({ level }) => level)]).toEqual([[], ['very-strict']]);
  });

  test('says hard only where the kernel holds the whole tree', () => {
    const cgroup = { memory: true, processes: true, cpu: true };
    const of = (host: typeof debian) =>
      Object.fromEntries(offersOf(host, 'none').levels.map((offer) => [offer.level, offer.limits]));
    const plain = of(debian);
    expect(plain.basic?.memory_limit_mb.enforcement).toBe('watched');
    expect(plain.basic?.max_processes.enforcement).toBe('watched');
    expect(plain.strict?.max_processes.enforcement).toBe('hard');
    expect(plain.basic?.max_open_files.enforcement).toBe('per-process');
    expect(of({ ...debian, countsPerNamespace: false }).strict?.max_processes.enforcement).toBe('watched');
    expect(of({ ...debian, cgroup }).basic).toMatchObject({
      memory_limit_mb: { enforcement: 'hard', mechanism: 'memory.max' },
      max_processes: { enforcement: 'hard', mechanism: 'pids.max' },
      cpu_time_limit: { enforcement: 'watched' },
      disk_limit_mb: { enforcement: 'watched' },
    });
    const blind = of({ ...debian, watcher: false }).basic;
    expect([blind?.cpu_time_limit.enforcement, blind?.disk_limit_mb.enforcement]).toEqual(['per-process', 'none']);
  });

  test.each([
    ['Android', { ...debian, platform: 'android' }, 'Android'],
    ['Windows', { ...debian, platform: 'win32' }, 'WSL'],
    ['root alone', { ...debian, isRoot: true }, 'useradd --system octaskly-task'],
    ['no bubblewrap', { ...debian, bubblewrap: null }, 'Install bubblewrap'],
  ] as const)('%s: says how to get what is missing', (_name, host, words) => {
    const { levels, missing } = offersOf(host, 'basic');
    expect(levels.map(({ level }) => level)).toEqual(['basic']);
    expect(missing.map(({ level }) => level)).toEqual(['strict', 'very-strict']);
    for (const lack of missing) expect(`${lack.reason} ${lack.remedy}`).toContain(words);
  });

  test.each([
    ['bwrap: setting up uid map: Permission denied', 'AppArmor'],
    ['bwrap: Creating new namespace failed: No space left on device', 'user.max_user_namespaces'],
    ["bwrap: Can't find source path /root/w: Permission denied", '--work-dir'],
  ])('what bubblewrap says leads to a remedy: %s', (why, words) => {
    const bubblewrap = { path: '/usr/bin/bwrap', version: '0.8.0', strict: failed(why), veryStrict: works };
    const { missing, levels } = offersOf({ ...debian, bubblewrap }, 'strict');
    expect(levels.map(({ level }) => level)).toEqual(['very-strict']);
    expect(missing[0]?.reason).toContain(why);
    expect(missing[0]?.remedy).toContain(words);
  });
});

describe('firstCandidates() and secondCandidates()', () => {
  const idle = { path: '/usr/bin/bwrap', version: '0.8.0', strict: notTried, veryStrict: notTried };
  const untried = { ...debian, bubblewrap: idle };

  test('the own launcher is tried only for what bubblewrap does not give', () => {
    expect(firstCandidates(untried)).toHaveLength(2);
    expect(secondCandidates(debian)).toEqual([]);
    const half = withTrial(debian, { mechanism: 'bubblewrap', level: 'very-strict' }, failed('old'));
    expect(secondCandidates(half)).toEqual([{ mechanism: 'namespaces', level: 'very-strict' }]);
    const open = { ...debian, bubblewrap: null, paths: { ...debian.paths, hidden: [] } };
    expect(secondCandidates(open)).toHaveLength(3);
  });

  test('Landlock is not tried where it would lay private directories open', () => {
    const host = { ...debian, bubblewrap: null, paths: { ...debian.paths, hidden: ['/etc/octaskly'] } };
    expect(secondCandidates(host).map(({ mechanism }) => mechanism)).toEqual(['namespaces', 'namespaces']);
    for (const candidate of secondCandidates(host)) expect(() => trialPlan(host, candidate, area)).not.toThrow();
  });

  test('nothing is tried on Android, nor by root without an account for tasks', () => {
    for (const host of [
      { ...untried, platform: 'android' },
      { ...untried, isRoot: true },
    ])
      expect([...firstCandidates(host), ...secondCandidates(host)]).toEqual([]);
  });

  test('trialPlan() is the plan of a real task, for the mechanism in question', () => {
    const plan = trialPlan(untried, { mechanism: 'bubblewrap', level: 'very-strict' }, area);
    expect(plan.argv[0]).toBe('/usr/bin/bwrap');
    expect(wordsOf(plan.descriptors[0])).toContain('--seccomp');
    const own = trialPlan(debian, { mechanism: 'namespaces', level: 'strict' }, area);
    expect(own.argv.at(-1)).toBe('__exec');
  });
});

describe('rootWarning()', () => {
  test('says that tasks have all rights, and names only what helps here', () => {
    const root = { ...debian, isRoot: true, taskUser: { name: 'octaskly-task', uid: 990, gid: 990 } };
    expect(rootWarning(root, 'basic')).toContain('so does every task that does not ask for strict');
    expect(rootWarning(root, 'none')).toContain('--sandbox-level strict');
    const alone = rootWarning({ ...root, taskUser: null }, 'basic');
    expect(alone).toContain('octaskly service install worker');
    expect(alone).not.toContain('--sandbox-level');
  });

  test('says nothing where no task runs as root', () => {
    expect([rootWarning(debian, 'none'), rootWarning({ ...debian, isRoot: true }, 'strict')]).toEqual([null, null]);
  });
});
