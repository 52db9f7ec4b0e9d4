import { describe, expect, test } from 'bun:test';
import { bloomBytesMax, bloomCapacity, bloomHas, bloomOf } from '../../../src/discovery/bloom.ts';
import { blobNamed } from './beacon-samples.ts';

const named = (count: number, from = 0): string[] => Array.from({ length: count }, (_, n) => blobNamed(from + n));

describe('bloomOf()', () => {
  test('affirms every blob that was put in, at every size', () => {
    for (const count of [1, 12, 13, 100, bloomCapacity(bloomBytesMax)]) {
      const filter = bloomOf(named(count));
      expect(named(count).every((blob) => bloomHas(filter, blob))).toBe(true);
    }
  });

  test('affirms about one in a hundred of those that were not, when it is full', () => {
    const filter = bloomOf(named(bloomCapacity(bloomBytesMax)));
    const wrong = named(20_000, 1_000_000).filter((blob) => bloomHas(filter, blob)).length;
    expect(wrong / 20_000).toBeLessThan(0.015);
    expect(wrong).toBeGreaterThan(0);
  });

  test('is as small as its blobs allow, and never larger than 512 bytes', () => {
    expect(bloomOf([])).toHaveLength(0);
    expect(bloomOf(named(1))).toHaveLength(16);
    expect(bloomOf(named(13))).toHaveLength(32);
    expect(bloomOf(named(5000))).toHaveLength(bloomBytesMax);
  });

  test('keeps the first of those that do not fit', () => {
    const blobs = named(5000);
    const filter = bloomOf(blobs);
    expect(blobs.slice(0, bloomCapacity(bloomBytesMax)).every((blob) => bloomHas(filter, blob))).toBe(true);
    expect(blobs.every((blob) => bloomHas(filter, blob))).toBe(false);
  });

  test('leaves out what is no name of a blob', () => {
    expect(bloomOf(['sha256:xyz', '', 'md5:00'])).toHaveLength(0);
  });
});

describe('bloomHas()', () => {
  test('denies everything to an empty filter, and what is no name to any', () => {
    expect(bloomHas(new Uint8Array(0), blobNamed(1))).toBe(false);
    expect(bloomHas(new Uint8Array(16).fill(255), 'sha256:xyz')).toBe(false);
  });
});
