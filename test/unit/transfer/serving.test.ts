import { expect, test } from 'bun:test';
import { BlobServer, rangesOpenMax } from '../../../src/transfer/serving.ts';
import { type BlobMessage, blobDataBytesMax } from '../../../src/wire/messages.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import { ManualClock } from '../manual-clock.ts';
import { content, Line } from './wires.ts';

class Bench {
  readonly clock = new ManualClock();
  readonly store = new MemoryBlobs();
  readonly line = new Line();
  readonly server = new BlobServer({ clock: this.clock, store: this.store, link: this.line });

  ask(...ranges: { blob: string; offset: number; length: number }[]): void {
    this.server.take({ kind: 'blobWanted', ranges });
    this.clock.settle();
  }

  async rest(): Promise<void> {
    for (let n = 0; n < 20; n++) await Promise.resolve();
    this.clock.settle();
  }
}

/** Parts of each message, as `offset+bytes`, and refusals. */
function brief(messages: readonly BlobMessage[]): string[] {
  return messages.map((message) => {
    if (message.kind === 'blobData')
      return message.parts.map(({ offset, data }) => `${offset}+${data.length}`).join(' ');
    return message.kind === 'blobRefused' ? `refused: ${message.detail}` : message.kind;
  });
}

test('ranges are answered in order, small ones together, large ones alone', () => {
  const bench = new Bench();
  const bytes = content(2 * blobDataBytesMax);
  const blob = bench.store.add(bytes);
  bench.ask(
    { blob, offset: 0, length: 10 },
    { blob, offset: 10, length: 20 },
    { blob, offset: 30, length: blobDataBytesMax },
    { blob, offset: 5, length: 1 },
  );
  expect(brief(bench.line.sent)).toEqual(['0+10 10+20', `30+${blobDataBytesMax}`, '5+1']);
  const [first] = bench.line.sent;
  expect(first?.kind === 'blobData' && first.parts[1]?.data).toEqual(bytes.slice(10, 30));
  expect(bench.server.size).toBe(0);
});

test('nothing is sent while the link is congested, and one message at once when it has drained', () => {
  const bench = new Bench();
  const blob = bench.store.add(content(3 * blobDataBytesMax));
  bench.line.blobsCongested = true;
  bench.ask(...[0, 1, 2].map((n) => ({ blob, offset: n * blobDataBytesMax, length: blobDataBytesMax })));
  expect(bench.line.take()).toEqual([]);
  bench.line.blobsCongested = false;
  bench.server.drained();
  expect(brief(bench.line.take())).toEqual([`0+${blobDataBytesMax}`]);
  bench.clock.settle();
  expect(bench.line.take()).toHaveLength(2);
});

test('a blob that is not here is refused once, with all that was asked of it', () => {
  const bench = new Bench();
  const blob = bench.store.add(content(10));
  const lacking = `sha256:${'0'.repeat(64)}`;
  bench.ask(
    { blob, offset: 0, length: 5 },
    { blob: lacking, offset: 0, length: 5 },
    { blob, offset: 5, length: 5 },
    { blob: lacking, offset: 5, length: 5 },
  );
  expect(brief(bench.line.sent)).toEqual(['0+5', `refused: There is no blob ${lacking} here.`, '5+5']);
});

test('a range beyond the end is refused', () => {
  const bench = new Bench();
  const blob = bench.store.add(content(10));
  bench.ask({ blob, offset: 8, length: 5 });
  expect(brief(bench.line.sent)).toEqual(['refused: it ends at byte 10, and was asked for up to 13']);
});

test('a blob whose beginning is asked for again is looked at first, and refused when it is damaged', async () => {
  const bench = new Bench();
  const blob = bench.store.add(content(10));
  const range = { blob, offset: 0, length: 10 };
  bench.ask(range);
  bench.ask(range);
  await bench.rest();
  expect(brief(bench.line.take())).toEqual(['0+10', '0+10']);
  bench.store.corrupt(blob);
  bench.ask(range);
  expect(bench.line.take()).toEqual([]);
  await bench.rest();
  expect(brief(bench.line.take())).toEqual([
    'refused: it is damaged there: its content has another hash than its name',
  ]);
  expect(bench.server.size).toBe(0);
});

test('a peer that asks for more than a sane one would is hung up on', () => {
  const bench = new Bench();
  const blob = bench.store.add(content(10));
  bench.line.blobsCongested = true;
  const ranges = Array.from({ length: 512 }, () => ({ blob, offset: 0, length: 1 }));
  for (let n = 0; n < rangesOpenMax / 512; n++) bench.ask(...ranges);
  expect(bench.line.closed).toBeNull();
  bench.ask(...ranges.slice(0, 1));
  expect(bench.line.closed).toContain(`more than ${rangesOpenMax} ranges`);
  expect(bench.server.size).toBe(0);
});
