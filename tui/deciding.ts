/**
 * Keys that mark tasks and those that order something of the dispatcher: about tasks, workers, devices that wait, the
 * queue. What cannot be undone, or concerns others, is asked about first. Pure.
 */

import type { TaskView } from '../src/api/schemas.ts';
import {
  type Asking,
  currentTask,
  currentWorker,
  isListed,
  type Key,
  type Model,
  marksMax,
  type Order,
  type Step,
  says,
  seesCluster,
  step,
} from './model.ts';

/** `model` with a sentence that says why something was not done. */
export function refused(model: Model, why: string): Step {
  return step(says(model, model.now, why, true));
}

function asks(model: Model, question: string, order: Order): Step {
  const asking: Asking = { kind: 'confirm', question, order };
  return step({ ...model, asking });
}

const tooMany = `More than ${marksMax} tasks cannot be marked at once.`;
const reading = 'The list is still being read.';

const hasEnded = ({ completed_at: completedAt }: Pick<TaskView, 'completed_at'>): boolean => completedAt !== null;

/** A task's mark set, or taken away. */
export function withMark(model: Model, task: TaskView): Step {
  const marked = new Map(model.marked);
  if (!marked.delete(task.id)) marked.set(task.id, hasEnded(task));
  if (marked.size > marksMax) return refused(model, tooMany);
  return step({ ...model, marked });
}

/** Marks on all tasks that are listed; none where all have one. */
function withAllMarked(model: Model): Step {
  const listed = model.page.tasks.map((task) => [task.id, hasEnded(task)] as const);
  const marked = new Map([...model.marked, ...listed]);
  if (marked.size === model.marked.size) return step({ ...model, marked: new Map() });
  if (marked.size > marksMax) return refused(model, tooMany);
  return step({ ...model, marked });
}

/** Keys about all marked tasks; null for any other. An order means only those of them that it can be about. */
function onMarked(model: Model, { name }: Key): Step | null {
  const { marked } = model;
  if (model.tab !== 'tasks' || model.detail !== null || marked.size === 0) return null;
  if (name !== 'c' && name !== 'r') return null;
  const isCancel = name === 'c';
  const ids = [...marked].filter(([, ended]) => ended !== isCancel).map(([id]) => id);
  const others = marked.size - ids.length;
  const [only] = ids;
  if (only === undefined) {
    const why = isCancel ? 'All marked tasks have ended: there is nothing to cancel.' : 'No marked task has ended yet.';
    return refused(model, why);
  }
  const what = ids.length === 1 ? `the marked task ${only}` : `${ids.length} marked tasks`;
  const left = others === 0 ? '' : ` (${others} of ${marked.size} ${isCancel ? 'ended already' : 'not ended'})`;
  const question = isCancel ? `Cancel ${what}${left}?` : `Submit ${what} again${left}?`;
  return asks(model, question, { kind: isCancel ? 'cancel' : 'retry', ids });
}

/** Says what keys about tasks wait for, while a list or a task is being read; null where nothing is. */
function onUnread(model: Model, { name }: Key): Step | null {
  const { tab, detail, page } = model;
  if (detail !== null) {
    return detail.task === null && ['c', 'r', 'e', 'enter'].includes(name)
      ? refused(model, `Task ${detail.id} is still being read.`)
      : null;
  }
  if (tab !== 'tasks' || isListed(model) || !['c', 'r', 'e', 'enter', ' ', 'space', '*'].includes(name)) return null;
  return refused(model, page.wrong === null ? reading : 'There is no list: / changes the filter, Esc takes it away.');
}

/** Keys about one task; null for any other. */
function onTask(model: Model, { name }: Key): Step | null {
  const task = currentTask(model);
  if (task === null || !['c', 'r', 'e'].includes(name)) return null;
  const ended = task.completed_at !== null;
  if (name === 'e') return step(model, { kind: 'explain', id: task.id });
  if (name === 'c') {
    if (ended) return refused(model, `Task ${task.id} has ended: there is nothing to cancel.`);
    return asks(model, `Cancel task ${task.id}?`, { kind: 'cancel', ids: [task.id] });
  }
  if (!ended) return refused(model, `Task ${task.id} has not ended; only an ended task can be submitted again.`);
  return step(model, { kind: 'retry', ids: [task.id] });
}

/** Keys that mark in the list of tasks; null for any other. */
function onMarks(model: Model, { name }: Key): Step | null {
  const task = currentTask(model);
  if (model.tab !== 'tasks' || model.detail !== null || task === null) return null;
  if (name === '*') return withAllMarked(model);
  if (name !== ' ' && name !== 'space') return null;
  const { model: next, orders } = withMark(model, task);
  const selectedTask = Math.min(next.selectedTask + 1, next.page.tasks.length - 1);
  return { model: { ...next, selectedTask }, orders };
}

/** Keys about a worker; null for any other. */
function onWorker(model: Model, { name: key }: Key): Step | null {
  const worker = currentWorker(model);
  if (worker === null || key !== 'd') return null;
  const { id, name, status } = worker;
  if (status === 'offline') return refused(model, `${name} is offline: it gets no tasks.`);
  const question = `Drain ${name}: what runs there goes on, nothing new comes?`;
  if (status === 'draining') return asks(model, `Give ${name} tasks again?`, { kind: 'undrain', id, name });
  return asks(model, question, { kind: 'drain', id, name });
}

/** A code as the device shows it. */
export function groupedCode(code: string): string {
  return code.replace(/^(\d{3})(?=\d{3}$)/, '$1 ');
}

/** Keys about a device that waits; null for any other. */
function onDevice(model: Model, { name: key }: Key): Step | null {
  const device = model.tab === 'approvals' ? model.approvals[model.selectedDevice] : undefined;
  if (device === undefined) return null;
  const { id, name, code } = device;
  const question = `Does ${name} show ${groupedCode(code)}? Let it in?`;
  if (key === 'a' || key === 'enter') return asks(model, question, { kind: 'approve', id, name });
  return key === 'x' ? asks(model, `Turn ${name} away?`, { kind: 'reject', id, name }) : null;
}

/** The key that holds the queue or lets it go on; null for any other. */
function onQueue(model: Model, { name }: Key): Step | null {
  if (name !== 'p') return null;
  if (!seesCluster(model)) {
    return refused(model, `Holding the queue needs the role dispatcher or admin; yours is ${model.role}.`);
  }
  if (model.stats === null) return refused(model, 'The dispatcher has not been read yet.');
  if (model.stats.paused) return asks(model, 'Hand out tasks again?', { kind: 'resume' });
  return asks(model, 'Hand out no further tasks, to any worker?', { kind: 'pause' });
}

/** Keys that order or mark something; null for any other. */
export function onDecision(model: Model, key: Key): Step | null {
  for (const on of [onUnread, onMarked, onTask, onMarks, onWorker, onDevice, onQueue]) {
    const decided = on(model, key);
    if (decided !== null) return decided;
  }
  return null;
}

/** Leaves, after a question where that ends more than the dashboard. */
export function leaves(model: Model): Step {
  if (model.leaving === null) return step(model, { kind: 'quit' });
  return asks(model, model.leaving, { kind: 'quit' });
}
