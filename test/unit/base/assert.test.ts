import { expect, test } from 'bun:test';
import { AssertionError, assert, present, unreachable } from '../../../src/base/assert.ts';

test('assert() passes what is true and stops with its message at what is not', () => {
  expect(() => assert(1, 'no')).not.toThrow();
  expect(() => assert(0, 'the count is positive')).toThrow(new AssertionError('the count is positive'));
});

test('present() gives the value back, also a falsy one', () => {
  expect(present(0, 'n')).toBe(0);
  expect(present('', 's')).toBe('');
  expect(() => present(null, 'the key')).toThrow('missing: the key');
  expect(() => present(undefined, 'the key')).toThrow(AssertionError);
});

test('unreachable() shows the value that was not to be', () => {
  expect(() => unreachable({ kind: 'new' } as never)).toThrow('unreachable: {"kind":"new"}');
});
