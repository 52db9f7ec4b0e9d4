import { expect, test } from 'bun:test';
import { newLines } from '../../../src/cli/worker-log.ts';
import { Shell } from './terminal.ts';

test('newLines() gives what came since, with a window that moves on', () => {
  expect(newLines(['a', 'b'], ['a', 'b', 'c'])).toEqual(['c']);
  expect(newLines(['a', 'b', 'c'], ['b', 'c', 'd', 'e'])).toEqual(['d', 'e']);
  expect(newLines(['a', 'b'], ['a', 'b'])).toEqual([]);
  expect(newLines([], ['a'])).toEqual(['a']);
  expect(newLines(['a', 'b'], ['x', 'y'])).toEqual(['x', 'y']);
  expect(newLines(['a', 'a'], ['a', 'a', 'a'])).toEqual(['a']);
});

test.each([
  [['logs'], 'logs needs the id of a task, or --node with the name of a worker.'],
  [['logs', 'last', '--node', 'pi'], '--node gives the log of a worker, and "last" names a task: give one of them.'],
  [['logs', '--node', 'pi', '--stderr'], '--stdout and --stderr are for tasks: the log of a worker is one stream.'],
  [['logs', 'last', '-n', '5'], "--lines is for --node: a task's output is given in full."],
])('octaskly %p says what does not go together', async (args, sentence) => {
  const shell = new Shell();
  expect(await shell.run(...args)).toBe(2);
  expect(shell.stderr.text).toContain(sentence);
});
