import { describe, expect, test } from 'bun:test';
import type { Explanation } from '../../../src/api/schemas.ts';
import { clicked, pasted, pressed, wheeled } from '../../../tui/keys.ts';
import { listRows } from '../../../tui/layout.ts';
import { type DataEvent, type Model, type Order, queryOf, systemEveryMs } from '../../../tui/model.ts';
import { emptyTally, rateOf } from '../../../tui/rates.ts';
import { emptyTail, linesOf } from '../../../tui/tail.ts';
import { update } from '../../../tui/update.ts';
import {
  after,
  ended,
  eventOf,
  modelOf,
  now,
  openedTask,
  screenOf,
  small,
  statsOf,
  taskOf,
  withTasks,
  workerOf,
} from './samples.ts';

const kinds = (orders: readonly Order[]): string[] => orders.map(({ kind }) => kind);

/** Keys by their names; words in quotes are typed. */
function keys(model: Model, ...names: readonly string[]): { model: Model; orders: Order[] } {
  const orders: Order[] = [];
  let one = model;
  for (const name of names) {
    const step = pressed(one, { name, char: [...name].length === 1 ? name : '' });
    one = step.model;
    orders.push(...step.orders);
  }
  return { model: one, orders };
}

const typed = (text: string): string[] => [...text];
const onTasks = (...tasks: Parameters<typeof ended>[0][]): Model =>
  withTasks(
    keys(modelOf(), '3').model,
    tasks.map((id) => ended(id)),
  );
const explanation: Explanation = { id: 'a', status: 'queued', summary: 's', workers: [], advice: [] };

describe('update()', () => {
  test('reads workers and counts every two seconds, and every second while the dispatcher is away', () => {
    const model = modelOf();
    expect(kinds(update(model, { kind: 'timePassed', at: now + systemEveryMs - 1 }).orders)).toEqual([]);
    expect(kinds(update(model, { kind: 'timePassed', at: now + systemEveryMs }).orders)).toEqual(['readSystem']);
    const lost = after(model, { kind: 'linkLost', at: now, reason: 'gone' });
    expect(kinds(update(lost, { kind: 'timePassed', at: now + 1000 }).orders)).toEqual(['readSystem']);
    expect(kinds(update(model, { kind: 'timePassed', at: now - 3_600_000 }).orders)).toEqual(['readSystem']);
  });

  test('says since when the dispatcher is away, and reads everything when it is back', () => {
    const model = after(
      onTasks('a'),
      { kind: 'linkLost', at: now, reason: 'first' },
      { kind: 'linkLost', at: now + 900, reason: 'second' },
    );
    expect(model.link).toEqual({ kind: 'lost', reason: 'second', since: now });
    const back = update(model, { kind: 'systemRead', at: now + 2000, stats: statsOf(), workers: [], approvals: [] });
    expect(back.model.link.kind).toBe('up');
    expect(back.model.message?.text).toBe('The dispatcher is back.');
    expect(kinds(back.orders)).toEqual(['readTasks']);
  });

  test('says why it is not let in any more, asks seldom then, and goes on when it is let in', () => {
    const model = after(modelOf(), { kind: 'linkRefused', at: now, reason: 'The token was revoked.' });
    expect(screenOf(model).join('\n')).toMatch(/not let in[\s\S]* The token was revoked\. q leaves/);
    expect(kinds(update(model, { kind: 'timePassed', at: now + 9999 }).orders)).toEqual([]);
    expect(kinds(update(model, { kind: 'timePassed', at: now + 10_000 }).orders)).toEqual(['readSystem']);
    expect(after(model, { kind: 'systemRead', at: now, stats: statsOf(), workers: [], approvals: [] }).link.kind).toBe(
      'up',
    );
  });

  test('reads again only what is shown when events come', () => {
    const moved = {
      kind: 'feedMoved',
      at: now,
      tally: { ...emptyTally, started: 30 },
      events: [eventOf()],
      detail: true,
    } as const satisfies DataEvent;
    const step = update(modelOf(), moved);
    expect(kinds(step.orders)).toEqual(['readSystem']);
    expect(rateOf(after(step.model, { kind: 'timePassed', at: now + 1000 }).rates, 'started')).toBe(3);
    expect(kinds(update(onTasks('a'), moved).orders)).toEqual(['readSystem', 'readTasks']);
    expect(kinds(update(keys(onTasks('a'), 'enter').model, moved).orders)).toContain('readDetail');
    expect(kinds(update(onTasks('a'), { ...moved, events: [eventOf({ kind: 'worker' })] }).orders)).toEqual([
      'readSystem',
    ]);
    expect(kinds(update(onTasks('a'), { kind: 'feedRestarted', at: now }).orders)).toEqual(['readSystem', 'readTasks']);
  });

  test('keeps the selection on its task and worker when the lists change', () => {
    const model = keys(onTasks('c', 'b', 'a'), 'down').model;
    expect(withTasks(model, [taskOf({ id: 'd' }), ended('c'), ended('b')]).selectedTask).toBe(2);
    expect(withTasks(model, [taskOf({ id: 'd' })]).selectedTask).toBe(0);
    const two = [workerOf({ id: '1', name: 'm' }), workerOf({ id: '2', name: 'x' })];
    const workers = keys(modelOf(small, two), '2', 'down').model;
    const event = { kind: 'systemRead', at: now, stats: statsOf(), approvals: [] } as const;
    expect(after(workers, { ...event, workers: [...two, workerOf({ id: '3', name: 'a' })] }).selectedWorker).toBe(2);
    expect(after(workers, { ...event, workers: [] }).selectedWorker).toBe(0);
  });

  test('ignores answers to what is not asked any more', () => {
    const model = onTasks('a');
    const query = queryOf(model);
    const other = keys(model, 'f').model;
    expect(
      update(other, { kind: 'tasksRead', query, list: { tasks: [ended('z')], next_cursor: null, worker_names: {} } })
        .model,
    ).toBe(other);
    const task = openedTask({ id: 'z' });
    expect(update(model, { kind: 'detailRead', task }).model).toBe(model);
    expect(update(model, { kind: 'outputArrived', id: 'z', stream: 'stdout', text: 'x' }).model).toBe(model);
  });

  test('leads back to the newest tasks from a page that has none left', () => {
    const second = keys(withTasks(onTasks(), [ended('a')], 'cursor'), 'down').model;
    expect(second.page.cursors).toEqual([null, 'cursor']);
    const step = update(second, {
      kind: 'tasksRead',
      query: queryOf(second),
      list: { tasks: [], next_cursor: null, worker_names: {} },
    });
    expect(step.model.page.cursors).toEqual([null]);
    expect(kinds(step.orders)).toEqual(['readTasks']);
  });

  test('lets a message go after a while', () => {
    const model = after(modelOf(), { kind: 'failed', at: now, reason: 'x'.repeat(9999) });
    expect(model.message?.text.length).toBe(500);
    expect(after(model, { kind: 'timePassed', at: now + 5000 }).message).not.toBeNull();
    expect(after(model, { kind: 'timePassed', at: now + 6000 }).message).toBeNull();
  });

  test('keeps the lines in sight when output arrives below them', () => {
    const open = keys(onTasks('a'), 'enter').model;
    const text = Array.from({ length: 100 }, (_, i) => `${i}\n`).join('');
    const output = { kind: 'outputArrived', id: 'a', stream: 'stdout' } as const;
    const full = after(open, { ...output, text });
    expect(full.detail?.scroll).toBe(0);
    const up = keys(full, 'up', 'up').model;
    expect(after(up, { ...output, text: 'x\ny\nz' }).detail?.scroll).toBe(5);
    expect(keys(up, 'end').model.detail?.scroll).toBe(0);
    expect(keys(up, 'home').model.detail?.scroll).toBe(100 - 10);
  });
});

describe('pressed()', () => {
  test('goes from tab to tab', () => {
    const tabs = (...names: string[]) => keys(modelOf(), ...names).model.tab;
    expect([tabs('tab'), tabs('tab', 'right'), tabs('5', 'tab'), tabs('left')]).toEqual([
      'workers',
      'tasks',
      'overview',
      'approvals',
    ]);
    expect([tabs('S-tab'), tabs('2'), tabs('3', '1'), tabs('4')]).toEqual(['approvals', 'workers', 'overview', 'logs']);
    expect(kinds(keys(modelOf(), '3').orders)).toEqual(['readTasks']);
  });

  test('quits on q and Ctrl-C, and on Ctrl-C from anywhere', () => {
    expect(kinds(keys(modelOf(), 'q').orders)).toEqual(['quit']);
    const places = [
      modelOf(),
      keys(modelOf(), '?').model,
      keys(modelOf(), '/').model,
      keys(onTasks('a'), 'enter').model,
    ];
    for (const model of places) expect(kinds(keys(model, 'C-c').orders)).toEqual(['quit']);
    expect(keys(modelOf(), '?', 'q').model.help).toBe(false);
    expect(keys(modelOf(), '?', 'q').orders).toEqual([]);
  });

  test('moves the selection and stays within the list', () => {
    const at = (...names: string[]) => keys(onTasks('c', 'b', 'a'), ...names).model.selectedTask;
    expect([at('down'), at('j', 'j'), at('j', 'j', 'j', 'j'), at('k'), at('j', 'k')]).toEqual([1, 2, 2, 0, 0]);
    expect([at('G'), at('end', 'home'), at('pagedown'), at('G', 'pageup')]).toEqual([2, 0, 2, 0]);
    expect(keys(modelOf(small, []), '2', 'down', 'G').model.selectedWorker).toBe(0);
    expect(keys(onTasks(), 'down', 'enter', 'c', 'r', 'e').model.selectedTask).toBe(0);
  });

  test('turns the page at its edges, once for each page that came', () => {
    const rows = listRows(small);
    const page = Array.from({ length: rows }, (_, i) => ended(`t${i}`));
    const first = withTasks(onTasks(), page, 'older');
    const second = keys(first, 'G', 'down');
    expect(kinds(second.orders)).toEqual(['readTasks']);
    expect(queryOf(second.model)).toEqual({ limit: rows, cursor: 'older' });
    expect(keys(second.model, 'G', 'down', 'down').model.page.cursors).toEqual([null, 'older']);
    const read = withTasks(second.model, [ended('x'), ended('y')], null);
    expect(read.selectedTask).toBe(0);
    expect(keys(read, 'down', 'down').orders).toEqual([]);
    const back = keys(read, 'up').model;
    expect(withTasks(back, page, 'older').selectedTask).toBe(rows - 1);
    expect(keys(read, 'g').model.page.cursors).toEqual([null]);
  });

  test('asks before it cancels, and means the task it asked about', () => {
    const asked = keys(withTasks(onTasks(), [taskOf({ id: 'a' })]), 'c').model;
    const order = { kind: 'cancel', ids: ['a'] } as const;
    expect(asked.asking).toEqual({ kind: 'confirm', question: 'Cancel task a?', order });
    const changed = withTasks(asked, [taskOf({ id: 'b' })]);
    expect(keys(changed, 'y').orders).toEqual([order]);
    for (const no of ['n', 'escape', 'enter', 'q']) {
      expect(keys(asked, no).orders).toEqual([]);
      expect(keys(asked, no).model.asking).toBeNull();
    }
    expect(keys(onTasks('a'), 'c').model.message?.text).toContain('has ended');
  });

  test('retries an ended task, explains any', () => {
    expect(keys(onTasks('a'), 'r').orders).toEqual([{ kind: 'retry', ids: ['a'] }]);
    const waiting = withTasks(onTasks(), [taskOf({ id: 'b' })]);
    expect(keys(waiting, 'r').orders).toEqual([]);
    expect(keys(waiting, 'r').model.message?.isError).toBe(true);
    expect(keys(waiting, 'e').orders).toEqual([{ kind: 'explain', id: 'b' }]);
    expect(keys(modelOf(), 'c', 'r', 'e').orders).toEqual([]);
  });

  test('opens a task, and what lies over it closes first', () => {
    const open = keys(onTasks('b', 'a'), 'down', 'enter');
    expect(open.orders).toEqual([
      { kind: 'readDetail', id: 'a' },
      { kind: 'follow', id: 'a' },
    ]);
    const read = after(open.model, { kind: 'detailRead', task: openedTask({ id: 'a' }) });
    expect(keys(read, 'e').orders).toEqual([{ kind: 'explain', id: 'a' }]);
    const explained = keys(after(read, { kind: 'explained', explanation }), 'c').model;
    expect(explained.asking).toBeNull();
    const once = keys(explained, 'escape').model;
    expect([once.explanation, once.detail?.id]).toEqual([null, 'a']);
    const twice = keys(once, 'escape');
    expect(twice.model.detail).toBeNull();
    expect(twice.orders).toContainEqual({ kind: 'follow', id: null });
    expect(keys(read, '1').orders).toContainEqual({ kind: 'follow', id: null });
  });

  test('takes a filter as it is typed', () => {
    const typing = keys(modelOf(), '/', ...typed('fxailed'), 'backspace').model;
    expect(typing.tab).toBe('tasks');
    expect(typing.asking).toEqual({ kind: 'filter', text: 'fxaile' });
    const { model, orders } = keys(typing, 'C-u', ...typed('failed q'), 'backspace', 'enter');
    expect(model.filter.query).toEqual({ status: ['failed'] });
    expect(kinds(orders)).toEqual(['readTasks']);
    expect(queryOf(model)).toMatchObject({ status: ['failed'] });
    const wrong = keys(model, '/', ...typed(' batch:x'), 'enter').model;
    expect([wrong.message?.isError, wrong.asking?.kind, wrong.filter.text]).toEqual([true, 'filter', 'failed']);
    expect(keys(wrong, 'escape').model.filter.text).toBe('failed');
    expect(keys(wrong, 'escape', 'escape').model.filter.text).toBe('');
    expect(keys(model, 'f').model.filter.query).toEqual({ status: ['timed_out'] });
  });
});

describe('pasted()', () => {
  test('types where something is typed, and is no key anywhere else', () => {
    const typing = pasted(keys(modelOf(), '/', ...typed('a ')).model, 'name with cy');
    expect(typing.model.asking).toEqual({ kind: 'filter', text: 'a name with cy' });
    const running = withTasks(keys(modelOf(), '3').model, [taskOf()]);
    const list = pasted(running, 'cy');
    expect([list.model.asking, list.orders]).toEqual([null, []]);
    expect(list.model.message?.text).toContain('Pasted text is no keys here');
    const asked = keys(running, 'c').model;
    expect(asked.asking?.kind).toBe('confirm');
    expect(pasted(asked, 'y')).toEqual({ model: asked, orders: [] });
  });
});

describe('clicked() and wheeled()', () => {
  test('do what keys do', () => {
    expect(clicked(modelOf(), { kind: 'tab', tab: 'workers' }).model.tab).toBe('workers');
    const once = clicked(onTasks('b', 'a'), { kind: 'row', index: 1 }).model;
    expect([once.selectedTask, once.detail]).toEqual([1, null]);
    expect(clicked(once, { kind: 'row', index: 1 }).model.detail?.id).toBe('a');
    expect(clicked(once, { kind: 'row', index: 7 }).model).toBe(once);
    expect(wheeled(onTasks('d', 'c', 'b', 'a'), 'down').model.selectedTask).toBe(3);
    const open = keys(onTasks('a'), 'enter').model;
    const full = after(open, { kind: 'outputArrived', id: 'a', stream: 'stderr', text: 'x\n'.repeat(50) });
    expect(linesOf(full.detail?.output ?? emptyTail).length).toBe(50);
    expect(wheeled(full, 'up').model.detail?.scroll).toBe(3);
    expect(wheeled(full, 'down').model.detail?.scroll).toBe(0);
  });

  test('do nothing behind a question', () => {
    const asked = keys(withTasks(onTasks(), [taskOf()]), 'c').model;
    expect(clicked(asked, { kind: 'tab', tab: 'workers' }).model).toBe(asked);
    expect(wheeled(asked, 'down').model).toBe(asked);
  });
});
