/** What every way to carry bytes promises: TCP, QUIC and the simulated one are held to it alike. */

import { afterEach, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { OctasklyError } from '../../src/base/errors.ts';
import type { Carrier, CarrierEnd, CarrierHandlers, Lane, Transport } from '../../src/ports/transport.ts';
import { createQuicTransport, quicLimits } from '../../src/runtime/quic.ts';
import { type CarrierLimits, createTcpTransport } from '../../src/runtime/tcp.ts';
import { lanes } from '../../src/wire/lanes.ts';
import { MemoryNetwork } from '../sim/transport.ts';

const host = '127.0.0.1';
const usual: CarrierLimits = {
  highWaterBytes: 256 * 1024,
  queuedBytesMax: 64 * 1024 * 1024,
  stallTimeoutMs: 10_000,
  lingerMs: 1000,
};
const network = new MemoryNetwork((run) => setTimeout(run, 0));
const quic = (limits: CarrierLimits) => createQuicTransport({ ...quicLimits, ...limits });
const transports: readonly (readonly [string, (limits: CarrierLimits) => Transport])[] = [
  ['TCP', createTcpTransport],
  // Node 20 has none.
  ...(process.versions.bun === undefined ? [] : [['QUIC', quic] as const]),
  ['simulated', (limits) => network.transport(limits)],
];

/** One end of a connection and all that came out of it. */
class End {
  readonly carrier: Carrier;
  readonly received = new Map<Lane, Uint8Array[]>();
  readonly ends: CarrierEnd[] = [];
  readonly drains: Lane[] = [];
  readonly handlers: CarrierHandlers = {
    onData: (lane, chunk) => {
      expect(this.ends).toEqual([]);
      this.received.set(lane, [...(this.received.get(lane) ?? []), chunk]);
      this.onChunk(lane, chunk);
    },
    onDrain: (lane) => this.drains.push(lane),
    onClose: (end) => this.ends.push(end),
  };
  onChunk: (lane: Lane, chunk: Uint8Array) => void = () => {};

  constructor(carrier: Carrier) {
    this.carrier = carrier;
  }

  text(lane: Lane): string {
    return new TextDecoder().decode(Buffer.concat(this.received.get(lane) ?? []));
  }

  bytes(lane: Lane): number {
    return (this.received.get(lane) ?? []).reduce((sum, chunk) => sum + chunk.length, 0);
  }
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function until(claim: string, condition: () => boolean, timeoutMs = 8000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`did not become true in ${timeoutMs} ms: ${claim}`);
    await Bun.sleep(1);
  }
}

interface Site {
  readonly port: number;
  readonly transport: Transport;
  readonly taken: End[];
  readonly stop: () => void;
}

async function listening(transport: Transport): Promise<Site> {
  const taken: End[] = [];
  const listener = await transport.listen({ host, port: 0 }, (carrier) => {
    const end = new End(carrier);
    taken.push(end);
    return end.handlers;
  });
  cleanups.push(() => {
    listener.stop();
    for (const { carrier } of taken) carrier.cut({ cause: 'finished', detail: 'The test is over.' });
  });
  return { port: listener.port, transport, taken, stop: () => listener.stop() };
}

/** Dials; the listener's end is there once something was sent. */
async function dialled({ transport, port }: Pick<Site, 'transport' | 'port'>): Promise<End> {
  const made: End[] = [];
  await transport.dial({ host, port, timeoutMs: 5000 }, (carrier) => {
    const end = new End(carrier);
    made.push(end);
    return end.handlers;
  });
  const [end] = made;
  if (end === undefined) throw new Error('dial() resolved without a connection');
  cleanups.push(() => end.carrier.cut({ cause: 'finished', detail: 'The test is over.' }));
  return end;
}

/** Both ends of a connection over which something was said on each lane. */
async function connected(transport: Transport): Promise<{ readonly near: End; readonly far: End }> {
  const site = await listening(transport);
  const near = await dialled(site);
  for (const lane of near.carrier.lanes) near.carrier.write(lane, Uint8Array.of(0));
  await until('every lane is heard', () => site.taken[0]?.received.size === near.carrier.lanes.length);
  const [far] = site.taken;
  if (far === undefined) throw new Error('nothing was taken');
  far.received.clear();
  return { near, far };
}

const utf8 = new TextEncoder();

describe.each(transports)('a Transport over %s', (_name, create) => {
  test('carries bytes of each lane both ways, in order within it', async () => {
    const { near, far } = await connected(create(usual));
    expect(near.carrier.remoteHost).toBe(host);
    expect(far.carrier.remoteHost).toBe(host);
    for (let i = 0; i < 500; i++) {
      for (const lane of near.carrier.lanes) {
        near.carrier.write(lane, utf8.encode(`${lane}${i} `));
        far.carrier.write(lane, utf8.encode(`${i}${lane} `));
      }
    }
    for (const lane of near.carrier.lanes) {
      const numbers = Array.from({ length: 500 }, (_, i) => i);
      const wanted = [numbers.map((i) => `${lane}${i} `).join(''), numbers.map((i) => `${i}${lane} `).join('')];
      await until('all is there', () => far.text(lane) === wanted[0] && near.text(lane) === wanted[1]);
    }
  });

  test('carries small and large writes in their order', async () => {
    const { near, far } = await connected(create(usual));
    const written = Array.from({ length: 40 }, (_, i) => new Uint8Array(i % 3 === 0 ? 50_000 : 7000 * (i % 5)).fill(i));
    const all = Buffer.concat(written);
    for (const bytes of written) near.carrier.write('control', bytes);
    await until('all of it is there', () => far.bytes('control') >= all.length);
    expect(Buffer.compare(Buffer.concat(far.received.get('control') ?? []), all)).toBe(0);
  });

  test('finish() sends what is queued on every lane, then ends both sides, each once', async () => {
    const { near, far } = await connected(create(usual));
    for (const lane of near.carrier.lanes) near.carrier.write(lane, new Uint8Array(3_000_000));
    near.carrier.finish();
    near.carrier.finish();
    near.carrier.write('control', Uint8Array.of(1));
    await until('both have ended', () => near.ends.length > 0 && far.ends.length > 0);
    for (const lane of near.carrier.lanes) expect(far.bytes(lane)).toBe(3_000_000);
    expect(far.ends.map(({ cause }) => cause)).toEqual(['ended_by_peer']);
    expect(near.ends.map(({ cause }) => cause)).toEqual(['finished']);
  });

  test('finish() of the listening side does the same', async () => {
    const { near, far } = await connected(create(usual));
    for (const lane of far.carrier.lanes) far.carrier.write(lane, new Uint8Array(1_000_000));
    far.carrier.finish();
    await until('both have ended', () => near.ends.length > 0 && far.ends.length > 0);
    for (const lane of far.carrier.lanes) expect(near.bytes(lane)).toBe(1_000_000);
    expect([near.ends[0]?.cause, far.ends[0]?.cause]).toEqual(['ended_by_peer', 'finished']);
  });

  test('cut() ends from inside the call, and the other side hears of it soon', async () => {
    const { near, far } = await connected(create(usual));
    near.carrier.cut({ cause: 'finished', detail: 'enough' });
    expect(near.ends).toEqual([{ cause: 'finished', detail: 'enough' }]);
    near.carrier.cut({ cause: 'lost', detail: 'again' });
    near.carrier.write('control', Uint8Array.of(1));
    const before = performance.now();
    await until('the other side has ended', () => far.ends.length > 0);
    expect(performance.now() - before).toBeLessThan(1500);
    expect(near.ends).toHaveLength(1);
    expect(far.ends).toHaveLength(1);
  });

  test('says when a lane is congested, and when it has room again, not from inside write()', async () => {
    const { near, far } = await connected(create(usual));
    expect(near.carrier.congested('blobs')).toBe(false);
    near.carrier.write('blobs', new Uint8Array(usual.highWaterBytes * 8));
    expect(near.carrier.congested('blobs')).toBe(true);
    expect(near.carrier.congested('control')).toBe(near.carrier.lanes.length === 1);
    expect(near.drains).toEqual([]);
    await until('it has drained', () => near.drains.length > 0 && !near.carrier.congested('blobs'));
    const lane = near.carrier.lanes.length === 1 ? 'control' : 'blobs';
    await until('all is there', () => far.bytes(lane) === usual.highWaterBytes * 8);
  });

  test('cuts off a writer that ignores that, as stalled', async () => {
    const { near, far } = await connected(create({ ...usual, queuedBytesMax: 8 * 1024 * 1024 }));
    for (let i = 0; i < 9; i++) near.carrier.write('output', new Uint8Array(1024 * 1024));
    expect(near.ends.map(({ cause }) => cause)).toEqual(['stalled']);
    await until('the other side has ended', () => far.ends.length === 1);
  });

  test('carries 50 MB to a reader that pauses, with the same hash, and never holds more than a little', async () => {
    const { near, far } = await connected(create(usual));
    const lane = near.carrier.lanes.length === 1 ? 'control' : 'blobs';
    const total = 50 * 1024 * 1024;
    const [sent, heard] = [createHash('sha256'), createHash('sha256')];
    let [left, arrived, chunks] = [total, 0, 0];
    far.onChunk = (_lane, chunk) => {
      far.received.clear();
      heard.update(chunk);
      arrived += chunk.length;
      // A turn in which nothing is read.
      if (++chunks % 200 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    };
    const pattern = crypto.getRandomValues(new Uint8Array(64 * 1024));
    while (left > 0) {
      if (near.carrier.congested(lane)) {
        await until('there is room', () => !near.carrier.congested(lane));
        continue;
      }
      const chunk = pattern.subarray(0, Math.min(left, pattern.length));
      chunk[0] = left & 255;
      sent.update(chunk);
      near.carrier.write('blobs', chunk);
      left -= chunk.length;
    }
    await until('all is there', () => arrived === total, 20_000);
    expect(heard.digest('hex')).toBe(sent.digest('hex'));
  }, 30_000);

  test('does not let one lane wait for another, where it has several', async () => {
    const { near, far } = await connected(create(usual));
    if (near.carrier.lanes.length === 1) return;
    near.carrier.write('blobs', new Uint8Array(20 * 1024 * 1024));
    let blobBytes = -1;
    far.onChunk = (lane) => {
      if (lane === 'control') blobBytes = far.bytes('blobs');
    };
    await until('the transfer is on its way', () => far.bytes('blobs') > 0);
    near.carrier.write('control', Uint8Array.of(7));
    await until('the word is there', () => blobBytes >= 0);
    expect(blobBytes).toBeLessThan(16 * 1024 * 1024);
    await until('the transfer is there', () => far.bytes('blobs') === 20 * 1024 * 1024);
  }, 20_000);

  test('takes many connections at once, and keeps them apart', async () => {
    const site = await listening(create(usual));
    const near = await Promise.all(Array.from({ length: 40 }, () => dialled(site)));
    for (const [i, { carrier }] of near.entries()) carrier.write('control', utf8.encode(`I am ${i}`));
    const said = (): string[] => site.taken.map((end) => end.text('control')).toSorted();
    await until(
      'all are heard',
      () =>
        said().join() ===
        near
          .map((_, i) => `I am ${i}`)
          .toSorted()
          .join(),
    );
  });

  test('refuses a port that is in use, by its name and number', async () => {
    const { port, transport } = await listening(create(usual));
    const second = transport.listen({ host, port }, () => new End({} as Carrier).handlers);
    const error = await second.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(OctasklyError);
    expect(error).toMatchObject({ code: 'in_use', message: expect.stringContaining(`${port}`) });
  });

  test('dial() rejects in words where nothing listens, and when a listener has stopped', async () => {
    const site = await listening(create(usual));
    const near = await dialled(site);
    near.carrier.write('control', utf8.encode('before'));
    site.stop();
    const refused = site.transport.dial(
      { host, port: site.port, timeoutMs: 700 },
      () => new End({} as Carrier).handlers,
    );
    expect(await refused.catch((error: Error) => error.message)).toMatch(/nothing listens there|no answer/);
    // Those that are open stay.
    near.carrier.write('control', utf8.encode(' and after'));
    await until('it is heard', () => site.taken[0]?.text('control') === 'before and after');
  });
});

test('a Transport has all lanes but over TCP, which has one', async () => {
  for (const [name, create] of transports) {
    const { near, far } = await connected(create(usual));
    expect(near.carrier.lanes, name).toEqual(name === 'TCP' ? ['control'] : lanes);
    expect(far.carrier.lanes).toEqual(near.carrier.lanes);
  }
});
