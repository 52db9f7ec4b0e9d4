import { expect, test } from 'bun:test';
import { foldedOn, isAbsoluteOn, joinOn, nameProblemOn, namesProblemOn } from '../../../../src/core/platform/paths.ts';

const strange = [
  ...['con', 'NUL', 'nul.txt', 'a/Aux/b', 'COM1', 'lpt9.tar.gz', 'com\u00b9', 'CONIN$', 'nul .txt', 'prn '],
  ...['a:b', 'C:', 'what?', 'a*', 'x|y', '<in', 'out>', '"q"', 'a\\b', 'tab\there', 'a\u0001'],
  ...['dot.', 'space ', 'a./b', '...'],
];

test.each(strange)('nameProblemOn() says why %j is nowhere on Windows', (path) => {
  expect(nameProblemOn('win32', path)).not.toBeNull();
  for (const platform of ['linux', 'darwin', 'android']) expect(nameProblemOn(platform, path)).toBeNull();
});

test('nameProblemOn() takes what only looks like it', () => {
  for (const path of ['console', 'a/null', 'com', 'com10', 'lpt', '.hidden', 'a b/c.d', 'aux-1', 'grün', 'xcon.txt'])
    expect(nameProblemOn('win32', path)).toBeNull();
});

test('namesProblemOn() finds two names of one file, or of one directory, where case does not count', () => {
  for (const platform of ['win32', 'darwin']) {
    expect(namesProblemOn(platform, ['a', 'b', 'A'])).toEqual({ index: 2, problem: 'is the same there as "a"' });
    expect(namesProblemOn(platform, ['Src/a', 'src/b'])?.problem).toContain('"Src"');
    expect(namesProblemOn(platform, ['src/a', 'src/b', 'src2/a'])).toBeNull();
  }
  expect(namesProblemOn('linux', ['a', 'A'])).toBeNull();
});

test('namesProblemOn() names the first that Windows cannot have', () => {
  expect(namesProblemOn('win32', ['fine', 'nul'])).toMatchObject({ index: 1 });
});

test('foldedOn() on macOS sees through how an accent is written', () => {
  expect(foldedOn('darwin', 'Gr\u00fcn')).toBe(foldedOn('darwin', 'gru\u0308n'));
  expect(foldedOn('win32', 'Gr\u00fcn')).not.toBe(foldedOn('win32', 'gru\u0308n'));
});

test('isAbsoluteOn() and joinOn() know drives, shares and both slashes on Windows', () => {
  for (const path of ['C:\\a', 'd:/a', '\\\\host\\share', '\\a', '/a', '\\\\?\\C:\\a'])
    expect(isAbsoluteOn('win32', path)).toBe(true);
  for (const path of ['a', 'a\\b', 'C:a', '.\\a']) expect(isAbsoluteOn('win32', path)).toBe(false);
  expect(isAbsoluteOn('linux', 'C:\\a')).toBe(false);
  expect(joinOn('win32', 'C:\\t', 'a/b')).toBe('C:\\t\\a\\b');
  expect(joinOn('darwin', '/t', 'a/b')).toBe('/t/a/b');
});

test('foldedOn() takes small letters of one capital for one, wherever they stand in a word', () => {
  for (const platform of ['win32', 'darwin']) {
    expect(foldedOn(platform, '\u039f\u0394\u039f\u03a3')).toBe(foldedOn(platform, '\u03bf\u03b4\u03bf\u03c3'));
    expect(foldedOn(platform, '\u03bf\u03b4\u03bf\u03c2')).toBe(foldedOn(platform, '\u03bf\u03b4\u03bf\u03c3'));
  }
  expect(foldedOn('win32', 'stra\u00dfe')).not.toBe(foldedOn('win32', 'STRASSE'));
  expect(foldedOn('darwin', 'stra\u00dfe')).toBe(foldedOn('darwin', 'STRASSE'));
  expect(foldedOn('linux', 'A')).not.toBe(foldedOn('linux', 'a'));
});
