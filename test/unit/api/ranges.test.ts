/** One range of a request, as far as the API knows them. */

import { expect, test } from 'bun:test';
import { contentRangeOf, rangeOf } from '../../../src/api/ranges.ts';

test.each([
  [null, null],
  ['bytes=0-', { from: 0, end: 10 }],
  ['bytes=3-5', { from: 3, end: 6 }],
  ['bytes=3-99', { from: 3, end: 10 }],
  ['bytes=-4', { from: 6, end: 10 }],
  ['bytes=-99', { from: 0, end: 10 }],
  ['bytes=9-9', { from: 9, end: 10 }],
  ['bytes=5-3', null],
  ['bytes=-', null],
  ['bytes=0-1,3-4', null],
  ['lines=0-1', null],
  ['bytes=0x1-', null],
])('rangeOf() of ten bytes reads %p', (header, expected) => expect(rangeOf(header, 10)).toEqual(expected));

test('rangeOf() refuses what lies behind the end, and cuts nothing of nothing', () => {
  for (const header of ['bytes=10-', 'bytes=11-20', 'bytes=-0']) expect(() => rangeOf(header, 10)).toThrow('10 bytes');
  expect(rangeOf('bytes=0-', 0)).toBeNull();
});

test('contentRangeOf() takes one form and names what is wrong with others', () => {
  expect(contentRangeOf('bytes 0-4/5')).toEqual({ from: 0, end: 5, total: 5 });
  for (const header of ['bytes 0-5/5', 'bytes 3-2/5', 'bytes 0-4/*', 'bytes */5', '0-4/5', 'bytes=0-4/5', '']) {
    expect(() => contentRangeOf(header)).toThrow(`"${header}"`);
  }
});
