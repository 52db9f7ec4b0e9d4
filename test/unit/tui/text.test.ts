import { describe, expect, test } from 'bun:test';
import { formatDuration } from '../../../src/base/duration.ts';
import { cut, formatAge, harmless, outputText, pad, wrap } from '../../../tui/text.ts';
import { lookOf } from './samples.ts';

const look = lookOf({ columns: 80, rows: 24 });
const family = '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}';

describe('harmless()', () => {
  test.each([
    ['plain', 'plain'],
    ['Grüße, 日本語', 'Grüße, 日本語'],
    ['\u001b[2J\u001b]0;x\u0007', '\\x1b[2J\\x1b]0;x\\x07'],
    ['a\nb\tc\r\nd\0', 'a\\nb\\tc\\r\\nd\\x00'],
    ['\u009b31m\u0085', '\\x9b31m\\x85'],
    ['file\u202egpj.exe', 'file\\u{202e}gpj.exe'],
    ['\u2028\u200b\ufeff\u00ad', '\\u{2028}\\u{200b}\\u{feff}\\xad'],
    [`a${family}b`, 'a\u{1f468}b'],
    ['\u{1f44d}\u{1f3fd}!', '\u{1f44d}!'],
    ['\u2714\ufe0f 1\ufe0f\u20e3', '\u2714 1'],
    ['\u{1f1e9}\u{1f1ea}', '?'],
    ['u\u0308', 'ü'],
    ['\u0301x', '?x'],
    ['\ud800x', '?x'],
    [`q${'\u0323'.repeat(50)}`, `q${'\u0323'.repeat(3)}`],
  ])('makes %j to %j', (given, shown) => {
    expect(harmless(given)).toBe(shown);
  });

  test('gives ASCII where only that may be drawn', () => {
    expect(harmless(`Grüße ${family} 日\u001b`, true)).toBe('Gr??e ? ?\\x1b');
  });

  test('lets no control character of any text through', () => {
    for (let code = 0; code <= 0xffff; code++) {
      const shown = harmless(`a${String.fromCharCode(code)}b`);
      if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(shown)) {
        throw new Error(`U+${code.toString(16)} came through`);
      }
    }
  });
});

describe('cut()', () => {
  test('keeps what fits and marks what does not', () => {
    expect(cut('abcdef', 6, look)).toBe('abcdef');
    expect(cut('abcdef', 5, look)).toBe('abcd…');
    expect(cut('日本語', 6, look)).toBe('日本語');
    expect(cut('日本語', 5, look)).toBe('日本…');
    expect(cut('日本語', 4, look)).toBe('日…');
    expect(cut('abc', 0, look)).toBe('');
    expect(cut('abcdef', 5, { ...look, ascii: true })).toBe('abcd~');
  });

  test('marks a cut also where the rest was never looked at', () => {
    expect(cut(`ab${'\u0323'.repeat(1000)}cd`, 10, look)).toEndWith('…');
    expect(cut('x'.repeat(10_000_000), 5, look)).toBe('xxxx…');
  });
});

test('pad() gives exactly the cells', () => {
  for (const text of ['', 'a', '日本語', 'abcdefgh', '\u001b[31m']) {
    for (const cells of [1, 2, 3, 5, 8, 13]) expect(Bun.stringWidth(pad(text, cells, look))).toBe(cells);
  }
  expect(pad('7', 3, look, 'right')).toBe('  7');
});

test('wrap() breaks at spaces, at any place where there are none, and ends after its lines', () => {
  expect(wrap('one two three', 7, 9, look)).toEqual(['one two', 'three']);
  expect(wrap('abcdefghij', 4, 9, look)).toEqual(['abcd', 'efgh', 'ij']);
  expect(wrap('abcdefghij', 4, 2, look)).toEqual(['abcd', 'efg…']);
  expect(wrap('日本語日本語', 5, 9, look)).toEqual(['日本', '語日', '本語']);
  expect(wrap('', 5, 9, look)).toEqual([]);
  expect(wrap('日本', 1, 9, look)).toEqual([]);
});

describe('outputText()', () => {
  test.each([
    ['\u001b[1;31mred\u001b[0m', 'red'],
    ['\u009b31mred', 'red'],
    ['\u001b]0;title\u0007text', 'text'],
    ['\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\', 'link'],
    ['\u001bP1$q\u001b\\x\u001b7y\u001b(Bz', 'xyz'],
    ['10%\r50%\r100%', '100%'],
    ['done\r', 'done'],
    ['a\tb', 'a       b'],
    ['\tb\t', '        b       '],
    ['unfinished \u001b]0;x', 'unfinished \u001b]0;x'],
    ['half \u001b[3', 'half '],
    ['half \u001b', 'half '],
  ])('makes %j to %j', (given, shown) => {
    expect(outputText(given)).toBe(shown);
  });

  test('takes linear time for what looks like many beginnings', () => {
    for (const start of ['\u001b]', '\u009d', '\u001bP', '\u009b', '\u001b[', '\u001b ']) {
      const text = start.repeat(500_000);
      const startedAt = performance.now();
      outputText(text);
      expect(performance.now() - startedAt).toBeLessThan(2000);
    }
  });
});

test('formatDuration() and formatAge() are short', () => {
  const durations = [null, 0, 999, 1000, 59_900, 59_990, 60_000, 3_599_000, 3_600_000, 86_400_000, -5];
  expect(durations.map(formatDuration)).toEqual([
    '',
    '0ms',
    '999ms',
    '1.0s',
    '59.9s',
    '0m59s',
    '1m00s',
    '59m59s',
    '1h00m',
    '1d00h',
    '0ms',
  ]);
  expect([0, 59_999, 60_000, 3_600_000, 86_400_000, -1].map(formatAge)).toEqual(['0s', '59s', '1m', '1h', '1d', '0s']);
});
