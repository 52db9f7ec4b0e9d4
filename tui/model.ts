/**
 * The state of the dashboard as plain data, the facts that change it, and the orders that follow from them. Pure.
 *
 * Facts are in the past tense; orders are what is to be done about them outside (`run.ts` does it and reports back by
 * further facts). What a fact makes of the state is in `update.ts`, what keys do in `keys.ts`, what is drawn in `views.ts`.
 *
 * Invariant: the selected row exists unless its list is empty.
 */

import type {
  Explanation,
  FeedEvent,
  Stats,
  TaskList,
  TaskView,
  TaskWithAttempts,
  WorkerView,
} from '../src/api/schemas.ts';
import type { ApprovalView } from '../src/api/trust-schemas.ts';
import type { Ruler } from '../src/base/harmless.ts';
import type { TaskQuery } from '../src/client/client.ts';
import type { Role } from '../src/core/trust.ts';
import { type Filter, noFilter } from './filter.ts';
import { emptyHistory, type History } from './history.ts';
import { type Entry, emptyJournal, type Journal } from './journal.ts';
import { listRows, type Size } from './layout.ts';
import type { OutputLook } from './output.ts';
import { emptyRates, type Rates, type Tally } from './rates.ts';
import { isNewestFirst, newestFirst, type Sort, sorted, sortedMax } from './sorting.ts';
import { emptyTail, type OutputStream, type Tail } from './tail.ts';

export const tabs = ['overview', 'workers', 'tasks', 'logs', 'approvals'] as const;
export type Tab = (typeof tabs)[number];

/** How often the cluster is read although nothing was heard, ms; while it is away; and while each try counts as a guess. */
export const [systemEveryMs, lostEveryMs, refusedEveryMs] = [2000, 1000, 10_000];
/** Tasks that can be marked at once. */
export const marksMax = 1000;
/** How long a message stays. */
const messageMs = 6000;
/** Characters kept of a message. */
const messageLengthMax = 500;

export type Link =
  | { readonly kind: 'up' }
  /** `since`: ms since 1970. */
  | { readonly kind: 'lost'; readonly reason: string; readonly since: number }
  /** It answers, but our token does not count any more. */
  | { readonly kind: 'refused'; readonly reason: string };

/** One page of the task list, newest first. */
export interface Page {
  readonly tasks: readonly TaskView[];
  /** Cursor of the next older page. */
  readonly next: string | null;
  /** Cursors of the newer pages and, last, of this one; null is the newest. Never empty. */
  readonly cursors: readonly (string | null)[];
  /** `tasks` and `next` are those of this page, and not what was shown before it came. */
  readonly fresh: boolean;
  /** Why the dispatcher gives none; null = it did. */
  readonly wrong: string | null;
}

/** How many of one's own tasks are in each state, of the newest there are. */
export interface OwnCounts {
  readonly tasks: Readonly<Partial<Record<TaskView['status'], number>>>;
  /** There are older ones, which are not counted. */
  readonly more: boolean;
}

/** One task, opened. */
export interface Detail {
  readonly id: string;
  /** Null until it was read. */
  readonly task: TaskWithAttempts | null;
  readonly output: Tail;
  /** Rows of output below the last one shown: 0 follows the end. */
  readonly scroll: number;
  /** All of its command, in the place of its output. */
  readonly full: boolean;
}

/** One worker, opened. */
export interface WorkerPage {
  readonly id: string;
  /** Its running tasks, newest first; null until they were read. */
  readonly tasks: readonly TaskView[] | null;
  /** The last lines of its own log; none while they are not read, or cannot be had. */
  readonly log: readonly string[];
}

/** What the person is being asked at the bottom of the screen. */
export type Asking =
  /** Whether this is really meant; `question` may hold text of strangers. */
  | { readonly kind: 'confirm'; readonly question: string; readonly order: Order }
  /** A filter of the task list being typed. */
  | { readonly kind: 'filter'; readonly text: string }
  /** What to look for in the journal, or among workers, being typed. */
  | { readonly kind: 'find' | 'findWorker'; readonly text: string };

export interface Message {
  readonly text: string;
  readonly isError: boolean;
  /** Ms since 1970 after which it goes. */
  readonly until: number;
}

export interface Model {
  readonly address: string;
  /** Who one is to the dispatcher. */
  readonly role: Role;
  /** What leaving does, as a question: the dispatcher runs in this process. Null: nothing ends but the dashboard. */
  readonly leaving: string | null;
  /** How wide text is on this terminal. */
  readonly ruler: Ruler;
  /** Ms since 1970. */
  readonly now: number;
  readonly size: Size;
  readonly link: Link;
  /** Null until they were read, and for who may not read them. */
  readonly stats: Stats | null;
  readonly workers: readonly WorkerView[];
  /** Devices that wait to be let in, oldest first. */
  readonly approvals: readonly ApprovalView[];
  /** Names of workers by their ids, as far as answers told them. */
  readonly names: ReadonlyMap<string, string>;
  readonly history: History;
  readonly journal: Journal;
  /** When workers and counts were last asked for, ms since 1970. */
  readonly askedAt: number;
  readonly rates: Rates;
  readonly tab: Tab;
  readonly filter: Filter;
  readonly sort: Sort;
  readonly page: Page;
  /** Ids of tasks that the next order means, and whether each has ended as far as is known. */
  readonly marked: ReadonlyMap<string, boolean>;
  /** Only workers that have this in name, state or labels are listed, in whatever case. */
  readonly workerFind: string;
  /** Null until they were read, and for who sees the whole cluster. */
  readonly own: OwnCounts | null;
  /** Long lines of output go on in the next row instead of being cut. */
  readonly wraps: boolean;
  readonly selectedTask: number;
  readonly selectedWorker: number;
  readonly selectedDevice: number;
  readonly detail: Detail | null;
  readonly workerPage: WorkerPage | null;
  readonly explanation: Explanation | null;
  /** Its rows above the first one shown. */
  readonly explanationScroll: number;
  readonly help: boolean;
  readonly asking: Asking | null;
  readonly message: Message | null;
}

/** A pressed key. */
export interface Key {
  /** `up`, `pagedown`, `tab`, `S-tab`, `enter`, `escape`, `C-c`, or the character. */
  readonly name: string;
  /** What it types; '' for a key that types nothing. */
  readonly char: string;
}

/** What a click was on. */
export type Target =
  | { readonly kind: 'tab'; readonly tab: Tab }
  /** A row of the list of the present tab, by its index in the whole list. */
  | { readonly kind: 'row'; readonly index: number }
  /** The place for the mark in front of a task. */
  | { readonly kind: 'mark'; readonly index: number };

export type DataEvent =
  | { readonly kind: 'timePassed'; readonly at: number }
  | { readonly kind: 'resized'; readonly size: Size }
  /** A stretch of the event stream; `detail`: the open task was in it. `events` are the newest of it. */
  | {
      readonly kind: 'feedMoved';
      readonly at: number;
      readonly tally: Tally;
      readonly events: readonly FeedEvent[];
      readonly detail: boolean;
    }
  /** Events may have been missed: everything shown is to be read again. */
  | { readonly kind: 'feedRestarted'; readonly at: number }
  | {
      readonly kind: 'systemRead';
      readonly at: number;
      readonly stats: Stats | null;
      readonly workers: readonly WorkerView[];
      readonly approvals: readonly ApprovalView[];
    }
  /** Lines of the log of this process. */
  | { readonly kind: 'logged'; readonly entries: readonly Entry[] }
  | {
      readonly kind: 'workerTasksRead';
      readonly id: string;
      readonly tasks: readonly TaskView[];
      readonly log: readonly string[];
    }
  | { readonly kind: 'tasksRead'; readonly query: TaskQuery; readonly list: TaskList }
  | { readonly kind: 'tasksRefused'; readonly query: TaskQuery; readonly reason: string }
  | { readonly kind: 'ownRead'; readonly own: OwnCounts; readonly names: Readonly<Record<string, string>> }
  /** Output before what is shown is not read. */
  | { readonly kind: 'outputSkipped'; readonly id: string }
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
  | { readonly kind: 'linkLost' | 'linkRefused'; readonly at: number; readonly reason: string };

export type Order =
  | { readonly kind: 'readSystem' }
  /** The page that the model shows: `queryOf`. */
  | { readonly kind: 'readTasks' }
  | { readonly kind: 'readDetail'; readonly id: string }
  /** How many tasks of one's own there are. */
  | { readonly kind: 'readOwn' }
  /** Follow this task's output instead of what was followed; null: none. */
  | { readonly kind: 'follow'; readonly id: string | null }
  /** The running tasks of the open worker. */
  | { readonly kind: 'readWorkerTasks'; readonly id: string }
  | { readonly kind: 'cancel'; readonly ids: readonly string[] }
  | { readonly kind: 'retry'; readonly ids: readonly string[] }
  | { readonly kind: 'explain'; readonly id: string }
  /** Of a worker, or a device that waits; the name is for the message. */
  | {
      readonly kind: 'drain' | 'undrain' | 'approve' | 'reject';
      readonly id: string;
      readonly name: string;
    }
  | { readonly kind: 'pause' | 'resume' }
  /** Give the terminal back and wait to be continued. */
  | { readonly kind: 'suspend' }
  | { readonly kind: 'quit' };

export interface Step {
  readonly model: Model;
  readonly orders: readonly Order[];
}

const firstPage: Page = { tasks: [], next: null, cursors: [null], fresh: false, wrong: null };

/** The state before anything was read, `now` in ms since 1970. */
export function initial(facts: Pick<Model, 'address' | 'now' | 'size' | 'role' | 'leaving' | 'ruler'>): Model {
  return {
    ...facts,
    link: { kind: 'up' },
    stats: null,
    workers: [],
    approvals: [],
    names: new Map(),
    history: emptyHistory,
    journal: emptyJournal,
    askedAt: Number.NEGATIVE_INFINITY,
    rates: emptyRates(facts.now),
    tab: 'overview',
    filter: noFilter,
    sort: newestFirst,
    page: firstPage,
    marked: new Map(),
    workerFind: '',
    own: null,
    wraps: true,
    selectedTask: 0,
    selectedWorker: 0,
    selectedDevice: 0,
    detail: null,
    workerPage: null,
    explanation: null,
    explanationScroll: 0,
    help: false,
    asking: null,
    message: null,
  };
}

export function step(model: Model, ...orders: readonly Order[]): Step {
  return { model, orders };
}

/** True for roles that may see and change the whole cluster; the others see their own tasks. */
export function seesCluster({ role }: Pick<Model, 'role'>): boolean {
  return role === 'admin' || role === 'dispatcher';
}

/** Tasks counted by their states; `more`: there are others. */
export function ownCountsOf(tasks: readonly TaskView[], more: boolean): OwnCounts {
  const counts: Partial<Record<TaskView['status'], number>> = {};
  for (const { status } of tasks) counts[status] = (counts[status] ?? 0) + 1;
  return { tasks: counts, more };
}

/** What to ask the dispatcher for, to fill the page that is shown. */
export function queryOf({ filter, sort, page, size }: Model): TaskQuery {
  if (!isNewestFirst(sort)) return { ...filter.query, limit: sortedMax };
  return { ...filter.query, limit: listRows(size), cursor: page.cursors.at(-1) ?? undefined };
}

/** How the output of the open task is shown. */
export function outputLookOf({ size, ruler, wraps }: Model): OutputLook {
  return { cells: Math.max(1, size.columns - 1), ruler, wraps };
}

/** The name of the task's worker, or its id; '' when it has none. */
export function workerOf({ worker_id: id }: TaskView, { names }: Pick<Model, 'names'>): string {
  return id === null ? '' : (names.get(id) ?? id);
}

/** Tasks in the order of `model`. */
export function inOrder(model: Model, tasks: readonly TaskView[]): readonly TaskView[] {
  return sorted(tasks, model.sort, { now: model.now, workerOf: (task) => workerOf(task, model) });
}

/** True when the tasks that are listed are those asked for, or the same ones in another order. */
export function isListed({ page, sort }: Pick<Model, 'page' | 'sort'>): boolean {
  return page.fresh || (page.tasks.length > 0 && !isNewestFirst(sort));
}

/** The task that keys mean: the open one, or the selected one of the list. */
export function currentTask(model: Model): TaskView | null {
  const { tab, detail, page, selectedTask } = model;
  if (detail !== null) return detail.task;
  return tab === 'tasks' && isListed(model) ? (page.tasks[selectedTask] ?? null) : null;
}

/** Workers that are listed. */
export function shownWorkers({ workers, workerFind }: Pick<Model, 'workers' | 'workerFind'>): readonly WorkerView[] {
  if (workerFind === '') return workers;
  const word = workerFind.toLowerCase();
  const textOf = ({ id, name, status, labels }: WorkerView): string =>
    [id, name, status, ...Object.entries(labels).map(([key, value]) => `${key}=${value}`)].join('\n').toLowerCase();
  return workers.filter((worker) => textOf(worker).includes(word));
}

/** The worker that keys mean: the open one, or the selected one of the list. */
export function currentWorker(model: Model): WorkerView | null {
  const { tab, detail, workerPage, workers, selectedWorker } = model;
  if (tab !== 'workers' || detail !== null) return null;
  if (workerPage !== null) return workers.find(({ id }) => id === workerPage.id) ?? null;
  return shownWorkers(model)[selectedWorker] ?? null;
}

/** `model` with another filter, from its newest task on. What was listed and marked under the old one is gone at once. */
export function withFilter(model: Model, filter: Filter): Step {
  return step({ ...model, filter, page: firstPage, marked: new Map(), selectedTask: 0 }, readTasks);
}

/** `model` with the reason why there is no list: none of what was shown before can be meant by a key. */
export function withoutList(model: Model, wrong: string): Step {
  return step({ ...model, page: { ...firstPage, wrong }, marked: new Map(), selectedTask: 0 });
}

/** `model` with its tasks in another order. */
export function withSort(model: Model, sort: Sort): Step {
  const next: Model = { ...model, sort };
  const page: Page = { ...firstPage, tasks: inOrder(next, model.page.tasks) };
  return step({ ...next, page, selectedTask: 0 }, readTasks);
}

/** `model` with nothing lying over its tab. */
function bare(model: Model): Model {
  return { ...model, detail: null, workerPage: null, explanation: null, help: false, asking: null };
}

/** `model` on another tab, with nothing lying over it. */
export function withTab(model: Model, tab: Tab): Step {
  const own: readonly Order[] = tab === 'overview' && !seesCluster(model) ? [{ kind: 'readOwn' }] : [];
  const orders = [...(model.detail === null ? [] : [unfollow]), tab === 'tasks' ? readTasks : readSystem, ...own];
  return step({ ...bare(model), tab }, ...orders);
}

/** `model` with this task open. */
export function withDetail(model: Model, id: string): Step {
  const detail: Detail = { id, task: null, output: emptyTail, scroll: 0, full: false };
  return step({ ...model, detail }, { kind: 'readDetail', id }, { kind: 'follow', id });
}

/** `model` with this worker open. */
export function withWorkerPage(model: Model, id: string): Step {
  return step({ ...model, workerPage: { id, tasks: null, log: [] } }, { kind: 'readWorkerTasks', id });
}

export const readTasks: Order = { kind: 'readTasks' };
export const readSystem: Order = { kind: 'readSystem' };
export const unfollow: Order = { kind: 'follow', id: null };

/** `model` with a message at the bottom; `at` in ms since 1970. */
export function says(model: Model, at: number, text: string, isError: boolean): Model {
  return { ...model, message: { text: text.slice(0, messageLengthMax), isError, until: at + messageMs } };
}
