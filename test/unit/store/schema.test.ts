/** Instants as text. */

import { expect, test } from 'bun:test';
import { isoOf } from '../../../src/store/schema.ts';

test('isoOf() writes UTC with milliseconds', () => {
  expect(isoOf(Date.UTC(2026, 0, 2, 3, 4, 5, 6))).toBe('2026-01-02T03:04:05.006Z');
});

test('isoOf() clamps what a broken clock reports, so that text still sorts by time', () => {
  expect(isoOf(-1)).toBe('1970-01-01T00:00:00.000Z');
  expect(isoOf(1e17)).toBe('9999-12-31T23:59:59.999Z');
});
