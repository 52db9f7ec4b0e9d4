/**
 * The state of the dashboard as plain data, and what each fact makes of it: `update(model, event) → model, orders`.
 *
 * Events are facts in the past tense; orders are what is to be done about them outside (`run.ts` does it and reports back
 * by further events). Pure: time arrives in the event. What keys do is in `keys.ts`, what is drawn in `views.ts`.
 *
 * Invariants: the selected row exists unless its list is empty; an answer to a question that is not asked any more
 * changes nothing.
 */

import type { Explanation, Stats, TaskList, TaskView, TaskWithAttempts, WorkerView } from '../src/api/schemas.ts';
import { unreachable } from '../src/base/assert.ts';
import type { TaskQuery } from '../src/client/client.ts';
import { type Filter, noFilter } from './filter.ts';
import { advance, emptyRates, type Rates, type Tally } from './rates.ts';
import { append, emptyTail, linesOf, type OutputStream, type Tail } from './tail.ts';

export const tabs = ['overview', 'workers', 'tasks'] as const;
export type Tab = (typeof tabs)[number];

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Rows of the screen that are not the body: title, tabs, a rule above and below, message, keys. */
export const chromeRows = 6;
/** Rows of a list's body that are not its rows: what is listed, and the column titles. */
export const listHeadRows = 2;

/** Rows above the output of an open task. */
export const detailHeadRows = 7;

/** Rows of a list that `size` has place for; at least 1. */
export function listRows({ rows }: Size): number {
  return Math.max(1, rows - chromeRows - listHeadRows);
}

/** Lines of output that `size` has place for; at least 1. */
export function outputRows({ rows }: Size): number {
  return Math.max(1, rows - chromeRows - detailHeadRows);
}

/** How often workers and counts are read although nothing was heard of them, ms; and while the dispatcher is away. */
export const systemEveryMs = 5000;
export const lostEveryMs = 1000;
/** How long a message stays. */
const messageMs = 6000;
/** Characters kept of a message. */
const messageLengthMax = 500;

export type Link =
  | { readonly kind: 'up' }
  /** `since`: ms since 1970. */
  | { readonly kind: 'lost'; readonly reason: string; readonly since: number };

/** One page of the task list, newest first. */
export interface Page {
  readonly tasks: readonly TaskView[];
  /** Cursor of the next older page. */
  readonly next: string | null;
  /** Cursors of the newer pages and, last, of this one; null is the newest. Never empty. */
  readonly cursors: readonly (string | null)[];
  /** `tasks` and `next` are those of this page, and not what was shown before it came. */
  readonly fresh: boolean;
}

/** One task, opened. */
export interface Detail {
  readonly id: string;
  /** Null until it was read. */
  readonly task: TaskWithAttempts | null;
  readonly output: Tail;
  /** Output lines below the last one shown: 0 follows the end. */
  readonly scroll: number;
}

/** What the person is being asked at the bottom of the screen. */
export type Asking =
  | { readonly kind: 'cancel'; readonly id: string }
  /** A filter being typed. */
  | { readonly kind: 'filter'; readonly text: string };

export interface Message {
  readonly text: string;
  readonly isError: boolean;
  /** Ms since 1970 after which it goes. */
  readonly until: number;
}

export interface Model {
  readonly address: string;
  /** Ms since 1970. */
  readonly now: number;
  readonly size: Size;
  readonly link: Link;
  readonly stats: Stats | null;
  readonly workers: readonly WorkerView[];
  /** When workers and counts were last asked for, ms since 1970. */
  readonly askedAt: number;
  readonly rates: Rates;
  readonly tab: Tab;
  readonly filter: Filter;
  readonly page: Page;
  readonly selectedTask: number;
  readonly selectedWorker: number;
  readonly detail: Detail | null;
  readonly explanation: Explanation | null;
  readonly help: boolean;
  readonly asking: Asking | null;
  readonly message: Message | null;
}

/** What a click was on. */
export type Target =
  | { readonly kind: 'tab'; readonly tab: Tab }
  /** A row of the list of the present tab, by its index in the whole list. */
  | { readonly kind: 'row'; readonly index: number };

export type DataEvent =
  | { readonly kind: 'timePassed'; readonly at: number }
  | { readonly kind: 'resized'; readonly size: Size }
  /** A stretch of the event stream; `detail`: the open task was in it. */
  | {
      readonly kind: 'feedMoved';
      readonly at: number;
      readonly tally: Tally;
      readonly tasks: boolean;
      readonly detail: boolean;
    }
  /** Events may have been missed: everything shown is to be read again. */
  | { readonly kind: 'feedRestarted'; readonly at: number }
  | {
      readonly kind: 'systemRead';
      readonly at: number;
      readonly stats: Stats;
      readonly workers: readonly WorkerView[];
    }
  | { readonly kind: 'tasksRead'; readonly query: TaskQuery; readonly list: TaskList }
  | { readonly kind: 'detailRead'; readonly task: TaskWithAttempts }
  | {
      readonly kind: 'outputArrived';
      readonly id: string;
      readonly stream: OutputStream;
      readonly text: string;
    }
  | { readonly kind: 'explained'; readonly explanation: Explanation }
  /** Something that was ordered is done. */
  | { readonly kind: 'orderDone'; readonly at: number; readonly text: string }
  | { readonly kind: 'failed'; readonly at: number; readonly reason: string }
  | { readonly kind: 'linkLost'; readonly at: number; readonly reason: string };

export type Order =
  | { readonly kind: 'readSystem' }
  /** The page that the model shows: `queryOf`. */
  | { readonly kind: 'readTasks' }
  | { readonly kind: 'readDetail'; readonly id: string }
  /** Follow this task's output instead of what was followed; null: none. */
  | { readonly kind: 'follow'; readonly id: string | null }
  | { readonly kind: 'cancel'; readonly id: string }
  | { readonly kind: 'retry'; readonly id: string }
  | { readonly kind: 'explain'; readonly id: string }
  | { readonly kind: 'quit' };

export interface Step {
  readonly model: Model;
  readonly orders: readonly Order[];
}

const firstPage: Page = { tasks: [], next: null, cursors: [null], fresh: false };

/** The state before anything was read, `now` in ms since 1970. */
export function initial(facts: { readonly address: string; readonly now: number; readonly size: Size }): Model {
  return {
    ...facts,
    link: { kind: 'up' },
    stats: null,
    workers: [],
    askedAt: Number.NEGATIVE_INFINITY,
    rates: emptyRates(facts.now),
    tab: 'overview',
    filter: noFilter,
    page: firstPage,
    selectedTask: 0,
    selectedWorker: 0,
    detail: null,
    explanation: null,
    help: false,
    asking: null,
    message: null,
  };
}

export function step(model: Model, ...orders: readonly Order[]): Step {
  return { model, orders };
}

/** What to ask the dispatcher for, to fill the page that is shown. */
export function queryOf({ filter, page, size }: Model): TaskQuery {
  return { ...filter.query, limit: listRows(size), cursor: page.cursors.at(-1) ?? undefined };
}

/** The task that keys mean: the open one, or the selected one of the list. */
export function currentTask({ tab, detail, page, selectedTask }: Model): TaskView | null {
  if (detail !== null) return detail.task;
  return tab === 'tasks' ? (page.tasks[selectedTask] ?? null) : null;
}

/** `model` with another filter, from its newest task on. */
export function withFilter(model: Model, filter: Filter): Step {
  return step({ ...model, filter, page: { ...firstPage, tasks: model.page.tasks }, selectedTask: 0 }, readTasks);
}

/** `model` on another tab, with nothing lying over it. */
export function withTab(model: Model, tab: Tab): Step {
  const bare: Model = { ...model, tab, detail: null, explanation: null, help: false, asking: null };
  return step(bare, ...(model.detail === null ? [] : [unfollow]), ...(tab === 'tasks' ? [readTasks] : [readSystem]));
}

/** `model` with this task open. */
export function withDetail(model: Model, id: string): Step {
  const detail: Detail = { id, task: null, output: emptyTail, scroll: 0 };
  return step({ ...model, detail }, { kind: 'readDetail', id }, { kind: 'follow', id });
}

export const readTasks: Order = { kind: 'readTasks' };
export const readSystem: Order = { kind: 'readSystem' };
export const unfollow: Order = { kind: 'follow', id: null };

const clamp = (index: number, length: number): number => Math.max(0, Math.min(index, length - 1));

interface What {
  readonly tasks: boolean;
  readonly detail: boolean;
}

const everything: What = { tasks: true, detail: true };

/** What is to be read again of the tasks that are on the screen. */
function readShown({ tab, detail }: Model, what: What): Order[] {
  return [
    ...(tab === 'tasks' && what.tasks ? [readTasks] : []),
    ...(detail !== null && what.detail ? [{ kind: 'readDetail', id: detail.id } as const] : []),
  ];
}

/** `model` with a message at the bottom; `at` in ms since 1970. */
export function says(model: Model, at: number, text: string, isError: boolean): Model {
  return { ...model, message: { text: text.slice(0, messageLengthMax), isError, until: at + messageMs } };
}

function onTime(model: Model, at: number): Step {
  const message = model.message !== null && at < model.message.until ? model.message : null;
  const next: Model = { ...model, now: at, message, rates: advance(model.rates, at) };
  const everyMs = model.link.kind === 'up' ? systemEveryMs : lostEveryMs;
  // A clock that was set back must not keep us waiting.
  const due = Math.abs(at - model.askedAt) >= everyMs;
  return due ? step({ ...next, askedAt: at }, readSystem) : step(next);
}

function onSystem(model: Model, event: DataEvent & { readonly kind: 'systemRead' }): Step {
  const { at, stats, workers } = event;
  const chosen = model.workers[model.selectedWorker]?.id;
  const sorted = workers.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1));
  const found = sorted.findIndex(({ id }) => id === chosen);
  const selectedWorker = clamp(found < 0 ? model.selectedWorker : found, sorted.length);
  const next: Model = { ...model, askedAt: at, stats, workers: sorted, selectedWorker };
  if (model.link.kind === 'up') return step(next);
  const back = says({ ...next, link: { kind: 'up' } }, at, 'The dispatcher is back.', false);
  return step(back, ...readShown(back, everything));
}

function onTasks(model: Model, { query, list }: DataEvent & { readonly kind: 'tasksRead' }): Step {
  if (JSON.stringify(query) !== JSON.stringify(queryOf(model))) return step(model);
  const { page } = model;
  // A page that emptied itself (its tasks were deleted) leads back to the newest.
  if (list.tasks.length === 0 && page.cursors.length > 1) return withFilter(model, model.filter);
  const chosen = page.fresh ? page.tasks[model.selectedTask]?.id : undefined;
  const found = list.tasks.findIndex(({ id }) => id === chosen);
  const selectedTask = clamp(found < 0 ? model.selectedTask : found, list.tasks.length);
  return step({
    ...model,
    page: { ...page, tasks: list.tasks, next: list.next_cursor, fresh: true },
    selectedTask,
  });
}

/** What a fact that is no key and no click makes of the state. */
export function update(model: Model, event: DataEvent): Step {
  switch (event.kind) {
    case 'timePassed':
      return onTime(model, event.at);
    case 'resized': {
      const next = { ...model, size: event.size };
      return model.tab === 'tasks' ? step(next, readTasks) : step(next);
    }
    case 'feedMoved': {
      const next = { ...model, now: event.at, rates: advance(model.rates, event.at, event.tally) };
      return step(next, readSystem, ...readShown(model, event));
    }
    case 'feedRestarted':
      return step({ ...model, now: event.at }, readSystem, ...readShown(model, everything));
    case 'systemRead':
      return onSystem(model, event);
    case 'tasksRead':
      return onTasks(model, event);
    case 'detailRead':
      if (model.detail?.id !== event.task.id) return step(model);
      return step({ ...model, detail: { ...model.detail, task: event.task } });
    case 'outputArrived': {
      if (model.detail?.id !== event.id) return step(model);
      const { detail } = model;
      const output = append(detail.output, event.stream, event.text);
      // Who scrolled up goes on seeing the same lines.
      const added = detail.scroll === 0 ? 0 : linesOf(output).length - linesOf(detail.output).length;
      return step({ ...model, detail: { ...detail, output, scroll: detail.scroll + added } });
    }
    case 'explained':
      return step({ ...model, explanation: event.explanation });
    case 'orderDone':
      return step(says(model, event.at, event.text, false), readSystem, ...readShown(model, everything));
    case 'failed':
      return step(says(model, event.at, event.reason, true));
    case 'linkLost': {
      const since = model.link.kind === 'lost' ? model.link.since : event.at;
      return step({ ...model, now: event.at, link: { kind: 'lost', reason: event.reason, since } });
    }
    default:
      return unreachable(event);
  }
}
