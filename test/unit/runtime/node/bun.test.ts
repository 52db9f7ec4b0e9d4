/** What takes the place of Bun on Node, held against Bun itself. */

import { describe, expect, test } from 'bun:test';
import { Bun as twin } from '../../../../src/runtime/node/bun.ts';

const patterns = [
  ...['*', '**', '*.txt', '**/*.txt', 'a/*', 'a/**', 'a/**/*', '**/b', 'a/?', '?.txt', '{a,b}', '{a,b}/*.{txt,md}'],
  ...[
    '[ab].txt',
    '[!ab].txt',
    '[a-c]*',
    '.*',
    '.a/*',
    '**/.*',
    'a\\*b',
    'a+(b)',
    '@(a)',
    'a b',
    'ä*',
    '*.{c,h}',
    '!a',

    '#a',
  ],
];
const paths = [
  ...['a', 'b', 'a.txt', 'b.txt', 'c.txt', 'd.txt', 'a/b', 'a/b.txt', 'a/x.md', 'a/b/c', 'a/b/c.txt', 'x/y/b', 'ab'],
  ...['.a', '.a/b', 'a/.b', 'a/.b/c', '.txt', 'a*b', 'axb', 'a+(b)', '@(a)', 'a b', 'äö', 'm.c', 'm.h', 'm.x'],
];

describe('Glob', () => {
  test.each(patterns)('matches as that of Bun does: %s', (pattern) => {
    const [ours, theirs] = [new twin.Glob(pattern), new Bun.Glob(pattern)];
    expect(paths.filter((path) => ours.match(path))).toEqual(paths.filter((path) => theirs.match(path)));
  });
});

test.each(['', 'plain', 'ä', '日本', 'e\u0301', '👍', '\u001b[31mred\u001b[0m'])(
  'stringWidth() is that of Bun: %j',
  (text) => expect(twin.stringWidth(text)).toBe(Bun.stringWidth(text)),
);

test('TOML and YAML are read as Bun reads them', () => {
  const toml = 'name = "pi"\nlabels = ["a", "b"]\n[worker]\nslots = 4\non = true\nlow = -1.5\n';
  expect(twin.TOML.parse(toml)).toEqual(Bun.TOML.parse(toml) as Record<string, never>);
  const yaml = 'tasks:\n  - command: "echo a"\n    timeout: 5\n  - argv: [b, "1"]\n    env: {A: x}\n';
  expect(twin.YAML.parse(yaml)).toEqual(Bun.YAML.parse(yaml));
});

test('which() finds what Bun finds', () => {
  for (const name of ['sh', 'no-such-program', '/bin/sh', '/etc/passwd'])
    expect(twin.which(name)).toBe(Bun.which(name));
  expect(twin.which('sh', { PATH: '/nowhere' })).toBeNull();
});
