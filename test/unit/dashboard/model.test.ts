/** What the page works out of answers: samples and rates, rows and their window, lanes, places, the form, output as lines. */

import { describe, expect, test } from 'bun:test';
import type { FeedEvent, Stats, TaskView, WorkerView } from '../../../src/api/schemas.ts';
import type { Span } from '../../../src/api/timeline-schemas.ts';
import { aheadBy } from '../../../src/dashboard/clock.ts';
import { lengthMax, lineLengthMax, linesMax, OutputLines } from '../../../src/dashboard/model/ansi.ts';
import { fieldOf, requestOf } from '../../../src/dashboard/model/form.ts';
import {
  agoText,
  bytesText,
  cutToFit,
  durationText,
  plainLines,
  plainText,
  rateText,
} from '../../../src/dashboard/model/format.ts';
import { emptyHistory, sampled, samplesMax, throughput } from '../../../src/dashboard/model/history.ts';
import { barAfter, lanesOf, standing, zoomed } from '../../../src/dashboard/model/lanes.ts';
import { fragmentOf, placeOf, tabsFor } from '../../../src/dashboard/model/place.ts';
import { windowOf, withEvents, withPage } from '../../../src/dashboard/model/rows.ts';
import { Tail, tailBytesMax } from '../../../src/dashboard/model/tail.ts';

const counts = { blocked: 0, queued: 3, running: 2, completed: 10, failed: 1, timed_out: 0, cancelled: 0 };

function look(tasks: Partial<typeof counts>, worker: Partial<WorkerView> = {}) {
  const view = { id: 'w', status: 'online', load1: 2, cpu_cores: 4, memory_free_mb: 25, memory_mb: 100, ...worker };
  const stats = { tasks: { ...counts, ...tasks } };
  return { stats: stats as Stats, workers: [{ running: 1, slots: 2, ...view } as WorkerView] };
}

describe('aheadBy()', () => {
  const at = Date.parse('2026-03-01T12:00:00Z');
  const header = 'Sun, 01 Mar 2026 12:00:00 GMT';

  test('is how wrong the clock of this device is, and nothing where it is right enough', () => {
    expect(aheadBy(header, at - 3_600_000, 0)).toBe(3_600_500);
    expect(aheadBy(header, at + 2000, 0)).toBe(0);
    // Once found it stays, though answers come at any part of a second; a clock that was set right counts again.
    expect(aheadBy(header, at - 3_599_200, 3_600_500)).toBe(3_600_500);
    expect(aheadBy(header, at + 100, 3_600_500)).toBe(0);
    for (const none of [null, '', 'yesterday']) expect(aheadBy(none, at, 7000)).toBe(7000);
  });
});

describe('history', () => {
  test('throughput() is what ended between two looks, never negative', () => {
    let history = sampled(emptyHistory, look({}), 1000);
    history = sampled(history, look({ completed: 14, failed: 3 }), 3000);
    history = sampled(history, look({ completed: 0 }), 5000);
    expect(throughput(history.samples)).toEqual([null, 3, 0]);
    expect(throughput(history.samples, 'failed')).toEqual([null, 1, 0]);
  });

  test('sampled() keeps the last looks alone, shares of what a worker has, and forgets workers that went', () => {
    let history = emptyHistory;
    for (let at = 0; at < samplesMax + 5; at++) history = sampled(history, look({}), at);
    expect([history.samples.length, history.samples[0]?.at]).toEqual([samplesMax, 5]);
    expect(history.workers.get('w')?.at(-1)).toEqual({ at: samplesMax + 4, load: 0.5, memory: 0.75, slots: 0.5 });
    expect(
      sampled(history, look({}, { load1: null, memory_free_mb: null }), 999)
        .workers.get('w')
        ?.at(-1),
    ).toEqual({
      ...{ at: 999, load: null, memory: null, slots: 0.5 },
    });
    expect(sampled(history, look({}, { status: 'offline' }), 999).workers.size).toBe(0);
  });
});

const task = (id: string, more: Partial<TaskView> = {}): TaskView =>
  ({ id, name: null, command: `run ${id}`, status: 'queued', worker_id: null, priority: 0, ...more }) as TaskView;

describe('rows', () => {
  test('withPage() puts pages together, newest first, each task once', () => {
    const first = withPage([], [task('3'), task('2')]);
    const rows = withPage(first, [task('4'), task('2', { status: 'running' }), task('1')]);
    expect(rows.map(({ id, status }) => `${id} ${status}`)).toEqual(['4 queued', '3 queued', '2 running', '1 queued']);
  });

  test('withEvents() changes the tasks told of, and nothing when it is told of none', () => {
    const rows = withPage([], [task('2'), task('1')]);
    const event = { kind: 'task', id: '1', status: 'running', worker_id: 'w' } as FeedEvent;
    expect(withEvents(rows, [event])[1]).toMatchObject({ status: 'running', workerId: 'w' });
    expect(withEvents(rows, [{ ...event, id: '9' }])).toBe(rows);
    expect(withEvents(rows, [{ ...event, kind: 'worker' }])).toBe(rows);
  });

  test('windowOf() is bounded by the rows there are, however far one scrolled', () => {
    const view = { height: 300, rowHeight: 30, count: 10_000 };
    expect(windowOf({ ...view, scrollTop: 0 })).toEqual({ from: 0, to: 18 });
    expect(windowOf({ ...view, scrollTop: 30_000 })).toEqual({ from: 992, to: 1018 });
    expect(windowOf({ ...view, scrollTop: 1e9, count: 5 })).toEqual({ from: 5, to: 5 });
  });
});

describe('lanesOf()', () => {
  const span = (worker_id: string, from: number, to: number | null): Span =>
    ({
      ...{ task_id: `${worker_id}${from}`, attempt: 1, name: 'x', worker_id, outcome: null, exit_code: null },
      started_at: new Date(from).toISOString(),
      ended_at: to === null ? null : new Date(to).toISOString(),
    }) as Span;

  const here = (id: string, slots: number) => ({ id, slots, isHere: true });
  const ever = { from: 0, to: 1000 };

  test('gives each worker as many rows as ran there at once, in the order asked for', () => {
    const spans = [span('b', 0, 10), span('a', 5, 20), span('a', 0, 10), span('a', 12, null), span('a', 20, 30)];
    const { lanes, bars, rows } = lanesOf(spans, { workers: [here('idle', 1), here('a', 4)], range: ever, nowMs: 100 });
    expect(lanes).toEqual([
      { workerId: 'idle', firstRow: 0, rows: 1 },
      { workerId: 'a', firstRow: 1, rows: 2 },
      { workerId: 'b', firstRow: 3, rows: 1 },
    ]);
    expect(rows).toBe(4);
    expect(bars.map(({ from, to, row }) => [from, to, row])).toEqual([
      [0, 10, 1],
      [5, 20, 2],
      [12, 100, 1],
      [20, 30, 2],
      [0, 10, 3],
    ]);
  });

  test('never gives a worker more rows than slots because reports of several arrived at once', () => {
    const spans = [span('a', 0, 10), span('a', 4, 14), span('a', 8, 18)];
    const { bars, rows } = lanesOf(spans, { workers: [here('a', 1)], range: ever, nowMs: 100 });
    expect(rows).toBe(1);
    expect(bars.map(({ from, to, durationMs }) => [from, to, durationMs])).toEqual([
      ...[
        [0, 10, 10],
        [10, 14, 10],
        [14, 18, 10],
      ],
    ]);
  });

  test('has no rows that were not in use in the part one looks at', () => {
    const spans = [span('a', 0, 100), span('a', 50, 60), span('gone', 0, 10)];
    const range = { from: 70, to: 90 };
    const { lanes, bars } = lanesOf(spans, { workers: [here('a', 4), here('b', 4)], range, nowMs: 100 });
    expect(lanes.map(({ workerId, rows }) => [workerId, rows])).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
    expect(bars).toHaveLength(1);
  });

  test('barAfter() stays among the bars in sight', () => {
    const spans = [span('a', 0, 10), span('a', 20, 30), span('a', 40, 50), span('a', 60, 70)];
    const lanes = lanesOf(spans, { workers: [here('a', 1)], range: { from: 15, to: 55 }, nowMs: 100 });
    const [outside] = lanesOf(spans, { workers: [here('a', 1)], range: ever, nowMs: 100 }).bars;
    const [second, third] = lanes.bars;
    if (second === undefined || third === undefined || outside === undefined) throw new Error('no bars');
    expect([barAfter(lanes, second, 'after'), barAfter(lanes, third, 'after')]).toEqual([third, third]);
    expect([barAfter(lanes, second, 'before'), barAfter(lanes, outside, 'after')]).toEqual([second, second]);
    expect([barAfter(lanes, null, 'first'), barAfter(lanes, null, 'last')]).toEqual([second, third]);
  });

  test('zoomed() stays within the whole, and is all of it when it would be more', () => {
    const whole = { from: 0, to: 100_000 };
    expect(zoomed(whole, whole, { middle: 90_000, factor: 0.5 })).toEqual({ from: 50_000, to: 100_000 });
    expect(zoomed({ from: 0, to: 1000 }, whole, { middle: 500, factor: 0.5 })).toEqual({ from: 0, to: 1000 });
    expect(zoomed({ from: 0, to: 60_000 }, whole, { middle: 0, factor: 2 })).toBeNull();
  });

  test('standing() tells ends apart', () => {
    const of = (outcome: Span['outcome'], exit_code: number | null = null) => standing({ outcome, exit_code });
    expect([of(null), of('exited', 0), of('exited', 3), of('timed_out'), of('lost'), of('cancelled')]).toEqual([
      ...['running', 'good', 'bad', 'bad', 'gone', 'gone'],
    ] as ReturnType<typeof of>[]);
  });
});

describe('places', () => {
  test('fragmentOf() and placeOf() are each other’s reverse', () => {
    const query = { status: 'running,failed', tag: 'a=b&c' };
    expect(placeOf(fragmentOf('tasks', 'a/b ?', query))).toEqual({ tab: 'tasks', id: 'a/b ?', query });
    expect(placeOf(fragmentOf('audit'))).toEqual({ tab: 'audit', id: null, query: {} });
    for (const strange of ['', '#', '#/nowhere', '#//tasks']) expect(placeOf(strange)).toBeNull();
    expect(placeOf('#/tasks/%E0%A4%A')?.id).toBe('%E0%A4%A');
  });

  test('tabsFor() shows a client nothing of the cluster, and a worker nothing', () => {
    expect(tabsFor('client').map(({ name }) => name)).toEqual(['timeline', 'tasks', 'batches', 'submit']);
    expect(tabsFor('dispatcher').map(({ name }) => name)).not.toContain('audit');
    expect(tabsFor('admin')).toHaveLength(8);
    expect(tabsFor('worker')).toEqual([]);
  });
});

describe('the form', () => {
  test('requestOf() leaves out what is empty, and passes on what is no number', () => {
    expect(requestOf({ command: 'true', priority: 'normal', timeout: ' ' }, [])).toEqual({
      command: 'true',
      priority: 'normal',
    });
    const fields = { command: 'x', timeout: 'soon', env: 'A=1\n\nB=x=y', outputs: 'a\n b ', 'requires.gpu': '1' };
    expect(requestOf(fields, ['in.txt'])).toEqual({
      ...{ command: 'x', timeout: Number.NaN, env: { A: '1', B: 'x=y' }, outputs: ['a', 'b'], inputs: ['in.txt'] },
      requires: { gpu: 1 },
    });
  });

  test('fieldOf() finds the nearest field of what was wrong', () => {
    const names = ['command', 'requires.gpu', 'env'];
    expect(['requires.gpu', 'env.A B', 'environment', 'requires'].map((path) => fieldOf(path, names))).toEqual([
      ...['requires.gpu', 'env', '', ''],
    ]);
  });
});

describe('OutputLines', () => {
  const linesOf = (output: OutputLines) => output.blocks().flatMap(({ lines }) => lines);
  const textOf = (output: OutputLines): string[] =>
    linesOf(output).map(({ spans }) =>
      spans
        .map(({ text, look, color }) =>
          look === '' && color === '' ? text : `<${[look, color].join(' ').trim()}>${text}`,
        )
        .join(''),
    );
  const shown = (...pieces: string[]): string[] => {
    const output = new OutputLines();
    for (const piece of pieces) output.push(piece);
    return textOf(output);
  };

  test('gives colours as classes and drops all other sequences, also when they come in pieces', () => {
    const text = '\u001b[1;31mred\u001b[0m \u001b]0;title\u0007plain\u001b[2J\u001b[48;5;9mx\u001b[H\n<b>&amp;';
    expect(shown(text)).toEqual(['<ansi-red ansi-bold>red plainx', '<b>&amp;']);
    expect(shown(...text).map((line) => line.replaceAll('<ansi-red ansi-bold>', ''))).toEqual([
      'red plainx',
      '<b>&amp;',
    ]);
  });

  test.each([
    ['38;5;9', '<ansi-red>x'],
    ['38;5;208', '<#ff8700>x'],
    ['38;5;250', '<#bcbcbc>x'],
    ['38:5:16', '<#000000>x'],
    ['38;2;1;2;255', '<#0102ff>x'],
    ['38:2::1:2:255', '<#0102ff>x'],
    ['38:2:1:2:999', '<#0102ff>x'],
    ['38;2;1;2;3;1', '<ansi-bold #010203>x'],
    ['48;2;1;2;3;32', '<ansi-green>x'],
    ['38;5;300', 'x'],
    ['38;5;208;39', 'x'],
    ['97', '<ansi-white>x'],
  ])('gives the colour of %s', (codes, expected) => {
    expect(shown(`\u001b[${codes}mx`)).toEqual([expected]);
  });

  test('begins a line anew after a carriage return, and ends it after one with a line feed', () => {
    expect(shown('10 %\r', '20 %\rdone\r', '\nnext\r\nlast')).toEqual(['done', 'next', 'last']);
  });

  test('keeps the last lines and characters, each line up to its bound, and takes marks of direction out', () => {
    const output = new OutputLines();
    for (let at = 0; at < 3 * linesMax; at++) output.push(`${at}\n`);
    expect(linesOf(output).length).toBeLessThanOrEqual(linesMax);
    expect(linesOf(output).length).toBeGreaterThan(linesMax - 200);
    expect(textOf(output).at(-1)).toBe(`${3 * linesMax - 1}`);
    const full = output.blocks()[5];
    output.push('more\n');
    expect(output.blocks().some((block) => block === full)).toBe(true);
    for (let at = 0; at < 500; at++) output.push(`${'z'.repeat(8000)}\n`);
    expect(textOf(output).join('').length).toBeLessThanOrEqual(lengthMax);
    const long = new OutputLines();
    long.push('y'.repeat(lineLengthMax + 5));
    expect(linesOf(long).map(({ spans, cut }) => [spans[0]?.text.length, cut])).toEqual([[lineLengthMax, 5]]);
    expect(shown('a\u202eb\u0000c')).toEqual(['abc']);
  });
});

describe('Tail', () => {
  test('keeps what is looked at in time as it is', () => {
    const tail = new Tail();
    tail.push(new Uint8Array([1, 2]));
    tail.push(new Uint8Array([3]));
    expect(tail.take()).toEqual({ bytes: new Uint8Array([1, 2, 3]), gap: false });
    expect(tail.take()).toEqual({ bytes: new Uint8Array(0), gap: false });
  });

  test('keeps no more lines than are shown', () => {
    const tail = new Tail();
    const numbers = Array.from({ length: 3 * linesMax }, (_, at) => `${at}\n`);
    tail.push(new TextEncoder().encode(numbers.join('')));
    const { bytes, gap } = tail.take();
    expect(gap).toBe(true);
    expect(new TextDecoder().decode(bytes)).toBe(numbers.slice(-linesMax).join(''));
    tail.push(new TextEncoder().encode(numbers.slice(-linesMax).join('')));
    expect(tail.take().gap).toBe(false);
    for (const text of ['', '\n', 'a', 'a\n', '\n\n', 'a\nb']) {
      tail.push(new TextEncoder().encode(text));
      expect(tail.take()).toEqual({ bytes: new TextEncoder().encode(text), gap: false });
    }
  });

  test('keeps the end alone of what comes faster, from a whole line on, and says so once', () => {
    const tail = new Tail();
    const line = new TextEncoder().encode(`${'x'.repeat(199)}\n`);
    for (let at = 0; at < 50_000; at++) tail.push(line);
    const { bytes, gap } = tail.take();
    expect([gap, bytes.length % 200]).toEqual([true, 0]);
    expect(bytes.length).toBeLessThanOrEqual(tailBytesMax);
    expect(bytes.length).toBeGreaterThan(tailBytesMax - 400);
    expect(tail.take().gap).toBe(false);
  });
});

test('texts of numbers are short and have their unit', () => {
  expect([0, 1023, 1536, 5 * 1024 ** 3].map(bytesText)).toEqual(['0 B', '1023 B', '1.5 KiB', '5.0 GiB']);
  expect([null, 850, 1500, 75_000, 3_700_000, 90_000_000].map(durationText)).toEqual([
    ...['', '850 ms', '1.5 s', '1 min 15 s', '1 h 1 min', '1 d 1 h'],
  ]);
  expect([agoText('2026-01-01T00:00:00Z', Date.UTC(2026, 0, 1, 0, 5)), rateText(0.25), rateText(1234)]).toEqual([
    ...['5 min ago', '0.25', '1,234'],
  ]);
  expect(plainText('a\u202eb\u001bc')).toBe('a·b·c');
  expect(plainText('\u0645\u06cc\u200c\u062e \u{1f468}\u200d\u{1f467}')).toBe(
    '\u0645\u06cc\u200c\u062e \u{1f468}\u200d\u{1f467}',
  );
  expect(plainLines('a\u202eb\n\tc\r\n')).toBe('a·b\n\tc·\n');
  const fits = (text: string): boolean => [...text].length <= 4;
  expect(['four', 'four5', '\u{1f468}'.repeat(9), ''].map((text) => cutToFit(text, fits))).toEqual([
    ...['four', 'fou…', `${'\u{1f468}'.repeat(3)}…`, ''],
  ]);
});
