/**
 * What keys, clicks and the wheel make of the state. Pure: `pressed(model, key) → model, orders`.
 *
 * What lies on top takes the keys: a question at the bottom, then help, then an explanation, then the open task or
 * worker, then the tab. Ctrl-C always quits.
 */

import { leaves, onDecision, refused, withMark } from './deciding.ts';
import { nextState, noFilter, parseFilter } from './filter.ts';
import { nextLevel } from './journal.ts';
import {
  type Asking,
  currentTask,
  currentWorker,
  isListed,
  type Key,
  type Model,
  readTasks,
  type Step,
  shownWorkers,
  step,
  type Tab,
  type Target,
  tabs,
  unfollow,
  withDetail,
  withFilter,
  withSort,
  withTab,
  withWorkerPage,
} from './model.ts';
import { moved, onMove, readOn, scrolled } from './moving.ts';
import { nextSort } from './sorting.ts';

/** Keys by what they do, in the words of the help. */
export const keyHelp: readonly (readonly [keys: string, effect: string])[] = [
  ['Tab, 1 2 3 4 5', 'overview, workers, tasks, logs, approvals'],
  ['Up Down, k j', 'select; scroll output and logs; also the wheel'],
  ['PgUp PgDn', 'a page; tasks: newer and older ones'],
  ['Home End, g G', 'the first and the last; tasks: the newest'],
  ['Enter', 'open the task or worker; in a task: its whole command'],
  ['Esc', 'back; then no marks, then no filter'],
  ['/', 'filter tasks and workers; search logs'],
  ['f, s, S', 'tasks: the next state; the next order; turn the order round'],
  ['Space, *', 'tasks: mark one, or all that are listed, for c and r'],
  ['c, r, e', 'task: cancel (asks first); submit again; explain how it stands'],
  ['w', 'output: cut long lines, or go on in the next row'],
  ['d, t', 'workers: drain, or give tasks again; list its tasks'],
  ['a, x', 'approvals: let the device in; turn it away'],
  ['p, l', 'hold the queue, or let it go on; logs: the least level'],
  ['mouse', 'click a tab or a row, again to open it; its left edge marks'],
  ['q, Ctrl-C', 'quit'],
  ['Ctrl-Z, Ctrl-L', 'to the shell, fg comes back; draw anew'],
];

/** Characters of what is typed at the bottom. */
const typedLengthMax = 200;

/** What was typed is taken; a wrong filter goes on being typed. */
function entered(model: Model, asking: Exclude<Asking, { kind: 'confirm' }>): Step {
  const quiet: Model = { ...model, asking: null };
  if (asking.kind === 'find') {
    return step({ ...quiet, journal: { ...model.journal, find: asking.text.trim(), scroll: 0 } });
  }
  if (asking.kind === 'findWorker') return step({ ...quiet, workerFind: asking.text.trim(), selectedWorker: 0 });
  const filter = parseFilter(asking.text, model.workers);
  return 'wrong' in filter ? refused(model, filter.wrong) : withFilter(quiet, filter);
}

/** Keys while a question stands at the bottom. */
function answered(model: Model, asking: Asking, key: Key): Step {
  const quiet: Model = { ...model, asking: null };
  if (key.name === 'escape') return step(quiet);
  if (asking.kind === 'confirm') {
    if (key.name !== 'y') return step(quiet);
    return step('ids' in asking.order ? { ...quiet, marked: new Map() } : quiet, asking.order);
  }
  if (key.name === 'enter') return entered(model, asking);
  const typed = (text: string): Step => step({ ...model, asking: { ...asking, text: text.slice(0, typedLengthMax) } });
  if (key.name === 'backspace') return typed(asking.text.slice(0, -1));
  if (key.name === 'C-u') return typed('');
  return key.char === '' ? step(model) : typed(asking.text + key.char);
}

/** What pasted text makes of the state: it is typed where something is being typed, and never taken for keys. */
export function pasted(model: Model, text: string): Step {
  const { asking } = model;
  if (asking === null)
    return refused(model, 'Pasted text is no keys here; / begins a filter or a search, which takes it.');
  if (asking.kind === 'confirm') return step(model);
  return step({ ...model, asking: { ...asking, text: (asking.text + text).slice(0, typedLengthMax) } });
}

/** Keys that lead to another tab; null for any other. */
function onTab(model: Model, { name }: Key): Step | null {
  const index = tabs.indexOf(model.tab);
  const next = (index + 1) % tabs.length;
  const before = (index + tabs.length - 1) % tabs.length;
  const targets: Readonly<Record<string, number>> = {
    ...{ '1': 0, '2': 1, '3': 2, '4': 3, '5': 4 },
    ...{ tab: next, right: next, 'S-tab': before, left: before },
  };
  const target: Tab | undefined = tabs[targets[name] ?? -1];
  return target === undefined ? null : withTab(model, target);
}

/** Keys of the task list alone; null for any other. */
function onTaskList(model: Model, { name }: Key): Step | null {
  if (model.tab !== 'tasks' || model.detail !== null) return null;
  const task = currentTask(model);
  if (name === 'enter' && task !== null) return withDetail(model, task.id);
  if (name === 'f') return withFilter(model, nextState(model.filter));
  if (name === 's') return withSort(model, nextSort(model.sort));
  if (name === 'S') return withSort(model, { ...model.sort, reversed: !model.sort.reversed });
  if (name !== 'escape') return null;
  if (model.marked.size > 0) return step({ ...model, marked: new Map() });
  return model.filter.text === '' ? null : withFilter(model, noFilter);
}

/** Keys of the list of workers, and of the open one; null for any other. */
function onWorkers(model: Model, { name }: Key): Step | null {
  if (model.tab !== 'workers') return null;
  const onList = model.workerPage === null;
  if (name === '/' && onList) return step({ ...model, asking: { kind: 'findWorker', text: model.workerFind } });
  if (name === 'escape' && onList && model.workerFind !== '') {
    return step({ ...model, workerFind: '', selectedWorker: 0 });
  }
  const worker = currentWorker(model);
  if (worker === null) return null;
  if (name === 'enter' && onList) return withWorkerPage(model, worker.id);
  if (name !== 't') return null;
  const filter = { text: `worker:${worker.name}`, query: { worker: worker.id } };
  return withFilter(withTab(model, 'tasks').model, filter);
}

/** Keys of the journal alone; null for any other. */
function onLogs(model: Model, { name }: Key): Step | null {
  if (model.tab !== 'logs') return null;
  const { journal } = model;
  if (name === 'l') return step({ ...model, journal: { ...journal, least: nextLevel(journal.least), scroll: 0 } });
  if (name === '/') return step({ ...model, asking: { kind: 'find', text: journal.find } });
  if (name !== 'escape' || journal.find === '') return null;
  return step({ ...model, journal: { ...journal, find: '', scroll: 0 } });
}

/** Begins typing a filter of the tasks, on their tab. */
function withTyping(model: Model): Step {
  const onList = model.tab === 'tasks' && model.detail === null;
  const { model: next, orders } = onList ? step(model) : withTab(model, 'tasks');
  return { model: { ...next, asking: { kind: 'filter', text: model.filter.text } }, orders };
}

/** Keys of the open task alone; null for any other. */
function onDetail(model: Model, { name }: Key): Step | null {
  const { detail, wraps } = model;
  if (detail === null) return null;
  if (name === 'w') return step({ ...model, wraps: !wraps, detail: { ...detail, scroll: 0 } });
  if (name === 'enter' && detail.task !== null) return step({ ...model, detail: { ...detail, full: !detail.full } });
  if (name !== 'escape' && name !== 'backspace') return null;
  if (detail.full) return step({ ...model, detail: { ...detail, full: false } });
  return step({ ...model, detail: null }, unfollow, readTasks);
}

/** Keys that mean the same wherever one is, also behind a question; null for any other. */
function onProcess(model: Model, { name }: Key): Step | null {
  // Pressed again behind the question it is the answer.
  const asked = model.asking?.kind === 'confirm' && model.asking.order.kind === 'quit';
  if (name === 'C-c') return asked ? step(model, { kind: 'quit' }) : leaves(model);
  if (name !== 'C-z') return null;
  if (model.leaving === null) return step(model, { kind: 'suspend' });
  return refused(model, 'The dispatcher runs in this process: it cannot be suspended.');
}

/** What a pressed key makes of the state. */
export function pressed(model: Model, key: Key): Step {
  const anywhere = onProcess(model, key);
  if (anywhere !== null) return anywhere;
  if (model.asking !== null) return answered(model, model.asking, key);
  if (model.help) return step({ ...model, help: false });
  if (key.name === 'q') return leaves(model);
  if (key.name === '?') return step({ ...model, help: true });
  const back = key.name === 'escape' || key.name === 'backspace' || key.name === 'enter';
  if (model.explanation !== null) {
    if (back) return step({ ...model, explanation: null });
    return onTab(model, key) ?? onMove(model, key) ?? step(model);
  }
  if (model.workerPage !== null && back) return step({ ...model, workerPage: null });
  for (const on of [onDetail, onTab, onTaskList, onWorkers, onLogs, onDecision, onMove]) {
    const next = on(model, key);
    if (next !== null) return next;
  }
  return key.name === '/' ? withTyping(model) : step(model);
}

/** What a click makes of the state; on the selected row it opens it. */
export function clicked(model: Model, target: Target): Step {
  if (model.asking !== null) return step(model);
  if (target.kind === 'tab') return withTab(model, target.tab);
  const covered = model.help || model.explanation !== null || model.detail !== null || model.workerPage !== null;
  if (covered) return step(model);
  const { index } = target;
  const task = isListed(model) ? model.page.tasks[index] : undefined;
  const worker = shownWorkers(model)[index];
  // The overview lists them all.
  const there = model.tab === 'overview' ? model.workers[index] : undefined;
  if (there !== undefined) return withWorkerPage(withTab(model, 'workers').model, there.id);
  if (model.tab === 'approvals' && index < model.approvals.length) return step({ ...model, selectedDevice: index });
  if (model.tab === 'workers' && worker !== undefined) {
    return index === model.selectedWorker
      ? withWorkerPage(model, worker.id)
      : step({ ...model, selectedWorker: index });
  }
  if (model.tab !== 'tasks' || task === undefined) return step(model);
  if (target.kind === 'mark') return withMark({ ...model, selectedTask: index }, task);
  return index === model.selectedTask ? withDetail(model, task.id) : step({ ...model, selectedTask: index });
}

/** Rows that one notch of the wheel scrolls. */
const wheelRows = 3;

/** What a notch of the wheel makes of the state. */
export function wheeled(model: Model, direction: 'up' | 'down'): Step {
  if (model.asking !== null || model.help) return step(model);
  const by = direction === 'up' ? -wheelRows : wheelRows;
  if (model.explanation !== null) return readOn(model, by);
  return model.detail === null ? moved(model, by) : scrolled(model, -by);
}
