import { expect, test } from 'bun:test';
import { stallMsMax, triesMax, windowBytesMax, windowRangesMax } from '../../../src/transfer/fetching.ts';
import type { BlobMessage } from '../../../src/wire/messages.ts';
import { content, Wires } from './wires.ts';

/** How a wait for a blob ended: `here`, or why it did not come. */
function ending(done: Promise<void>): Promise<string> {
  return done.then(
    () => 'here',
    (error: Error) => error.message,
  );
}

const rangesOf = (messages: readonly BlobMessage[]) =>
  messages.flatMap((message) => (message.kind === 'blobWanted' ? message.ranges : []));

test.each([0, 1, 1000, 512 * 1024, 512 * 1024 + 1, 7_000_000])('fetch() brings a blob of %p bytes', async (size) => {
  const wires = new Wires();
  const bytes = content(size);
  const blob = wires.there.add(bytes);
  const end = ending(wires.fetcher.fetch(blob, size).done);
  await wires.carry();
  expect(await end).toBe('here');
  expect(wires.here.blobs.get(blob)).toEqual(bytes);
  expect([wires.fetcher.size, wires.clock.pending]).toEqual([0, 0]);
});

test('fetch() never has more out than the window, and gets on with what is left', async () => {
  const wires = new Wires();
  const large = wires.there.add(content(3 * windowBytesMax));
  void wires.fetcher.fetch(large, 3 * windowBytesMax);
  await wires.rest();
  const asked = rangesOf(wires.up.sent);
  expect(asked.reduce((sum, { length }) => sum + length, 0)).toBe(windowBytesMax);
  await wires.carry();
  expect(wires.here.size(large)).toBe(3 * windowBytesMax);
});

test('fetch() asks for many small blobs in few messages', async () => {
  const wires = new Wires();
  const sizes = Array.from({ length: 1000 }, (_, n) => n % 50);
  const ends = sizes.map((size, n) => {
    const bytes = content(size + 4, n);
    bytes.set([n & 0xff, n >> 8]);
    return ending(wires.fetcher.fetch(wires.there.add(bytes), bytes.length).done);
  });
  await wires.rest();
  expect(wires.up.sent).toHaveLength(1);
  expect(rangesOf(wires.up.sent)).toHaveLength(windowRangesMax);
  await wires.carry();
  expect(new Set(await Promise.all(ends))).toEqual(new Set(['here']));
});

test('fetch() is one transfer for all who want the same, which goes on until the last has left', async () => {
  const wires = new Wires();
  const blob = wires.there.add(content(100));
  const [first, second] = [wires.fetcher.fetch(blob, 100), wires.fetcher.fetch(blob, 100)];
  const ends = [ending(first.done), ending(second.done)];
  await wires.rest();
  expect(rangesOf(wires.up.sent)).toHaveLength(1);
  first.cancel();
  await wires.carry();
  expect(await Promise.all(ends)).toEqual(['it was given up', 'here']);
});

test('cancel() by the last who waits ends the transfer, and what has come is where a later one goes on', async () => {
  const wires = new Wires();
  const blob = wires.there.add(content(2_000_000));
  const fetch = wires.fetcher.fetch(blob, 2_000_000);
  const end = ending(fetch.done);
  await wires.rest();
  const data = content(2_000_000).subarray(0, 1000);
  wires.fetcher.take({ kind: 'blobData', parts: [{ blob, offset: 0, data }] });
  fetch.cancel();
  expect(await end).toBe('it was given up');
  expect([wires.fetcher.size, wires.clock.pending]).toEqual([0, 0]);
  wires.up.take();
  void wires.fetcher.fetch(blob, 2_000_000);
  await wires.rest();
  expect(rangesOf(wires.up.sent)[0]?.offset).toBe(1000);
});

test('a transfer goes on from where it stood when the link broke', async () => {
  const wires = new Wires();
  const bytes = content(3_000_000);
  const blob = wires.there.add(bytes);
  const end = ending(wires.fetcher.fetch(blob, bytes.length).done);
  await wires.rest();
  wires.fetcher.take({ kind: 'blobData', parts: [{ blob, offset: 0, data: bytes.subarray(0, 700_000) }] });
  wires.reconnect();
  await wires.rest();
  expect(rangesOf(wires.up.sent)[0]?.offset).toBe(700_000);
  await wires.carry();
  expect(await end).toBe('here');
  expect(wires.here.blobs.get(blob)).toEqual(bytes);
});

test('what arrives twice, or was never asked for, is dropped and counted', async () => {
  const wires = new Wires();
  const bytes = content(1_500_000);
  const blob = wires.there.add(bytes);
  const end = ending(wires.fetcher.fetch(blob, bytes.length).done);
  await wires.rest();
  const stray = { blob: `sha256:${'1'.repeat(64)}`, offset: 0, data: content(5) };
  wires.fetcher.take({ kind: 'blobData', parts: [stray, { blob, offset: 512, data: content(5) }] });
  wires.fetcher.take({ kind: 'blobRefused', blob: stray.blob, detail: 'no' });
  expect(wires.fetcher.unaskedParts).toBe(3);
  await wires.carry({ twice: true });
  expect(await end).toBe('here');
  expect(wires.here.blobs.get(blob)).toEqual(bytes);
  expect(wires.fetcher.unaskedParts).toBeGreaterThan(3);
});

test('wrong content is asked for again from its beginning, and after the last try it is said what differs', async () => {
  const wires = new Wires();
  const bytes = content(1000);
  const blob = wires.there.add(bytes);
  const fetch = wires.fetcher.fetch(blob, 1000);
  const end = ending(fetch.done);
  for (let attempt = 1; attempt <= triesMax; attempt++) {
    await wires.rest();
    expect(rangesOf(wires.up.take())).toEqual([{ blob, offset: 0, length: 1000 }]);
    wires.fetcher.take({ kind: 'blobData', parts: [{ blob, offset: 0, data: content(1000, 9) }] });
  }
  await wires.rest();
  expect(await end).toBe(`what the other sent as ${blob} has another hash, ${triesMax} times over`);
  expect([wires.fetcher.size, wires.here.blobs.size]).toEqual([0, 0]);
});

test('content that is right the second time is taken', async () => {
  const wires = new Wires();
  const bytes = content(1000);
  const blob = wires.there.add(bytes);
  const end = ending(wires.fetcher.fetch(blob, 1000).done);
  await wires.rest();
  wires.up.take();
  wires.fetcher.take({ kind: 'blobData', parts: [{ blob, offset: 0, data: content(1000, 9) }] });
  await wires.carry();
  expect(await end).toBe('here');
});

test('a refusal ends the wait with its reason; others go on', async () => {
  const wires = new Wires();
  const lacking = `sha256:${'0'.repeat(64)}`;
  const blob = wires.there.add(content(10));
  const ends = [ending(wires.fetcher.fetch(lacking, 10).done), ending(wires.fetcher.fetch(blob, 10).done)];
  await wires.carry();
  const [refused, other] = await Promise.all(ends);
  expect(refused).toBe(`the other cannot give it: There is no blob ${lacking} here`);
  expect(other).toBe('here');
});

test('a full disk ends the wait with the reason, and keeps nothing open', async () => {
  const wires = new Wires();
  const blob = wires.there.add(content(100));
  wires.here.bytesMax = 99;
  const end = ending(wires.fetcher.fetch(blob, 100).done);
  await wires.carry();
  expect(await end).toContain('no space left');
  expect(wires.fetcher.size).toBe(0);
});

test('a blob that somebody else takes in just now is waited for', async () => {
  const wires = new Wires();
  const bytes = content(100);
  const blob = wires.there.add(bytes);
  const other = wires.here.receive(blob, 100);
  const end = ending(wires.fetcher.fetch(blob, 100).done);
  await wires.carry();
  expect(wires.fetcher.size).toBe(1);
  other.write(bytes);
  await other.finish();
  wires.clock.advance(1000);
  expect(await end).toBe('here');
});

test('a peer that says nothing for too long fails what it was asked for', async () => {
  const wires = new Wires();
  const end = ending(wires.fetcher.fetch(`sha256:${'0'.repeat(64)}`, 10).done);
  await wires.rest();
  wires.clock.advance(stallMsMax - 1);
  expect(wires.fetcher.size).toBe(1);
  wires.clock.advance(1);
  expect(await end).toBe('nothing of it came from the other for 120 s');
  expect(wires.clock.pending).toBe(0);
});

test('two sizes of one blob cannot both be true', async () => {
  const wires = new Wires();
  const blob = wires.there.add(content(10));
  void wires.fetcher.fetch(blob, 10);
  expect(await ending(wires.fetcher.fetch(blob, 11).done)).toBe('it is said to have 11 bytes, and elsewhere 10');
});
