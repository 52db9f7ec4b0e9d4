import { describe, expect, test } from 'bun:test';
import { isNativeAccelerationEnabled } from 'cbor-x/decode';
import { decodeCbor, encodeCbor, encodeCborParts, nestingMax } from '../../../src/wire/cbor.ts';
import { MalformedMessage } from '../../../src/wire/fields.ts';
import { drawBytes, seeded } from './seeded.ts';

function decodeHex(hex: string): unknown {
  return decodeCbor(Uint8Array.fromHex(hex));
}

describe('cbor', () => {
  test('never loads the native addon, which eight bytes can hang', () => {
    expect(isNativeAccelerationEnabled).toBe(false);
    expect(() => decodeHex('8261c45afffffffb')).toThrow(MalformedMessage);
  });

  test('gives back what it was given', () => {
    const value = [
      0,
      23,
      24,
      255,
      256,
      65_536,
      2 ** 32 - 1,
      -1,
      -(2 ** 31),
      -(2 ** 32),
      1.5,
      2 ** 53 - 1,
      -0.1,
      Infinity,
    ];
    const all = [
      value,
      [true, false, null],
      ['', 'a', 'ä'.repeat(50), '🙂'.repeat(20_000)],
      new Uint8Array(70_000).fill(3),
    ];
    expect(decodeCbor(encodeCbor(all))).toEqual(all);
  });

  test('writes bytes as plain CBOR byte strings and reads them as Uint8Array of their own memory', () => {
    const encoded = encodeCbor([Uint8Array.of(1, 2), Buffer.from([3])]);
    expect(encoded.toHex()).toBe('8242010241' + '03');
    const decoded = decodeCbor(encoded);
    expect(decoded).toEqual([Uint8Array.of(1, 2), Uint8Array.of(3)]);
    const [first] = decoded as [Uint8Array];
    expect(first.constructor).toBe(Uint8Array);
    expect(first.buffer.byteLength).toBe(2);
  });

  test('encodeCborParts() gives the same bytes, in which large byte strings are not copied', () => {
    const large = [65_536, 70_000].map((size) => new Uint8Array(size).fill(7));
    const small = [0, 23, 24, 255, 256, 65_535].map((size) => new Uint8Array(size).fill(8));
    const rows = [
      [],
      ['blobData', []],
      small,
      large,
      [...small, ...large, ...small],
      ['blobData', [...small, ...large].map((data, i) => [new Uint8Array(32), 2 ** (i * 6), data])],
      ['x', ...Array.from({ length: 30 }, () => large[0])],
      Array.from({ length: 70_000 }, (_, i) => (i === 300 ? large[0] : i)),
      Array.from({ length: 300 }, (_, i) => (i === 299 ? [[large[1], null, true, -1, 1.5]] : 'ä')),
      large[0],
    ];
    for (const row of rows) {
      const parts = encodeCborParts(row);
      expect(Buffer.compare(Buffer.concat(parts), encodeCbor(row))).toBe(0);
      for (const each of large) expect(parts.includes(each)).toBe([row].flat(9).includes(each));
    }
  });

  test('copies byte strings out of a message, except where one of 64 KiB or more is most of it', () => {
    const decoded = (parts: readonly number[]): Uint8Array[] =>
      decodeCbor(encodeCbor(parts.map((size) => new Uint8Array(size))).slice()) as Uint8Array[];
    expect(decoded([65_535])[0]?.buffer.byteLength).toBe(65_535);
    expect(decoded([65_536])[0]?.buffer.byteLength).toBeGreaterThan(65_536);
    expect(decoded([65_536, 65_536, 65_536]).map(({ buffer }) => buffer.byteLength)).toEqual([65_536, 65_536, 65_536]);
  });

  test('refuses what no message needs', () => {
    const refused = {
      'positive bignum': 'c249010000000000000000',
      'negative bignum': 'c349010000000000000000',
      date: 'c11a514b67b0',
      'shared reference': 'd81d00',
      'packed table': 'd83384800080800080',
      'record definition': 'd9dfff83190100816161' + '01',
      'typed array': 'd8404101',
      'unknown tag': 'd9ffff00',
      '64-bit number': '1b0000000000000001',
      '64-bit negative number': '3b0000000000000001',
      'indefinite array': '9f01ff',
      'indefinite text': '7f6161ff',
      map: 'a1616101',
      undefined: 'f7',
      'simple value': 'e0',
      'extended simple value': 'f8ff',
      break: 'ff',
      'reserved argument': '1c',
      'two values': '0101',
      nothing: '',
    };
    for (const [name, hex] of Object.entries(refused)) {
      expect(() => decodeHex(hex), name).toThrow(MalformedMessage);
      if (hex !== '') expect(() => decodeHex(`82${hex}01`), `${name}, inside`).toThrow(MalformedMessage);
    }
  });

  test('refuses every truncation', () => {
    const encoded = encodeCbor([1000, 'hello', new Uint8Array(30), [1.5, null, 70_000]]);
    for (let length = 0; length < encoded.length; length++) {
      expect(() => decodeCbor(encoded.slice(0, length))).toThrow(MalformedMessage);
    }
  });

  test('refuses lengths that are not there and nesting that is too deep, at once', () => {
    for (const hex of ['9affffffff', '5affffffff', '7affffffff00', '9a00ffffff' + '9a00ffffff']) {
      expect(() => decodeHex(hex)).toThrow(MalformedMessage);
    }
    const nested = (depth: number) => Uint8Array.from({ length: depth + 1 }, (_, i) => (i < depth ? 0x81 : 0x01));
    expect(decodeCbor(nested(nestingMax))).toBeArray();
    expect(() => decodeCbor(nested(nestingMax + 1))).toThrow('nests deeper');
    expect(() => decodeCbor(nested(1_000_000))).toThrow('nests deeper');
  });

  test('answers 50,000 random and mutated inputs with a value or MalformedMessage (seed 12345)', () => {
    const draw = seeded(12_345);
    const honest = encodeCbor(['report', [['ended', 'abc', 1, 1.5, ['exited', 0], null, new Uint8Array(9)]]]).slice();
    let values = 0;
    for (let i = 0; i < 50_000; i++) {
      const input = i % 2 === 0 ? drawBytes(draw, draw(40)) : honest.slice();
      if (i % 2 === 1) for (let n = 0; n <= draw(3); n++) input[draw(input.length)] = draw(256);
      try {
        decodeCbor(input);
        values += 1;
      } catch (error) {
        if (!(error instanceof MalformedMessage)) throw error;
      }
    }
    expect(values).toBeGreaterThan(100);
    expect(values).toBeLessThan(49_900);
  });
});
