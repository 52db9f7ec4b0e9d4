import { describe, expect, test } from 'bun:test';
import { countLine, progressLine, withCount } from '../../../src/cli/progress.ts';
import { chunksOf, eachOf } from '../../../src/cli/several.ts';
import { formatBytes } from '../../../src/cli/text.ts';

const mb = 2 ** 20;

describe('progressLine()', () => {
  test('says how far, how fast and how long; a bar where there is room', () => {
    const facts = { verb: 'Sending', bytes: 30 * mb, total: 120 * mb, rate: 9 * mb };
    expect(progressLine(facts, 100)).toBe(
      'Sending  [#####---------------]   25%  30.0 MB of 120.0 MB  9.0 MB/s  10.0s left',
    );
    expect(progressLine(facts, 60)).toBe('Sending   25%  30.0 MB of 120.0 MB  9.0 MB/s  10.0s left');
  });

  test('never fills the last cell, and says nothing it does not know', () => {
    const facts = { verb: 'Sending', bytes: 0, total: 120 * mb, rate: null };
    expect(progressLine(facts, 60)).toBe('Sending    0%  0 B of 120.0 MB');
    for (let columns = 2; columns < 100; columns++) expect(progressLine(facts, columns).length).toBeLessThan(columns);
  });
});

test('countLine() says the share only of a total that is known and holds', () => {
  expect(countLine(12_345, 'tasks', 'ended', 200_000)).toBe('12,345 of 200,000 tasks ended  6%');
  expect(countLine(5, 'tasks', 'read', null)).toBe('5 tasks read so far');
  expect(countLine(5, 'tasks', 'read', 4)).toBe('5 tasks read so far');
  expect(countLine(0, 'tasks', 'ended', 0)).toBe('0 of 0 tasks ended  100%');
});

test('withCount() draws after a second on a terminal, takes the line away, and leaves one that prints alone', async () => {
  const sight = (outColumns: number | null) => {
    const seen: string[] = [];
    const drawn = Promise.withResolvers<void>();
    const write = async (data: Uint8Array | string) => {
      seen.push(String(data));
      drawn.resolve();
    };
    const stdout = { isTTY: outColumns !== null, columns: outColumns, write };
    return { seen, drawn: drawn.promise, terminal: { stderr: { isTTY: true, columns: 80, write }, stdout, env: {} } };
  };
  const counted = { noun: 'tasks', done: 'read', total: 4, alone: false };
  const printing = sight(80);
  expect(await withCount(printing.terminal, counted, async () => 'done')).toBe('done');
  const quick = sight(null);
  await withCount(quick.terminal, counted, async (add) => add(2));
  const long = sight(null);
  await withCount(long.terminal, counted, (add) => {
    add(2);
    return long.drawn;
  });
  expect([printing.seen, quick.seen]).toEqual([[], []]);
  expect(long.seen).toEqual(['\r2 of 4 tasks read  50%\u001b[K', '\r\u001b[K']);
});

test('chunksOf() keeps the order and leaves nothing out', () => {
  expect(chunksOf([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  expect(chunksOf([], 2)).toEqual([]);
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KB'],
  [1024 * 1023.99, '1.0 MB'],
  [1.5 * 2 ** 30, '1.5 GB'],
  [2 ** 50, '1024.0 TB'],
  [null, ''],
])('formatBytes(%p) is %p', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test('eachOf() keeps the order, bounds what goes on at once, and starts nothing after an error', async () => {
  let going = 0;
  let most = 0;
  const double = async (n: number): Promise<number> => {
    going += 1;
    most = Math.max(most, going);
    await Promise.resolve();
    going -= 1;
    return n * 2;
  };
  expect(await eachOf([1, 2, 3, 4, 5], double, 2)).toEqual([2, 4, 6, 8, 10]);
  expect(most).toBe(2);
  const seen: number[] = [];
  const failing = eachOf(
    [1, 2, 3, 4],
    async (n) => {
      seen.push(n);
      if (n === 1) throw new Error('first');
    },
    1,
  );
  expect(failing).rejects.toThrow('first');
  await failing.catch(() => {});
  expect(seen).toEqual([1]);
});
