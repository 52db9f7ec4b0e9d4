import { describe, expect, test } from 'bun:test';
import { Plan, planWindowBytes, sourceStallMs } from '../../../src/transfer/plan.ts';

const mebibyte = 1024 * 1024;
const near = { isNear: true, isLast: false };
const last = { rank: 99, isNear: true, isLast: true };

/** Gives everything that is ordered by the sources that answer; says who gave how many bytes. */
class Scene {
  readonly plan: Plan;
  readonly given = new Map<string, number>();
  readonly silent = new Set<string>();
  now = 0;

  constructor(bytes: number, from = 0) {
    this.plan = new Plan(bytes, 0);
    this.plan.begin(from);
  }

  add(key: string, rank: number, have = this.plan.bytes): void {
    this.plan.add(key, { rank, ...near }, this.now);
    this.plan.here(key, have, this.now);
  }

  /** One round of orders, answered; the number of orders. */
  round(ms = 10): number {
    const orders = this.plan.ask(this.now);
    this.now += ms;
    for (const { source, offset, length } of orders) {
      if (this.silent.has(source)) continue;
      this.given.set(source, (this.given.get(source) ?? 0) + length);
      this.plan.take(source, { offset, data: new Uint8Array(length) }, this.now);
    }
    return orders.length;
  }

  toTheEnd(ms = 10): void {
    for (let n = 0; this.plan.written < this.plan.bytes; n++) {
      if (n > 10_000) throw new Error(`stands still at ${this.plan.written} of ${this.plan.bytes}`);
      this.round(ms);
    }
  }
}

describe('Plan', () => {
  test('asks the last resort at once when there is nobody else', () => {
    const scene = new Scene(20 * mebibyte);
    scene.plan.add('d', last, 0);
    scene.toTheEnd();
    expect([...scene.given]).toEqual([['d', 20 * mebibyte]]);
  });

  test('asks the last resort for nothing while peers give', () => {
    const scene = new Scene(50 * mebibyte);
    scene.plan.add('d', last, 0);
    scene.add('a', 0);
    scene.add('b', 1);
    scene.toTheEnd();
    expect(scene.given.get('d')).toBeUndefined();
    expect(scene.given.get('a')).toBeGreaterThan(10 * mebibyte);
    expect(scene.given.get('b')).toBeGreaterThan(10 * mebibyte);
  });

  test('takes small blobs from one source at a time', () => {
    const scene = new Scene(4 * mebibyte);
    scene.add('a', 0);
    scene.add('b', 1);
    scene.toTheEnd();
    expect([...scene.given]).toEqual([['a', 4 * mebibyte]]);
  });

  test('never has more out than the window', () => {
    const scene = new Scene(100 * mebibyte);
    for (let n = 0; n < 20; n++) scene.add(`s${n}`, n);
    const orders = scene.plan.ask(0);
    expect(orders.reduce((sum, { length }) => sum + length, 0)).toBe(planWindowBytes);
  });

  test('goes on from what is here, and gives bytes out in order whatever order they come in', () => {
    const scene = new Scene(10 * mebibyte, 3 * mebibyte + 5);
    scene.add('a', 0);
    scene.add('b', 1);
    const orders = scene.plan.ask(0).toReversed();
    expect(orders.at(-1)?.offset).toBe(3 * mebibyte + 5);
    const parts = orders.map(({ source, offset, length }) =>
      scene.plan.take(source, { offset, data: new Uint8Array(length) }, 5),
    );
    expect(parts.slice(0, -1).every((given) => given.length === 0)).toBe(true);
    expect(parts.at(-1)).toHaveLength(orders.length);
  });

  test('follows a source that is still getting it, and waits for it', () => {
    const scene = new Scene(40 * mebibyte);
    scene.plan.add('d', last, 0);
    scene.add('a', 0, 0);
    expect(scene.round()).toBe(0);
    for (let have = mebibyte; have <= 40 * mebibyte; have += mebibyte) {
      scene.now += 900;
      scene.plan.here('a', have, scene.now);
      expect(scene.round()).toBeGreaterThan(0);
    }
    expect(scene.plan.written).toBe(40 * mebibyte);
    expect(scene.given.get('d')).toBeUndefined();
  });

  test('of those who are still getting it only the first is asked, unless it falls far behind', () => {
    const scene = new Scene(100 * mebibyte);
    scene.add('first', 0, 4 * mebibyte);
    scene.add('ahead', 1, 6 * mebibyte);
    scene.round();
    scene.round();
    expect([...scene.given.keys()]).toEqual(['first']);
    scene.plan.here('ahead', 60 * mebibyte, scene.now);
    scene.round();
    expect(scene.given.get('ahead')).toBeGreaterThan(0);
  });

  test('a source that is silent is passed over, and what it owed comes from others', () => {
    const scene = new Scene(30 * mebibyte);
    scene.plan.add('d', last, 0);
    scene.add('dead', 0);
    scene.add('alive', 1);
    scene.silent.add('dead');
    scene.toTheEnd(100);
    expect(scene.given.get('alive')).toBe(30 * mebibyte);
    expect(scene.given.get('d')).toBeUndefined();
    expect(scene.now).toBeGreaterThan(sourceStallMs);
  });

  test('when the only peer dies, the last resort gives the rest, and no more', () => {
    const scene = new Scene(30 * mebibyte);
    scene.plan.add('d', last, 0);
    scene.add('a', 0);
    while (scene.plan.written < 10 * mebibyte) scene.round();
    scene.plan.drop('a');
    scene.toTheEnd();
    expect((scene.given.get('a') ?? 0) + (scene.given.get('d') ?? 0)).toBe(30 * mebibyte);
    expect(scene.given.get('d')).toBeLessThanOrEqual(20 * mebibyte);
  });

  test('when peers stand still the last resort helps after a while, and stops when they move again', () => {
    const scene = new Scene(60 * mebibyte);
    scene.plan.add('d', last, 0);
    scene.add('a', 0, 2 * mebibyte);
    while (scene.plan.written < 2 * mebibyte) scene.round();
    scene.now += sourceStallMs - 100;
    expect(scene.plan.ask(scene.now)).toEqual([]);
    scene.now += 200;
    expect(scene.plan.ask(scene.now)[0]?.source).toBe('d');
    scene.plan.here('a', 60 * mebibyte, scene.now);
    scene.silent.add('d');
    scene.round();
    expect(scene.given.get('a')).toBeGreaterThan(2 * mebibyte);
  });

  test('a source so slow that it is not worth waiting for is helped by the last resort', () => {
    const scene = new Scene(40 * mebibyte);
    scene.plan.add('d', last, 0);
    scene.add('slow', 0);
    let at = 0;
    for (let n = 0; n < 40 && scene.given.get('d') === undefined; n++) {
      for (const { source, length } of scene.plan.ask(scene.now)) {
        if (source === 'd') scene.given.set('d', length);
      }
      scene.now += 500;
      scene.plan.take('slow', { offset: at, data: new Uint8Array(10_000) }, scene.now);
      at += 10_000;
    }
    expect(scene.given.get('d')).toBeGreaterThan(0);
  });

  test('a much faster source takes over what a slow one keeps all others waiting for', () => {
    const scene = new Scene(16 * mebibyte);
    scene.add('slow', 0);
    scene.add('fast', 1);
    let slowGave = 0;
    for (let n = 0; n < 400 && scene.plan.written < scene.plan.bytes; n++) {
      const orders = scene.plan.ask(scene.now);
      scene.now += 100;
      for (const { source, offset, length } of orders) {
        if (source === 'fast') scene.plan.take('fast', { offset, data: new Uint8Array(length) }, scene.now);
      }
      if (scene.plan.strayParts === 0) {
        scene.plan.take('slow', { offset: slowGave, data: new Uint8Array(50_000) }, scene.now);
        slowGave += 50_000;
      }
    }
    expect(scene.plan.written).toBe(16 * mebibyte);
    expect(scene.now).toBeLessThan(30_000);
  });

  test('what comes twice, late or unasked is dropped and counted', () => {
    const scene = new Scene(2 * mebibyte);
    scene.add('a', 0);
    const [order] = scene.plan.ask(0);
    const part = { offset: 0, data: new Uint8Array(order?.length ?? 0) };
    expect(scene.plan.take('a', part, 1)).toHaveLength(1);
    expect(scene.plan.take('a', part, 1)).toEqual([]);
    expect(scene.plan.take('b', { offset: mebibyte, data: new Uint8Array(5) }, 1)).toEqual([]);
    expect(scene.plan.take('a', { offset: mebibyte, data: new Uint8Array(2 * mebibyte) }, 1)).toEqual([]);
    expect(scene.plan.strayParts).toBe(3);
  });

  test('keeps what comes before its turn, whatever becomes of the message it came in', () => {
    const scene = new Scene(16 * mebibyte);
    scene.add('a', 0);
    scene.add('b', 1);
    const [first, second] = scene.plan.ask(0);
    if (first === undefined || second === undefined) throw new Error('two pieces are asked of two');
    const early = new Uint8Array(second.length).fill(2);
    expect(scene.plan.take(second.source, { offset: second.offset, data: early }, 1)).toEqual([]);
    early.fill(0);
    const inTurn = { offset: first.offset, data: new Uint8Array(first.length).fill(1) };
    const given = scene.plan.take(first.source, inTurn, 1);
    expect(given.map((data) => [data.length, data[0], data.at(-1)])).toEqual([
      [first.length, 1, 1],
      [second.length, 2, 2],
    ]);
  });
});
