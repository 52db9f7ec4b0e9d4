import { describe, expect, test } from 'bun:test';
import { Strangers } from '../../../src/runtime/strangers.ts';

function crowd(): Strangers<string> {
  return new Strangers({ unauthenticatedMax: 6, unauthenticatedPerAddressMax: 4 });
}

describe('Strangers', () => {
  test('add() lets the oldest of the same address go when the address has its fill', () => {
    const strangers = crowd();
    for (const each of ['a1', 'a2', 'a3', 'a4']) expect(strangers.add('a', each)).toBeNull();
    expect(strangers.add('a', 'a5')).toBe('a1');
    expect(strangers.add('a', 'a6')).toBe('a2');
    expect(strangers.size).toBe(4);
  });

  test('add() lets the oldest of the busiest address go when there are too many, and nobody of a quiet one', () => {
    const strangers = crowd();
    strangers.add('honest', 'h1');
    for (const each of ['a1', 'a2', 'a3', 'a4', 'b1']) strangers.add(each.charAt(0), each);
    expect(strangers.add('b', 'b2')).toBe('a1');
    expect(strangers.add('c', 'c1')).toBe('a2');
    expect(strangers.size).toBe(6);
    for (let i = 0; i < 100; i++) expect(strangers.add('a', `flood ${i}`)).not.toBe('h1');
  });

  test('delete() makes room, and does nothing for one that is not there', () => {
    const strangers = crowd();
    for (const each of ['a1', 'a2', 'a3', 'a4']) strangers.add('a', each);
    strangers.delete('a', 'a2');
    strangers.delete('a', 'a2');
    strangers.delete('b', 'a1');
    expect(strangers.size).toBe(3);
    expect(strangers.add('a', 'a5')).toBeNull();
    expect(strangers.add('a', 'a6')).toBe('a1');
  });
});
