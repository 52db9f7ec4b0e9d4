import { describe, expect, test } from 'bun:test';
import { expandPath, expandPattern } from '../../../src/cli/placeholders.ts';
import { progressLine } from '../../../src/cli/progress.ts';
import { eachOf } from '../../../src/cli/several.ts';
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

test('expandPath() puts arguments in as they are, expandPattern() so that they match themselves alone', () => {
  expect(expandPath('{/.}/{#}.{2}', ["/a/it's.wav", 'x y'], 7)).toBe("it's x y/7.x y");
  for (const name of ['a[1]', '*', '?', '{a,b}', '!x', '[!a]', '$&', 'ü']) {
    const glob = new Bun.Glob(expandPattern('{}', [name], 1));
    expect(glob.match(name), name).toBe(true);
    expect(glob.match('a1') || glob.match('a') || glob.match('b'), name).toBe(false);
  }
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
