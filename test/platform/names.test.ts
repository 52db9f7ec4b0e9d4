import { expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { choose, usage } from './names.ts';

test('choose() takes all when nothing is named, and every file is there', () => {
  const all = choose([]);
  if (typeof all === 'string') throw new Error(all);
  expect(all.files.length).toBeGreaterThan(6);
  expect(all.files.filter((file) => !existsSync(join(import.meta.dir, file)))).toEqual([]);
  expect(all.targets).toEqual(['linux-arm64-musl', 'linux-x64-musl']);
});

test('choose() takes what is named, once, and of its files what is meant', () => {
  expect(choose(['x64-musl', 'arm64', 'x64-musl'])).toEqual({
    files: ['arm64.test.ts', 'musl.test.ts'],
    targets: ['linux-x64-musl'],
  });
});

test.each(['amiga', '', '--all', 'constructor', 'toString', '__proto__', 'linux-arm64'])(
  'choose() says that %j is no name, and which there are',
  (name) => {
    expect(choose(['arm64', name])).toBe(`there is no ${JSON.stringify(name)}; it should be: ${usage}`);
  },
);
