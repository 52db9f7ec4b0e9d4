import { expect, test } from 'bun:test';
import { feederSilenceMs, LiveStdin } from '../../../src/dispatcher/stdin.ts';
import type { DispatcherMessage } from '../../../src/wire/messages.ts';
import { ManualClock } from '../manual-clock.ts';
import { bytes } from './fakes.ts';

const taskId = '000000000001';
const chunk = { offset: 10, data: bytes('hello'), eof: false };

/** Input of one task; `attempt` is the attempt of it that runs, null = none yet. */
function bench(attempt: number | null = 1) {
  const sent: DispatcherMessage[] = [];
  const clock = new ManualClock();
  const stdin = new LiveStdin({
    clock,
    send: (_taskId, message) => sent.push(message),
    running: () => (attempt === null ? null : { taskId, attempt }),
  });
  stdin.expect(taskId);
  const fate = (promise: Promise<void>): { now: string } => {
    const seen = { now: 'waiting' };
    promise.then(
      () => {
        seen.now = 'taken';
      },
      (error: Error) => {
        seen.now = error.message;
      },
    );
    return seen;
  };
  return { sent, stdin, clock, fate };
}

test('write() sends to what runs at once, and resolves when all of the chunk was taken', async () => {
  const { sent, stdin, fate } = bench(2);
  const seen = fate(stdin.write(taskId, chunk));
  expect(sent).toEqual([{ kind: 'stdin', taskId, attempt: 2, ...chunk }]);
  stdin.taken({ taskId, offset: 12, open: true });
  await Bun.sleep(0);
  expect(seen.now).toBe('waiting');
  stdin.taken({ taskId, offset: 15, open: true });
  await Bun.sleep(0);
  expect(seen.now).toBe('taken');
});

test('write() waits with its chunk until the task runs', () => {
  const { sent, stdin } = bench(null);
  void stdin.write(taskId, chunk);
  expect(sent).toEqual([]);
  stdin.started({ taskId, attempt: 1 });
  expect(sent).toHaveLength(1);
});

test('write() sends again when the worker is back', () => {
  const { sent, stdin } = bench();
  void stdin.write(taskId, chunk);
  stdin.started({ taskId, attempt: 1 });
  expect(sent).toHaveLength(2);
});

test('write() refuses a second chunk while one is on its way, and takes the next after it', async () => {
  const { stdin } = bench();
  const first = stdin.write(taskId, chunk);
  await expect(stdin.write(taskId, chunk)).rejects.toMatchObject({ code: 'conflict' });
  stdin.taken({ taskId, offset: 15, open: true });
  await first;
  const second = stdin.write(taskId, { offset: 15, data: bytes(''), eof: true });
  stdin.taken({ taskId, offset: 15, open: false });
  await second;
});

test('write() fails when the process reads no more', async () => {
  const { stdin } = bench();
  const write = stdin.write(taskId, chunk);
  stdin.taken({ taskId, offset: 12, open: false });
  await expect(write).rejects.toMatchObject({ code: 'conflict', message: `Task ${taskId} reads no more input.` });
});

test('write() fails when a new attempt would need input that is gone', async () => {
  const { stdin } = bench();
  const write = stdin.write(taskId, chunk);
  stdin.taken({ taskId, offset: 0, open: true });
  await expect(write).rejects.toMatchObject({ code: 'conflict' });
});

test('ended() and endAll() let the feeders go', async () => {
  const { stdin } = bench();
  const one = stdin.write(taskId, chunk);
  stdin.expect('000000000002');
  const two = stdin.write('000000000002', chunk);
  stdin.ended(taskId);
  await expect(one).rejects.toMatchObject({ message: `Task ${taskId} has ended and reads no more input.` });
  stdin.endAll();
  await expect(two).rejects.toMatchObject({ code: 'conflict' });
});

test('taken() of what nobody waits for does nothing', () => {
  expect(() => bench().stdin.taken({ taskId, offset: 1, open: true })).not.toThrow();
});

const end = { kind: 'stdin', taskId, attempt: 1, offset: 0, data: bytes(''), eof: true } as const;

test('expect() ends the input of a task that nobody feeds', () => {
  const { sent, clock } = bench();
  clock.advance(feederSilenceMs - 1);
  expect(sent).toEqual([]);
  clock.advance(1);
  expect(sent).toEqual([end]);
});

test('expect() ends the input when the task begins to run after its feeder has gone', () => {
  const { sent, stdin, clock } = bench(null);
  clock.advance(feederSilenceMs);
  expect(sent).toEqual([]);
  stdin.started({ taskId, attempt: 1 });
  expect(sent).toEqual([end]);
});

test('taken() gives the feeder as much time again, and the input ends where it had got to', async () => {
  const { sent, stdin, clock } = bench();
  clock.advance(feederSilenceMs - 1);
  const write = stdin.write(taskId, { offset: 0, data: bytes('hello'), eof: false });
  clock.advance(feederSilenceMs * 2);
  stdin.taken({ taskId, offset: 5, open: true });
  await write;
  clock.advance(feederSilenceMs - 1);
  expect(sent).toHaveLength(1);
  clock.advance(1);
  expect(sent[1]).toEqual({ ...end, offset: 5 });
});

test('ended() leaves no timer behind', () => {
  const { sent, stdin, clock } = bench();
  stdin.ended(taskId);
  clock.advance(feederSilenceMs * 2);
  expect(sent).toEqual([]);
});
