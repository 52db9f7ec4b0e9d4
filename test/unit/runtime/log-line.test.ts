import { expect, test } from 'bun:test';
import { logLine } from '../../../src/runtime/log-line.ts';

const time = new Date('2026-11-21T12:00:00.000Z');
const entry = (message: string, fields: Record<string, unknown> = {}) => ({
  time,
  level: 'info' as const,
  message,
  fields,
});

test('logLine() writes text with fields behind the sentence, quoted where that is needed', () => {
  const fields = { task: '01', attempt: 2, worker: 'pi', reason: 'it "broke"', empty: '', none: undefined, at: null };
  expect(logLine('text', entry('attempt lost', fields))).toBe(
    '2026-11-21T12:00:00.000Z info  attempt lost task=01 attempt=2 worker=pi reason="it \\"broke\\"" empty="" at=null',
  );
});

test('logLine() writes JSON with typed fields that cannot take the place of its own', () => {
  const line = logLine('json', entry('it happened', { attempt: 2, level: 'forged', ok: true, none: undefined }));
  expect(JSON.parse(line)).toEqual({
    ...{ time: '2026-11-21T12:00:00.000Z', level: 'info', message: 'it happened' },
    ...{ attempt: 2, ok: true },
  });
});

test('logLine() stays one harmless line, whatever is in it', () => {
  const hostile = 'a\u001b[31mb\nc\r\u009b2J\u202ed\u2028e\0';
  for (const format of ['text', 'json'] as const) {
    const line = logLine(format, entry(hostile, { name: hostile, [hostile]: 1 }));
    expect(line).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e]/u);
  }
  expect(JSON.parse(logLine('json', entry('x', { name: hostile })))).toMatchObject({ name: hostile });
});

test('logLine() never throws', () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  expect(logLine('text', entry('x', { circle, big: 5n }))).toEndWith('x circle="(object)" big="(bigint)"');
  expect(JSON.parse(logLine('json', entry('x', { circle })))).toMatchObject({ circle: '(object)' });
});
