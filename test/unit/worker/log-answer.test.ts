import { expect, test } from 'bun:test';
import { logLengthMax } from '../../../src/wire/messages.ts';
import { logAnswer } from '../../../src/worker/log-answer.ts';

test('logAnswer() gives the last lines, as many as were asked for and fit into a message', () => {
  const half = 'x'.repeat(logLengthMax / 2);
  const answer = (lines: readonly string[], wanted: number) =>
    logAnswer({ kind: 'logWanted', request: 3, lines: wanted }, () => lines);
  expect(answer(['a', 'b', 'c'], 2)).toEqual({ kind: 'logLines', request: 3, lines: ['b', 'c'] });
  expect(answer(['a', half, half], 9)).toEqual({ kind: 'logLines', request: 3, lines: [half, half] });
  expect(answer([half, half, 'c'], 9)).toEqual({ kind: 'logLines', request: 3, lines: [half, 'c'] });
  expect(answer(['x'.repeat(logLengthMax + 1)], 9)).toEqual({ kind: 'logLines', request: 3, lines: [] });
});

test('logAnswer() escapes what is no text, as the dispatcher takes no NUL', () => {
  const answer = logAnswer({ kind: 'logWanted', request: 1, lines: 5 }, () => ['a\0b', '\x1b[31mred']);
  expect(answer).toMatchObject({ lines: ['a\\x00b', '\\x1b[31mred'] });
});
