/**
 * What keys, clicks and the wheel make of the state. Pure: `pressed(model, key) → model, orders`.
 *
 * What lies on top takes the keys: a question at the bottom, then help, then an explanation, then the open task, then
 * the tab. Ctrl-C always quits.
 */

import { nextState, noFilter, parseFilter } from './filter.ts';
import {
  currentTask,
  listRows,
  type Model,
  outputRows,
  type Page,
  readTasks,
  type Step,
  says,
  step,
  type Tab,
  type Target,
  tabs,
  unfollow,
  withDetail,
  withFilter,
  withTab,
} from './model.ts';
import { linesOf } from './tail.ts';

export interface Key {
  /** `up`, `pagedown`, `tab`, `S-tab`, `enter`, `escape`, `C-c`, or the character. */
  readonly name: string;
  /** What it types; '' for a key that types nothing. */
  readonly char: string;
}

/** Keys by what they do, in the words of the help. */
export const keyHelp: readonly (readonly [keys: string, effect: string])[] = [
  ['Tab, 1 2 3', 'overview, workers, tasks'],
  ['Up Down, k j', 'select; scroll the output of an open task'],
  ['PgUp PgDn', 'a page; tasks: newer and older ones'],
  ['Home End, g G', 'the first and the last; tasks: the newest'],
  ['Enter', 'tasks: open the selected one, with its output'],
  ['c', 'cancel the task (asks first)'],
  ['r', 'submit the ended task again, as a new one'],
  ['e', 'explain why the task waits, or what ended it'],
  ['f', 'tasks: the next state (all, queued, running, ...)'],
  ['/', 'tasks: filter by state, id, worker:, batch:, tag:'],
  ['Esc', 'back; on the task list: no filter'],
  ['mouse', 'click a tab or a row; the wheel scrolls'],
  ['q, Ctrl-C', 'quit'],
];

const filterLengthMax = 200;

function refused(model: Model, why: string): Step {
  return step(says(model, model.now, why, true));
}

/** Keys while a question stands at the bottom. */
function answered(model: Model, key: Key): Step {
  const { asking } = model;
  const quiet: Model = { ...model, asking: null };
  if (asking === null || key.name === 'escape') return step(quiet);
  if (asking.kind === 'cancel') {
    return key.name === 'y' ? step(quiet, { kind: 'cancel', id: asking.id }) : step(quiet);
  }
  if (key.name === 'enter') {
    const filter = parseFilter(asking.text, model.workers);
    return 'wrong' in filter ? refused(model, filter.wrong) : withFilter(quiet, filter);
  }
  const typed = (text: string): Step =>
    step({ ...model, asking: { kind: 'filter', text: text.slice(0, filterLengthMax) } });
  if (key.name === 'backspace') return typed(asking.text.slice(0, -1));
  if (key.name === 'C-u') return typed('');
  return key.char === '' ? step(model) : typed(asking.text + key.char);
}

/** Keys that act on a task; null for any other. */
function onTask(model: Model, key: Key): Step | null {
  const task = currentTask(model);
  if (task === null || !['c', 'r', 'e'].includes(key.name)) return null;
  const ended = task.completed_at !== null;
  if (key.name === 'e') return step(model, { kind: 'explain', id: task.id });
  if (key.name === 'c') {
    if (ended) return refused(model, `Task ${task.id} has ended: there is nothing to cancel.`);
    return step({ ...model, asking: { kind: 'cancel', id: task.id } });
  }
  if (!ended) return refused(model, `Task ${task.id} has not ended; only an ended task can be submitted again.`);
  return step(model, { kind: 'retry', id: task.id });
}

function scrolled(model: Model, by: number): Step {
  const { detail } = model;
  if (detail === null) return step(model);
  const most = linesOf(detail.output).length - outputRows(model.size);
  const scroll = Math.max(0, Math.min(detail.scroll + by, most));
  return step({ ...model, detail: { ...detail, scroll } });
}

function withPage(model: Model, cursors: Page['cursors'], selectedTask: number): Step {
  return step({ ...model, page: { ...model.page, cursors, fresh: false }, selectedTask }, readTasks);
}

/** The selection moved; past the edge of a page of tasks the next page comes. */
function moved(model: Model, by: number): Step {
  if (model.tab === 'workers') {
    const selectedWorker = Math.max(0, Math.min(model.selectedWorker + by, model.workers.length - 1));
    return step({ ...model, selectedWorker });
  }
  if (model.tab !== 'tasks') return step(model);
  const { page, selectedTask } = model;
  const wanted = selectedTask + by;
  const last = page.tasks.length - 1;
  if (page.fresh && wanted > last && selectedTask === last && page.next !== null) {
    return withPage(model, [...page.cursors, page.next], 0);
  }
  if (page.fresh && wanted < 0 && selectedTask === 0 && page.cursors.length > 1) {
    return withPage(model, page.cursors.slice(0, -1), listRows(model.size) - 1);
  }
  return step({ ...model, selectedTask: Math.max(0, Math.min(wanted, last)) });
}

/** Keys that move; null for any other. */
function onMove(model: Model, { name }: Key): Step | null {
  const rows = listRows(model.size);
  const distances: Readonly<Record<string, number>> = {
    ...{ up: -1, k: -1, down: 1, j: 1, pageup: -rows, pagedown: rows },
    ...{ home: -Infinity, g: -Infinity, end: Infinity, G: Infinity },
  };
  const by = distances[name];
  if (by === undefined) return null;
  if (model.detail !== null) return scrolled(model, -by);
  if (by === -Infinity && model.tab === 'tasks' && model.page.cursors.length > 1) return withPage(model, [null], 0);
  // To the end of what is shown, never on to the next page.
  if (by === Infinity && model.tab === 'tasks') {
    return step({ ...model, selectedTask: Math.max(0, model.page.tasks.length - 1) });
  }
  return moved(model, by);
}

/** Keys that lead to another tab; null for any other. */
function onTab(model: Model, { name }: Key): Step | null {
  const index = tabs.indexOf(model.tab);
  const targets: Readonly<Record<string, number>> = {
    ...{ '1': 0, '2': 1, '3': 2 },
    ...{ tab: (index + 1) % tabs.length, 'S-tab': (index + tabs.length - 1) % tabs.length },
  };
  const target: Tab | undefined = tabs[targets[name] ?? -1];
  return target === undefined ? null : withTab(model, target);
}

/** Keys of the task list alone; null for any other. */
function onTaskList(model: Model, { name }: Key): Step | null {
  if (model.tab !== 'tasks' || model.detail !== null) return null;
  const task = currentTask(model);
  if (name === 'enter') return task === null ? step(model) : withDetail(model, task.id);
  if (name === 'f') return withFilter(model, nextState(model.filter));
  if (name === 'escape' && model.filter.text !== '') return withFilter(model, noFilter);
  return null;
}

/** What a pressed key makes of the state. */
export function pressed(model: Model, key: Key): Step {
  if (key.name === 'C-c') return step(model, { kind: 'quit' });
  if (model.asking !== null) return answered(model, key);
  if (model.help) return step({ ...model, help: false });
  if (key.name === 'q') return step(model, { kind: 'quit' });
  if (key.name === '?') return step({ ...model, help: true });
  const back = key.name === 'escape' || key.name === 'backspace' || key.name === 'enter';
  if (model.explanation !== null) {
    return back ? step({ ...model, explanation: null }) : (onTab(model, key) ?? step(model));
  }
  if (model.detail !== null && back) return step({ ...model, detail: null }, unfollow, readTasks);
  if (key.name === '/') {
    const { model: onList, orders } =
      model.tab === 'tasks' && model.detail === null ? step(model) : withTab(model, 'tasks');
    return { model: { ...onList, asking: { kind: 'filter', text: model.filter.text } }, orders };
  }
  return onTab(model, key) ?? onTaskList(model, key) ?? onTask(model, key) ?? onMove(model, key) ?? step(model);
}

/** What a click makes of the state; on the selected task it opens it. */
export function clicked(model: Model, target: Target): Step {
  if (model.asking !== null) return step(model);
  if (target.kind === 'tab') return withTab(model, target.tab);
  if (model.help || model.explanation !== null || model.detail !== null) return step(model);
  if (model.tab === 'workers') return step({ ...model, selectedWorker: target.index });
  const task = model.page.tasks[target.index];
  if (model.tab !== 'tasks' || task === undefined) return step(model);
  return target.index === model.selectedTask
    ? withDetail(model, task.id)
    : step({ ...model, selectedTask: target.index });
}

/** Rows that one notch of the wheel scrolls. */
const wheelRows = 3;

/** What a notch of the wheel makes of the state. */
export function wheeled(model: Model, direction: 'up' | 'down'): Step {
  if (model.asking !== null || model.help || model.explanation !== null) return step(model);
  const by = direction === 'up' ? -wheelRows : wheelRows;
  return model.detail === null ? moved(model, by) : scrolled(model, -by);
}
