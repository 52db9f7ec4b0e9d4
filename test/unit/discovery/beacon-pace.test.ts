import { describe, expect, test } from 'bun:test';
import { BeaconPace, BeaconReach, beaconDelayMs, singledOutMax } from '../../../src/discovery/beacon-pace.ts';
import { PeerTable } from '../../../src/discovery/peer-table.ts';
import { sampleBeacon } from './beacon-samples.ts';

describe('beaconDelayMs()', () => {
  test('is two seconds give or take 15 percent, and longer in a large cluster, up to five seconds', () => {
    expect(beaconDelayMs(0, 0.5)).toBe(2000);
    expect(beaconDelayMs(50, 0)).toBeCloseTo(1700);
    expect(beaconDelayMs(50, 1)).toBeCloseTo(2300);
    expect(beaconDelayMs(100, 0.5)).toBe(4000);
    expect(beaconDelayMs(4096, 0.5)).toBe(5000);
  });
});

describe('BeaconPace', () => {
  test('is due at once, then after the interval', () => {
    const pace = new BeaconPace(100);
    expect(pace.dueAt).toBe(100);
    pace.sent(100, 0, 0.5);
    expect(pace.dueAt).toBe(2100);
  });

  test('hurry() makes it due at once, but not within 200 ms of the last', () => {
    const pace = new BeaconPace(0);
    pace.sent(0, 0, 0.5);
    pace.hurry(50);
    expect(pace.dueAt).toBe(200);
    pace.sent(200, 0, 0.5);
    pace.hurry(900);
    expect(pace.dueAt).toBe(900);
    pace.hurry(950);
    expect(pace.dueAt).toBe(900);
  });
});

/** Two nodes that send to each other every two seconds, as the network between them lets them. */
function converse(passes: { readonly multicast: (to: 'a' | 'b') => boolean; readonly seconds: number }) {
  const reach = { a: new BeaconReach(), b: new BeaconReach() };
  reach.a.linkUp('eth0/4', 0);
  reach.b.linkUp('eth0/4', 0);
  const ways: (string | null)[] = [];
  const heard = { a: 0, b: 0 };
  for (let at = 0; at < passes.seconds * 1000; at += 2000) {
    for (const [me, other] of [['a', 'b'] as const, ['b', 'a'] as const]) {
      const way = reach[me].broadcastOn('eth0/4', at);
      ways.push(way);
      if (passes.multicast(other)) reach[other].heard(me, 'eth0/4', 'multicast', at);
      if (way !== null) reach[other].heard(me, 'eth0/4', way, at);
      if (passes.multicast(other) || way !== null) heard[other] += 1;
    }
  }
  return { ways, heard, rounds: passes.seconds / 2 };
}

describe('BeaconReach.broadcastOn()', () => {
  test('is nothing where others are heard by multicast, but for the very first beacon', () => {
    const { ways } = converse({ multicast: () => true, seconds: 60 });
    expect(ways.filter((way) => way !== null)).toEqual(['broadcast']);
  });

  test('reaches everybody where multicast fails', () => {
    const { heard, rounds } = converse({ multicast: () => false, seconds: 60 });
    expect(heard).toEqual({ a: rounds, b: rounds });
  });

  test('reaches a node that only its own multicast leaves', () => {
    const { heard, rounds } = converse({ multicast: (to) => to === 'a', seconds: 600 });
    expect(heard.a).toBe(rounds);
    // Once, b may have to call first.
    expect(heard.b).toBeGreaterThan(rounds * 0.95);
  });

  test('ends when multicast passes again', () => {
    const reach = new BeaconReach();
    reach.linkUp('eth0/4', 0);
    expect(reach.broadcastOn('eth0/4', 0)).toBe('broadcast');
    expect(reach.broadcastOn('eth0/4', 20_000)).toBe('calling');
    reach.heard('a', 'eth0/4', 'multicast', 21_000);
    expect(reach.broadcastOn('eth0/4', 21_001)).toBeNull();
    reach.heard('a', 'eth0/4', 'calling', 22_000);
    expect(reach.broadcastOn('eth0/4', 22_001)).toBe('broadcast');
    reach.linkDown('eth0/4');
    expect(reach.broadcastOn('eth0/4', 22_002)).toBeNull();
  });
});

describe('BeaconReach.singledOut()', () => {
  test('names those that are heard by unicast alone, at most 32', () => {
    const table = new PeerTable();
    const reach = new BeaconReach();
    for (let n = 0; n < 40; n++) {
      table.heard(sampleBeacon({ id: `node-${n}`, name: `n${n}` }), { address: '10.0.0.1', port: n + 1 }, 0);
      reach.heard(`node-${n}`, null, 'unicast', 0);
    }
    expect(reach.singledOut(table.all(), 1)).toHaveLength(singledOutMax);
    for (let n = 1; n < 40; n++) reach.heard(`node-${n}`, 'eth0/4', 'broadcast', 1);
    expect(reach.singledOut(table.all(), 2).map(({ id }) => id)).toEqual(['node-0']);
  });
});
