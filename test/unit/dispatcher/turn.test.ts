import { expect, test } from 'bun:test';
import { emptyState } from '../../../src/core/state.ts';
import { assignmentOf, Turn } from '../../../src/dispatcher/turn.ts';
import { declaration, noonWall, policy, spec, submitted, task } from '../core/samples.ts';

const id = (n: number): string => String(n).padStart(12, '0');

function newTurn(): Turn {
  return new Turn(emptyState(policy), { at: 1000, wall: noonWall });
}

function join(turn: Turn, workerId: string, slots: number, session = 1): void {
  turn.apply({
    kind: 'workerJoined',
    session,
    address: '192.0.2.1:1',
    publicKey: 'key',
    declaration: declaration(workerId, { slots }),
    held: [],
    remembered: null,
  });
}

test('changes() are in the order in which rows depend on each other', () => {
  const turn = newTurn();
  turn.change({ kind: 'idempotency', key: 'k', bodyHash: 'h', answer: '{}', createdAt: 0 });
  turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id(1))] });
  turn.change({ kind: 'batch', id: id(0), name: null, createdAt: 0, size: 1, owner: null });
  join(turn, 'w1', 1);
  expect(turn.changes().map(({ kind }) => kind)).toEqual(['worker', 'batch', 'task', 'idempotency']);
});

test('changes() are none when nothing changed', () => {
  expect(newTurn().changes()).toEqual([]);
});

test('changes() turn the end of a backoff into wall-clock time', () => {
  const turn = newTurn();
  join(turn, 'w1', 1);
  turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id(1), { retryCount: 1, retryDelayMs: 10_000 })] });
  turn.apply({
    kind: 'workerReported',
    workerId: 'w1',
    session: 1,
    entries: [
      {
        kind: 'ended',
        taskId: id(1),
        attempt: 1,
        startedAt: 0,
        outcome: { kind: 'exited', exitCode: 1 },
        usage: {
          durationMs: 1,
          cpuMs: null,
          memoryPeakBytes: null,
          stdoutBytes: 0,
          stderrBytes: 0,
          discardedBytes: 0,
          writtenBytes: null,
          sandboxLevel: null,
        },
        stdout: new Uint8Array(0),
        stderr: new Uint8Array(0),
        outputs: [],
        outputProblems: [],
      },
    ],
  });
  const change = turn.changes().find(({ kind }) => kind === 'task');
  const notBefore = turn.state.tasks.get(id(1))?.notBefore ?? 0;
  expect(notBefore).toBeGreaterThanOrEqual(6000);
  expect(change).toMatchObject({ kind: 'task', isNew: true, notBeforeWall: noonWall + notBefore - 1000 });
});

test('apply() gathers assignments to a worker into one message, up to 1024', () => {
  const turn = newTurn();
  join(turn, 'w1', 2000);
  const tasks = Array.from({ length: 1500 }, (_, n) => submitted(id(n)));
  turn.apply({ kind: 'tasksSubmitted', tasks });
  const sent = turn.outgoing.get('w1') ?? [];
  expect(sent.map((message) => [message.kind, 'attempts' in message ? message.attempts.length : 0])).toEqual([
    ['assign', 1024],
    ['assign', 476],
  ]);
});

test('apply() keeps the order of what a worker is told', () => {
  const turn = newTurn();
  join(turn, 'w1', 3);
  turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id(1))] });
  turn.apply({ kind: 'cancelRequested', taskIds: [id(1)], reason: 'r' });
  turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id(2))] });
  expect(turn.outgoing.get('w1')?.map(({ kind }) => kind)).toEqual(['assign', 'cancel', 'assign']);
});

test('sendKey() gathers keys of one kind that follow each other', () => {
  const turn = newTurn();
  for (const n of [1, 2]) turn.sendKey('w1', 'ack', { taskId: id(n), attempt: 1 });
  turn.sendKey('w1', 'recall', { taskId: id(3), attempt: 1 });
  turn.sendKey('w1', 'ack', { taskId: id(4), attempt: 1 });
  expect(turn.outgoing.get('w1')?.map((message) => ('attempts' in message ? message.attempts.length : 0))).toEqual([
    2, 1, 1,
  ]);
});

test('apply() sorts welcomes, refusals and replacements apart, in order', () => {
  const turn = newTurn();
  join(turn, 'w1', 1, 1);
  join(turn, 'w1', 1, 2);
  expect(turn.toSessions).toMatchObject([
    { kind: 'welcome', session: 1 },
    { kind: 'replaceSession', session: 1 },
    { kind: 'welcome', session: 2 },
  ]);
  expect(turn.savedWorkers()).toHaveLength(1);
});

test('lost holds the attempts that nobody will report any more', () => {
  const turn = newTurn();
  join(turn, 'w1', 1);
  turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id(1))] });
  turn.apply({ kind: 'workerLeft', workerId: 'w1', session: 1 });
  expect(turn.lost).toMatchObject([{ taskId: id(1), attempt: 1 }]);
});

test('savedStatuses() knows what the store does not know yet', () => {
  const turn = newTurn();
  turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id(1)), submitted(id(2))] });
  turn.apply({ kind: 'cancelRequested', taskIds: [id(1)], reason: 'r' });
  expect([...turn.savedStatuses([id(1), id(9)])]).toEqual([[id(1), 'cancelled']]);
});

test('finish() runs what was put off, in order', () => {
  const turn = newTurn();
  const ran: number[] = [];
  for (const n of [1, 2, 3]) turn.afterwards(() => ran.push(n));
  expect(ran).toEqual([]);
  turn.finish();
  expect(ran).toEqual([1, 2, 3]);
});

test('assignmentOf() tells a worker what it needs to run the attempt, and nothing else', () => {
  const asked = spec({ command: 'x', tags: { secret: 's' }, dependsOn: [id(3)], retryCount: 4 });
  const assignment = assignmentOf(task(id(1), { spec: asked }), 7);
  expect(assignment).toMatchObject({ taskId: id(1), attempt: 7, spec: { command: 'x' } });
  for (const kept of ['tags', 'dependsOn', 'retryCount', 'batchId']) expect(kept in assignment.spec).toBe(false);
});
