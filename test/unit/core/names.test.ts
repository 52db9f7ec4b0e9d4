import { expect, test } from 'bun:test';
import { namePattern, uniqueName } from '../../../src/core/names.ts';

test('uniqueName() leaves a free name alone and counts up from 2 otherwise', () => {
  expect(uniqueName('pi', new Set())).toBe('pi');
  expect(uniqueName('pi', new Set(['pi']))).toBe('pi-2');
  expect(uniqueName('pi', new Set(['pi', 'pi-2', 'pi-3']))).toBe('pi-4');
});

test('uniqueName() of the longest name is still a name', () => {
  const longest = 'n'.repeat(64);
  const name = uniqueName(longest, new Set([longest]));
  expect(name).toMatch(namePattern);
  expect(name).not.toBe(longest);
});

test('namePattern takes letters, digits and three signs, nothing else', () => {
  for (const good of ['a', 'Z9', 'my.host_name-1']) expect(good).toMatch(namePattern);
  for (const bad of ['', 'a b', 'ä', 'a/b', 'a\n', 'n'.repeat(65)]) expect(bad).not.toMatch(namePattern);
});
