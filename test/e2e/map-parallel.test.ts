/**
 * `map` beside GNU parallel: the same command lines through both, in one directory, and the same output, exit status and
 * joblog expected. Where the two differ on purpose, a test of its own says how.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Site } from './site.ts';

const parallel = Bun.which('parallel');
if (parallel === null) console.warn('not tested: map beside GNU parallel, parallel is missing');

let site: Site;

beforeAll(async () => {
  if (parallel === null) return;
  site = new Site();
  mkdirSync(site.path('home/.parallel'), { recursive: true });
  writeFileSync(site.path('home/.parallel/will-cite'), '');
  const files = {
    f1: '1\n2\n',
    f2: 'x\ny\nz\n',
    cols: 'a,b\nc,d e\n',
    nul: 'a\nb\0c d\0',
    blank: '\na\n \n',
    empty: '',
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(site.path(name), text);
  await site.dispatcher();
  await site.worker('w', ['--max-jobs', '4']);
}, 60_000);

afterAll(async () => {
  if (parallel !== null) await site.close();
});

interface Ended {
  readonly stdout: string;
  readonly status: number | null;
}

async function throughParallel(args: readonly string[], stdin: string): Promise<Ended> {
  // In its joblog and in bash its `exit` reads as in the /bin/sh of a task.
  const env = { PATH: process.env.PATH ?? '', HOME: site.path('home'), PARALLEL_SHELL: '/bin/sh', LC_ALL: 'C.UTF-8' };
  const child = Bun.spawn([parallel ?? '', '--will-cite', ...args], {
    ...{ cwd: site.directory, env, stdin: new Blob([stdin]), stdout: 'pipe', stderr: 'ignore' },
  });
  const stdout = await new Response(child.stdout).text();
  return { stdout, status: await child.exited };
}

async function throughMap(args: readonly string[], stdin: string): Promise<Ended> {
  const { stdout, status } = await site.run(['map', ...args], { stdin });
  return { stdout: stdout.toString(), status };
}

async function both(args: readonly string[], stdin = ''): Promise<readonly [ours: Ended, theirs: Ended]> {
  return Promise.all([throughMap(args, stdin), throughParallel(args, stdin)]);
}

interface Case {
  readonly args: readonly string[];
  readonly stdin?: string;
}

const of = (...args: string[]): Case => ({ args });
const odd = [
  'a b',
  "it's",
  '$HOME',
  '"q"',
  '',
  'a\\b',
  'é',
  '~',
  '-x',
  'a\tb',
  '#c',
  'a;b',
  'k=v',
  '*',
  '`x`',
  "''",
  '!',
];

const dryRuns: readonly Case[] = [
  of('echo', ':::', ...odd),
  of('echo {.} {/} {//} {/.}', ':::', '/a/b.c.d', '/x', 'a/', '/a/b/', '.hid', 'a.b/c', '/.', '..', 'x y.z'),
  of('echo {#} {}{.}', '{1}{1.}', ':::', 'a.b', 'c d.e'),
  of('echo {1//} {-1/} {-1.} {2/.} {-2//} {3}', ':::', 'd/a.b', ':::', 'e/f.g', 'h'),
  of('echo', ':::', '{}', '{1}', '{#}', '{.}'),
  of('echo "{}"', "'{}'", ':::', 'a b', "it's"),
  of('echo', ':::', '1', '2', ':::', 'a', 'b', ':::', 'X', 'Y'),
  of('echo', ':::', '1', '2', ':::+', 'a', 'b', ':::', 'X', 'Y'),
  of('echo', ':::', '1', '2', '3', ':::+', 'a', 'b'),
  of('echo', '::::', 'f1', 'f2'),
  of('echo', '::::', 'f1', '::::+', 'f2'),
  of('echo', '::::', 'f1', ':::+', 'a', 'b'),
  of('-a', 'f1', '-a', 'f2', 'echo {2} {1}'),
  of('-a', 'f1', 'echo', ':::', 'q'),
  of('--link', 'echo', ':::', 'a', 'b', 'c', ':::', '1', '2'),
  of('echo', ':::'),
  of('echo {}', ':::', 'a', ':::'),
  of('echo {}', '::::', 'empty'),
  of('-N2', 'echo {1}-{2} {}', '{2.} {#}', ':::', 'a.x', 'b.y', 'c'),
  of('-N2', 'echo {-1} {-2}', ':::', 'a', 'b'),
  of('-n2', 'echo', ':::', 'a', 'b', 'c'),
  of('-n3', 'echo', ':::', ...'abcdefgh'),
  of('-N2', 'echo x{}y; echo {.}z', '{1}y{} "{}" {#}', ':::', 'a b', 'c.d'),
  of('-n2', 'echo x{}y', ':::', 'a b', 'c'),
  of('-N0', 'echo hi', ':::', '1', '2'),
  of('-N2', 'echo {1} {2} {3} {4}', ':::', 'a', 'b', ':::', '1', '2'),
  of('--colsep', ',', 'echo {2} {1}', '{}', ':::', 'a,b', 'c,d,e', 'f', 'a,,c', 'a,'),
  of('--colsep', '[,;]', 'echo {3}{1}', ':::', 'a,b;c'),
  of('-C', '\\t', 'echo {2}', ':::', 'a\tb c'),
  of('--colsep', ',', 'echo', '{1}-{2}', '::::', 'cols'),
  of('--colsep', ',', '-N2', 'echo {1} {2} {3} {4} {}', ':::', 'a,b', 'c,d', 'e,f'),
  of('--colsep', ',', 'echo {1} {2} {3} {4}', ':::', 'a,b', 'c,d', ':::', 'e,f'),
  of('--header', ':', 'echo {x} {y.} {1}', ':::', 'x', '1', '2', ':::', 'y', '3.a'),
  of('--header', ':', '--colsep', ',', 'echo {a} {b}', '::::', 'cols'),
  of('-q', 'echo', '$x', 'a {}', "it's", '{.}x', ':::', 'c d.e', '1'),
  of('-q', '-N2', 'printf', '%s,', '{}', 'x{}y z', '{1}-{2}', ':::', 'a b', 'c'),
  of('-q', '-n2', 'printf', '%s,', 'x{}y z', ':::', 'a b', 'c'),
  ...['{}', '{1} > {1}x', '{.} {}', "'{}' x", ' {}', '{#} {}'].map((one) => of(one, ':::', 'echo a.b c')),
  of('-N2', '{}', ':::', 'echo a', 'b c'),
  of('-C', '[[:space:]]+', 'echo {2}', ':::', 'a \tb c'),
  of('-C', '\\h', 'echo {2}', ':::', 'a\tb c'),
  of('-C', '(?i)x', 'echo {2}', ':::', 'aXbxc'),
  of('--tagstring', 't\\t{}', 'echo {}', ':::', 'a'),
  of('--tagstring', '', 'echo {}', ':::', 'a'),
  of('-I', ',,', 'echo ,, {}', ':::', 'a b'),
  of('-I', '//', 'echo x//y', '{.}', ':::', 'a.b'),
  of('--tag', 'echo {}', ':::', 'a', 'b c'),
  of('--tagstring', '{1}-{#}', 'echo {}', ':::', 'a', 'b c'),
  of('--trim', 'lr', 'echo {}x', ':::', ' a ', 'b '),
  of('-r', 'echo', '::::', 'blank'),
  of('-0', 'echo', '::::', 'nul'),
  of('-d', ',', 'echo', '::::', 'cols'),
  of('-j1', 'echo {%} {#}', ':::', 'a', 'b', 'c'),
  { args: ['echo {1} {2}', '::::', '-', ':::', 'x'], stdin: 'a\nb\n' },
  { args: ['echo'], stdin: "a\n\nb c\nit's\r\n$x" },
  { args: ['-0', 'echo'], stdin: 'a\0b\nc\0' },
  of(':::', 'echo a b', 'echo $HOME'),
  of('echo $(basename {})', '>', '{/.}.out', ':::', 'a/b c.d'),
];

const runs: readonly Case[] = [
  of('-k', 'printf "[%s]"', ':::', ...odd, 'x'.repeat(5000)),
  of('-k', 'echo {#}: {} {.} {/}; exit {1}', ':::', '0', '1', '2', '0'),
  of('-k', '--tag', 'printf "%s\\n" {} {}', ':::', 'a', 'b c'),
  of('-k', '--tag', 'printf {}', ':::', 'a', 'b'),
  of('-k', '-q', 'printf', '%s $x\\n', ':::', 'a', "b'c"),
  { args: ['-0', '-k', 'printf "[%s]"'], stdin: "a\nb\0$HOME\0'\"'\0" },
  { args: ['-k'], stdin: 'echo 1; false\necho "$((1 + 1))"\n' },
  { args: ['-k', 'cat; echo'], stdin: '1\n2\n' },
  of('exit', ':::', ...Array.from({ length: 103 }, () => '1')),
  of('kill -9 $$; :', ':::', '1', '2'),
  of('-k', 'true', '::::', 'empty'),
  of('-k', '-j1', '--halt', 'never', 'echo {}; exit {}', ':::', '0', '1', '5'),
  of('-k', '-v', '-P2', '--group', '--will-cite', '--timeout', '0', 'echo {}', ':::', 'a', 'b'),
  of('-k', '{}', ':::', 'echo a  b', 'exit 3'),
];

const halts = [
  'now,fail=1',
  'soon,fail=1',
  'now,fail=2',
  'now,success=1',
  'soon,success=2',
  'now,done=2',
  'soon,done=1',
];
const percents = ['soon,fail=50%', 'now,fail=30%', 'soon,done=50%', 'now,success=50%', '1', '2', '-1', '-2', '20%'];

const nameOf = ({ args, stdin }: Case): string =>
  JSON.stringify(stdin === undefined ? args : [args, stdin]).slice(0, 120);
const named = (cases: readonly Case[]) => cases.map((one) => [nameOf(one), one] as const);

/** The columns of a joblog that no clock decides, by job. */
function logged(name: string): string[][] {
  const lines = readFileSync(site.path(name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
  const fixed = lines
    .slice(1)
    .map(([seq = '', , , , send = '', receive = '', ...rest]) => [seq, send, receive, ...rest]);
  return [lines[0] ?? [], ...fixed.sort((a, b) => Number(a[0]) - Number(b[0]))];
}

describe.skipIf(parallel === null)('map beside GNU parallel', () => {
  test.each(named(dryRuns))('makes the same commands of %s', async (_, { args, stdin }) => {
    const [ours, theirs] = await both(['--dry-run', '-k', ...args], stdin);
    expect(ours).toEqual(theirs);
  });

  test.each(named(runs))('prints and ends the same for %s', async (_, { args, stdin }) => {
    const [ours, theirs] = await both(args, stdin);
    expect(ours).toEqual(theirs);
  });

  test.each([...halts, ...percents])('stops where it does with --halt %s', async (halt) => {
    const line = (log: string) => ['-j1', '--halt', halt, '--joblog', log, 'echo {}; exit {}', ':::', ...'015037'];
    const [ours, theirs] = await Promise.all([
      throughMap(line('halt-ours'), ''),
      throughParallel(line('halt-theirs'), ''),
    ]);
    expect(ours).toEqual(theirs);
    expect(logged('halt-ours')).toEqual(logged('halt-theirs'));
  });

  test('ends what runs with --halt now, and lets it end with soon', async () => {
    const line = (halt: string) => [
      '-j2',
      '--halt',
      halt,
      'sleep {}; echo {}; exit 3',
      ':::',
      '0.1',
      '0.8',
      '0.1',
      '0.1',
    ];
    for (const halt of ['now,fail=1', 'soon,fail=1']) {
      const [ours, theirs] = await both(line(halt));
      expect(ours, halt).toEqual(theirs);
    }
  });

  test('writes the same joblog, and each resumes what the other began', async () => {
    const line = (log: string, more: string[], args: string[]) => [
      '--joblog',
      log,
      '-k',
      '-j2',
      ...more,
      'echo {}; [ {} != b ]',
      ':::',
      ...args,
    ];
    await Promise.all([
      throughMap(line('ours', [], ['a', 'b', 'c d']), ''),
      throughParallel(line('theirs', [], ['a', 'b', 'c d']), ''),
    ]);
    expect(logged('ours')).toEqual(logged('theirs'));
    const text = readFileSync(site.path('ours'), 'utf8');
    expect(text.split('\n')[1]).toMatch(/^\d\t\S+\t\d{10}\.\d{3}\t +\d+\.\d{3}\t0\t\d+\t0\t0\techo/);
    for (const [flag, output] of [
      ['--resume', 'e\n'],
      ['--resume-failed', 'b\n'],
    ] as const) {
      const again = ['a', 'b', 'c d', 'e'];
      const [ours, theirs] = await Promise.all([
        throughMap(line('theirs', [flag], again), ''),
        throughParallel(line('ours', [flag], again), ''),
      ]);
      expect(ours).toMatchObject({ stdout: output });
      expect(ours).toEqual(theirs);
      expect(logged('ours')).toEqual(logged('theirs'));
    }
  });

  test('lays --results out the same', async () => {
    const calls = [
      ['plain', 'plain', ':::', 'a', 'b/c', '', 'x\\y', ':::', 'x y'],
      ['names', 'names', '--header', ':', ':::', 'h', 'a', 'b', ':::', 'g', 'c'],
      ['pairs', 'pairs', '-n2', ':::', 'a', 'b', 'c'],
      ['files', 'files/{1}.out', ':::', 'a', 'b'],
      ['folders', 'folders/{/.}/', ':::', 'd/a.x', 'b'],
    ] as const;
    for (const [name, place, ...rest] of calls) {
      const at = rest.indexOf(':::');
      const line = (root: string) => [
        '--results',
        `${root}/${place}`,
        ...rest.slice(0, at),
        'echo {}; echo e{} >&2',
        ...rest.slice(at),
      ];
      const [ours, theirs] = await Promise.all([throughMap(line('r-ours'), ''), throughParallel(line('r-theirs'), '')]);
      expect(ours, name).toEqual(theirs);
    }
    const files = (root: string) =>
      readdirSync(site.path(root), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => `${parentPath}/${name}`)
        .map((path) => [path.slice(site.path(root).length), readFileSync(path, 'utf8')] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1));
    expect(files('r-ours')).toEqual(files('r-theirs'));
    expect(files('r-ours').length).toBeGreaterThan(20);
  });

  test('stops what runs too long with --timeout, in seconds and percent', async () => {
    for (const limit of ['1', '200%']) {
      const line = (log: string) => [
        '-k',
        '-j2',
        '--timeout',
        limit,
        '--joblog',
        log,
        'sleep {}; echo {}',
        ':::',
        '0.3',
        '0.3',
        '0.3',
        '9',
      ];
      const [ours, theirs] = await Promise.all([throughMap(line('t-ours'), ''), throughParallel(line('t-theirs'), '')]);
      expect(ours, limit).toEqual(theirs);
      expect(logged('t-ours')).toEqual(logged('t-theirs'));
    }
  });

  test('refuses an argument that is no UTF-8, by its place', async () => {
    const script = 'exec "$0" map "$@" echo ::: ok "$(printf "caf\\351")"';
    const { stderr, status } = await site.run([], { through: ['/bin/sh', '-c', script] });
    expect([status, stderr]).toEqual([
      2,
      expect.stringContaining('Word 5 of the command line, "caf\ufffd", is not UTF-8'),
    ]);
  });

  test('keeps a newline in an argument behind :::, which GNU parallel cuts there', async () => {
    const [ours] = await both(['-k', 'printf "[%s]"', ':::', 'a\nb', '$x\n']);
    expect(ours).toEqual({ stdout: '[a\nb][$x\n]', status: 0 });
  });
});
