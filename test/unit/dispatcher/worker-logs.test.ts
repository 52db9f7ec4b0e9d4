import { expect, test } from 'bun:test';
import { WorkerLogs } from '../../../src/dispatcher/worker-logs.ts';
import { ManualClock } from '../manual-clock.ts';

const worker = { id: 'w1', name: 'attic' };

function logs(connected = true) {
  const clock = new ManualClock();
  const asked: { workerId: string; request: number; lines: number }[] = [];
  const parts = new WorkerLogs({
    clock,
    ask: (workerId, { request, lines }) => {
      asked.push({ workerId, request, lines });
      return connected;
    },
  });
  return { clock, asked, logs: parts };
}

test('WorkerLogs.read() asks the worker, and gives what that worker answers', async () => {
  const { logs: all, asked } = logs();
  const first = all.read(worker, 5);
  const second = all.read(worker, 7);
  expect(asked).toEqual([
    { workerId: 'w1', request: 1, lines: 5 },
    { workerId: 'w1', request: 2, lines: 7 },
  ]);
  // Somebody else answers, and somebody nobody asked.
  all.answered('w2', { kind: 'logLines', request: 1, lines: ['forged'] });
  all.answered('w1', { kind: 'logLines', request: 9, lines: ['forged'] });
  all.answered('w1', { kind: 'logLines', request: 2, lines: ['two'] });
  all.answered('w1', { kind: 'logLines', request: 1, lines: ['one'] });
  expect(await Promise.all([first, second])).toEqual([['one'], ['two']]);
});

test('WorkerLogs.read() says when the worker is away, goes, or says nothing', async () => {
  expect(logs(false).logs.read(worker, 5)).rejects.toMatchObject({ code: 'worker_away' });
  const left = logs();
  const waiting = left.logs.read(worker, 5);
  left.logs.left('w1');
  const message = expect.stringContaining('Worker attic is not connected');
  expect(waiting).rejects.toMatchObject({ code: 'worker_away', message });
  const silent = logs();
  const late = silent.logs.read(worker, 5);
  silent.clock.advance(10_000);
  expect(late).rejects.toMatchObject({ code: 'timeout', message: 'Worker attic did not answer within 10 s.' });
});

test('WorkerLogs.read() has a bound on what waits', async () => {
  const { logs: all } = logs();
  const waiting = Array.from({ length: 64 }, () => all.read(worker, 1));
  expect(all.read(worker, 1)).rejects.toMatchObject({ code: 'rate_limited' });
  all.answered('w1', { kind: 'logLines', request: 1, lines: [] });
  expect(await waiting[0]).toEqual([]);
  waiting.push(all.read(worker, 1));
  const settled = Promise.allSettled(waiting);
  all.left('w1');
  expect((await settled).filter(({ status }) => status === 'rejected')).toHaveLength(64);
});
