import { expect, test } from 'bun:test';
import { firstIdAt, idPattern, nextId, timeOfId } from '../../../src/core/ids.ts';
import { noonWall } from './samples.ts';
import { seeded } from './seeded.ts';

const epochMs = Date.UTC(2026, 0, 1);

test('nextId() starts from the clock, and the instant can be read back', () => {
  const id = nextId('', noonWall);
  expect(id).toMatch(idPattern);
  expect(timeOfId(id)).toBe(noonWall);
  expect(id).toBe(firstIdAt(noonWall));
});

test('nextId() of the first millisecond is all zeros, and so is that of a clock before the epoch', () => {
  expect(nextId('', epochMs)).toBe('000000000000');
  expect(nextId('', 0)).toBe('000000000000');
});

test('nextId() counts up within a millisecond', () => {
  expect(nextId('000000000000', epochMs)).toBe('000000000001');
  expect(nextId('00000000000z', epochMs)).toBe('000000000010');
});

test('nextId() borrows the next millisecond when the counter is full', () => {
  expect(nextId('00000000zzzz', epochMs)).toBe('000000010000');
});

test('nextId() sorts after the id before, whatever the clock does', () => {
  const draw = seeded(1);
  let last = '';
  for (let n = 0; n < 5000; n++) {
    const next = nextId(last, noonWall + draw(100_000) - 50_000);
    expect(next > last).toBe(true);
    expect(next).toMatch(idPattern);
    last = next;
  }
});

test('nextId() stops when the last id is given out', () => {
  const last = 'zzzzzzzzzzzz';
  expect(() => nextId(last, noonWall)).toThrow('ids are used up');
});

test('firstIdAt() is the boundary between ids before and at an instant', () => {
  const before = nextId('', noonWall - 1);
  const at = nextId(before, noonWall);
  expect(before < firstIdAt(noonWall)).toBe(true);
  expect(at >= firstIdAt(noonWall)).toBe(true);
  expect(firstIdAt(noonWall - 0.5)).toBe(firstIdAt(noonWall));
});

test('idPattern leaves out the letters that look like digits, and other lengths', () => {
  for (const wrong of ['00000000000i', '00000000000l', '00000000000o', '00000000000u', '00000000000', '0000000000000'])
    expect(wrong).not.toMatch(idPattern);
});
