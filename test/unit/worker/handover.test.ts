/** Work that changes hands, and tasks handed over directly, on one worker with a peer that is only messages. */

import { describe, expect, test } from 'bun:test';
import { PeerTable } from '../../../src/discovery/peer-table.ts';
import type { PeerMessage } from '../../../src/wire/peer-messages.ts';
import type { Peer } from '../../../src/worker/peer.ts';
import { PeerRoster } from '../../../src/worker/peer-roster.ts';
import type { PeerPart, Peers } from '../../../src/worker/peers.ts';
import { declaration, requirement } from '../core/samples.ts';
import { assignment } from './fakes.ts';
import { Bench } from './worker-bench.ts';

const publicKey = 'ab'.repeat(32);

/** A worker `w1` with one peer `w2`, which has two free slots. */
class Pair {
  readonly said: PeerMessage[] = [];
  readonly parts: PeerPart[] = [];
  readonly bench: Bench;
  readonly peer: Peer = {
    ...{ publicKey, id: 'w2', name: 'w2', remote: '192.0.2.2:7879', dialMs: 1, congested: false },
    blobsCongested: false,
    send: (message) => this.said.push(message),
    close: () => undefined,
  };

  constructor({ allowed = true, slots = 1 } = {}) {
    const table = new PeerTable();
    const { id, name, cpuCores, memoryMb, gpu, labels, platform, arch } = declaration('w2');
    const beacon = {
      ...{ id, name, cpuCores, memoryMb, gpu, labels, platform, arch, publicKey, version: '0', protocol: 4 },
      ...{
        role: 'worker' as const,
        addresses: [],
        peerPort: 7879,
        slots: 2,
        slotsFree: 2,
        waiting: 0,
        draining: false,
      },
      ...{ memoryFreeMb: null, load1: null, blobs: new Uint8Array(0) },
    };
    table.heard(beacon, { address: '192.0.2.2', port: 5555 }, 0);
    const peers: Pick<Peers, 'add' | 'dial' | 'ban' | 'take' | 'roster'> = {
      add: (part) => this.parts.push(part),
      dial: () => Promise.resolve({ ok: true, peer: this.peer }),
      ban: () => undefined,
      take: () => undefined,
      roster: new PeerRoster({
        ...{ clock: new Bench().clock, publicKey },
        kept: { load: () => [{ id: 'w2', name: 'w2', publicKey }], save: () => undefined },
      }),
    };
    this.bench = new Bench(slots, 1, {
      peers,
      table,
      blobs: { hint: () => undefined, attach: () => undefined, detach: () => undefined } as never,
    });
    this.bench.welcome(allowed);
    this.bench.told();
  }

  hear(message: PeerMessage): void {
    for (const part of this.parts) part.onMessage(this.peer, message);
    this.bench.clock.settle();
  }

  /** What the peer was told, in short. */
  async told(): Promise<string[]> {
    // Dialling takes its turn.
    await Promise.resolve();
    return this.said.splice(0).map((message) => {
      if (message.kind === 'offer') return `offer ${message.attempts.map(({ taskId }) => taskId).join(' ')}`;
      if (message.kind === 'offerAnswered') return `taken ${message.taken.map(({ taskId }) => taskId).join(' ')}`;
      return message.kind === 'runAnswered' ? `run ${message.refusal ?? 'begun'}` : message.kind;
    });
  }
}

describe('a worker with peers', () => {
  test('that drains offers what waits, tells the dispatcher what was taken, and gives back the rest', async () => {
    const pair = new Pair();
    pair.bench.assign(...['a', 'b', 'c', 'd', 'e', 'f'].map((id) => assignment(id)));
    pair.bench.told();
    pair.bench.hear({ kind: 'drain', draining: true });
    // Two it could start, and two to wait there.
    expect(await pair.told()).toEqual(['offer f e d c']);
    expect(pair.bench.told()).toContain('b#1 returned');
    pair.hear({ kind: 'offerAnswered', taken: [{ taskId: 'd', attempt: 1 }], declined: [{ taskId: 'c', attempt: 1 }] });
    expect(pair.bench.told().sort()).toEqual(['c#1 returned', 'e#1 returned', 'f#1 returned', 'handedOver']);
  });

  test('puts back what nobody answered for, and a late answer changes nothing', async () => {
    const pair = new Pair();
    pair.bench.assign(assignment('a'), assignment('b'));
    pair.hear({ kind: 'workWanted', slots: 4 });
    expect(await pair.told()).toEqual(['offer b']);
    pair.bench.clock.advance(1000);
    pair.hear({ kind: 'offerAnswered', taken: [{ taskId: 'b', attempt: 1 }], declined: [] });
    await pair.bench.exit('a');
    expect(pair.bench.told()).not.toContain('handedOver');
    expect(pair.bench.launcher.of('b', 1)).toBeDefined();
  });

  test('starts what it took when it is granted, under the new number, and not before', async () => {
    const pair = new Pair();
    // One slot, and one more to wait.
    pair.hear({ kind: 'offer', attempts: [assignment('a'), assignment('b'), assignment('c')] });
    expect(await pair.told()).toEqual(['taken a b']);
    expect(pair.bench.launcher.processes.length).toBe(0);
    pair.bench.hear({ kind: 'granted', entries: [{ taskId: 'a', attempt: 2, previous: 1 }] });
    expect(pair.bench.launcher.of('a', 2)).toBeDefined();
  });

  test('returns what is granted after it forgot it', async () => {
    const pair = new Pair();
    pair.hear({ kind: 'offer', attempts: [assignment('a')] });
    pair.bench.clock.advance(5000);
    pair.bench.told();
    pair.bench.hear({ kind: 'granted', entries: [{ taskId: 'a', attempt: 2, previous: 1 }] });
    expect(pair.bench.told()).toEqual(['a#2 returned']);
  });

  test('takes nothing to wait that asks for amounts', async () => {
    const pair = new Pair();
    const large = { requires: requirement({ cpuCores: 1 }) };
    pair.hear({ kind: 'offer', attempts: [assignment('a', 1, large), assignment('b', 1, large)] });
    expect(await pair.told()).toEqual(['taken a']);
  });

  test('tells what is granted twice only once, and starts it once', async () => {
    const pair = new Pair();
    pair.hear({ kind: 'offer', attempts: [assignment('a')] });
    const granted = { kind: 'granted', entries: [{ taskId: 'a', attempt: 2, previous: 1 }] } as const;
    pair.bench.hear(granted);
    pair.bench.hear(granted);
    expect(pair.bench.launcher.processes.length).toBe(1);
    expect(pair.bench.told()).not.toContain('a#2 returned');
  });

  test('gives back what is granted by another number than it took', async () => {
    const pair = new Pair();
    pair.hear({ kind: 'offer', attempts: [assignment('a', 3)] });
    pair.bench.told();
    pair.bench.hear({ kind: 'granted', entries: [{ taskId: 'a', attempt: 6, previous: 5 }] });
    expect(pair.bench.told()).toEqual(['a#6 returned']);
    expect(pair.bench.launcher.processes.length).toBe(0);
  });

  test('that lost the dispatcher keeps nothing it took, and has what it offered again', async () => {
    const pair = new Pair();
    pair.bench.assign(assignment('a'), assignment('b'));
    pair.hear({ kind: 'workWanted', slots: 1 });
    expect(await pair.told()).toEqual(['offer b']);
    pair.bench.break();
    pair.hear({ kind: 'offerAnswered', taken: [{ taskId: 'b', attempt: 1 }], declined: [] });
    await pair.bench.exit('a');
    expect(pair.bench.launcher.of('b', 1)).toBeDefined();
  });

  test('believes no answer of a peer it did not ask, nor one on an attempt it did not offer', async () => {
    const pair = new Pair();
    pair.bench.assign(assignment('a'), assignment('b'), assignment('c'));
    pair.hear({ kind: 'offerAnswered', taken: [{ taskId: 'c', attempt: 1 }], declined: [] });
    pair.hear({ kind: 'workWanted', slots: 1 });
    expect(await pair.told()).toEqual(['offer c']);
    pair.bench.told();
    pair.hear({ kind: 'offerAnswered', taken: [{ taskId: 'c', attempt: 2 }], declined: [] });
    expect(pair.bench.told()).toEqual([]);
  });

  test('takes and gives nothing where the dispatcher wants no peers', async () => {
    const pair = new Pair({ allowed: false });
    pair.hear({ kind: 'offer', attempts: [assignment('a')] });
    expect(await pair.told()).toEqual(['taken ']);
    pair.bench.assign(assignment('b'), assignment('c'));
    pair.hear({ kind: 'workWanted', slots: 4 });
    expect(await pair.told()).toEqual([]);
  });

  test('runs what a peer hands it, tells the dispatcher, and refuses what has no slot', async () => {
    const pair = new Pair();
    pair.hear({ kind: 'run', task: assignment('a') });
    pair.hear({ kind: 'run', task: assignment('b') });
    expect(await pair.told()).toEqual(['run begun', 'report', 'run All of its slots are taken.']);
    expect(pair.bench.told()).toContain('adopted');
    await pair.bench.exit('a');
    expect(await pair.told()).toContain('report');
  });
});

describe('a worker that feels its work', () => {
  /** What the peer is told at the next heartbeat. */
  async function beat(pair: Pair, felt: Partial<Bench['vitals']>): Promise<string[]> {
    Object.assign(pair.bench.vitals, felt);
    pair.bench.clock.advance(5000);
    return (await pair.told()).filter((words) => words.startsWith('offer'));
  }

  function loaded(): Pair {
    const pair = new Pair();
    pair.bench.assign(assignment('a'), assignment('b'));
    return pair;
  }

  test('gives work away at 85 °C, and is willing again below 75 °C', async () => {
    const pair = loaded();
    expect(await beat(pair, { temperatureC: 84.9 })).toEqual([]);
    expect(pair.bench.worker.offer.draining).toBe(false);
    expect(await beat(pair, { temperatureC: 85 })).toEqual(['offer b']);
    expect(pair.bench.worker.offer.draining).toBe(true);
    expect(await beat(pair, { temperatureC: 75 })).toEqual(['offer b']);
    expect(await beat(pair, { temperatureC: 74.9 })).toEqual([]);
    expect(pair.bench.worker.offer.draining).toBe(false);
    expect(await beat(pair, { temperatureC: 80 })).toEqual([]);
  });

  test('knows no better than before when its thermometer says nothing', async () => {
    const pair = loaded();
    await beat(pair, { temperatureC: 90 });
    expect(await beat(pair, { temperatureC: null })).toEqual(['offer b']);
  });

  test('gives work away when it goes on battery, and is willing again on mains', async () => {
    const pair = loaded();
    expect(await beat(pair, { charging: true })).toEqual([]);
    expect(await beat(pair, { charging: false })).toEqual(['offer b']);
    expect(await beat(pair, { charging: false })).toEqual(['offer b']);
    expect(pair.bench.worker.offer.draining).toBe(true);
    expect(await beat(pair, { charging: true })).toEqual([]);
    expect(pair.bench.worker.offer.draining).toBe(false);
  });

  test('that ran on battery from the first keeps its work', async () => {
    expect(await beat(loaded(), { charging: false })).toEqual([]);
  });

  test('takes nothing of peers while it is hot, and starts what waits here when nobody has it', async () => {
    const pair = loaded();
    expect(await beat(pair, { temperatureC: 90 })).toEqual(['offer b']);
    pair.hear({ kind: 'offer', attempts: [assignment('c')] });
    expect(await pair.told()).toEqual(['taken ']);
    pair.hear({ kind: 'offerAnswered', taken: [], declined: [{ taskId: 'b', attempt: 1 }] });
    await pair.bench.exit('a');
    expect(pair.bench.launcher.of('b', 1)).toBeDefined();
  });
});
