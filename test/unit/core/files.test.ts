import { expect, test } from 'bun:test';
import { filesProblem, isLiteral, pathLengthMax, pathProblem } from '../../../src/core/files.ts';

test.each(['a', 'a/b.txt', '.hidden', 'ä/漢 字', '-x', 'a/..b/c..', `${'x'.repeat(255)}/y`])(
  'pathProblem() finds nothing wrong with %j',
  (path) => expect(pathProblem(path)).toBeNull(),
);

test.each([
  ['', 'is empty'],
  ['/etc/passwd', 'is absolute; it should be relative to the task directory'],
  ['C:/x', 'is absolute; it should be relative to the task directory'],
  ['..', 'holds ".."; it should stay below the task directory'],
  ['a/../../b', 'holds ".."; it should stay below the task directory'],
  ['./a', 'holds "."; it should stay below the task directory'],
  ['a//b', 'has an empty part'],
  ['a/', 'has an empty part'],
  ['a\\..\\b', 'holds a backslash; parts are separated by "/"'],
  ['a\0b', 'holds a NUL character'],
  [`a/${'ä'.repeat(128)}`, 'has a part longer than 255 bytes'],
  ['x/'.repeat(pathLengthMax), `is longer than ${pathLengthMax} characters`],
])('pathProblem() says what is wrong with %j', (path, problem) => expect(pathProblem(path)).toBe(problem));

test('filesProblem() finds what cannot lie side by side, in either order', () => {
  expect(filesProblem(['a/b', 'a/c', 'ab', 'a-b/c'])).toBeNull();
  expect(filesProblem(['a', 'a'])).toEqual({ index: 1, problem: 'is given twice' });
  expect(filesProblem(['a', 'b', 'a/b/c'])).toEqual({ index: 2, problem: 'lies below "a", which is a file' });
  expect(filesProblem(['a/b/c', 'a/b'])).toEqual({ index: 1, problem: 'is also a directory of another file' });
  expect(filesProblem(['ok', '../no'])?.index).toBe(1);
});

test('isLiteral() tells names from patterns', () => {
  for (const name of ['a', 'out/result.txt', 'a b']) expect(isLiteral(name)).toBe(true);
  for (const pattern of ['*.txt', 'a?', '[ab]', '{a,b}', 'a/**']) expect(isLiteral(pattern)).toBe(false);
});
