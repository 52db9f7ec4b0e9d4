import { describe, expect, test } from 'bun:test';
import { formatDuration } from '../../../src/base/duration.ts';
import { csvField } from '../../../src/cli/commands/export.ts';
import { joblogLine, joblogTitle } from '../../../src/cli/joblog.ts';
import { formatOf, parseManifest } from '../../../src/cli/manifest.ts';
import { combinations, expand, shellQuote, splitSources } from '../../../src/cli/placeholders.ts';
import { exitOfSignal, exitOfTask } from '../../../src/cli/status.ts';
import { cut, printable, renderTable } from '../../../src/cli/table.ts';
import { LinePrefix } from '../../../src/cli/tagging.ts';
import { linesOf } from '../../../src/cli/text.ts';
import { FakeDispatcher } from './dispatcher.ts';

const textWidth = (text: string): number => Bun.stringWidth(text);

describe('expand()', () => {
  test.each([
    ['echo {}', ['a/b.tar.gz'], 'echo a/b.tar.gz'],
    ['echo', ['a b'], "echo 'a b'"],
    ['{.} {/} {//} {/.} {#}', ['a/b.tar.gz'], 'a/b.tar b.tar.gz a b.tar 7'],
    ['{.} {//}', ['no.d/name'], 'no.d/name no.d'],
    ['{//} {//}', ['name'], '. .'],
    ['{//}', ['/name'], '/'],
    ['{2} {1/.} {}', ['a/x.y', 'b'], 'b x a/x.y b'],
    ['{3} {1#}', ['a'], '{3} {1#}'],
    ['$X {}', ["it's"], "$X 'it'\\''s'"],
    ['', ['ls -l'], 'ls -l'],
  ])('of "%s" with %j', (template, args, command) => {
    expect(expand(template, args, 7)).toBe(command);
  });

  test('quotes what a shell would read as more than letters', () => {
    expect(['', 'a b', '$x', '-n', 'a/b_c.d'].map(shellQuote)).toEqual(["''", "'a b'", "'$x'", '-n', 'a/b_c.d']);
  });
});

describe('splitSources()', () => {
  test('parts the command from its arguments and files', () => {
    expect(splitSources(['a', '-b', ':::', 'x', 'y', '::::', 'f', 'g', ':::'])).toEqual({
      command: ['a', '-b'],
      sources: [
        { kind: 'words', words: ['x', 'y'] },
        { kind: 'file', path: 'f' },
        { kind: 'file', path: 'g' },
        { kind: 'words', words: [] },
      ],
    });
    expect(splitSources(['a']).sources).toEqual([]);
  });

  test('combinations() change the last list fastest', () => {
    const all = [
      ...combinations([
        ['a', 'b'],
        ['1', '2'],
      ]),
    ].map((args) => args.join(''));
    expect(all).toEqual(['a1', 'a2', 'b1', 'b2']);
    expect([...combinations([['a'], []])]).toEqual([]);
  });
});

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
    expect(cut('👩‍👩‍👧👩‍👩‍👧', 3, textWidth)).toBe('👩‍👩‍👧…');
    expect(cut('abc', 3, textWidth)).toBe('abc');
  });

  test('shows what could steer the terminal instead of sending it', () => {
    expect(printable('a\u001b[31m\n\u202e\u009b\t\u0000ß')).toBe('a\\x1b[31m\\n\\u202e\\x9b\\t\\x00ß');
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

  test('LinePrefix marks each line once, wherever the chunks are cut', () => {
    const whole = new TextEncoder().encode('a\n\nbc\nd');
    for (let at = 0; at <= whole.length; at++) {
      const prefix = new LinePrefix('x\t');
      const parts = [prefix.push(whole.subarray(0, at)), prefix.push(whole.subarray(at))];
      expect(Buffer.concat(parts).toString()).toBe('x\ta\nx\t\nx\tbc\nx\td');
    }
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

  test('joblogLine() has the fields of its title', () => {
    const task = {
      ...base,
      worker_id: 'w',
      started_at: '2026-01-01T00:00:00.500Z',
      duration_ms: 1234,
      stdout_bytes: 5,
    };
    const line = joblogLine(2, { ...task, status: 'failed', exit_code: 3 }, 'a\nb');
    expect(line).toBe('2\tw\t1767225600.500\t     1.234\t0\t5\t3\t0\ta b\n');
    expect(line.split('\t')).toHaveLength(joblogTitle.split('\t').length);
    expect(
      joblogLine(1, { ...task, status: 'failed', signal: 'SIGKILL' }, 'x')
        .split('\t')
        .slice(6, 8),
    ).toEqual(['0', '9']);
  });
});
