import { expect, test } from 'bun:test';
import { Heap } from '../../../src/core/heap.ts';
import { seeded } from './seeded.ts';

const ascending = (a: number, b: number): number => a - b;

test('Heap gives nothing when it is empty, and again after it was emptied', () => {
  const heap = new Heap(ascending);
  expect([heap.size, heap.peek(), heap.pop()]).toEqual([0, undefined, undefined]);
  heap.push(1);
  expect([heap.size, heap.peek(), heap.pop()]).toEqual([1, 1, 1]);
  expect([heap.size, heap.peek(), heap.pop()]).toEqual([0, undefined, undefined]);
});

test.each([1, 2, 3])('Heap agrees with a sorted array, seed %p', (seed) => {
  const draw = seeded(seed);
  const heap = new Heap(ascending);
  let twin: number[] = [];
  for (let n = 0; n < 3000; n++) {
    if (draw(5) < 3) {
      const item = draw(50);
      heap.push(item);
      twin = [...twin, item].sort(ascending);
    } else {
      expect(heap.pop()).toBe(twin.shift() as number);
    }
    expect(heap.size).toBe(twin.length);
    expect(heap.peek()).toBe(twin[0] as number);
  }
});
