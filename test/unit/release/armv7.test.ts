/** The two things that are changed in Node for 32-bit ARM, byte by byte. */

import { expect, test } from 'bun:test';
import { seaBlob, switchOffOptions } from '../../../scripts/release/armv7.ts';

test('seaBlob() is what Node 20.11.0 for ARM makes of the same script', () => {
  const made = '20da430101000000' + '05000000742e636a73' + '12000000636f6e736f6c652e6c6f6728226869222' + '90a';
  expect(seaBlob('t.cjs', 'console.log("hi")\n').toString('hex')).toBe(made);
});

test('switchOffOptions() takes the name away where it stands by itself, and nothing else', () => {
  const node = Buffer.from('is not allowed in NODE_OPTIONS\0\0NODE_OPTIONS\0process.env.NODE_OPTIONS');
  switchOffOptions(node);
  expect(node.toString()).toBe('is not allowed in NODE_OPTIONS\0\0\x01ODE_OPTIONS\0process.env.NODE_OPTIONS');
});

test.each(['no name', '\0NODE_OPTIONS\0 and \0NODE_OPTIONS\0'])(
  'switchOffOptions() refuses what it does not know: %j',
  (text) => expect(() => switchOffOptions(Buffer.from(text))).toThrow('should name NODE_OPTIONS once'),
);
