import { expect, test } from 'bun:test';
import { planWindowBytes } from '../../../src/transfer/plan.ts';
import { BlobServer } from '../../../src/transfer/serving.ts';
import { lastSource, planActiveMax, Swarm } from '../../../src/transfer/swarm.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { ManualClock } from '../manual-clock.ts';
import { content, Line } from './wires.ts';

const mebibyte = 1024 * 1024;

/** A swarm with sources that hold what the test gave them. */
class Sources {
  readonly clock = new ManualClock();
  readonly here = new MemoryBlobs();
  readonly progress: string[] = [];
  readonly troubles: string[] = [];
  readonly swarm = new Swarm({
    clock: this.clock,
    store: this.here,
    onProgress: (blob) => void this.progress.push(blob),
    onTrouble: ({ kind, sources }) => void this.troubles.push(`${kind} ${sources.join(' ')}`),
  });
  readonly #lines = new Map<string, { up: Line; down: Line; store: MemoryBlobs; server: BlobServer }>();
  /** Bytes given by each. */
  readonly given = new Map<string, number>();

  source(key: string): MemoryBlobs {
    const [up, down, store] = [new Line(), new Line(), new MemoryBlobs()];
    this.#lines.set(key, { up, down, store, server: new BlobServer({ clock: this.clock, store, link: down }) });
    this.swarm.attach(key, Object.assign(up, { blobsCongested: false }));
    return store;
  }

  has(key: string, blob: string, have: number): void {
    this.swarm.expect(blob, key, { rank: 0, isNear: true });
    this.swarm.here(key, { blob, bytes: null, have });
  }

  cut(key: string): void {
    this.#lines.delete(key);
    this.swarm.detach(key);
  }

  async carry(rounds = 2000): Promise<void> {
    for (let n = 0; n < rounds; n++) {
      for (let m = 0; m < 20; m++) await Promise.resolve();
      this.clock.settle();
      let said = 0;
      for (const [key, { up, down, server }] of [...this.#lines]) {
        for (const message of up.take()) {
          said += 1;
          if (message.kind === 'blobWanted') server.take(message);
        }
        for (const message of down.take()) {
          said += 1;
          if (message.kind === 'blobWanted') continue;
          if (message.kind === 'blobData') {
            const bytes = message.parts.reduce((sum, { data }) => sum + data.length, 0);
            this.given.set(key, (this.given.get(key) ?? 0) + bytes);
          }
          this.swarm.take(key, message);
        }
      }
      if (said === 0) return;
    }
  }
}

const ending = (done: Promise<void>): Promise<string> =>
  done.then(
    () => 'here',
    (error: Error) => error.message,
  );

test('fetch() brings a blob from several peers, and asks the dispatcher for nothing', async () => {
  const sources = new Sources();
  const bytes = content(24 * mebibyte);
  const blob = sources.source('a').add(bytes);
  sources.source('b').add(bytes);
  sources.source(lastSource).add(bytes);
  const end = ending(sources.swarm.fetch(blob, bytes.length).done);
  for (const key of ['a', 'b']) sources.has(key, blob, bytes.length);
  await sources.carry();
  expect(await end).toBe('here');
  expect(sources.given.get(lastSource)).toBeUndefined();
  expect(sources.given.size).toBe(2);
  expect([sources.swarm.size, sources.clock.pending]).toEqual([0, 0]);
  expect(sources.progress).toContain(blob);
});

test('fetch() goes on where it stood when its sources break, one after the other', async () => {
  const sources = new Sources();
  const bytes = content(24 * mebibyte);
  const blob = sources.source('a').add(bytes);
  sources.source('b').add(bytes);
  const end = ending(sources.swarm.fetch(blob, bytes.length).done);
  sources.has('a', blob, bytes.length);
  await sources.carry(2);
  sources.cut('a');
  sources.has('b', blob, bytes.length);
  await sources.carry(2);
  sources.cut('b');
  const soFar = sources.here.received(blob);
  expect(soFar).toBeGreaterThan(0);
  sources.source(lastSource).add(bytes);
  await sources.carry();
  expect(await end).toBe('here');
  expect(sources.given.get(lastSource)).toBe(bytes.length - soFar);
  expect(sources.troubles).toEqual(['gone a', 'gone b']);
});

test('after a wrong hash the peer is not asked again: the dispatcher gives all of it', async () => {
  const sources = new Sources();
  const bytes = content(3 * mebibyte);
  const liar = sources.source('liar');
  const blob = liar.add(bytes);
  liar.corrupt(blob, mebibyte);
  sources.source(lastSource).add(bytes);
  const end = ending(sources.swarm.fetch(blob, bytes.length).done);
  sources.has('liar', blob, bytes.length);
  await sources.carry();
  expect(await end).toBe('here');
  expect(sources.here.blobs.get(blob)).toEqual(bytes);
  expect([sources.given.get('liar'), sources.given.get(lastSource)]).toEqual([bytes.length, bytes.length]);
  expect(sources.swarm.wrongHashes).toBe(1);
  expect(sources.troubles).toEqual(['wrong liar']);
  expect(sources.swarm.expect(blob, 'liar', { rank: 0, isNear: true })).toBe(false);
});

test('a peer that says another size is not asked', async () => {
  const sources = new Sources();
  const bytes = content(2 * mebibyte);
  const blob = sources.source(lastSource).add(bytes);
  sources.source('odd').add(bytes);
  const end = ending(sources.swarm.fetch(blob, bytes.length).done);
  sources.swarm.expect(blob, 'odd', { rank: 0, isNear: true });
  sources.swarm.here('odd', { blob, bytes: 5, have: 5 });
  await sources.carry();
  expect(await end).toBe('here');
  expect(sources.given.get('odd')).toBeUndefined();
});

test('what nobody has fails with what the dispatcher said', async () => {
  const sources = new Sources();
  sources.source(lastSource);
  const end = ending(sources.swarm.fetch(`sha256:${'0'.repeat(64)}`, 2 * mebibyte).done);
  await sources.carry();
  expect(await end).toStartWith('the dispatcher cannot give it: There is no blob');
  expect([sources.swarm.size, sources.clock.pending]).toEqual([0, 0]);
});

test('a full disk ends the wait with the reason', async () => {
  const sources = new Sources();
  const blob = sources.source(lastSource).add(content(2 * mebibyte));
  sources.here.bytesMax = 1000;
  const end = ending(sources.swarm.fetch(blob, 2 * mebibyte).done);
  await sources.carry();
  expect(await end).toContain('no space left');
});

test('cancel() by the last who waits ends it; what has come is kept', async () => {
  const sources = new Sources();
  const bytes = content(24 * mebibyte);
  const blob = sources.source(lastSource).add(bytes);
  const [one, other] = [sources.swarm.fetch(blob, bytes.length), sources.swarm.fetch(blob, bytes.length)];
  const ends = [ending(one.done), ending(other.done)];
  await sources.carry(4);
  one.cancel();
  expect(sources.swarm.size).toBe(1);
  other.cancel();
  expect(await Promise.all(ends)).toEqual(['it was given up', 'it was given up']);
  expect([sources.swarm.size, sources.clock.pending]).toEqual([0, 0]);
  expect(sources.here.received(blob)).toBeGreaterThan(0);
});

test('no more than a few blobs come in at a time, each within its window', async () => {
  const sources = new Sources();
  const store = sources.source(lastSource);
  const ends = Array.from({ length: planActiveMax + 3 }, (_, n) => {
    const bytes = content(10 * mebibyte, n);
    return ending(sources.swarm.fetch(store.add(bytes), bytes.length).done);
  });
  sources.clock.settle();
  const out = sources.swarm.size;
  expect(out).toBe(planActiveMax + 3);
  await sources.carry();
  expect(new Set(await Promise.all(ends))).toEqual(new Set(['here']));
  expect(planActiveMax * planWindowBytes).toBeLessThanOrEqual(32 * mebibyte);
});

test('take() gives back what others wait for, when large and small blobs come in one message', async () => {
  const sources = new Sources();
  const bytes = content(2 * mebibyte);
  const blob = sources.source(lastSource).add(bytes);
  const end = ending(sources.swarm.fetch(blob, bytes.length).done);
  await sources.carry(1);
  const small = { blob: `sha256:${'5'.repeat(64)}`, offset: 0, data: content(5) };
  const first = { blob, offset: 0, data: bytes.slice(0, 10) };
  const taken = sources.swarm.take(lastSource, { kind: 'blobData', parts: [first, small] });
  expect(taken).toEqual({ kind: 'blobData', parts: [small] });
  expect(sources.swarm.take(lastSource, { kind: 'blobData', parts: [small] })).toEqual({
    kind: 'blobData',
    parts: [small],
  });
  const refused = { kind: 'blobRefused', blob: small.blob, detail: 'gone' } as const;
  expect(sources.swarm.take(lastSource, refused)).toEqual(refused);
  expect(sources.swarm.take(lastSource, { ...refused, blob })).toBeNull();
  await sources.carry();
  expect(await end).toContain('the dispatcher cannot give it: gone');
});
