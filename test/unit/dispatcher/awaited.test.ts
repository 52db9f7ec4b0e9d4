import { expect, test } from 'bun:test';
import { AwaitedBlobs } from '../../../src/dispatcher/awaited.ts';
import { rangesOpenMax } from '../../../src/transfer/serving.ts';
import type { BlobRange } from '../../../src/wire/messages.ts';
import { ManualClock } from '../manual-clock.ts';

const blob = `sha256:${'a'.repeat(64)}`;
const other = `sha256:${'b'.repeat(64)}`;
const range = (offset: number, length = 10, of = blob): BlobRange => ({ blob: of, offset, length });

function opened() {
  const clock = new ManualClock();
  const coming = Promise.withResolvers<void>();
  const state = { received: 0, asked: 0 };
  const answered: BlobRange[] = [];
  const awaited = new AwaitedBlobs({
    clock,
    blobs: { size: (of) => (of === other ? 5 : null), received: () => state.received },
    bring: (of) => {
      state.asked += 1;
      return of === blob ? coming.promise : null;
    },
    answer: (ranges) => answered.push(...ranges),
  });
  return { clock, coming, state, answered, awaited };
}

test('AwaitedBlobs lets pass what is here, and what nobody keeps', () => {
  const { awaited } = opened();
  const unknown = range(0, 1, `sha256:${'c'.repeat(64)}`);
  expect(awaited.take([range(0, 1, other), unknown])).toEqual([range(0, 1, other), unknown]);
});

test('AwaitedBlobs answers each range as its bytes come, in order, and brings a blob once', async () => {
  const { clock, coming, state, answered, awaited } = opened();
  expect(awaited.take([range(0), range(0, 1, other), range(10)])).toEqual([range(0, 1, other)]);
  expect(awaited.take([range(20)])).toEqual([]);
  state.received = 19;
  clock.advance(50);
  expect(answered).toEqual([range(0)]);
  coming.resolve();
  await coming.promise;
  await Promise.resolve();
  expect(answered).toEqual([range(0), range(10), range(20)]);
  expect(state.asked).toBe(1);
});

test('AwaitedBlobs passes on what cannot be brought, to be refused', async () => {
  const { coming, answered, awaited } = opened();
  awaited.take([range(0)]);
  coming.reject(new Error('gone'));
  await coming.promise.catch(() => undefined);
  await Promise.resolve();
  expect(answered).toEqual([range(0)]);
});

test('AwaitedBlobs takes no more than its bound, and answers nothing after its end', async () => {
  const { clock, coming, state, answered, awaited } = opened();
  for (let n = 0; n < rangesOpenMax; n++) expect(awaited.take([range(n)])).toEqual([]);
  expect(awaited.take([range(0)])).toBeNull();
  awaited.close();
  state.received = 1_000_000;
  clock.advance(1000);
  coming.resolve();
  await coming.promise;
  await Promise.resolve();
  expect(answered).toEqual([]);
});
