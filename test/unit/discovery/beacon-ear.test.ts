import { describe, expect, test } from 'bun:test';
import { BeaconEar, clockToleranceMs } from '../../../src/discovery/beacon-ear.ts';
import type { AnsweredAsk, BeaconMessage } from '../../../src/discovery/beacon-messages.ts';
import type { Way } from '../../../src/discovery/beacon-seal.ts';
import { peersMax } from '../../../src/discovery/peer-table.ts';
import { nativeCrypto } from '../../../src/runtime/crypto.ts';
import { beaconMessage, sampleBeacon, sampleDatagram, sampleHead, sampleKey, wallMs } from './beacon-samples.ts';

const from = { address: '192.168.1.20', port: 40_000 };

class Listener {
  readonly asked = new Set<number>();
  readonly ear = new BeaconEar({
    ...{ ownId: 'me', crypto: nativeCrypto, keys: () => [sampleKey(1)] },
    asked: (sequence) => this.asked.has(sequence),
  });

  /** What becomes of a message that arrives `at` ms after the first instant. */
  hear(message: BeaconMessage, { at = 0, way = 'multicast' as Way, address = from.address } = {}): string {
    return this.take(sampleDatagram(message, sampleKey(1), way), at, address);
  }

  take(datagram: Uint8Array, at = 0, address = from.address): string {
    const before = { ...this.ear.counts };
    const heard = this.ear.take(datagram, { ...from, address }, { steady: at, wall: wallMs + at });
    const counted = Object.entries(this.ear.counts).filter(([name, count]) => count !== before[name as 'heard']);
    expect(counted).toHaveLength(1);
    const believed = heard === null ? '' : heard.copy ? ' (copy)' : heard.skewed ? ' (skewed)' : ' (believed)';
    return `${counted[0]?.[0]}${believed}`;
  }
}

/** A beacon in answer to a question. */
function answerTo(answers: AnsweredAsk, sentAt: number, id = sampleHead().id): BeaconMessage {
  return { kind: 'beacon', head: sampleHead({ id, sentAt }), answers, beacon: sampleBeacon({ id }) };
}

describe('BeaconEar.take()', () => {
  test('believes what is newer than the last of its node', () => {
    const listener = new Listener();
    expect(listener.hear(beaconMessage({ sequence: 1 }))).toBe('heard (believed)');
    expect(listener.hear(beaconMessage({ sequence: 2 }))).toBe('heard (believed)');
    expect(listener.hear(beaconMessage({ sequence: 1, startedAt: wallMs }))).toBe('heard (believed)');
    expect(listener.hear({ kind: 'goodbye', head: sampleHead({ sequence: 2, startedAt: wallMs }) })).toBe(
      'heard (believed)',
    );
  });

  test('takes the same once more for a replay, at any time and from anywhere', () => {
    const listener = new Listener();
    const recorded = sampleDatagram(beaconMessage());
    expect(listener.take(recorded)).toBe('heard (believed)');
    expect(listener.take(recorded, 200)).toBe('replayed');
    expect(listener.take(recorded, 5000, '192.168.1.66')).toBe('replayed');
    expect(listener.take(recorded, clockToleranceMs + 1)).toBe('replayed');
    // The node is forgotten by then, and its clock tells.
    expect(listener.take(recorded, 2 * clockToleranceMs + 1)).toBe('clock_skew (skewed)');
    expect(listener.take(recorded, 100 * clockToleranceMs)).toBe('clock_skew (skewed)');
  });

  test('takes nobody for one whose clock is off by what may be recorded', () => {
    const listener = new Listener();
    listener.asked.add(8);
    const old = { sentAt: wallMs - 10 * clockToleranceMs };
    for (let n = 0; n < 5; n++) {
      const later = { at: 2000 * n };
      // A whole conversation, played again as it was.
      listener.hear(beaconMessage({ ...old, sequence: n, sentAt: old.sentAt + 2000 * n }), later);
      listener.hear({ kind: 'ask', head: sampleHead({ ...old, id: 'asking-1' }) }, later);
      expect(listener.hear({ kind: 'goodbye', head: sampleHead({ ...old, id: 'gone' }) }, later)).toBe('clock_skew');
    }
    for (const answers of [
      { id: 'me', sequence: 7, delayMs: 0 },
      { id: 'asking-1', sequence: 8, delayMs: 0 },
    ])
      expect(listener.hear(answerTo(answers, old.sentAt))).toBe('clock_skew (skewed)');
    expect(listener.ear.skews).toEqual([]);
    expect(listener.ear.counts.clock_skew).toBe(17);
  });

  test('takes for a replay what comes from no address of its node, even when nothing was heard of it before', () => {
    const listener = new Listener();
    const recorded = sampleDatagram(beaconMessage());
    expect(listener.take(recorded, 0, '192.168.1.66')).toBe('replayed');
    expect(listener.take(recorded, 10, 'fd79::66')).toBe('replayed');
    expect(listener.take(recorded, 20, 'fd79::20')).toBe('heard (believed)');
  });

  test('takes a goodbye followed by an older beacon for a replay', () => {
    const listener = new Listener();
    const recorded = sampleDatagram(beaconMessage({ sequence: 1 }));
    listener.take(recorded);
    listener.hear({ kind: 'goodbye', head: sampleHead({ sequence: 2, sentAt: wallMs + 3000 }) }, { at: 3000 });
    expect(listener.take(recorded, 3100)).toBe('replayed');
  });

  test('takes what comes by two ways, from two addresses or by two interfaces for a copy', () => {
    const listener = new Listener();
    const message = beaconMessage({ sequence: 5 });
    expect(listener.hear(message)).toBe('heard (believed)');
    expect(listener.hear(message, { at: 10, way: 'broadcast' })).toBe('duplicate (copy)');
    expect(listener.hear(message, { at: 20, address: 'fe80::1%eth0' })).toBe('duplicate (copy)');
    expect(listener.hear(message, { at: 50 })).toBe('duplicate (copy)');
    expect(listener.hear(message, { at: 3000, way: 'broadcast' })).toBe('replayed');
  });

  test('takes one that was overtaken on the network for a copy', () => {
    const listener = new Listener();
    listener.hear(beaconMessage({ sequence: 5, sentAt: wallMs + 100 }));
    expect(listener.hear(beaconMessage({ sequence: 4 }), { at: 20 })).toBe('duplicate (copy)');
  });

  test('does not believe a node whose clock is off, says so by its answer, and believes it once it is right', () => {
    const listener = new Listener();
    listener.asked.add(7);
    const ahead = answerTo({ id: 'me', sequence: 7, delayMs: 0 }, wallMs + clockToleranceMs + 1);
    expect(listener.hear(ahead)).toBe('clock_skew');
    expect(listener.ear.skews).toEqual([
      { id: ahead.head.id, name: 'attic-pi', from, differenceMs: clockToleranceMs + 1 },
    ]);
    expect(listener.hear(beaconMessage({ sequence: 8, sentAt: wallMs + clockToleranceMs }))).toBe('heard (believed)');
    expect(listener.ear.skews).toEqual([]);
  });

  test('passes on the question of somebody whose clock is off, marked, and keeps a bounded number of clocks', () => {
    const listener = new Listener();
    listener.asked.add(7);
    expect(listener.hear({ kind: 'ask', head: sampleHead({ sentAt: 0 }) })).toBe('clock_skew (skewed)');
    for (let n = 0; n < 200; n++) listener.hear(answerTo({ id: 'me', sequence: 7, delayMs: 0 }, 0, `n${n}`));
    expect(listener.ear.skews).toHaveLength(64);
  });

  test('hears itself without taking itself for another', () => {
    expect(new Listener().hear(beaconMessage({ id: 'me' }))).toBe('own');
  });

  test('counts what is none of ours by its reason', () => {
    const listener = new Listener();
    const datagram = sampleDatagram(beaconMessage());
    expect(listener.take(sampleDatagram(beaconMessage(), sampleKey(2)))).toBe('other_cluster');
    expect(listener.take(datagram.with(30, (datagram[30] ?? 0) ^ 1))).toBe('forged');
    expect(listener.take(datagram.with(0, 77))).toBe('version');
    expect(listener.take(new TextEncoder().encode('M-SEARCH * HTTP/1.1\r\n'))).toBe('malformed');
  });

  test('does not look at more than 800 datagrams at once of one address, and hears the others', () => {
    const listener = new Listener();
    const noise = new Uint8Array(64);
    for (let n = 0; n < 1000; n++) listener.take(noise, 0, '10.0.0.66');
    expect(listener.ear.counts.flood).toBe(200);
    expect(listener.hear(beaconMessage())).toBe('heard (believed)');
    expect(listener.take(noise, 1000, '10.0.0.66')).toBe('version');
  });

  test('remembers a bounded number of nodes, and lets none be forgotten early', () => {
    const listener = new Listener();
    for (let n = 0; n < peersMax; n++) {
      const address = `10.0.${n >> 8}.${n & 255}`;
      listener.hear(beaconMessage({ id: `node-${n}` }, { addresses: [address] }), { address });
    }
    expect(listener.hear(beaconMessage({ id: 'one-more' }))).toBe('flood');
    expect(listener.hear(beaconMessage({ id: 'node-0' }), { at: 3000 })).toBe('replayed');
    expect(listener.hear(beaconMessage({ id: 'one-more', sentAt: wallMs + 300_000 }), { at: 300_000 })).toBe(
      'heard (believed)',
    );
  });
});
