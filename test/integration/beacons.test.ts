import { afterEach, describe, expect, test } from 'bun:test';
import type { Beacon } from '../../src/discovery/beacon.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { until } from '../e2e/site.ts';
import { beaconMessage, sampleDatagram, sampleHead, sampleKey } from '../unit/discovery/beacon-samples.ts';
import { boundSocket, closeNodes, freeUdpPort, idsOf, openNode } from './beacon-site.ts';

afterEach(closeNodes);

describe('openBeacons()', () => {
  test('nodes that share a port hear each other, and drop who says goodbye at once', async () => {
    const port = await freeUdpPort();
    const a = await openNode({ id: 'a', port });
    const b = await openNode({ id: 'b', port });
    const c = await openNode({ id: 'c', port });
    await until('all hear all', () => [a, b, c].every((node) => node.peers.size === 2), { withinMs: 3000 });
    expect(idsOf(a)).toEqual(['b', 'c']);
    expect(a.peers.get('b')?.beacon).toMatchObject({ name: 'b', slotsFree: 3, addresses: [] });
    await b.close();
    await until('b is gone', () => a.peers.size === 1 && c.peers.size === 1, { withinMs: 500 });
    expect(a.counts).toMatchObject({ replayed: 0, forged: 0, malformed: 0, other_cluster: 0 });
  });

  test('one that only asks is answered, measures the way, and is not known to others', async () => {
    const port = await freeUdpPort();
    const a = await openNode({ id: 'a', port });
    const asker = await openNode({ id: 'asking', port, beacon: () => null });
    await until('it is answered', () => asker.peers.get('a')?.roundTripMs != null, { withinMs: 2000 });
    expect(asker.peers.get('a')?.roundTripMs).toBeLessThan(500);
    expect(a.peers.size).toBe(0);
    expect(a.counts.answered).toBeGreaterThan(0);
  });

  test('tells others at once that it drains, and not more often than five times a second', async () => {
    const port = await freeUdpPort();
    let own: Partial<Beacon> = {};
    const a = await openNode({ id: 'a', port, beacon: () => own });
    const b = await openNode({ id: 'b', port, beacon: () => null });
    await until('b hears a', () => b.peers.size === 1, { withinMs: 2000 });
    own = { draining: true };
    const heardBefore = b.counts.heard ?? 0;
    const changedAt = performance.now();
    for (let n = 0; n < 50; n++) a.announce();
    await until('b knows', () => b.peers.get('a')?.beacon.draining === true, { withinMs: 1000 });
    expect(performance.now() - changedAt).toBeLessThan(600);
    expect((b.counts.heard ?? 0) - heardBefore).toBeLessThanOrEqual(2);
  });

  test('hears nothing of another cluster, and counts it', async () => {
    const port = await freeUdpPort();
    const a = await openNode({ id: 'a', port });
    const stranger = await openNode({ id: 'b', port, keys: () => [sampleKey(2)] });
    await until('both count it', () => [a, stranger].every(({ counts }) => (counts.other_cluster ?? 0) > 0), {
      withinMs: 3000,
    });
    expect([a.peers.size, stranger.peers.size]).toEqual([0, 0]);
    expect(a.counts.answered).toBe(0);
  });

  test('while a secret is replaced, who has only the former or only the new key hears and is heard', async () => {
    const port = await freeUdpPort();
    const both = await openNode({ id: 'both', port, keys: () => [sampleKey(2), sampleKey(1)] });
    const former = await openNode({ id: 'former', port, keys: () => [sampleKey(1)] });
    const present = await openNode({ id: 'present', port, keys: () => [sampleKey(2)] });
    await until('all meet', () => both.peers.size === 2 && former.peers.size === 1 && present.peers.size === 1, {
      withinMs: 3000,
    });
    expect(both.counts.replayed).toBe(0);
  });

  test('a recorded datagram changes nothing, neither now nor for one who has just come', async () => {
    const port = await freeUdpPort();
    const old = sampleDatagram(beaconMessage({ id: 'ghost', sentAt: Date.now() - 180_000, startedAt: 1 }));
    const fresh = sampleDatagram(beaconMessage({ id: 'once', sentAt: Date.now(), startedAt: 1 }));
    const a = await openNode({ id: 'a', port });
    const attacker = await boundSocket();
    attacker.send(old, port, '127.0.0.1');
    attacker.send(fresh, port, '127.0.0.1');
    await until('the fresh one is heard', () => a.peers.get('once') !== undefined, { withinMs: 2000 });
    await Bun.sleep(150);
    attacker.send(fresh, port, '127.0.0.1');
    await until('it is a replay', () => a.counts.replayed === 1, { withinMs: 2000 });
    expect(idsOf(a)).toEqual(['once']);
    expect(a.counts.clock_skew).toBe(1);
    attacker.close();
  });

  test('noise on the port costs nothing but counts', async () => {
    const port = await freeUdpPort();
    const a = await openNode({ id: 'a', port });
    const attacker = await boundSocket();
    for (let n = 0; n < 2000; n++) attacker.send(crypto.getRandomValues(new Uint8Array(n % 1400)), port, '127.0.0.1');
    const b = await openNode({ id: 'b', port });
    await until('they meet all the same', () => a.peers.size === 1 && b.peers.size === 1, { withinMs: 3000 });
    expect(a.counts.heard).toBeLessThan(20);
    attacker.close();
  });

  test('tries those known from earlier by themselves, before anybody was heard', async () => {
    const port = await freeUdpPort();
    const otherPort = await freeUdpPort();
    const far = await openNode({ id: 'far', port: otherPort });
    const from = await openNode({ id: 'x', port: otherPort, beacon: () => null });
    await until('x hears far', () => from.peers.size === 1, { withinMs: 2000 });
    const known = [from.peers.all()[0]?.from ?? { address: '127.0.0.1', port: 9 }];
    // Another port: no group has both.
    const near = await openNode({ id: 'near', port, known });
    await until(
      'both know each other',
      () => near.peers.get('far') !== undefined && far.peers.get('near') !== undefined,
      {
        withinMs: 1000,
      },
    );
  });

  test('one whose clock is off is answered, and finds out', async () => {
    const port = await freeUdpPort();
    const a = await openNode({ id: 'a', port });
    const clock = { ...systemClock, wall: () => systemClock.wall() + 600_000 };
    const ahead = await openNode({ id: 'ahead', port, clock });
    await until('both know', () => a.skews.length === 1 && ahead.skews.length === 1, { withinMs: 3000 });
    expect(Math.round((a.skews[0]?.differenceMs ?? 0) / 60_000)).toBe(10);
    expect(Math.round((ahead.skews[0]?.differenceMs ?? 0) / 60_000)).toBe(-10);
    expect(a.peers.size + ahead.peers.size).toBe(0);
  });

  test('takes nobody for one whose clock is off by old recordings, and asks who seems so once a second', async () => {
    const port = await freeUdpPort();
    const a = await openNode({ id: 'a', port });
    const attacker = await boundSocket();
    let asked = 0;
    attacker.on('message', () => (asked += 1));
    for (let n = 0; n < 40; n++) {
      const head = { id: `ghost-${n}`, sentAt: Date.now() - 600_000 + n };
      attacker.send(sampleDatagram(beaconMessage(head)), port, '127.0.0.1');
      attacker.send(
        sampleDatagram({ kind: 'ask', head: sampleHead({ ...head, id: `asking-${n}` }) }),
        port,
        '127.0.0.1',
      );
    }
    await until('all were heard', () => a.counts.clock_skew === 80, { withinMs: 2000 });
    await until('somebody is asked', () => asked > 0, { withinMs: 1000 });
    expect([a.skews.length, a.peers.size]).toEqual([0, 0]);
    // Two questions at once, and two answers.
    expect(asked).toBeLessThanOrEqual(4);
    attacker.close();
  });

  test('sends nothing before there is a key, and meets others once there is', async () => {
    const port = await freeUdpPort();
    let joined = false;
    const a = await openNode({ id: 'a', port });
    const late = await openNode({ id: 'late', port, keys: () => (joined ? [sampleKey(1)] : []) });
    expect(late.counts.sent).toBe(0);
    joined = true;
    await until('they meet', () => a.peers.size === 1 && late.peers.size === 1, { withinMs: 4000 });
  });
});
