import { describe, expect, test } from 'bun:test';
import { mapProgressLine } from '../../../../src/cli/map/bar.ts';
import { HaltCount, parseHalt } from '../../../../src/cli/map/halt.ts';
import { jobsAtOnce, parseJobLimit, parseTimeLimit, RuntimeShare, Slots } from '../../../../src/cli/map/pace.ts';
import { argumentDirectory } from '../../../../src/cli/map/results.ts';
import { parseDelimiter, parseSplitter } from '../../../../src/cli/map/splitting.ts';

describe('parseHalt()', () => {
  test.each([
    '',
    'now',
    'soon,=1',
    'now,foo=1',
    'now,fail=0',
    'now,fail',
    'now,fail=1,done=3',
    'now,fail=101%',
    'later,fail=1',
    '3',
    'now,fail=-1',
    'NOW,fail=1',
  ])('refuses "%s"', (text) => {
    expect(parseHalt(text)).toHaveProperty('expected');
  });
});

describe('HaltCount', () => {
  /** Exit statuses until it stops, and what `map` then exits with. */
  function run(text: string, statuses: readonly number[]) {
    const parsed = parseHalt(text);
    if (!('value' in parsed)) throw new Error(parsed.expected);
    const count = new HaltCount(parsed.value, statuses.length);
    const ended = statuses.findIndex((status) => count.add(status).order !== 'go on') + 1;
    return [ended, count.exitStatus()];
  }

  test.each([
    ['never', [0, 1, 2], [0, 2]],
    ['now,fail=1', [0, 137, 1], [2, 137]],
    ['soon,fail=2', [3, 4, 1], [2, 2]],
    ['now,fail=3', [1, 2], [0, 2]],
    ['now,success=1', [1, 0], [2, 0]],
    ['now,success=1', [1, 2], [0, 2]],
    ['now,fail=60%', [1, 0, 2, 0], [0, 50]],
    ['soon,fail=50%', [0, 1, 5, 0, 3, 7], [5, 50]],
    ['soon,done=50%', [0, 1, 5, 0, 3, 7], [3, 34]],
    ['-1', [1, 0], [2, 0]],
    ['-2', [0], [1, 0]],
  ])('with --halt %s and the exit statuses %j', (text, statuses, expected) => {
    expect(run(text, statuses)).toEqual(expected);
  });

  test('says 101 for more than 100 failed jobs', () => {
    expect(
      run(
        'never',
        Array.from({ length: 150 }, () => 1),
      ),
    ).toEqual([0, 101]);
  });
});

describe('the pace', () => {
  test.each([
    ['3', 3],
    ['0', Number.POSITIVE_INFINITY],
    ['50%', 4],
    ['1%', 1],
    ['+2', 10],
    ['-20', 1],
  ])('of -j %s on 8 slots is %p', (text, atOnce) => {
    const parsed = parseJobLimit(text);
    expect('value' in parsed && jobsAtOnce(parsed.value, 8)).toBe(atOnce);
  });

  test('is refused when it is no number', () => {
    for (const text of ['', 'x', '1.5', '+5%', '--1']) expect(parseJobLimit(text), text).toHaveProperty('expected');
    for (const text of ['', 'x', '0%', '31d', '-1']) expect(parseTimeLimit(text), text).toHaveProperty('expected');
    expect(parseTimeLimit('200%')).toEqual({ value: { kind: 'share', percent: 200 } });
    expect(parseTimeLimit('0')).toEqual({ value: { kind: 'fixed', ms: 30 * 24 * 3_600_000 } });
    expect(parseTimeLimit('1m')).toEqual({ value: { kind: 'fixed', ms: 60_000 } });
  });

  test('RuntimeShare goes by the median, and not below what machines differ by', () => {
    const share = new RuntimeShare(200);
    expect(share.limitMs()).toBeNull();
    for (const runtimeMs of [9000, 1000, 2000]) share.add(runtimeMs);
    expect(share.limitMs()).toBe(4000);
    for (let i = 0; i < 2000; i++) share.add(1);
    expect(share.limitMs()).toBe(200);
  });

  test('Slots give the lowest free number', () => {
    const slots = new Slots();
    expect([slots.take(), slots.take(), slots.take()]).toEqual([1, 2, 3]);
    slots.release(3);
    slots.release(1);
    expect([slots.take(), slots.take(), slots.take()]).toEqual([1, 3, 4]);
  });
});

describe('mapProgressLine()', () => {
  const progress = { ended: 30, failed: 2, live: 4, total: 120, passedMs: 10_000 };

  test('says how far, how fast and how long', () => {
    expect(mapProgressLine(progress, 'bar', 100)).toBe(
      '[#####---------------]   25%  30 of 120 jobs  2 failed  3.0/s  30.0s left',
    );
    expect(mapProgressLine(progress, 'eta', 100)).toBe(
      ' 25%  30 of 120 jobs  2 failed  4 under way  3.0/s  30.0s left',
    );
    expect(mapProgressLine({ ...progress, ended: 120 }, 'eta', 100)).toContain('10.0s in all');
  });

  test('keeps the time left and a bar as long as there is room', () => {
    const seen = [70, 60, 40, 30, 12].map((columns) => mapProgressLine(progress, 'bar', columns));
    expect(seen[0]).toBe('[####------------]   25%  30 of 120 jobs  2 failed  3.0/s  30.0s left');
    for (const [index, line] of seen.entries()) {
      expect(line).toEndWith('30.0s left');
      expect(line.length).toBeLessThan([70, 60, 40, 30, 12][index] ?? 0);
    }
  });

  test('does without a total and without room', () => {
    expect(mapProgressLine({ ...progress, total: null }, 'bar', 100)).toBe(
      '30 jobs done  2 failed  3.0/s  time left not known',
    );
    expect(mapProgressLine(progress, 'bar', 20).length).toBeLessThan(20);
    expect(mapProgressLine({ ...progress, ended: 0, total: 0, passedMs: 0 }, 'bar', 60)).toContain('100%');
  });
});

describe('small values', () => {
  test('argumentDirectory() leads nowhere else', () => {
    expect(argumentDirectory(['a/b', '..'], [])).toBe('1/a\\_b/2/\\..');
    expect(argumentDirectory(['1', '2', '3'], ['h', '10', '9'])).toBe('h/1/9/3/10/2');
    expect(argumentDirectory(['ü'.repeat(300)], []).length).toBe(127);
  });

  test.each([
    ['[[:space:]]+', 'a \tb'],
    ['\\h+', 'a \tb'],
    ['(?i)x', 'aXb'],
    ['[]]', 'a]b'],
    ['[[]', 'a[b'],
    ['[+(?]+', 'a+?b'],
    ['\\x{2c}', 'a,b'],
    ['\\|', 'a|b'],
  ])('parseSplitter() takes %s as Perl does', (text, line) => {
    const parsed = parseSplitter(text);
    expect('value' in parsed && line.split(parsed.value)).toEqual(['a', 'b']);
  });

  test.each(['\\K', 'a++', '(?x)a', '(?>a)', '\\Qa', '[[:foo:]]', '(*FAIL)'])('parseSplitter() refuses %s', (text) => {
    const parsed = parseSplitter(text);
    expect('expected' in parsed && parsed.expected).toContain('of Perl is not known here');
  });

  test('parseSplitter() and parseDelimiter() refuse what means nothing', () => {
    for (const text of ['', '(', '[']) expect(parseSplitter(text), text).toHaveProperty('expected');
    expect(parseDelimiter('')).toHaveProperty('expected');
    expect(parseDelimiter('\\n,\\\\n\\0')).toEqual({ value: '\n,\\n\0' });
  });
});
