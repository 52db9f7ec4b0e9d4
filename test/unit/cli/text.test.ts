import { describe, expect, test } from 'bun:test';
import { formatDuration } from '../../../src/base/duration.ts';
import { cut, harmless } from '../../../src/base/harmless.ts';
import { csvField } from '../../../src/cli/commands/export.ts';
import { formatOf, parseManifest } from '../../../src/cli/manifest.ts';
import { exitOfSignal, exitOfTask } from '../../../src/cli/status.ts';
import { renderTable } from '../../../src/cli/table.ts';
import { counted, linesOf } from '../../../src/cli/text.ts';
import { FakeDispatcher } from './dispatcher.ts';

const textWidth = (text: string): number => Bun.stringWidth(text);

describe('renderTable()', () => {
  const columns = [{ title: 'ID' }, { title: 'N', align: 'right' }, { title: 'TEXT', flexible: true }] as const;

  test('aligns by display cells', () => {
    const rows = [
      ['日本', '5', 'x'],
      ['a', '12', 'long'],
    ];
    expect(renderTable(columns, rows, { width: null, textWidth })).toBe(
      ['ID     N  TEXT', '日本   5  x', 'a     12  long', ''].join('\n'),
    );
  });

  test('cuts the flexible column to the width, between graphemes', () => {
    const table = renderTable(columns, [['a', '1', '👩‍👩‍👧'.repeat(20)]], { width: 20, textWidth });
    for (const line of table.split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(20);
    expect(cut('👩‍👩‍👧👩‍👩‍👧', 3, { textWidth })).toBe('👩…');
    expect(cut('abc', 3, { textWidth })).toBe('abc');
  });

  test('shows what could steer the terminal instead of sending it', () => {
    expect(harmless('a\u001b[31m\n\u202e\u009b\t\u0000ß')).toBe('a\\x1b[31m\\n\\u{202e}\\x9b\\t\\x00ß');
    expect(renderTable([{ title: 'X' }], [['\u001b]0;x\u0007']], { width: null, textWidth })).not.toContain('\u001b');
  });

  test.each([
    [null, ''],
    [0, '0ms'],
    [999, '999ms'],
    [4200, '4.2s'],
    [185_000, '3m05s'],
    [7_620_000, '2h07m'],
    [273_600_000, '3d04h'],
  ])('formatDuration(%p)', (value, text) => {
    expect(formatDuration(value)).toBe(text);
  });
});

describe('small texts', () => {
  test('csvField() quotes what needs it', () => {
    expect(['a', 'a,b', 'a"b', 'a\nb', null, 0].map(csvField)).toEqual(['a', '"a,b"', '"a""b"', '"a\nb"', '', '0']);
  });

  test('linesOf() takes LF and CRLF, with or without a last one', () => {
    expect(linesOf('a\r\n\nb')).toEqual(['a', '', 'b']);
    expect(linesOf('a\n')).toEqual(['a']);
    expect(linesOf('')).toEqual([]);
  });

  test('parseManifest() reads all forms and names the broken line', () => {
    const yaml = (text: string): unknown => Bun.YAML.parse(text);
    const tasks = [{ command: 'a' }, { command: 'b' }] as const;
    expect(parseManifest(JSON.stringify({ name: 'n', tasks }), 'f', 'json', yaml)).toEqual({
      name: 'n',
      tasks: [...tasks],
    });
    expect(parseManifest('{"command":"a"}\n\n{"command":"b"}\n', 'f', 'jsonl', yaml)).toEqual({ tasks: [...tasks] });
    expect(parseManifest('- command: a\n- command: b\n', 'f', 'yaml', yaml)).toEqual({ tasks: [...tasks] });
    expect(() => parseManifest('{}\n{', 'f', 'jsonl', yaml)).toThrow('Line 2 of f is not valid JSON');
    for (const empty of ['{}', '[]', '3', 'null']) {
      expect(() => parseManifest(empty, 'f', 'json', yaml)).toThrow('f holds no tasks');
    }
    expect(() => parseManifest('a: 1', 'f', 'yaml', null)).toThrow('YAML cannot be read here');
    expect(['a.json', 'b.JSONL', 'c.yml', 'd'].map(formatOf)).toEqual(['json', 'jsonl', 'yaml', null]);
  });
});

describe('exitOfTask()', () => {
  const base = new FakeDispatcher().submit({ command: 'x' });

  test.each([
    [{ status: 'completed', exit_code: 0 }, 0],
    [{ status: 'failed', exit_code: 3 }, 3],
    [{ status: 'timed_out', signal: 'SIGTERM' }, 124],
    [{ status: 'failed', signal: 'SIGKILL' }, 137],
    [{ status: 'failed', signal: 'SEGV' }, 139],
    [{ status: 'failed', reason: 'lost' }, 125],
    [{ status: 'cancelled', exit_code: 0 }, 143],
  ] as const)('of %j', (end, status) => {
    expect(exitOfTask({ ...base, ...end }).status).toBe(status);
  });

  test('exitOfSignal() does not invent numbers', () => {
    expect([exitOfSignal('SIGINT'), exitOfSignal('SIGNOPE')]).toEqual([130, 125]);
  });
});

test('counted() says one thing of one, and puts large numbers apart', () => {
  expect([0, 1, 2].map((count) => counted(count, 'task'))).toEqual(['0 tasks', '1 task', '2 tasks']);
  expect([counted(1, 'entry', 'entries'), counted(1000, 'entry', 'entries')]).toEqual(['1 entry', '1,000 entries']);
});
