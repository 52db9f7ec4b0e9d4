import { expect, test } from 'bun:test';
import { errorCodes, OctasklyError, reasonOf } from '../../../src/base/errors.ts';

test('errorCodes fixes an HTTP error status, an exit status of 1 or 2, and a title for every code', () => {
  for (const facts of Object.values(errorCodes)) {
    expect(facts.http).toBeGreaterThanOrEqual(400);
    expect(facts.http).toBeLessThan(600);
    expect([1, 2]).toContain(facts.exit);
    expect(facts.title).toMatch(/^[A-Z].*[a-z]$/);
  }
});

test('OctasklyError carries its code’s facts, its cause and the fields at fault', () => {
  const cause = new Error('disk');
  const fields = [{ path: 'timeout', message: 'must be positive' }];
  const error = new OctasklyError('queue_full', 'Full.', { cause, fields });
  expect(error.facts).toMatchObject({ http: 429, exit: 1, retriable: true });
  expect(error.cause).toBe(cause);
  expect(error.fields).toBe(fields);
  expect(error.name).toBe('OctasklyError');
});

test('OctasklyError without a cause has none', () => {
  expect('cause' in new OctasklyError('io', 'm')).toBe(false);
  expect(new OctasklyError('io', 'm').fields).toEqual([]);
});

test('reasonOf() is the text of anything thrown', () => {
  expect(reasonOf(new TypeError('t'))).toBe('t');
  expect(reasonOf('s')).toBe('s');
  expect(reasonOf(null)).toBe('null');
});

test('reasonOf() says what a failed system call means, not which call on which file', () => {
  const failed = "ENOENT: no such file or directory, open '/a, b/c'";
  expect(reasonOf(new Error(failed))).toBe('no such file or directory (ENOENT)');
  expect(reasonOf(new Error('ENOSPC: no space left on device, write'))).toBe('no space left on device (ENOSPC)');
  expect(reasonOf(new Error("EXDEV: cross-device link not permitted, rename '/a' -> '/b'"))).toContain('(EXDEV)');
});
