/** A task goes into its row and comes back equal. */

import { expect, test } from 'bun:test';
import type { AttemptOutcome, Task } from '../../../src/core/task.ts';
import { attemptOf, attemptRowOf, isPristine, newRowOf, stateRowOf, taskOf } from '../../../src/store/rows.ts';
import { completed, plainSpec, richSpec, sampleAt, sampleTask, sampleUsage } from './samples.ts';

const outcomes: AttemptOutcome[] = [
  { kind: 'exited', exitCode: 3 },
  { kind: 'signaled', signal: 'SIGKILL' },
  { kind: 'timed_out', limitMs: 1500 },
  { kind: 'limit_exceeded', limit: 'memory', limitValue: 64, reached: 65 },
  { kind: 'cancelled' },
  { kind: 'spawn_failed', message: 'no such "program"' },
  { kind: 'lost', why: 'silent for 60 s' },
];

function thereAndBack(task: Task): Task {
  return taskOf({ ...newRowOf(task), ...stateRowOf(task, task.notBefore) }, task.waitingFor);
}

test('rows: a plain task comes back equal and its specification costs two bytes', () => {
  const task = sampleTask();
  expect(thereAndBack(task)).toEqual(task);
  expect(newRowOf(task).spec).toBe('{}');
});

test('rows: a task with nothing at its default comes back equal', () => {
  for (const key of Object.keys(plainSpec) as (keyof typeof plainSpec)[]) {
    if (key !== 'batchId') expect(richSpec[key]).not.toEqual(plainSpec[key]);
  }
  const task = sampleTask({
    spec: { ...richSpec, batchId: '00000000000b' },
    ...completed,
    avoid: ['w1', 'w2'],
    failures: 2,
    losses: 1,
    notBefore: sampleAt + 99,
    cancelRequested: true,
    reason: 'because',
  });
  expect(thereAndBack(task)).toEqual(task);
});

test('rows: streamed standard input is kept', () => {
  const task = sampleTask({ spec: { ...plainSpec, stdin: { kind: 'stream' } } });
  expect(thereAndBack(task).spec.stdin).toEqual({ kind: 'stream' });
  const stdin = { kind: 'terminal', columns: 80, rows: 24, term: 'xterm' } as const;
  const attached = sampleTask({ spec: { ...plainSpec, stdin, attached: true } });
  expect(thereAndBack(attached).spec).toEqual(attached.spec);
});

test('rows: every kind of outcome comes back equal, in tasks and in attempts', () => {
  for (const outcome of outcomes) {
    expect(thereAndBack(sampleTask({ outcome })).outcome).toEqual(outcome);
    const record = {
      taskId: '000000000001',
      attempt: 2,
      workerId: 'w',
      startedAt: null,
      endedAt: sampleAt,
      outcome,
      usage: outcome.kind === 'lost' ? null : { ...sampleUsage, cpuMs: null, memoryPeakBytes: null },
    };
    expect(attemptOf(attemptRowOf(record))).toEqual(record);
  }
});

test('isPristine() says no as soon as anything but an assignment happened', () => {
  const assigned: Partial<Task> = { status: 'running', phase: 'assigned', workerId: 'w', attempt: 1 };
  expect(isPristine(sampleTask(assigned), null)).toBe(true);
  const happened: Partial<Task>[] = [
    { avoid: ['w'] },
    { failures: 1 },
    { losses: 1 },
    { cancelRequested: true },
    { startedAt: 1 },
    { completedAt: 1 },
    { outcome: { kind: 'cancelled' } },
    { usage: sampleUsage },
    { reason: 'x' },
  ];
  for (const change of happened) expect(isPristine(sampleTask(change), null)).toBe(false);
  expect(isPristine(sampleTask(), sampleAt)).toBe(false);
});
