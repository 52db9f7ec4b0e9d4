/** Rates, the tail of an output, and filters. */

import { describe, expect, test } from 'bun:test';
import type { FeedEvent } from '../../../src/api/schemas.ts';
import { nextState, noFilter, parseFilter } from '../../../tui/filter.ts';
import { outputRowsOf, rowsAdded } from '../../../tui/output.ts';
import { advance, counted, emptyRates, emptyTally, rateOf, secondsKept } from '../../../tui/rates.ts';
import { append, emptyTail, lineLengthMax, linesMax, linesOf, type Tail } from '../../../tui/tail.ts';
import { now, workerOf } from './samples.ts';

const eventOf = (status: string, kind: FeedEvent['kind'] = 'task'): FeedEvent => ({
  ...{ kind, status, id: 'x', at: '', worker_id: null, detail: null },
});

describe('rates', () => {
  test('counted() takes what started and ended, and nothing else', () => {
    const words = ['queued', 'running', 'running', 'completed', 'failed', 'timed_out', 'cancelled', 'blocked'];
    const tally = words.map((word) => eventOf(word)).reduce(counted, emptyTally);
    expect(tally).toEqual({ started: 2, completed: 1, failed: 3 });
    expect(counted(tally, eventOf('running', 'dispatcher'))).toBe(tally);
  });

  test('rateOf() is the mean of the last ten whole seconds', () => {
    let rates = emptyRates(now);
    for (let second = 0; second < 10; second++) {
      rates = advance(rates, now + second * 1000, { ...emptyTally, started: 3 });
      rates = advance(rates, now + second * 1000 + 500, { ...emptyTally, started: 2 });
    }
    expect(rateOf(rates, 'started')).toBe(4.5);
    rates = advance(rates, now + 10_000);
    expect(rateOf(rates, 'started')).toBe(5);
    expect(rateOf(advance(rates, now + 15_000), 'started')).toBe(2.5);
    expect(rateOf(advance(rates, now + 40_000), 'started')).toBe(0);
    expect(rates.perSecond.length).toBe(secondsKept);
  });

  test('advance() starts anew after a long pause and when the clock is set back', () => {
    const rates = advance(emptyRates(now), now, { ...emptyTally, failed: 9 });
    for (const at of [now + 3_600_000, now - 3_600_000]) {
      const later = advance(rates, at, { ...emptyTally, failed: 1 });
      expect(later.second).toBe(Math.floor(at / 1000));
      expect(later.perSecond.map(({ failed }) => failed).filter((count) => count > 0)).toEqual([1]);
    }
  });
});

describe('the tail of an output', () => {
  test('append() joins what came in pieces and keeps the streams apart', () => {
    let tail = append(emptyTail, 'stdout', 'one\ntw');
    tail = append(tail, 'stderr', 'oops\n');
    tail = append(tail, 'stdout', 'o\nthr');
    expect(linesOf(tail)).toEqual([
      { stream: 'stdout', text: 'one' },
      { stream: 'stderr', text: 'oops' },
      { stream: 'stdout', text: 'two' },
      { stream: 'stdout', text: 'thr' },
    ]);
  });

  test('append() forgets old lines and the beginning of endless ones', () => {
    const lines = Array.from({ length: 5000 }, (_, i) => `${i}\n`).join('');
    const tail = append(emptyTail, 'stdout', lines);
    expect(tail.lines.length).toBe(linesMax);
    expect(tail.lines.at(-1)?.text).toBe('4999');
    let endless = emptyTail;
    for (let i = 0; i < 100; i++) endless = append(endless, 'stderr', 'x'.repeat(1000));
    expect(endless.open.stderr.length).toBe(lineLengthMax);
  });
});

describe('the rows of an output', () => {
  const ruler = { textWidth: (text: string) => Bun.stringWidth(text) };
  const look = { cells: 10, ruler, wraps: true };
  const texts = (tail: Tail, wraps = true) => outputRowsOf(tail, { ...look, wraps }).map(({ text }) => text);

  test('outputRowsOf() breaks long lines where the row ends, or leaves them whole to be cut', () => {
    const tail = append(emptyTail, 'stdout', `${'x'.repeat(23)}\n\n日本語日本語\n\u001b[31mred\u001b[0`);
    expect(texts(tail)).toEqual(['xxxxxxxxxx', 'xxxxxxxxxx', 'xxx', '', '日本語日本', '語', 'red']);
    expect(texts(tail, false)).toEqual(['x'.repeat(23), '', '日本語日本語', 'red']);
    expect([tail.isCut, append(tail, 'stdout', 'y\n'.repeat(linesMax)).isCut]).toEqual([false, true]);
  });

  test('rowsAdded() counts what came below, also when as much is forgotten above', () => {
    const full = append(emptyTail, 'stdout', 'y\n'.repeat(linesMax));
    expect(rowsAdded(full, append(full, 'stderr', `${'z'.repeat(25)}\nopen`), look)).toBe(4);
    const open = append(full, 'stdout', 'half');
    expect(rowsAdded(open, append(open, 'stdout', ' done\n'), look)).toBe(0);
  });
});

describe('parseFilter()', () => {
  const workers = [workerOf({ id: 'w-1', name: 'attic-pi' })];

  test.each([
    ['', {}],
    ['failed', { status: ['failed'] }],
    ['failed, timed_out', { status: ['failed', 'timed_out'] }],
    ['worker:attic-pi running', { worker: 'w-1', status: ['running'] }],
    ['worker:w-7', { worker: 'w-7' }],
    ['batch:0t2jgz700000 tag:project=film', { batch: '0t2jgz700000', tag: 'project=film' }],
    ['failed FAILED failed', { status: ['failed'], text: 'FAILED' }],
    ['0t2jgz700000', { id: '0t2jgz700000' }],
    ['id:0t2jgz', { id: '0t2jgz' }],
    ['0t2jgz', { text: '0t2jgz' }],
    ['ffmpeg %_\\ completed', { text: 'ffmpeg %_\\', status: ['completed'] }],
  ])('reads "%s"', (text, query) => {
    expect<unknown>(parseFilter(text, workers)).toEqual({ text, query });
  });

  const refusedOnes = [
    'tag:film',
    'tag:=x',
    'worker:',
    'batch:01hq',
    'id:',
    'id:0U',
    'worker:a worker:b',
    'x'.repeat(201),
  ];
  test.each(refusedOnes)('refuses "%s"', (text) => {
    expect(parseFilter(text, workers)).toHaveProperty('wrong');
  });

  test('nextState() goes round all states and back to no filter', () => {
    const seen = [noFilter];
    for (let i = 0; i < 8; i++) seen.push(nextState(seen.at(-1) ?? noFilter));
    expect(seen.map(({ text }) => text)).toEqual([
      '',
      'blocked',
      'queued',
      'running',
      'completed',
      'failed',
      'timed_out',
      'cancelled',
      '',
    ]);
    expect(nextState({ text: 'batch:x', query: { batch: 'x' } }).text).toBe('');
  });
});
