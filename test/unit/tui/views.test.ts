import { describe, expect, test } from 'bun:test';
import type { Explanation, TaskView, WorkerView } from '../../../src/api/schemas.ts';
import { clicked, pressed } from '../../../tui/keys.ts';
import type { Size } from '../../../tui/layout.ts';
import { bar, firstShown, placesOf, span, sparkline } from '../../../tui/lines.ts';
import { type Model, queryOf, type Tab, tabs } from '../../../tui/model.ts';
import { emptyTally } from '../../../tui/rates.ts';
import { targetAt, view } from '../../../tui/views.ts';
import {
  after,
  deviceOf,
  ended,
  eventOf,
  lookOf,
  modelOf,
  now,
  openedTask,
  screenOf,
  small,
  statsOf,
  taskOf,
  textOf,
  withTasks,
  workerOf,
} from './samples.ts';

const key = (name: string) => ({ name, char: name.length === 1 ? name : '' });
const onTab = (model: Model, tab: Tab): Model => clicked(model, { kind: 'tab', tab }).model;

/** Controls, formatting and line ends: what could steer a terminal or reorder its line. */
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|\ufe0f/u;

const hostile = [
  '\u001b[2J\u001b]52;c;ZXZpbA==\u0007\u001b[?1049l',
  '{red-fg}{/}{escape}\u009b2J',
  `\u202e\u2066${'漢字'.repeat(300)}`,
  '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}\u{1f1e9}\u{1f1ea}\u{1f44d}\u{1f3fd}❤\ufe0f',
  `Z${'\u0301'.repeat(5000)}algo`,
  'a\r\nb\tc\0d\u0085\u2028',
  'x'.repeat(100_000),
  '',
];

const explanation: Explanation = {
  ...{ id: '0t2jgz700000', status: 'queued', summary: 'None of the 2 workers is made for it.' },
  workers: hostile.map((name, i) => ({ id: `${i}`, name, fits: i === 0, reasons: hostile })),
  advice: hostile,
};

/** The tabs and pages beside tasks, with every text hostile. */
function everyOther(size: Size, workers: readonly WorkerView[], tasks: readonly TaskView[]): Model[] {
  const approvals = hostile.map((text, i) =>
    deviceOf({ id: `${i}`, name: text, address: text, platform: text, arch: text, code: text, fingerprint: text }),
  );
  const read = { kind: 'systemRead', at: now, stats: statsOf({ paused: true }), workers, approvals } as const;
  const entries = hostile.map((text) => ({ at: Number.NaN, level: 'error', text }) as const);
  const events = hostile.map((text) => eventOf({ kind: 'worker', id: text, status: text, detail: text, at: text }));
  const base = after(
    modelOf(size, workers),
    read,
    { kind: 'logged', entries },
    { kind: 'feedMoved', at: now, tally: emptyTally, events, detail: false },
  );
  const page = pressed(onTab(base, 'workers'), key('enter')).model;
  const marked = new Map(tasks.map(({ id }) => [id, true]));
  return [
    base,
    onTab(base, 'logs'),
    { ...onTab(base, 'logs'), journal: { ...base.journal, find: hostile.join('') } },
    onTab(base, 'approvals'),
    page,
    after(page, { kind: 'workerTasksRead', id: page.workerPage?.id ?? '', tasks, log: hostile }),
    after(page, { kind: 'workerTasksRead', id: page.workerPage?.id ?? '', tasks: [], log: hostile }),
    { ...withTasks(onTab(base, 'tasks'), tasks), marked, sort: { by: 'worker', reversed: true } },
    ...tabs.map((tab): Model => ({ ...onTab(base, tab), role: 'client' })),
    ...tabs.map((tab) => onTab(modelOf(size, []), tab)),
  ];
}

/** The dashboard in every form, with every text hostile. */
function everyModel(size: Size): Model[] {
  const workers = hostile.flatMap((text, i) => [
    workerOf({ id: text || `${i}`, name: text, labels: { [text]: text }, platform: text, battery_percent: 9 }),
    workerOf({ id: `b${i}`, slots: 0, load1: null, memory_free_mb: null, temperature_c: 81.5, status: 'offline' }),
  ]);
  const tasks = hostile.flatMap((text, i) => [
    ended(`t${i}`, { name: text, command: text, worker_id: text, reason: text, signal: text, exit_code: null }),
    taskOf({ id: text, command: null, argv: hostile, status: 'running', started_at: new Date(now).toISOString() }),
  ]);
  const base = modelOf(size, workers);
  const list = withTasks(onTab(base, 'tasks'), tasks, 'more');
  const open = pressed(list, key('enter')).model;
  const text = hostile.map((line) => `${line}\n`).join('');
  const detail = after(
    open,
    { kind: 'detailRead', task: openedTask({ ...tasks[0], tags: { a: text }, batch_id: text }) },
    { kind: 'outputArrived', id: open.detail?.id ?? '', stream: 'stdout', text },
    { kind: 'outputArrived', id: open.detail?.id ?? '', stream: 'stderr', text: `${text}${text}` },
  );
  const asked: Model = { ...list, asking: { kind: 'filter', text: hostile.join('') } };
  return [
    base,
    onTab(base, 'workers'),
    list,
    onTab(modelOf(size, []), 'workers'),
    onTab(modelOf(size, []), 'tasks'),
    open,
    detail,
    asked,
    { ...list, asking: { kind: 'confirm', question: hostile.join(''), order: { kind: 'quit' } } },
    { ...list, asking: { kind: 'find', text: hostile.join('') } },
    ...everyOther(size, workers, tasks),
    after(list, { kind: 'explained', explanation }),
    pressed(after(list, { kind: 'explained', explanation }), key('G')).model,
    after({ ...list, role: 'client' }, { kind: 'tasksRefused', query: queryOf(list), reason: text }),
    pressed(detail, key('w')).model,
    pressed(detail, key('enter')).model,
    pressed(detail, key('g')).model,
    { ...onTab(base, 'workers'), workerFind: hostile.join('') },
    after(list, { kind: 'linkLost', at: now, reason: text }),
    after(asked, { kind: 'failed', at: now, reason: text }),
    pressed(base, key('?')).model,
  ];
}

describe('view()', () => {
  for (const size of [small, { columns: 250, rows: 60 }, { columns: 40, rows: 10 }, { columns: 131, rows: 43 }]) {
    for (const ascii of [false, true]) {
      test(`fills ${size.columns}x${size.rows}${ascii ? ' in ASCII' : ''} exactly, whatever strangers wrote`, () => {
        const look = lookOf(size, ascii);
        for (const model of everyModel(size)) {
          const { rows, hits } = view(model, look);
          expect(rows.length).toBe(size.rows);
          for (const row of rows) {
            expect(textOf(row)).not.toMatch(steering);
            const places = placesOf(row, look);
            expect(places.length).toBe(size.columns);
            if (ascii) expect(textOf(places)).toMatch(/^[ -~]*$/);
          }
          for (const { row, from, to } of hits) {
            expect(row).toBeLessThan(size.rows);
            expect(from).toBeLessThan(to);
          }
        }
      });
    }
  }

  test('says so in a window that is too small, down to none', () => {
    for (const size of [
      { columns: 39, rows: 24 },
      { columns: 80, rows: 9 },
      { columns: 3, rows: 1 },
      { columns: 0, rows: 0 },
    ]) {
      for (const model of everyModel(size))
        expect(view(model, lookOf(size)).rows.length).toBeLessThanOrEqual(size.rows);
    }
    expect(screenOf(modelOf({ columns: 79, rows: 5 }))).toEqual([
      'The window is too small: 40x10 is the least, 80x24 is good.',
    ]);
    expect(screenOf(modelOf({ columns: 24, rows: 6 }))).toEqual([
      ...['The window is too small:', '40x10 is the least,', '80x24 is good.'],
    ]);
  });

  test('makes only the rows that are seen', () => {
    const many = Array.from({ length: 200 }, (_, i) =>
      workerOf({ id: `${i}`, name: `pi-${String(i).padStart(3, '0')}` }),
    );
    const model: Model = { ...onTab(modelOf(small, many), 'workers'), selectedWorker: 150 };
    const screen = screenOf(model);
    expect(screen.length).toBe(24);
    expect(screen.some((line) => line.includes('pi-150'))).toBe(true);
    expect(screen.filter((line) => line.includes('pi-')).length).toBe(16);
    expect(screen[3]).toContain('151 of 200');
  });

  test('tells what a click means', () => {
    const frame = view(withTasks(onTab(modelOf(), 'tasks'), [ended('b'), ended('a')]), lookOf(small));
    const tabRow = textOf(frame.rows[1] ?? []);
    expect(targetAt(frame, tabRow.indexOf('Workers'), 1)).toEqual({ kind: 'tab', tab: 'workers' });
    expect(targetAt(frame, tabRow.length, 1)).toBeNull();
    expect(targetAt(frame, 40, 5)).toEqual({ kind: 'row', index: 0 });
    expect(targetAt(frame, 1, 6)).toEqual({ kind: 'row', index: 1 });
    expect(targetAt(frame, 0, 6)).toEqual({ kind: 'mark', index: 1 });
    for (const row of [0, 2, 3, 4, 7, 22, 23, 99]) expect(targetAt(frame, 5, row)).toBeNull();
  });

  test('shows an open task with the end of its output', () => {
    const list = withTasks(onTab(modelOf(), 'tasks'), [ended('a', { exit_code: 3, status: 'failed' })]);
    const lines = Array.from({ length: 50 }, (_, i) => `line ${i}\n`).join('');
    const model = after(
      pressed(list, key('enter')).model,
      { kind: 'detailRead', task: openedTask({ ...list.page.tasks[0], command: 'make test', reason: 'exit 3' }) },
      { kind: 'outputArrived', id: 'a', stream: 'stdout', text: lines },
    );
    const screen = screenOf(model);
    expect(screen[3]).toBe(' Task a  failed  attempt 1');
    expect(screen[4]).toBe(' make test');
    expect(screen.join('\n')).toContain('exit code 3  reason exit 3');
    expect(screen.slice(11, 21)).toEqual(Array.from({ length: 10 }, (_, i) => ` line ${i + 40}`));
    const up = screenOf(pressed(model, key('up')).model);
    expect(up[10]).toStartWith(' Output, 1 rows below ');
    expect(up[20]).toBe(' line 48');
  });
});

describe('the tabs at 80x24', () => {
  test('overview', () => {
    let model = modelOf();
    for (let second = 0; second < 30; second++) {
      const tally = { started: second % 9, completed: second % 4, failed: second === 20 ? 1 : 0 };
      model = after(model, { kind: 'feedMoved', at: now + second * 1000, tally, events: [], detail: false });
    }
    expect(`\n${screenOf(model).join('\n')}\n`).toMatchInlineSnapshot(`
      "
       octaskly  http://127.0.0.1:3000                                  up 2h  v0.1.0
       1 Overview  2 Workers  3 Tasks  4 Logs  5 Approvals
      ────────────────────────────────────────────────────────────────────────────────
       Tasks                  Workers
       blocked           0    there     2 online, 1 draining
       queued           12    slots     ████████░░░░░░░░░░░░  3 of 8 used
       running           3    queue     █░░░░░░░░░░░░░░░░░░░  12 of 10000 waiting
       completed      1002    cpu       ██████░░░░░░░░░░░░░░  31% of 4 cores
       failed            4    memory    ███████████████░░░░░  75% of 8 GB
       timed out         0
       cancelled         1

       Pace of the last 57 s
       started       3.7/s                              ▁▂▃▄▅▆▇█ ▁▂▃▄▅▆▇█ ▁▂▃▄▅▆▇█ ▁▂
       completed     1.5/s                              ▃▆█ ▃▆█ ▃▆█ ▃▆█ ▃▆█ ▃▆█ ▃▆█ ▃
       failed        0.1/s                                                 █

       NAME                              STATUS   SLOTS      CPU       MEMORY    SEEN
       attic-pi                          online   ███░ 3/4   █░░░ 31%  ███░ 75%   32s


      ────────────────────────────────────────────────────────────────────────────────

       Tab 1-5 tabs  p hold the queue  ? help  q quit
      "
    `);
  });

  test('workers that rest, sleep or are being woken say so, and are not taken for switched off', () => {
    const wake = { unasked: true, tries: 0, last_try_at: null };
    const workers = [
      workerOf({ id: 'w1', name: 'hot', resting: 'it is hot' }),
      workerOf({ id: 'w2', name: 'sleeper', status: 'offline', wake }),
      workerOf({ id: 'w3', name: 'called', status: 'offline', wake: { ...wake, tries: 1 } }),
      workerOf({ id: 'w4', name: 'off', status: 'offline' }),
    ];
    const lines = screenOf(onTab(modelOf(small, workers), 'workers'));
    const words = lines.map((line) => /^ +(hot|sleeper|called|off) +(\S+)/.exec(line)?.[2]);
    expect(words.filter((word) => word !== undefined).toSorted()).toEqual(['asleep', 'offline', 'resting', 'waking']);
  });

  test('workers', () => {
    const workers = [
      workerOf({ battery_percent: 83, charging: true, temperature_c: 61.4 }),
      workerOf({
        id: 'w-desk',
        name: 'desk',
        slots: 16,
        running: 16,
        backlog: 2,
        load1: 15.5,
        cpu_cores: 16,
        memory_mb: 65536,
      }),
      workerOf({ id: 'w-phone', name: 'phöne-日本', status: 'draining', running: 0, backlog: 0, battery_percent: 12 }),
    ];
    expect(`\n${screenOf(onTab(modelOf(small, workers), 'workers')).join('\n')}\n`).toMatchInlineSnapshot(`
      "
       octaskly  http://127.0.0.1:3000                                  up 2h  v0.1.0
       1 Overview  2 Workers  3 Tasks  4 Logs  5 Approvals
      ────────────────────────────────────────────────────────────────────────────────
       Workers  1 of 3  w-attic
       NAME         STATUS   SLOTS      CPU       MEMORY    BATTERY    TEMP      SEEN
       attic-pi     online   ███░ 3/4   █░░░ 31%  ███░ 75%  ███░ 83%+  ██░░ 61C    3s
       desk         online   ████ 16/16 ███░ 97%  ███░ 97%                         3s
       phöne-日本   draining ░░░░ 0/4   █░░░ 31%  ███░ 75%  █░░░ 12%               3s













      ────────────────────────────────────────────────────────────────────────────────

       Enter open  d drain  t its tasks  / filter  j k select  ? help  q quit
      "
    `);
  });

  test('tasks', () => {
    const running = { status: 'running', worker_id: 'w-attic', attempt: 1 } as const;
    const tasks = [
      taskOf({ id: '0t2jgz750000', command: 'ffmpeg -i /nas/in.mkv -c:v libx265 /nas/out.mkv', name: 'encode' }),
      taskOf({ id: '0t2jgz740000', ...running, started_at: new Date(now - 75_000).toISOString(), command: 'make -j4' }),
      ended('0t2jgz730000', { command: null, argv: ['echo', '日本語', '\u001b[2J'] }),
      ended('0t2jgz720000', { status: 'failed', exit_code: 127, duration_ms: 12, command: 'mkae' }),
      ended('0t2jgz710000', { status: 'failed', exit_code: null, signal: 'SIGKILL', worker_id: 'w-gone' }),
    ];
    expect(`\n${screenOf(withTasks(onTab(modelOf(), 'tasks'), tasks)).join('\n')}\n`).toMatchInlineSnapshot(`
      "
       octaskly  http://127.0.0.1:3000                                  up 2h  v0.1.0
       1 Overview  2 Workers  3 Tasks  4 Logs  5 Approvals
      ────────────────────────────────────────────────────────────────────────────────
       All tasks, newest first
       STATUS    ID           EXIT   TIME  AGE WORKER     NAME: COMMAND
       queued    0t2jgz750000               1m            encode: ffmpeg -i /nas/in.…
       running   0t2jgz740000       1m15s   1m attic-pi   make -j4
       completed 0t2jgz730000    0   1.2s   1m attic-pi   echo 日本語 \\x1b[2J
       failed    0t2jgz720000  127   12ms   1m attic-pi   mkae
       failed    0t2jgz710000 KILL   1.2s   1m w-gone     true











      ────────────────────────────────────────────────────────────────────────────────

       Enter open  Space mark  c cancel  r retry  e explain  s sort  / filter  ? help
      "
    `);
  });
});

describe('lines', () => {
  const look = lookOf({ columns: 10, rows: 1 });

  test('placesOf() cuts, fills, and covers the cell behind a wide character', () => {
    const text = (row: string) => placesOf([span(row)], look).map((place) => place.text);
    expect(text('日本')).toEqual(['日', '', '本', '', ' ', ' ', ' ', ' ', ' ', ' ']);
    expect(text('日本語日本語').join('|')).toBe('日||本||語||日||…| ');
    expect(text('abcdefghijk').join('')).toBe('abcdefghi…');
  });

  test('placesOf() lets no control character through, even from our own rows', () => {
    const places = placesOf([span('a\u001b[2J\u009b')], { ...look, textWidth: (text) => text.length });
    expect(places.map(({ text }) => text).join('')).not.toMatch(steering);
  });

  test('bar() is full only when all is used, and empty only when nothing is', () => {
    const filled = (used: number, total: number) => (bar({ used, total }, 8, 'busy', look)[0]?.text ?? '').length;
    expect([filled(0, 100), filled(1, 100), filled(50, 100), filled(99, 100), filled(100, 100)]).toEqual([
      0, 1, 4, 7, 8,
    ]);
    expect([filled(5, 0), filled(9, 4), filled(-1, 4)]).toEqual([0, 8, 0]);
  });

  test('sparkline() scales to the greatest', () => {
    expect(sparkline([0, 1, 4, 8], 10, look)).toBe(' ▁▄█');
    expect(sparkline([1, 2, 3], 2, look)).toBe('▆█');
    expect(sparkline([0, 1, 8], 3, { ...look, ascii: true })).toBe(' .@');
    expect(sparkline([], 3, look)).toBe('');
  });

  test('firstShown() keeps the selection in sight and the places filled', () => {
    for (const selected of [0, 1, 9, 10, 50, 98, 99]) {
      const first = firstShown(selected, 100, 20);
      expect(first).toBeLessThanOrEqual(selected);
      expect(first + 20).toBeGreaterThan(selected);
      expect(first + 20).toBeLessThanOrEqual(100);
    }
    expect(firstShown(2, 3, 20)).toBe(0);
  });
});
