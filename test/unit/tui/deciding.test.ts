/** Marks, and what a person orders of the dispatcher. */

import { describe, expect, test } from 'bun:test';
import { OctasklyError } from '../../../src/base/errors.ts';
import { type Client, createClient } from '../../../src/client/client.ts';
import { perform } from '../../../tui/deeds.ts';
import { clicked, pressed } from '../../../tui/keys.ts';
import { type Model, marksMax, type Order, queryOf } from '../../../tui/model.ts';
import { sortedMax } from '../../../tui/sorting.ts';
import { targetAt, view } from '../../../tui/views.ts';
import {
  after,
  deviceOf,
  ended,
  lookOf,
  modelOf,
  now,
  screenOf,
  small,
  statsOf,
  taskOf,
  withTasks,
  workerOf,
} from './samples.ts';

function keys(model: Model, ...names: readonly string[]): { model: Model; orders: Order[] } {
  const orders: Order[] = [];
  let one = model;
  for (const name of names) {
    const step = pressed(one, { name, char: name.length === 1 ? name : '' });
    one = step.model;
    orders.push(...step.orders.filter(({ kind }) => !kind.startsWith('read')));
  }
  return { model: one, orders };
}

const list = withTasks(keys(modelOf(), '3').model, [taskOf({ id: 'c' }), ended('b'), ended('a')]);
const withDevices = after(modelOf(), {
  ...{ kind: 'systemRead', at: now, stats: statsOf(), workers: [workerOf()] },
  approvals: [deviceOf(), deviceOf({ id: 'd-other', code: '654321', name: 'other' })],
});

describe('marks', () => {
  test('are set by key and mouse, and mean what is ordered next', () => {
    const marked = keys(list, ' ', ' ').model;
    expect([[...marked.marked.keys()], marked.selectedTask]).toEqual([['c', 'b'], 2]);
    expect(screenOf(marked)[3]).toContain('2 marked');
    expect(screenOf(marked)[5]).toStartWith('●queued');
    expect([...clicked(marked, { kind: 'mark', index: 1 }).model.marked.keys()]).toEqual(['c']);
    const asked = keys(marked, 'c');
    expect(screenOf(asked.model)[22]).toBe(' Cancel the marked task c (1 of 2 ended already)? y/n');
    expect(keys(asked.model, 'n').model.marked.size).toBe(2);
    const meant = keys(asked.model, 'y');
    expect(meant.orders).toEqual([{ kind: 'cancel', ids: ['c'] }]);
    expect(meant.model.marked.size).toBe(0);
    expect(keys(marked, 'r', 'y').orders).toEqual([{ kind: 'retry', ids: ['b'] }]);
  });

  test('are set on all and taken from all, and go before a filter does', () => {
    const all = keys(list, '*').model;
    expect(all.marked.size).toBe(3);
    expect(keys(all, '*').model.marked.size).toBe(0);
    const filtered = keys(list, 'f').model;
    const one = keys(withTasks(filtered, [taskOf({ id: 'x' })]), ' ', 'escape').model;
    expect([one.marked.size, one.filter.text]).toEqual([0, 'blocked']);
    expect(keys(one, 'escape').model.filter.text).toBe('');
    const full = { ...list, marked: new Map(Array.from({ length: marksMax }, (_, i) => [`${i}`, true] as const)) };
    expect(keys(full, ' ').model.message?.isError).toBe(true);
  });
});

describe('a list that is not the one asked for', () => {
  const filtered = keys(list, '/', ...'zzz', 'enter').model;

  test('is shown empty, and no key marks or ends what stood there before', () => {
    expect([filtered.page.tasks, filtered.marked.size]).toEqual([[], 0]);
    for (const model of [filtered, after(filtered, { kind: 'tasksRefused', query: queryOf(filtered), reason: 'no' })]) {
      expect(keys(model, '*', 'c', 'y').orders).toEqual([]);
      expect(keys(model, ' ', 'r', 'enter').orders).toEqual([]);
      expect(keys(model, 'c').model.message?.isError).toBe(true);
    }
    const refused = after(list, { kind: 'tasksRefused', query: queryOf(list), reason: 'There is no worker zzz.' });
    expect(screenOf(refused)[4]).toBe(' The dispatcher gives no list: There is no worker zzz.');
    expect(keys(keys(list, '*').model, 'f').model.marked.size).toBe(0);
    const late = { kind: 'tasksRefused', query: queryOf(list), reason: 'late' } as const;
    expect(after(filtered, late)).toBe(filtered);
  });

  test('while a page is turned none of the one before is meant', () => {
    const turned = keys(withTasks(list, [taskOf({ id: 'x' })], 'more'), 'down').model;
    expect(turned.page.tasks.length).toBe(1);
    expect(keys(turned, 'c', 'y').orders).toEqual([]);
  });
});

describe('the list of workers', () => {
  const many = Array.from({ length: 40 }, (_, i) =>
    workerOf({ id: `w${i}`, name: `pi-${i}`, labels: { zone: 'attic' } }),
  );
  const model = modelOf(small, [...many, workerOf({ id: 'w-desk', name: 'desk', labels: { zone: 'study' } })]);

  test('holds those with a word in name, state or labels, and keys mean them', () => {
    const found = keys(model, '2', '/', ...'STUDY', 'enter').model;
    expect(screenOf(found)[3]).toBe(' Workers with "STUDY"  1 of 1  w-desk');
    expect(keys(found, 'd', 'y').orders).toEqual([{ kind: 'drain', id: 'w-desk', name: 'desk' }]);
    expect(screenOf(keys(found, 'escape').model)[3]).toContain('1 of 41');
    expect(keys(keys(model, '2', '/', ...'nothing', 'enter').model, 'd', 'enter').orders).toEqual([]);
  });

  test('says on the overview how many more there are; a click on one opens it', () => {
    const shown = screenOf(model);
    expect(shown.join('\n')).toContain(' and 39 more: press 2');
    const frame = view(model, lookOf(small));
    const target = targetAt(
      frame,
      5,
      shown.findIndex((line) => line.startsWith(' desk')),
    );
    expect(target === null ? null : clicked(model, target).model.workerPage?.id).toBe('w-desk');
  });
});

describe('leaving', () => {
  test('asks where a dispatcher ends with it; Ctrl-C twice does not wait for the answer', () => {
    const host: Model = { ...modelOf(), leaving: 'Stop the dispatcher?' };
    expect(keys(host, 'q').orders).toEqual([]);
    expect(keys(host, 'q', 'n').model.asking).toBeNull();
    expect(keys(host, 'q', 'y').orders).toEqual([{ kind: 'quit' }]);
    expect(keys(host, 'C-c', 'C-c').orders).toEqual([{ kind: 'quit' }]);
    expect(keys(host, 'C-z').model.message?.isError).toBe(true);
    expect(keys(modelOf(), 'C-z').orders).toEqual([{ kind: 'suspend' }]);
  });
});

describe('the order of the task list', () => {
  test('other than newest first is made of the newest thousand', () => {
    const byTime = keys(list, 's', 's').model;
    expect([byTime.sort.by, queryOf(byTime)]).toEqual(['time', { limit: sortedMax }]);
    const many = Array.from({ length: 50 }, (_, i) => ended(`t${String(i).padStart(2, '0')}`, { duration_ms: i }));
    const read = withTasks(byTime, many, 'older');
    expect(read.page.tasks[0]?.id).toBe('t49');
    expect(screenOf(read)[3]).toBe(' All tasks, longest first  1 of the newest 50');
    const last = keys(read, 'G', 'down');
    expect([last.model.selectedTask, last.orders]).toEqual([49, []]);
    expect(screenOf(last.model)[20]).toContain('t00');
    expect(keys(read, 'S').model.page.tasks[0]?.id).toBe('t00');
  });
});

describe('orders about workers, devices and the queue', () => {
  test('drain and give tasks again, after a question', () => {
    const workers = (status: 'online' | 'draining' | 'offline'): Model =>
      keys(modelOf(small, [workerOf({ status })]), '2').model;
    const facts = { id: 'w-attic', name: 'attic-pi' };
    expect(keys(workers('online'), 'd').orders).toEqual([]);
    expect(keys(workers('online'), 'd', 'y').orders).toEqual([{ kind: 'drain', ...facts }]);
    expect(keys(workers('draining'), 'enter', 'd', 'y').orders).toEqual([{ kind: 'undrain', ...facts }]);
    expect(keys(workers('offline'), 'd').model.message?.isError).toBe(true);
    expect(keys(workers('online'), 't').model.filter).toEqual({
      text: 'worker:attic-pi',
      query: { worker: 'w-attic' },
    });
  });

  test('let in and turn away the device whose code was compared', () => {
    const tab = keys(withDevices, '5').model;
    const asked = keys(tab, 'down', 'a');
    expect(screenOf(asked.model)[22]).toBe(' Does other show 654 321? Let it in? y/n');
    // A device that came first meanwhile is not the one that was meant.
    const changed = after(asked.model, {
      ...{ kind: 'systemRead', at: now, stats: statsOf(), workers: [] },
      approvals: [deviceOf({ id: 'd-new', name: 'new' })],
    });
    expect(keys(changed, 'y').orders).toEqual([{ kind: 'approve', id: 'd-other', name: 'other' }]);
    expect(keys(tab, 'x', 'y').orders).toEqual([{ kind: 'reject', id: 'd-phone', name: 'phone' }]);
    expect(keys(tab, 'a', 'n').orders).toEqual([]);
    expect(keys(modelOf(), '5', 'a', 'y').orders).toEqual([]);
  });

  test('tell of a device that asks, and count those that wait', () => {
    expect(withDevices.message?.text).toBe('phone asks to join: press 5 to decide.');
    expect(screenOf(withDevices)[1]).toEndWith('5 Approvals (2)');
  });

  test('hold the queue and let it go on, where one may', () => {
    expect(keys(modelOf(), 'p', 'y').orders).toEqual([{ kind: 'pause' }]);
    const paused: Model = { ...modelOf(), stats: statsOf({ paused: true }) };
    expect(keys(paused, 'p', 'y').orders).toEqual([{ kind: 'resume' }]);
    const own: Model = { ...modelOf(), role: 'client' };
    expect(keys(own, 'p', 'y').orders).toEqual([]);
    expect(keys(own, 'p').model.message?.text).toContain('needs the role dispatcher or admin');
    expect(screenOf(own).join('\n')).toContain('Your token has the role client');
  });
});

describe('perform()', () => {
  const base = createClient({ baseUrl: 'http://127.0.0.1:1' });
  const failing = (bad: string): Client => ({
    ...base,
    cancel: (id) => (id === bad ? Promise.reject(new OctasklyError('not_found', `no ${id}`)) : Promise.resolve()),
  });

  test('says how many of several were done, and why others were not', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `${i}`);
    expect(await perform({ kind: 'cancel', ids }, failing('none'))).toBe('Asked 20 tasks to end.');
    expect(await perform({ kind: 'cancel', ids: ['7'] }, failing('none'))).toBe('Asked task 7 to end.');
    await expect(perform({ kind: 'cancel', ids }, failing('7'))).rejects.toThrow('19 of 20 done. 1 failed: no 7');
  });
});
