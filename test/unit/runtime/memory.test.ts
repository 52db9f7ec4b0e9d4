/** What is lent is nobody else's until it is given back; what was given back is lent again. */

import { describe, expect, test } from 'bun:test';
import { Shelf } from '../../../src/runtime/memory.ts';

const large = 512 * 1024;

describe('Shelf', () => {
  test('lends nothing twice, and again what was given back', () => {
    const shelf = new Shelf();
    const [first, second] = [shelf.borrow(large), shelf.borrow(large)];
    expect(first.length).toBe(large);
    expect(first.buffer).not.toBe(second.buffer);
    const { buffer } = first;
    expect(shelf.giveBack(first)).toBe(true);
    expect(shelf.borrow(large - 100).buffer).toBe(buffer);
    expect(shelf.borrow(large).buffer).not.toBe(buffer);
  });

  test('lends nothing that is far larger than was asked for, or smaller', () => {
    const shelf = new Shelf();
    const huge = shelf.borrow(large * 5);
    const { buffer } = huge;
    shelf.giveBack(huge);
    expect(shelf.borrow(large).buffer).not.toBe(buffer);
    expect(shelf.borrow(large * 6).buffer).not.toBe(buffer);
    expect(shelf.borrow(large * 4).buffer).toBe(buffer);
  });

  test('gives small memory of its own, empty', () => {
    const small = new Shelf().borrow(100);
    expect(small).toEqual(new Uint8Array(100));
    expect(small.buffer.byteLength).toBe(100);
  });

  test('takes nothing that it did not lend, and nothing twice', () => {
    const shelf = new Shelf();
    const own = new Uint8Array(large).fill(1);
    expect(shelf.giveBack(own)).toBe(false);
    expect(own.length).toBe(large);
    const lent = shelf.borrow(large);
    expect([shelf.giveBack(lent), shelf.giveBack(lent)]).toEqual([true, false]);
  });

  test('keeps a few MiB, and hands the rest to the allocator', () => {
    const shelf = new Shelf();
    const lent = Array.from({ length: 20 }, () => shelf.borrow(large));
    for (const each of lent) shelf.giveBack(each);
    const kept = lent.filter(({ length }) => length > 0);
    expect(kept.length * large).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect(kept.length).toBeGreaterThan(3);
  });

  test('empties large memory of whoever made it when that is released, and leaves small memory alone', () => {
    const shelf = new Shelf();
    const [own, small, lent] = [new Uint8Array(large), new Uint8Array(100), shelf.borrow(large)];
    const [view, { buffer }] = [own.subarray(5), lent];
    for (const each of [own, small, lent]) shelf.release(each);
    expect([own.length, view.length, small.length]).toEqual([0, 0, 100]);
    expect(shelf.borrow(large).buffer).toBe(buffer);
  });
});
