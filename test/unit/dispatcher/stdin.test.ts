import { expect, test } from 'bun:test';
import { LiveStdin } from '../../../src/dispatcher/stdin.ts';
import type { DispatcherMessage } from '../../../src/wire/messages.ts';
import { bytes } from './fakes.ts';

const taskId = '000000000001';
const chunk = { offset: 10, data: bytes('hello'), eof: false };

function bench() {
  const sent: DispatcherMessage[] = [];
  const stdin = new LiveStdin((_taskId, message) => sent.push(message));
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
  return { sent, stdin, fate };
}

test('write() sends to what runs at once, and resolves when all of the chunk was taken', async () => {
  const { sent, stdin, fate } = bench();
  const seen = fate(stdin.write(taskId, chunk, { taskId, attempt: 2 }));
  expect(sent).toEqual([{ kind: 'stdin', taskId, attempt: 2, ...chunk }]);
  stdin.taken({ taskId, offset: 12, open: true });
  await Bun.sleep(0);
  expect(seen.now).toBe('waiting');
  stdin.taken({ taskId, offset: 15, open: true });
  await Bun.sleep(0);
  expect(seen.now).toBe('taken');
});

test('write() waits with its chunk until the task runs', () => {
  const { sent, stdin } = bench();
  void stdin.write(taskId, chunk, null);
  expect(sent).toEqual([]);
  stdin.started({ taskId, attempt: 1 });
  expect(sent).toHaveLength(1);
});

test('write() sends again when the worker is back', () => {
  const { sent, stdin } = bench();
  void stdin.write(taskId, chunk, { taskId, attempt: 1 });
  stdin.started({ taskId, attempt: 1 });
  expect(sent).toHaveLength(2);
});

test('write() refuses a second chunk while one is on its way, and takes the next after it', async () => {
  const { stdin } = bench();
  const first = stdin.write(taskId, chunk, { taskId, attempt: 1 });
  await expect(stdin.write(taskId, chunk, null)).rejects.toMatchObject({ code: 'conflict' });
  stdin.taken({ taskId, offset: 15, open: true });
  await first;
  const second = stdin.write(taskId, { offset: 15, data: bytes(''), eof: true }, { taskId, attempt: 1 });
  stdin.taken({ taskId, offset: 15, open: false });
  await second;
});

test('write() fails when the process reads no more', async () => {
  const { stdin } = bench();
  const write = stdin.write(taskId, chunk, { taskId, attempt: 1 });
  stdin.taken({ taskId, offset: 12, open: false });
  await expect(write).rejects.toMatchObject({ code: 'conflict', message: `Task ${taskId} reads no more input.` });
});

test('write() fails when a new attempt would need input that is gone', async () => {
  const { stdin } = bench();
  const write = stdin.write(taskId, chunk, { taskId, attempt: 2 });
  stdin.taken({ taskId, offset: 0, open: true });
  await expect(write).rejects.toMatchObject({ code: 'conflict' });
});

test('ended() and endAll() let the feeders go', async () => {
  const { stdin } = bench();
  const one = stdin.write(taskId, chunk, null);
  const two = stdin.write('000000000002', chunk, null);
  stdin.ended(taskId);
  await expect(one).rejects.toMatchObject({ message: `Task ${taskId} has ended and reads no more input.` });
  stdin.endAll();
  await expect(two).rejects.toMatchObject({ code: 'conflict' });
});

test('taken() of what nobody waits for does nothing', () => {
  expect(() => bench().stdin.taken({ taskId, offset: 1, open: true })).not.toThrow();
});
