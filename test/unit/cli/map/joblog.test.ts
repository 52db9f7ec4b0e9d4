import { describe, expect, test } from 'bun:test';
import type { TaskView } from '../../../../src/api/schemas.ts';
import { endOf } from '../../../../src/cli/map/job.ts';
import { isSameCommand, joblogLine, joblogTitle, jobsDone, wholeLines } from '../../../../src/cli/map/joblog.ts';
import { LinePrefix } from '../../../../src/cli/map/tagging.ts';
import { FakeDispatcher } from '../dispatcher.ts';

const base = new FakeDispatcher().submit({ command: 'x' });
const files = { inputs: [], request: {}, length: 0, ownBytes: 0 };
const job = { args: ['a'], number: 2, slot: 1, command: 'a\nb', tag: null, files, place: 0 };

const lineOf = (task: Partial<TaskView>, isOverTime = false): string =>
  joblogLine(endOf(job, { ...base, ...task }, { isOverTime, hasFiles: true }));

test('wholeLines() leaves out what was cut before it said how the job ended', () => {
  const line = lineOf({ worker_id: 'w', status: 'completed', exit_code: 0 });
  const whole = joblogTitle + line;
  expect(wholeLines(whole)).toBe(whole);
  expect(wholeLines(whole + line.slice(0, 20))).toBe(whole);
  expect(wholeLines(whole + line.slice(0, -2))).toBe(`${whole}${line.slice(0, -2)}\n`);
  expect([wholeLines(''), wholeLines('Seq\tHo')]).toEqual(['', '']);
});

describe('joblogLine()', () => {
  test('has the fields of its title', () => {
    const started = { worker_id: 'w', started_at: '2026-01-01T00:00:00.500Z', duration_ms: 1234, stdout_bytes: 5 };
    const line = lineOf({ ...started, status: 'failed', exit_code: 3 });
    expect(line).toBe('2\tw\t1767225600.500\t     1.234\t0\t5\t3\t0\ta\0b\n');
    expect(line.split('\t')).toHaveLength(joblogTitle.split('\t').length);
  });

  test.each([
    [{ status: 'completed', exit_code: 0 }, false, ['0', '0']],
    [{ status: 'failed', signal: 'SIGKILL' }, false, ['0', '9']],
    [{ status: 'timed_out', signal: 'SIGTERM' }, false, ['-1', '15']],
    [{ status: 'cancelled', signal: 'SIGTERM' }, true, ['-1', '15']],
    [{ status: 'completed', exit_code: 0 }, true, ['0', '0']],
    [{ status: 'failed' }, false, ['125', '0']],
  ] as const)('of %j, over time: %p', (task, isOverTime, fields) => {
    expect(lineOf(task, isOverTime).split('\t').slice(6, 8)).toEqual([...fields]);
  });
});

describe('jobsDone()', () => {
  const text = `${joblogTitle}1\t:\t1.000\t     0.001\t0\t0\t0\t0\ta\n2\t:\t1.000\t     0.001\t0\t0\t1\t0\tb\n`;
  const done = (log: string, failedAgain: boolean) => [...jobsDone(log, { path: 'log', failedAgain }).keys()];

  test('are all that are named, or those that ended well once', () => {
    expect(done(text, false)).toEqual([1, 2]);
    expect(done(text, true)).toEqual([1]);
    expect(done(`${text}${text.split('\n')[1]?.replace('1', '2')}\n`, true)).toEqual([1, 2]);
    expect(done('', true)).toEqual([]);
  });

  test('have the commands they were noted with', () => {
    const noted = (line: string) => jobsDone(`${joblogTitle}${line}`, { path: 'log', failedAgain: false }).get(2) ?? '';
    expect(noted(lineOf({}))).toBe('a\nb');
    expect(isSameCommand(noted(lineOf({})), job.command)).toBe(true);
    expect(isSameCommand(noted(lineOf({}).slice(0, -2)), job.command)).toBe(true);
    expect(isSameCommand(noted(lineOf({})), 'b')).toBe(false);
    expect(isSameCommand('echo a\\ b', "echo 'a b'")).toBe(true);
  });

  test('refuses what is no joblog', () => {
    expect(() => done(`${text}hello\n`, false)).toThrow('Line 4 of log is no line of a joblog.');
  });
});

test('LinePrefix marks each line once, wherever the chunks are cut', () => {
  const whole = new TextEncoder().encode('a\n\nbc\nd');
  for (let at = 0; at <= whole.length; at++) {
    const prefix = new LinePrefix('x\t');
    const parts = [prefix.push(whole.subarray(0, at)), prefix.push(whole.subarray(at))];
    expect(Buffer.concat(parts).toString()).toBe('x\ta\nx\t\nx\tbc\nx\td');
  }
});
