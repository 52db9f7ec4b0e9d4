/**
 * Claims about `step` that need exact events; longer stories are told in `test/unit/traces`. Every test takes the
 * expected effects out one by one and ends by asserting that none is left.
 */

import { expect, test } from 'bun:test';
import type { ReportEntry } from '../../../src/core/attempt.ts';
import type { SchedulerEvent } from '../../../src/core/events.ts';
import { violations } from '../../../src/core/invariants.ts';
import { nextDeadline, step } from '../../../src/core/scheduler.ts';
import { emptyState, type SchedulerState, waitingCount } from '../../../src/core/state.ts';
import { type AttemptOutcome, describeOutcome } from '../../../src/core/task.ts';
import { declaration, type Fact, noonWall, policy, requirement, spec, submitted, usage } from './samples.ts';
import { showEffects } from './show.ts';

/** A scheduler at an instant, and the effects of the last event that were not taken yet. */
class Bench {
  readonly state: SchedulerState = emptyState(policy);
  at = 0;
  #left: string[] = [];

  happen(fact: Fact): this {
    this.none();
    const effects = step(this.state, { ...fact, at: this.at, wall: noonWall + this.at } as SchedulerEvent);
    this.#left = showEffects(effects, this.at);
    expect(violations(this.state)).toEqual([]);
    return this;
  }

  /** Takes out the next effect, which must read like this. */
  take(...lines: string[]): this {
    for (const line of lines) expect(this.#left.shift()).toBe(line);
    return this;
  }

  /** Takes all that is left: what comes before the claim. */
  skip(): this {
    this.#left = [];
    return this;
  }

  none(): void {
    expect(this.#left).toEqual([]);
  }

  join(id: string, slots = 1): this {
    const session = Number(id.slice(1));
    return this.happen({
      kind: 'workerJoined',
      session,
      address: '192.0.2.1:1',
      publicKey: 'key',
      declaration: declaration(id, { slots }),
      held: [],
      remembered: null,
    });
  }

  report(id: string, ...entries: ReportEntry[]): this {
    return this.happen({ kind: 'workerReported', workerId: id, session: Number(id.slice(1)), entries });
  }
}

const nothing = new Uint8Array(0);

function ended(taskId: string, attempt: number, outcome: AttemptOutcome): ReportEntry {
  return {
    kind: 'ended',
    taskId,
    attempt,
    startedAt: 0,
    outcome,
    usage: usage(),
    stdout: nothing,
    stderr: nothing,
    outputs: [],
    outputProblems: [],
  };
}

const a = '000000000001';
const b = '000000000002';
const c = '000000000003';

test('step() of a submission saves before it assigns, and counts', () => {
  const bench = new Bench();
  bench.join('w1').skip();
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a)] });
  bench.take(`save new ${a} queued assigned attempt=1 worker=w1`, `publish task ${a} queued`, `assign ${a}#1 to w1`);
  bench.none();
  expect(bench.state.counts).toMatchObject({ queued: 1, running: 0 });
  expect(waitingCount(bench.state)).toBe(1);
});

test('step() cancels what waits for a task of the same submission that was cancelled as it was admitted', () => {
  const bench = new Bench();
  const broken = {
    id: a,
    spec: spec({ dependsOn: ['zzzzzzzzzzz0'] }),
    ended: new Map([['zzzzzzzzzzz0', 'failed' as const]]),
  };
  const tasks = [
    broken,
    submitted(b, { dependsOn: [a] }),
    submitted(c, { dependsOn: [a], onDependencyFailure: 'run' }),
  ];
  bench.happen({ kind: 'tasksSubmitted', tasks });
  bench.take(
    `save new ${a} cancelled`,
    `publish task ${a} cancelled: its dependency zzzzzzzzzzz0 ended as failed`,
    `save new ${b} cancelled`,
    `publish task ${b} cancelled: its dependency ${a} ended as cancelled`,
    `save new ${c} queued`,
    `publish task ${c} queued`,
  );
  bench.none();
});

test('step() publishes what a task was at the time, though it is saved as it stands at the end', () => {
  const bench = new Bench();
  bench.join('w1').skip();
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a)] }).skip();
  bench.report(
    'w1',
    { kind: 'started', taskId: a, attempt: 1, startedAt: 0 },
    ended(a, 1, { kind: 'exited', exitCode: 0 }),
  );
  bench.take(
    `save ${a} completed attempt=1 worker=w1`,
    `publish task ${a} running`,
    `record ${a}#1 on w1: exited with status 0`,
    `publish task ${a} completed`,
  );
  bench.none();
});

test('step() ignores everything that comes over a link that is not the present one', () => {
  const bench = new Bench();
  bench.join('w1').skip();
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a)] }).skip();
  const from = { workerId: 'w1', session: 99 };
  bench.happen({ kind: 'workerReported', ...from, entries: [ended(a, 1, { kind: 'exited', exitCode: 0 })] }).none();
  bench.happen({ kind: 'workerLeaving', ...from }).none();
  bench.happen({ kind: 'workerRests', ...from, why: 'it is in use' }).none();
  bench.happen({ kind: 'workerLeft', ...from }).none();
  bench.happen({ kind: 'workerDisconnected', ...from }).none();
  bench.happen({ kind: 'workerHeard', ...from, vitals: null }).none();
  expect(bench.state.staleReports).toBe(0);
  expect(bench.state.workers.get('w1')?.session).toBe(1);
});

test('step() ignores and counts a report of a task somebody else holds', () => {
  const bench = new Bench();
  bench.join('w1').skip();
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a)] }).skip();
  bench.join('w2').skip();
  bench.report('w2', ended(a, 1, { kind: 'exited', exitCode: 0 })).none();
  bench.report('w1', ended(a, 7, { kind: 'exited', exitCode: 0 })).none();
  expect(bench.state.staleReports).toBe(2);
});

test('step() takes the same report twice as once', () => {
  const bench = new Bench();
  bench.join('w1').skip();
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a)] }).skip();
  const started: ReportEntry = { kind: 'started', taskId: a, attempt: 1, startedAt: 0 };
  bench.report('w1', started).skip();
  bench.report('w1', started).none();
});

const outcomes: readonly [string, AttemptOutcome, string][] = [
  ['exit 0', { kind: 'exited', exitCode: 0 }, 'completed'],
  ['exit 1', { kind: 'exited', exitCode: 1 }, 'failed: exited with status 1'],
  ['a signal', { kind: 'signaled', signal: 'SIGKILL' }, 'failed: ended by signal SIGKILL'],
  ['a time limit', { kind: 'timed_out', limitMs: 2000 }, 'timed_out: exceeded its time limit of 2 s'],
  ['no start', { kind: 'spawn_failed', message: 'no program' }, 'failed: could not be started: no program'],
  ['a cancel', { kind: 'cancelled' }, 'cancelled: cancelled'],
  [
    'another limit',
    { kind: 'limit_exceeded', limit: 'memory_limit_mb', limitValue: 10, reached: 11 },
    'failed: exceeded its memory_limit_mb of 10 MB (reached 11)',
  ],
];

test.each(outcomes)('step() ends a task without retries after %s', (_name, outcome, published) => {
  const bench = new Bench();
  bench.join('w1').skip();
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a)] }).skip();
  bench.report('w1', ended(a, 1, outcome));
  const [status = ''] = published.split(':');
  bench.take(
    `record ${a}#1 on w1: ${describeOutcome(outcome)}`,
    `save ${a} ${status} attempt=1 worker=w1${outcome.kind === 'cancelled' || status === 'completed' ? '' : ' failures=1'}`,
    `publish task ${a} ${published}`,
  );
  bench.none();
  expect(bench.state.tasks.size).toBe(0);
});

test('step() does not retry what was cancelled, however many retries are left', () => {
  const bench = new Bench();
  bench.join('w1').skip();
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a, { retryCount: 5 })] }).skip();
  bench.report('w1', ended(a, 1, { kind: 'cancelled' }));
  bench.take(
    `record ${a}#1 on w1: cancelled`,
    `save ${a} cancelled attempt=1 worker=w1`,
    `publish task ${a} cancelled: cancelled`,
  );
  bench.none();
});

test('step() ignores a cancel of what is unknown or has ended', () => {
  const bench = new Bench();
  bench.happen({ kind: 'cancelRequested', taskIds: [a], reason: 'r' }).none();
});

test('step() ends a chain of ten thousand that waits for a failed task, without recursion', () => {
  const bench = new Bench();
  const id = (n: number): string => String(n).padStart(12, '0');
  const tasks = Array.from({ length: 10_000 }, (_, n) => submitted(id(n), { dependsOn: n === 0 ? [] : [id(n - 1)] }));
  bench.happen({ kind: 'tasksSubmitted', tasks }).skip();
  bench.happen({ kind: 'cancelRequested', taskIds: [id(0)], reason: 'r' }).skip();
  expect(bench.state.tasks.size).toBe(0);
  expect(bench.state.counts.cancelled).toBe(10_000);
});

test('step() keeps the age of a task that was given back: it goes before younger ones', () => {
  const bench = new Bench();
  bench.join('w1').skip();
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a), submitted(b), submitted(c)] }).skip();
  bench.report('w1', { kind: 'returned', taskId: b, attempt: 1 });
  bench.take(`save ${b} queued assigned attempt=2 worker=w1`, `assign ${b}#2 to w1`);
  bench.none();
});

test('step() never sends ahead what asks for amounts', () => {
  const bench = new Bench();
  bench.join('w1').skip();
  const requires = requirement({ memoryMb: 1 });
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a, { requires }), submitted(b, { requires })] });
  bench.take(
    `save new ${a} queued assigned attempt=1 worker=w1`,
    `publish task ${a} queued`,
    `save new ${b} queued`,
    `publish task ${b} queued`,
    `assign ${a}#1 to w1`,
  );
  bench.none();
});

test('nextDeadline() is never when nothing can change by itself, else the silence of the first worker', () => {
  const bench = new Bench();
  expect(nextDeadline(bench.state, 0)).toBe(Number.POSITIVE_INFINITY);
  bench.join('w1').skip();
  bench.at = 10;
  bench.join('w2').skip();
  expect(nextDeadline(bench.state, 10)).toBe(policy.silenceMs);
});

test('nextDeadline() is the end of the first backoff', () => {
  const bench = new Bench();
  bench.join('w1').skip();
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a, { retryCount: 1, retryDelayMs: 1000 })] }).skip();
  bench.report('w1', ended(a, 1, { kind: 'exited', exitCode: 1 })).skip();
  const due = nextDeadline(bench.state, 0);
  expect(due).toBe(bench.state.tasks.get(a)?.notBefore as number);
  bench.at = due - 1;
  bench.happen({ kind: 'timePassed', lateMs: 0 }).none();
  bench.at = due;
  bench.happen({ kind: 'timePassed', lateMs: 0 });
  bench.take(`save ${a} queued assigned attempt=2 worker=w1 failures=1`, `assign ${a}#2 to w1`);
  bench.none();
});

test('nextDeadline() does not come back to what was due already and nobody could take', () => {
  const bench = new Bench();
  bench.join('w1').skip();
  bench.happen({ kind: 'tasksSubmitted', tasks: [submitted(a), submitted(b)] }).skip();
  bench.join('w2', 4).skip();
  expect(nextDeadline(bench.state, 0)).toBe(50);
  bench.at = 50;
  bench.happen({ kind: 'timePassed', lateMs: 0 }).take(`recall ${b}#1 from w1`, `recall ${a}#1 from w1`).none();
  expect(nextDeadline(bench.state, 50)).toBe(policy.silenceMs);
});

test('step() remembers how a worker is woken, and that it is not to be, once it said goodbye', () => {
  const by = [{ mac: '00:1a:2b:3c:4d:5e', broadcast: '192.168.1.255', armed: true }];
  const bench = new Bench().join('w1').skip();
  const { state } = bench;
  bench.happen({ kind: 'workerWakeable', workerId: 'w1', session: 7, by }).none();
  bench.happen({ kind: 'workerWakeable', workerId: 'w1', session: 1, by });
  expect(state.workers.get('w1')?.declaration.wake).toEqual({ by, unasked: true });
  bench.skip();
  const worker = state.workers.get('w1');
  bench.happen({ kind: 'workerLeft', workerId: 'w1', session: 1 }).skip();
  expect(worker?.declaration.wake).toEqual({ by, unasked: false });
});
