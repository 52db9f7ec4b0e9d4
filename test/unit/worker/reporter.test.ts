import { expect, test } from 'bun:test';
import type { AttemptOutcome } from '../../../src/core/task.ts';
import { inlineOutputBytesMax, outputChunkBytesMax, type WorkerMessage } from '../../../src/wire/messages.ts';
import { Reporter } from '../../../src/worker/reporter.ts';
import { usage } from '../core/samples.ts';
import { ManualClock } from '../manual-clock.ts';
import { bytes, FakeLink, FakeSpool } from './fakes.ts';

const key = { taskId: 'a', attempt: 1 };
const outcome: AttemptOutcome = { kind: 'exited', exitCode: 0 };

class Bench {
  readonly clock = new ManualClock();
  readonly reporter = new Reporter(this.clock);
  link = new FakeLink();

  constructor() {
    this.reporter.attach(this.link, []);
    this.clock.settle();
  }

  start(taskId: string): { stdout: FakeSpool; stderr: FakeSpool } {
    const streams = { stdout: new FakeSpool(), stderr: new FakeSpool() };
    const discard = (): void => {
      streams.stdout.discard();
      streams.stderr.discard();
    };
    this.reporter.started({ taskId, attempt: 1 }, { streams, startedAt: 7, discard });
    return streams;
  }

  end(taskId: string, busy = false): void {
    this.reporter.ended(
      { taskId, attempt: 1 },
      { startedAt: 7, outcome, usage: usage(), outputs: [], outputProblems: [] },
      busy,
    );
    this.clock.settle();
  }

  /** What was sent, in short. */
  told(): string[] {
    return this.link.take().flatMap(brief);
  }

  rejoin(resume: { stdout: number; stderr: number } | null): void {
    this.reporter.detach();
    this.link = new FakeLink();
    this.reporter.attach(this.link, resume === null ? [] : [{ ...key, ...resume }]);
    this.clock.settle();
  }
}

function brief(message: WorkerMessage): string[] {
  if (message.kind === 'output') {
    return [`${message.taskId} ${message.stream} ${message.offset}+${message.data.length}`];
  }
  if (message.kind !== 'report') return [message.kind];
  return message.entries.map((entry) => {
    const rest = entry.kind === 'ended' ? ` ${entry.stdout.length}/${entry.stderr.length}` : '';
    return `${entry.taskId} ${entry.kind}${rest}`;
  });
}

test('started() waits 5 ms for company, and goes in one report', () => {
  const bench = new Bench();
  bench.start('a');
  bench.clock.advance(4);
  bench.start('b');
  expect(bench.told()).toEqual([]);
  bench.clock.advance(1);
  expect(bench.link.sent).toHaveLength(1);
  expect(bench.told()).toEqual(['a started', 'b started']);
});

test('ended() goes at once, with the last bytes, in place of a start that was not sent', () => {
  const bench = new Bench();
  const { stdout } = bench.start('a');
  stdout.append(bytes('out'));
  bench.end('a');
  expect(bench.told()).toEqual(['a ended 3/0']);
  bench.clock.advance(100);
  expect(bench.told()).toEqual([]);
});

test('ended() of a busy worker waits 5 ms for company, and an end that nobody waits for goes with it', () => {
  const bench = new Bench();
  bench.start('a');
  bench.start('b');
  bench.end('a', true);
  bench.clock.advance(4);
  bench.end('b', true);
  expect(bench.told()).toEqual([]);
  bench.clock.advance(1);
  expect(bench.link.sent).toHaveLength(1);
  expect(bench.told()).toEqual(['a ended 0/0', 'b ended 0/0']);
});

test('wrote() sends the start, then output, each byte once', () => {
  const bench = new Bench();
  const { stdout, stderr } = bench.start('a');
  stdout.append(bytes('12345'));
  bench.reporter.wrote();
  bench.clock.advance(5);
  expect(bench.told()).toEqual(['a started', 'a stdout 0+5']);
  stdout.append(bytes('678'));
  stderr.append(bytes('e'));
  bench.reporter.wrote();
  bench.clock.advance(5);
  expect(bench.told()).toEqual(['a stdout 5+3', 'a stderr 0+1']);
  stdout.append(bytes('9'));
  bench.end('a');
  expect(bench.told()).toEqual(['a ended 1/0']);
});

test('an end follows output that is too much to travel inside it', () => {
  const bench = new Bench();
  const { stdout } = bench.start('a');
  stdout.append(new Uint8Array(inlineOutputBytesMax + 1));
  bench.end('a');
  expect(bench.told()).toEqual(['a started', `a stdout 0+${inlineOutputBytesMax + 1}`, 'a ended 0/0']);
});

test('output goes in chunks, at the pace of the link', () => {
  const bench = new Bench();
  const { stdout } = bench.start('a');
  stdout.append(new Uint8Array(3 * outputChunkBytesMax));
  bench.link.room = 2;
  bench.end('a');
  expect(bench.told()).toEqual(['a started', `a stdout 0+${outputChunkBytesMax}`]);
  bench.clock.advance(1000);
  expect(bench.told()).toEqual([]);
  bench.link.room = 10;
  bench.reporter.flush();
  bench.clock.settle();
  expect(bench.told()).toEqual([
    `a stdout ${outputChunkBytesMax}+${outputChunkBytesMax}`,
    `a stdout ${2 * outputChunkBytesMax}+${outputChunkBytesMax}`,
    'a ended 0/0',
  ]);
});

test('a report holds at most 256 lines', () => {
  const bench = new Bench();
  for (let n = 0; n < 300; n++) bench.start(`t${n}`);
  bench.clock.advance(5);
  expect(bench.link.sent.map((message) => (message.kind === 'report' ? message.entries.length : 0))).toEqual([256, 44]);
});

test('forget() frees what was kept, once it is the same attempt', () => {
  const bench = new Bench();
  const { stdout, stderr } = bench.start('a');
  bench.end('a');
  bench.reporter.forget({ taskId: 'a', attempt: 2 });
  expect([bench.reporter.size, stdout.discarded]).toEqual([1, false]);
  bench.reporter.forget(key);
  expect([bench.reporter.size, stdout.discarded, stderr.discarded]).toEqual([0, true, true]);
  expect(bench.reporter.attemptOf('a')).toBeNull();
});

test('held() tells what runs from what has ended', () => {
  const bench = new Bench();
  bench.start('a');
  bench.start('b');
  bench.end('a');
  expect(bench.reporter.held()).toEqual([
    { ...key, phase: 'ended' },
    { taskId: 'b', attempt: 1, phase: 'running' },
  ]);
});

test('attach() sends again from where the dispatcher has got to', () => {
  const bench = new Bench();
  const { stdout } = bench.start('a');
  stdout.append(bytes('0123456789'));
  bench.end('a');
  expect(bench.told()).toEqual(['a ended 10/0']);
  bench.rejoin({ stdout: 4, stderr: 0 });
  expect(bench.told()).toEqual(['a ended 6/0']);
  bench.rejoin(null);
  expect(bench.told()).toEqual(['a ended 10/0']);
});

test('attach() does not believe a dispatcher that has more than was written', () => {
  const bench = new Bench();
  bench.start('a').stdout.append(bytes('012'));
  bench.end('a');
  bench.told();
  bench.rejoin({ stdout: 99, stderr: 99 });
  expect(bench.told()).toEqual(['a ended 0/0']);
});

test('nothing is sent while there is no link, and nothing is lost', () => {
  const bench = new Bench();
  bench.reporter.detach();
  bench.start('a');
  bench.end('a');
  bench.clock.advance(100);
  expect(bench.told()).toEqual([]);
  bench.rejoin(null);
  expect(bench.told()).toEqual(['a ended 0/0']);
});

test('notStarted() is said once, and forgotten with the link: a join says it better', () => {
  const bench = new Bench();
  bench.reporter.notStarted({ kind: 'returned', ...key });
  bench.clock.settle();
  expect(bench.told()).toEqual(['a returned']);
  bench.reporter.notStarted({ kind: 'returned', ...key });
  bench.rejoin(null);
  expect(bench.told()).toEqual([]);
});
