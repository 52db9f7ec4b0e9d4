import { expect, test } from 'bun:test';
import { AssertionError } from '../../../src/base/assert.ts';
import { OctasklyError } from '../../../src/base/errors.ts';
import { emptyCounts } from '../../../src/core/state.ts';
import { Engine, type InboxItem } from '../../../src/dispatcher/engine.ts';
import type { Turn } from '../../../src/dispatcher/turn.ts';
import { declaration, policy, submitted, task } from '../core/samples.ts';
import { ManualClock } from '../manual-clock.ts';
import { FakeStore, silentLog } from './fakes.ts';

const a = '000000000001';
const b = '000000000002';

class Bench {
  readonly clock = new ManualClock();
  readonly journal: string[] = [];
  readonly store = new FakeStore(this.journal);
  engine: Engine;

  constructor() {
    this.engine = this.start();
  }

  start(): Engine {
    const { clock, store, journal } = this;
    return new Engine(
      { clock, store, log: silentLog, policy },
      {
        complete: () => journal.push('complete'),
        deliver: (turn) => journal.push(`deliver ${turn.outgoing.size} to workers, ${turn.published.length} published`),
        reset: (detail) => journal.push(`reset: ${detail}`),
        reloaded: () => journal.push('reloaded'),
      },
    );
  }

  /** What was done since the last look. */
  done(): string[] {
    return this.journal.splice(0);
  }

  /** An item that submits a task and tells of its fate. */
  submission(id: string): InboxItem {
    return this.item((turn) => turn.apply({ kind: 'tasksSubmitted', tasks: [submitted(id)] }), id);
  }

  item(handle: (turn: Turn) => void, name: string): InboxItem {
    return {
      handle: (turn) => {
        handle(turn);
        turn.afterwards(() => this.journal.push(`answer ${name}`));
      },
      abort: (error) => this.journal.push(`abort ${name}: ${error.code}`),
    };
  }

  join(id: string): InboxItem {
    return this.item((turn) => {
      turn.apply({
        kind: 'workerJoined',
        session: 1,
        address: '192.0.2.1:1',
        publicKey: 'key',
        declaration: declaration(id),
        held: [],
        remembered: null,
      });
    }, id);
  }
}

test('put() does nothing within the call; a burst is one turn with one commit', () => {
  const bench = new Bench();
  bench.engine.put(bench.submission(a));
  bench.engine.put(bench.submission(b));
  expect(bench.done()).toEqual([]);
  bench.clock.settle();
  expect(bench.done()).toEqual([
    'complete',
    'commit 2',
    'deliver 0 to workers, 2 published',
    `answer ${a}`,
    `answer ${b}`,
  ]);
});

test('a turn commits, then sends and publishes, then answers', () => {
  const bench = new Bench();
  bench.engine.put(bench.join('w1'));
  bench.engine.put(bench.submission(a));
  bench.clock.settle();
  expect(bench.done()).toEqual([
    'complete',
    'commit 2',
    'deliver 1 to workers, 2 published',
    'answer w1',
    `answer ${a}`,
  ]);
});

test('a turn that changes nothing writes nothing', () => {
  const bench = new Bench();
  bench.engine.put(bench.item(() => undefined, 'nothing'));
  bench.clock.settle();
  expect(bench.done()).toEqual(['complete', 'deliver 0 to workers, 0 published', 'answer nothing']);
  expect(bench.store.commits).toEqual([]);
});

test('a task that changes several times in a turn is written once, as it stands at the end', () => {
  const bench = new Bench();
  bench.engine.put(bench.submission(a));
  bench.engine.put(bench.item((turn) => turn.apply({ kind: 'cancelRequested', taskIds: [a], reason: 'r' }), 'cancel'));
  bench.clock.settle();
  const written = bench.store.commits.flat();
  expect(written).toHaveLength(1);
  expect(written[0]).toMatchObject({ kind: 'task', isNew: true, task: { id: a, status: 'cancelled' } });
});

test('a turn takes at most 1024 items, and the rest in the next', () => {
  const bench = new Bench();
  for (let n = 0; n < 1500; n++) bench.engine.put(bench.submission(String(n).padStart(12, '0')));
  bench.clock.burst();
  expect(bench.store.commits.map((changes) => changes.length)).toEqual([1024]);
  bench.clock.burst();
  expect(bench.store.commits.map((changes) => changes.length)).toEqual([1024, 476]);
});

test('storage that fails aborts the whole turn, resets, and refuses everything until a probe works', () => {
  const bench = new Bench();
  bench.engine.put(bench.submission(a));
  bench.engine.put(bench.submission(b));
  bench.store.broken = true;
  bench.clock.settle();
  expect(bench.done()).toEqual([
    'complete',
    `abort ${a}: storage_unavailable`,
    `abort ${b}: storage_unavailable`,
    'reset: The disk is full.',
  ]);
  expect(bench.engine.trouble?.message).toBe('The disk is full.');
  bench.engine.put(bench.submission(a));
  bench.clock.settle();
  expect(bench.done()).toEqual([`abort ${a}: storage_unavailable`]);
});

test('the engine probes with growing patience, then loads anew and goes on', () => {
  const bench = new Bench();
  bench.engine.put(bench.submission(a));
  bench.store.broken = true;
  bench.clock.settle();
  bench.done();
  const { loads } = bench.store;
  bench.clock.advance(499);
  expect(bench.done()).toEqual([]);
  bench.clock.advance(1);
  expect(bench.done()).toEqual(['probe']);
  bench.clock.advance(999);
  expect(bench.done()).toEqual([]);
  bench.clock.advance(1);
  expect(bench.done()).toEqual(['probe']);
  bench.clock.advance(60_000);
  expect(bench.done().length).toBeLessThan(7);
  bench.store.broken = false;
  bench.store.loaded = { ...bench.store.loaded, lastId: b };
  bench.clock.advance(15_000);
  expect(bench.done().slice(-2)).toEqual(['probe', 'reloaded']);
  expect(bench.engine.trouble).toBeNull();
  expect(bench.store.loads).toBe(loads + 1);
  expect(bench.engine.lastId).toBe(b);
  expect(bench.engine.state.tasks.size).toBe(0);
  bench.done();
  bench.engine.put(bench.submission(a));
  bench.clock.settle();
  expect(bench.done()).toEqual(['complete', 'commit 1', 'deliver 0 to workers, 1 published', `answer ${a}`]);
});

test('storage that fails while an item is handled is trouble too', () => {
  const bench = new Bench();
  const failing = bench.item(() => {
    throw new OctasklyError('storage_unavailable', 'The disk is gone.');
  }, 'read');
  bench.engine.put(failing);
  bench.clock.settle();
  expect(bench.done()).toEqual(['abort read: storage_unavailable', 'reset: The disk is gone.']);
});

test('a broken invariant is not taken for trouble with storage', () => {
  const bench = new Bench();
  bench.engine.put(
    bench.item(() => {
      throw new AssertionError('our mistake');
    }, 'x'),
  );
  expect(() => bench.clock.settle()).toThrow('our mistake');
});

test('time is told to the scheduler at its deadline, with how late it is', () => {
  const bench = new Bench();
  bench.engine.put(bench.join('w1'));
  bench.clock.settle();
  bench.done();
  bench.clock.advance(policy.silenceMs - 1);
  expect(bench.engine.state.workers.size).toBe(1);
  bench.clock.advance(1);
  expect(bench.engine.state.workers.size).toBe(0);
  expect(bench.done()).toEqual(['complete', 'commit 1', 'deliver 0 to workers, 1 published']);
  expect(bench.clock.pending).toBe(0);
});

test('a dispatcher that stood still does not lose its workers', () => {
  const bench = new Bench();
  bench.engine.put(bench.join('w1'));
  bench.clock.settle();
  bench.clock.stall(policy.silenceMs * 10);
  bench.clock.advance(1);
  expect(bench.engine.state.workers.size).toBe(1);
  bench.clock.advance(policy.silenceMs);
  expect(bench.engine.state.workers.size).toBe(0);
});

test('an idle engine sets no timer', () => {
  const bench = new Bench();
  expect(bench.clock.pending).toBe(0);
});

test('an engine takes up what was stored: pause, backoffs, tasks', () => {
  const bench = new Bench();
  const waiting = task(a, { notBefore: bench.clock.wall() + 5000 });
  const counts = { ...emptyCounts(), queued: 1 };
  const settings = new Map([['paused', 'true']]);
  bench.store.loaded = { ...bench.store.loaded, tasks: [waiting], settings, counts, lastId: a };
  const engine = bench.start();
  expect(engine.state.paused).toBe(true);
  expect(engine.lastId).toBe(a);
  expect(engine.state.tasks.get(a)?.notBefore).toBe(5000);
  bench.clock.advance(5000);
  expect(engine.state.ready.has(a)).toBe(true);
});

test('stop() takes what is in the inbox and then nothing more', () => {
  const bench = new Bench();
  bench.engine.put(bench.join('w1'));
  bench.engine.put(bench.submission(a));
  bench.engine.stop();
  expect(bench.done().at(1)).toBe('commit 2');
  bench.engine.put(bench.submission(b));
  expect(bench.done()).toEqual([`abort ${b}: shutting_down`]);
  bench.clock.advance(policy.silenceMs * 2);
  expect(bench.done()).toEqual([]);
});
