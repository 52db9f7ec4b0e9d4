import { expect, test } from 'bun:test';
import { emptyState } from '../../../src/core/state.ts';
import { writeJournal } from '../../../src/dispatcher/journal.ts';
import { putOnRecord } from '../../../src/dispatcher/record.ts';
import { Turn } from '../../../src/dispatcher/turn.ts';
import type { Log } from '../../../src/ports/time.ts';
import { declaration, noonWall, policy, submitted } from '../core/samples.ts';

const id = (n: number): string => String(n).padStart(12, '0');
const joined = {
  kind: 'workerJoined',
  session: 1,
  address: '192.0.2.1:1',
  publicKey: 'key',
  remembered: null,
} as const;
const ada = { name: 'ada', from: '192.0.2.9' };

/** Lines of each turn: level, message, fields. */
class Story {
  readonly state = emptyState(policy);
  readonly #isVerbose: boolean;

  constructor(isVerbose = false) {
    this.#isVerbose = isVerbose;
  }

  turn(at: number, act: (turn: Turn) => void): string[] {
    const lines: string[] = [];
    const take = (level: string) => (message: string, fields?: object) => {
      if (level !== 'debug' || this.#isVerbose) lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    };
    const log: Log = {
      ...{ debug: take('debug'), info: take('info'), warn: take('warn'), error: take('error') },
      isVerbose: this.#isVerbose,
    };
    const turn = new Turn(this.state, { at, wall: noonWall });
    act(turn);
    writeJournal(log, turn);
    return lines;
  }
}

test('writeJournal() tells who came and went, and once how many attempts were lost with a worker', () => {
  const story = new Story();
  const join = (turn: Turn) => turn.apply({ ...joined, declaration: declaration('w1', { slots: 2 }), held: [] });
  expect(story.turn(0, join)).toEqual(['info worker online {"worker":"w1","from":"192.0.2.1:1"}']);
  const tasks = [submitted(id(1)), submitted(id(2))];
  expect(story.turn(1, (turn) => turn.apply({ kind: 'tasksSubmitted', tasks }))).toEqual([]);
  expect(story.turn(2, (turn) => turn.apply({ kind: 'workerDisconnected', workerId: 'w1', session: 1 }))).toEqual([
    'warn worker silent {"worker":"w1","from":"192.0.2.1:1","reason":"its connection broke"}',
  ]);
  const reason = '"reason":"its worker w1 was silent for 60 s"';
  expect(story.turn(70_000, (turn) => turn.apply({ kind: 'timePassed', lateMs: 0 }))).toEqual([
    `warn attempts lost {"attempts":2,"worker":"w1",${reason}}`,
    `info worker offline {"worker":"w1",${reason}}`,
  ]);
});

test('writeJournal() tells what people did to a worker once, and warns of what was refused', () => {
  const story = new Story();
  story.turn(0, (turn) => turn.apply({ ...joined, declaration: declaration('w1'), held: [] }));
  const drain = (turn: Turn): void => {
    turn.apply({ kind: 'drainRequested', workerId: 'w1', draining: true });
    putOnRecord(turn, { eventType: 'worker_drained', actor: ada, workerId: 'w1' });
  };
  expect(story.turn(1, drain)).toEqual(['info worker drained {"actor":"ada","from":"192.0.2.9","worker":"w1"}']);
  const refuse = (turn: Turn): void =>
    putOnRecord(turn, { eventType: 'join_refused', actor: ada, details: { reason: 'revoked' } });
  expect(story.turn(2, refuse)).toEqual(['warn join refused {"actor":"ada","from":"192.0.2.9","reason":"revoked"}']);
});

test('writeJournal() tells the way of a task where that is wanted', () => {
  const story = new Story(true);
  story.turn(0, (turn) => turn.apply({ ...joined, declaration: declaration('w1'), held: [] }));
  const submit = (turn: Turn) => turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id(1))] });
  expect(story.turn(1, submit)).toEqual([
    `debug task queued {"task":"${id(1)}"}`,
    `debug task placed {"task":"${id(1)}","attempt":1,"worker":"w1","waitedMs":0}`,
  ]);
  const start = { kind: 'started', taskId: id(1), attempt: 1, startedAt: 0 } as const;
  const report = { kind: 'workerReported', workerId: 'w1', session: 1, entries: [start] } as const;
  expect(story.turn(2, (turn) => turn.apply(report))).toEqual([`debug task running {"task":"${id(1)}","worker":"w1"}`]);
});
