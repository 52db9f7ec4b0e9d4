import { expect, test } from 'bun:test';
import { othersMay, syncFlagsOn } from '../../../../src/core/platform/files.ts';

test('othersMay() says what the mode lets others do, but on Windows, where it says nothing', () => {
  expect([0o700, 0o600, 0o100400].map((mode) => othersMay('linux', mode))).toEqual(['nothing', 'nothing', 'nothing']);
  expect([0o750, 0o604, 0o711].map((mode) => othersMay('darwin', mode))).toEqual(['look', 'look', 'look']);
  expect([0o777, 0o720, 0o602].map((mode) => othersMay('android', mode))).toEqual(['change', 'change', 'change']);
  expect(othersMay('win32', 0o777)).toBe('nothing');
});

test('syncFlagsOn() opens for writing where else nothing is made durable, and no directory there', () => {
  expect([syncFlagsOn('linux', 'file'), syncFlagsOn('darwin', 'directory')]).toEqual(['r', 'r']);
  expect([syncFlagsOn('win32', 'file'), syncFlagsOn('win32', 'directory')]).toEqual(['r+', null]);
});
