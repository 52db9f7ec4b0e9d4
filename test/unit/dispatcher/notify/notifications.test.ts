import { describe, expect, test } from 'bun:test';
import { OctasklyError } from '../../../../src/base/errors.ts';
import { type ClusterEvent, clusterEvents, type NotifyTarget } from '../../../../src/core/notification.ts';
import { emptyState } from '../../../../src/core/state.ts';
import { Notifications } from '../../../../src/dispatcher/notify/notifications.ts';
import { type Fact, Turn } from '../../../../src/dispatcher/turn.ts';
import type { PostRequest } from '../../../../src/ports/postman.ts';
import type { BatchRow, Change } from '../../../../src/ports/store.ts';
import { client, owner, PlainKeyring } from '../../../plain-trust.ts';
import { declaration, policy, submitted } from '../../core/samples.ts';
import { ManualClock } from '../../manual-clock.ts';
import { silentLog } from '../fakes.ts';

const ours = 'json:https://ours.home/';
const theirs = 'json:https://theirs.home/x';

/** Notifications over the scheduler, and a store that holds what was committed. */
class Bench {
  readonly clock = new ManualClock();
  readonly state = emptyState(policy);
  readonly posted: PostRequest[] = [];
  readonly batches = new Map<string, BatchRow>();
  readonly notifications: Notifications;

  constructor(events: readonly ClusterEvent[] = clusterEvents, destinations: readonly string[] = [ours]) {
    const { clock } = this;
    const postman = {
      post: (request: PostRequest) => {
        this.posted.push(request);
        return Promise.resolve({ status: 200, retryAfterMs: null });
      },
      close: () => undefined,
    };
    this.notifications = new Notifications({
      setup: { postman, destinations, events, allowedHosts: ['allowed.home'], hmac: () => 'hex' },
      ...{ clock, log: silentLog, clusterId: 'c', runId: 'r', keyring: new PlainKeyring() },
      store: {
        batch: (id) => this.batches.get(id) ?? null,
        batchHead: (id) => this.batches.get(id) ?? null,
        deliveries: () => [],
      },
      engine: () => ({ put: () => undefined }) as never,
      inTurn: async (action) => {
        const turn = this.begin();
        const answer = action(turn);
        turn.finish();
        return answer;
      },
    });
  }

  begin(): Turn {
    return new Turn(this.state, { at: this.clock.steady(), wall: this.clock.wall() });
  }

  /** Lets these facts happen in one turn. Gives what is told, with where to. */
  turn(facts: readonly Fact[], ...changes: Change[]): string[] {
    const turn = this.begin();
    for (const change of changes) turn.change(change);
    for (const fact of facts) turn.apply(fact);
    this.notifications.complete(turn);
    const told = turn.changes().flatMap((change) => (change.kind === 'delivery' ? [change.record] : []));
    turn.finish();
    return told.map(
      ({ destination, notice: { event, text } }) => `${event} ${new URL(destination.slice(5)).host} ${text}`,
    );
  }
}

function asked(id: string, wanted: { batchId?: string; notify?: readonly NotifyTarget[] } = {}) {
  return { kind: 'tasksSubmitted', tasks: [submitted(id, { name: id, ...wanted })] } as const;
}

function cancelled(...taskIds: string[]): Fact {
  return { kind: 'cancelRequested', taskIds, reason: 'cancelled by ada' };
}

function batch(id: string, size: number, notify?: readonly string[]): Extract<Change, { kind: 'batch' }> {
  return { kind: 'batch', id, name: 'nightly', createdAt: 0, size, owner: null, ...(notify ? { notify } : {}) };
}

function codeOf(action: () => unknown): string | null {
  try {
    action();
  } catch (error) {
    return error instanceof OctasklyError ? error.code : null;
  }
  return null;
}

describe('Notifications.complete()', () => {
  test('tells of a task once, whom it names and whom the dispatcher tells', () => {
    const bench = new Bench();
    expect(bench.turn([asked('t1', { notify: [{ to: theirs, on: null }] })])).toEqual([]);
    expect(bench.turn([cancelled('t1')])).toEqual([
      'task_cancelled theirs.home Task t1 (t1) cancelled: cancelled by ada',
      'task_cancelled ours.home Task t1 (t1) cancelled: cancelled by ada',
    ]);
    expect(bench.turn([cancelled('t1')])).toEqual([]);
  });

  test('keeps to the ends that were asked for, and to none for an empty list', () => {
    const bench = new Bench(['task_failed', 'task_cancelled']);
    bench.turn([asked('t1', { notify: [{ to: theirs, on: ['task_failed'] }] }), asked('t2', { notify: [] })]);
    expect(bench.turn([cancelled('t1', 't2')])).toEqual([
      'task_cancelled ours.home Task t1 (t1) cancelled: cancelled by ada',
    ]);
    expect(new Bench(['task_failed']).turn([asked('t1'), cancelled('t1')])).toEqual([]);
  });

  test('tells of a batch when its last task ends, and not of its tasks', () => {
    const bench = new Bench();
    bench.turn([asked('t1', { batchId: 'b1' }), asked('t2', { batchId: 'b1' })], batch('b1', 2, [theirs]));
    const row = { id: 'b1', name: 'nightly', createdAt: 0, size: 2, owner: null, notify: [theirs] };
    const none = emptyState(policy).counts;
    bench.batches.set('b1', { ...row, counts: { ...none, queued: 2 } });
    expect(bench.turn([cancelled('t1')])).toEqual([]);
    bench.batches.set('b1', { ...row, counts: { ...none, queued: 1, completed: 1 } });
    const text = 'Batch b1 (nightly) ended: 1 of 2 completed, 1 cancelled';
    expect(bench.turn([cancelled('t2')])).toEqual([`batch_ended theirs.home ${text}`, `batch_ended ours.home ${text}`]);
  });

  test('tells of a batch that ends in the turn it came in, and of one that was there before a restart', () => {
    const bench = new Bench();
    const text = 'batch_ended ours.home Batch b1 (nightly) ended: 0 of 1 completed, 1 cancelled';
    expect(bench.turn([asked('t1', { batchId: 'b1' }), cancelled('t1')], batch('b1', 1))).toEqual([text]);
    expect(bench.turn([asked('t2', { batchId: 'b2' }), cancelled('t2')], batch('b2', 1, []))).toEqual([]);
    bench.turn([asked('t3', { batchId: 'b3' })], batch('b3', 1));
    bench.batches.set('b3', { ...batch('b3', 1), counts: { ...emptyState(policy).counts, queued: 1 } });
    bench.notifications.restore(bench.state);
    expect(bench.turn([cancelled('t3')])).toEqual([text.replace('b1', 'b3')]);
  });

  test('tells of a worker that was silent for too long, and of none that left', () => {
    const bench = new Bench();
    const join = (id: string, session: number): Fact => ({
      ...{ kind: 'workerJoined', declaration: declaration(id), session, publicKey: id, address: '192.0.2.1:5' },
      ...{ held: [], remembered: null },
    });
    bench.turn([join('w1', 1), join('w2', 2)]);
    expect(bench.turn([{ kind: 'workerLeft', workerId: 'w2', session: 2 }])).toEqual([]);
    bench.clock.advance(policy.silenceMs + 1);
    expect(bench.turn([{ kind: 'timePassed', lateMs: 0 }])).toEqual([
      'worker_lost ours.home Worker w1 is lost: nothing was heard of it for 60 s',
    ]);
  });
});

describe('Notifications', () => {
  test('let a client name the hosts of --notify and --notify-allow alone, others any', () => {
    const { notifications } = new Bench();
    const named = (to: string, actor = client('ci')) =>
      codeOf(() => notifications.admit({ tasks: [{ notify: [{ to, on: null }] }], batch: null, actor }));
    expect([named(ours), named('json:https://allowed.home/y')]).toEqual([null, null]);
    for (const to of ['json:http://127.0.0.1:6379/', 'json:http://ours.home/', 'json:https://allowed.home:8443/']) {
      expect(named(to), to).toBe('forbidden');
      expect(named(to, owner)).toBe(null);
    }
    const batched = { tasks: [], batch: { notify: [theirs] }, actor: client('ci') };
    expect(codeOf(() => notifications.admit(batched))).toBe('forbidden');
  });

  test('send what somebody asks for, to those who may', async () => {
    const bench = new Bench();
    const test = { event: 'test', text: 'a\nb' } as const;
    expect(await bench.notifications.send({ to: null, ...test }, owner)).toEqual(['r-1']);
    expect(JSON.parse(bench.posted[0]?.body ?? '')).toMatchObject({ event: 'test', id: 'r-1', text: 'a\\nb' });
    expect(codeOf(() => bench.notifications.send({ to: null, ...test }, client('ci')))).toBe('forbidden');
    expect(codeOf(() => bench.notifications.send({ to: theirs, ...test }, client('ci')))).toBe('forbidden');
    expect(codeOf(() => new Bench(clusterEvents, []).notifications.send({ to: null, ...test }, owner))).toBe(
      'conflict',
    );
  });
});
