import { describe, expect, test } from 'bun:test';
import type { DeliveryRecord } from '../../../../src/core/notification.ts';
import { emptyState } from '../../../../src/core/state.ts';
import { Deliveries, delaysMs } from '../../../../src/dispatcher/notify/deliveries.ts';
import { pendingMax, pendingPerOriginMax, pendingPerShareMax } from '../../../../src/dispatcher/notify/room.ts';
import { Turn } from '../../../../src/dispatcher/turn.ts';
import type { PostAnswer } from '../../../../src/ports/postman.ts';
import type { Change } from '../../../../src/ports/store.ts';
import { policy } from '../../core/samples.ts';
import { ManualClock } from '../../manual-clock.ts';
import { silentLog } from '../fakes.ts';

const ownHook = 'json:http://ops.home/own';

/** Deliveries over an engine that stores at once, and a receiver that the test answers for. */
class Bench {
  readonly clock = new ManualClock();
  readonly stored = new Map<string, DeliveryRecord>();
  readonly recorded: string[] = [];
  readonly tried: string[] = [];
  readonly asked: { record: DeliveryRecord; answer: (status: number, retryAfterMs?: number) => Promise<void> }[] = [];
  readonly deliveries = new Deliveries({
    clock: this.clock,
    log: silentLog,
    engine: () => ({ put: (item) => this.turn((turn) => item.handle(turn)) }),
    own: [ownHook],
    onTried: (_id, error, isLast) => void this.tried.push(error === null ? 'ok' : isLast ? 'last' : 'again'),
    labelOf: () => 'c0ffee',
    send: (record) => {
      const { promise, resolve } = Promise.withResolvers<PostAnswer>();
      const answer = async (status: number, retryAfterMs: number | null = null): Promise<void> => {
        resolve({ status, retryAfterMs });
        await Bun.sleep(0);
      };
      this.asked.push({ record, answer });
      return promise;
    },
  });

  turn(act: (turn: Turn) => void): void {
    const turn = new Turn(emptyState(policy), { at: this.clock.steady(), wall: this.clock.wall() });
    act(turn);
    for (const change of turn.changes()) this.#store(change);
    turn.finish();
  }

  #store(change: Change): void {
    if (change.kind === 'delivery') this.stored.set(change.record.id, change.record);
    if (change.kind === 'deliveryEnded') this.stored.delete(change.id);
    if (change.kind === 'audit') this.recorded.push(change.eventType);
  }

  record(id: string, destination = 'json:http://a.home/x', sender?: string): DeliveryRecord {
    const who = sender === undefined ? {} : { sender };
    const notice = { event: 'test', id, at: '', cluster: 'c', text: id, ...who } as const;
    return { id, destination, notice, createdAt: this.clock.wall(), tries: 0, nextAt: this.clock.wall() };
  }

  add(...ids: string[]): void {
    this.addAll(ids.map((id) => this.record(id)));
  }

  /** Those for which there was no room. */
  addAll(records: readonly DeliveryRecord[]): string[] {
    const refused: string[] = [];
    this.turn((turn) => {
      for (const record of records) if (this.deliveries.add(turn, record) !== null) refused.push(record.id);
    });
    return refused;
  }

  /** Ids of what was sent since the last call. */
  sent(): string[] {
    return this.asked.map(({ record }) => record.id);
  }
}

describe('Deliveries', () => {
  test('send once the turn is stored, one at a time to an address, and forget what arrived', async () => {
    const bench = new Bench();
    bench.turn((turn) => {
      bench.deliveries.add(turn, bench.record('1'));
      bench.deliveries.add(turn, bench.record('2'));
      bench.deliveries.add(turn, bench.record('3', 'json:http://b.home/'));
      expect(bench.sent()).toEqual([]);
    });
    expect(bench.sent()).toEqual(['1', '3']);
    await bench.asked[0]?.answer(204);
    expect(bench.sent()).toEqual(['1', '3', '2']);
    await bench.asked[1]?.answer(200);
    await bench.asked[2]?.answer(200);
    expect([bench.stored.size, bench.clock.pending]).toEqual([0, 0]);
    expect(bench.deliveries.counts).toMatchObject({ pending: 0, delivered: 3, failed_tries: 0 });
  });

  test('try again after longer and longer, under the same id, and give up in the end', async () => {
    const bench = new Bench();
    bench.add('1');
    for (const [place, delayMs] of delaysMs.entries()) {
      await bench.asked[place]?.answer(place === 0 ? 301 : 500);
      bench.clock.advance(delayMs * 0.79);
      expect(bench.asked.length).toBe(place + 1);
      bench.clock.advance(delayMs * 0.42);
      expect(bench.asked[place + 1]?.record).toMatchObject({ id: '1', tries: place + 1 });
    }
    await bench.asked.at(-1)?.answer(503);
    expect([bench.stored.size, bench.clock.pending, bench.recorded]).toEqual([0, 0, ['notification_failed']]);
    expect(bench.deliveries.counts).toMatchObject({ given_up: 1, failed_tries: 8, delivered: 0 });
    expect(bench.deliveries.counts.last_error).toBe('http://a.home (c0ffee): it answered 503');
  });

  test('wait as long as the receiver asks, within bounds', async () => {
    const bench = new Bench();
    bench.add('1');
    await bench.asked[0]?.answer(429, 60_000);
    bench.clock.advance(59_000);
    expect(bench.asked.length).toBe(1);
    bench.clock.advance(1000);
    expect(bench.asked.length).toBe(2);
  });

  test('give up at once what is gone for good', async () => {
    const bench = new Bench();
    bench.add('1');
    await bench.asked[0]?.answer(410);
    expect([bench.stored.size, bench.recorded, bench.tried]).toEqual([0, ['notification_failed'], ['last']]);
  });

  test('keep room for other origins than the one that does not answer', () => {
    const bench = new Bench();
    bench.add(...Array.from({ length: pendingPerOriginMax }, (_, place) => `${place}`));
    const further = [bench.record('a'), bench.record('b', 'json:http://b.home/')];
    expect(bench.addAll(further)).toEqual(['a']);
    expect(bench.sent()).toEqual(['0', 'b']);
  });

  test('drop and count what goes beyond the bounds, of a host and of all, in one turn too', () => {
    const bench = new Bench();
    const records = Array.from({ length: pendingMax + 5 }, (_, place) =>
      bench.record(`${place}`, `json:http://${place % 3}.home/`),
    );
    bench.addAll(records);
    expect([bench.stored.size, bench.deliveries.counts.dropped]).toEqual([pendingMax, 5]);
    const one = new Bench();
    one.add(...Array.from({ length: pendingPerOriginMax + 5 }, (_, place) => `${place}`));
    expect([one.stored.size, one.deliveries.counts.dropped]).toEqual([pendingPerOriginMax, 5]);
  });

  test('give one owner a share, and what it brings about at the own destinations another', () => {
    const bench = new Bench();
    const many = (destination: string, from: number): DeliveryRecord[] =>
      Array.from({ length: pendingPerShareMax + 3 }, (_, place) => bench.record(`${from + place}`, destination, 'ann'));
    expect(bench.addAll(many('json:http://ops.home/hers', 0)).length).toBe(3);
    expect(bench.addAll([bench.record('bob', 'json:http://ops.home/his', 'bob')])).toEqual([]);
    expect(bench.addAll(many(ownHook, 1000)).length).toBe(3);
    expect(bench.addAll([bench.record('lost', ownHook)])).toEqual([]);
  });

  test('are not held up by a slow address of the same host, and put what is of no share first', async () => {
    const bench = new Bench();
    const hers = Array.from({ length: 6 }, (_, place) =>
      bench.record(`a${place}`, `json:http://ops.home/${place}`, 'ann'),
    );
    bench.addAll(hers);
    expect(bench.sent()).toEqual(['a0', 'a1']);
    bench.addAll([
      bench.record('ann', ownHook, 'ann'),
      bench.record('late', ownHook, 'ann'),
      bench.record('lost', ownHook),
    ]);
    bench.addAll([bench.record('b0', 'json:http://ops.home/bob', 'bob')]);
    for (const [place, next] of ['lost', 'ann', 'late', 'b0'].entries()) {
      expect(bench.sent().slice(2)).toEqual(['lost', 'ann', 'late', 'b0'].slice(0, place + 1));
      expect(bench.asked[place + 2]?.record.id).toBe(next);
      await bench.asked[place + 2]?.answer(200);
    }
  });

  test('leave an address alone as a whole that fails again and again', async () => {
    const bench = new Bench();
    bench.add(...Array.from({ length: 9 }, (_, place) => `${place}`));
    for (let place = 0; place < 3; place++) await bench.asked[place]?.answer(500);
    expect(bench.sent()).toEqual(['0', '1', '2']);
    bench.clock.advance(14_900);
    expect(bench.asked.length).toBe(3);
    bench.clock.advance(200);
    expect(bench.asked.length).toBe(4);
    await bench.asked[3]?.answer(500);
    bench.clock.advance(59_000);
    expect(bench.asked.length).toBe(4);
    bench.clock.advance(2000);
    for (let place = 4; place < 20; place++) await bench.asked[place]?.answer(200);
    expect(bench.deliveries.counts).toMatchObject({ pending: 0, delivered: 9, failed_tries: 4 });
  });

  test('give up together what waited too long for one address', async () => {
    const bench = new Bench();
    bench.add('0', '1', '2', '3');
    for (let place = 0; place < 3; place++) await bench.asked[place]?.answer(500, 3_600_000);
    for (let place = bench.asked.length; bench.stored.size > 0 && place < 60; place++) {
      bench.clock.advance(3_700_000);
      await bench.asked[place]?.answer(500, 3_600_000);
    }
    expect([bench.stored.size, bench.deliveries.counts.given_up, bench.clock.pending]).toEqual([0, 4, 0]);
    expect(bench.asked.length).toBeLessThan(16);
  });

  test('go on after a restart with what was stored, when it is due', () => {
    const bench = new Bench();
    const later = { ...bench.record('2', 'json:http://b.home/'), tries: 2, nextAt: bench.clock.wall() + 5000 };
    bench.deliveries.restore([bench.record('1'), later]);
    expect(bench.sent()).toEqual(['1']);
    bench.deliveries.restore([later]);
    bench.clock.advance(5000);
    expect(bench.sent()).toEqual(['1', '2']);
  });

  test('send nothing once they are closed', () => {
    const bench = new Bench();
    bench.deliveries.close();
    bench.add('1');
    expect([bench.sent(), bench.stored.size]).toEqual([[], 1]);
  });
});
