/** What an entry's hash is over, and how the end of the record is written down. */

import { expect, test } from 'bun:test';
import { auditHash, auditStart, decodeHead, encodeHead } from '../../../src/store/audit.ts';

const hash = 'ab'.repeat(32);

test('auditHash() is over the columns in the order of the table, as JSON without spaces', () => {
  const columns = [1, '2026-06-01T12:00:00.125Z', 'joined', 'grüße', null, '', '{}', auditStart] as const;
  const text = `[1,"2026-06-01T12:00:00.125Z","joined","grüße",null,"","{}","${auditStart}"]`;
  expect(auditHash(columns, (hashed) => `hash of ${hashed}`)).toBe(`hash of ${text}`);
});

test('decodeHead() reads what encodeHead() wrote, and what a migration wrote', () => {
  expect(decodeHead(encodeHead(12, hash))).toEqual({ id: 12, hash });
  expect(decodeHead('0')).toEqual({ id: 0, hash: null });
});

test('decodeHead() takes nothing else', () => {
  for (const text of [undefined, '', 'x', '-1', '1.5', '1 ', ` 1 ${hash}`, `1 ${hash}0`, `1 ${hash.toUpperCase()}`]) {
    expect(decodeHead(text)).toBeNull();
  }
  expect(decodeHead(`${'9'.repeat(16)} ${hash}`)).toBeNull();
});
