import { expect, test } from 'bun:test';
import { emptyState } from '../../../src/core/state.ts';
import type { AttemptOutcome } from '../../../src/core/task.ts';
import { Distribution } from '../../../src/dispatcher/distribution.ts';
import { Tally } from '../../../src/dispatcher/tally.ts';
import { Turn } from '../../../src/dispatcher/turn.ts';
import { declaration, noonWall, policy, submitted, usage } from '../core/samples.ts';

const id = (n: number): string => String(n).padStart(12, '0');

test('Distribution counts values below each bound, a bound itself among them, and sums them up', () => {
  const distribution = new Distribution([0.001, 1]);
  for (const ms of [1, 500, 2000, -5, Number.NaN]) distribution.noteMs(ms);
  expect(distribution.read()).toEqual({
    below: [
      [0.001, 3],
      [1, 4],
    ],
    count: 5,
    sum: 2.501,
  });
});

/** A tally that was told of turns at these instants. */
class Story {
  readonly tally = new Tally();
  readonly state = emptyState(policy);

  turn(at: number, act: (turn: Turn) => void, storedAt = at): void {
    const turn = new Turn(this.state, { at, wall: noonWall + at });
    act(turn);
    this.tally.take(turn.news, storedAt);
  }

  join(at: number, slots = 1): void {
    const worker = { address: '192.0.2.1:1', publicKey: 'key', held: [], remembered: null };
    this.turn(at, (turn) =>
      turn.apply({ kind: 'workerJoined', session: 1, declaration: declaration('w1', { slots }), ...worker }),
    );
  }

  end(at: number, task: number, outcome: AttemptOutcome, attempt = 1): void {
    const files = { stdout: new Uint8Array(0), stderr: new Uint8Array(0), outputs: [], outputProblems: [] };
    const entry = {
      kind: 'ended',
      taskId: id(task),
      attempt,
      startedAt: 0,
      outcome,
      usage: usage(),
      ...files,
    } as const;
    this.turn(at, (turn) => turn.apply({ kind: 'workerReported', workerId: 'w1', session: 1, entries: [entry] }));
  }
}

test('Tally.take() counts what is submitted, placed and ended, and how long it waited since it could be placed', () => {
  const story = new Story();
  story.turn(1000, (turn) => turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id(1))] }));
  story.turn(2000, (turn) => turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id(2), { dependsOn: [id(1)] })] }));
  story.join(3000);
  story.end(5000, 1, { kind: 'exited', exitCode: 0 });
  story.end(6000, 2, { kind: 'exited', exitCode: 1 });
  const { tally } = story;
  expect([tally.submitted, tally.placed.assigned]).toEqual([2, 2]);
  expect(tally.ended).toEqual({ completed: 1, failed: 1, timed_out: 0, cancelled: 0 });
  expect([tally.attempts.succeeded, tally.attempts.failed]).toEqual([1, 1]);
  // The first waited two seconds; the second none, as it was blocked until it was placed.
  expect(tally.queueWait.read()).toMatchObject({ count: 2, sum: 2 });
  expect(tally.run.read()).toMatchObject({ count: 2, sum: (2 * usage().durationMs) / 1000 });
});

test('Tally.take() tells apart how attempts ended', () => {
  const story = new Story();
  const outcomes: AttemptOutcome[] = [
    { kind: 'signaled', signal: 'SIGKILL' },
    { kind: 'timed_out', limitMs: 1 },
    { kind: 'limit_exceeded', limit: 'memory_limit_mb', limitValue: 1, reached: 2 },
    { kind: 'spawn_failed', message: 'no' },
    { kind: 'lost', why: 'gone' },
  ];
  story.join(0, outcomes.length);
  story.turn(1, (turn) => turn.apply({ kind: 'tasksSubmitted', tasks: outcomes.map((_, n) => submitted(id(n))) }));
  for (const [n, outcome] of outcomes.entries()) story.end(10 + n, n, outcome);
  const {
    signaled,
    timed_out: timedOut,
    limit_exceeded: limited,
    spawn_failed: unstarted,
    lost,
  } = story.tally.attempts;
  expect([signaled, timedOut, limited, unstarted, lost]).toEqual([1, 1, 1, 1, 1]);
  // What could not be started did not run.
  expect(story.tally.run.read().count).toBe(outcomes.length - 1);
});

test('Tally.take() measures launches, and results until they are stored', () => {
  const story = new Story();
  story.turn(
    1000,
    ({ news }) => {
      news.launchesMs.push(5);
      news.endsHeardAt.push(400);
    },
    1600,
  );
  expect(story.tally.launch.read()).toMatchObject({ count: 1, sum: 0.005 });
  expect(story.tally.result.read()).toMatchObject({ count: 1, sum: 1.2 });
});
