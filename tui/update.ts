/**
 * What each fact makes of the state: `update(model, event) → model, orders`. Pure: time arrives in the event.
 *
 * Invariants: the selection stays on its task, worker or device while lists change under it, and exists unless its list
 * is empty; an answer to a question that is not asked any more changes nothing.
 */

import { unreachable } from '../src/base/assert.ts';
import { sampled } from './history.ts';
import { entryOf, noted, renamed } from './journal.ts';
import {
  type DataEvent,
  inOrder,
  lostEveryMs,
  type Model,
  type Order,
  outputLookOf,
  type Page,
  queryOf,
  readSystem,
  readTasks,
  refusedEveryMs,
  type Step,
  says,
  seesCluster,
  shownWorkers,
  step,
  systemEveryMs,
  withFilter,
  withoutList,
} from './model.ts';
import { rowsAdded } from './output.ts';
import { advance } from './rates.ts';
import { append } from './tail.ts';

type EventOf<K extends DataEvent['kind']> = Extract<DataEvent, { readonly kind: K }>;

/** pi-2 stands before pi-10. */
const names = new Intl.Collator('en', { numeric: true });

const clamp = (index: number, length: number): number => Math.max(0, Math.min(index, length - 1));

/** Where a list has what was selected in it before; else the same row, as far as there is one. */
function reselected(chosen: string | undefined, selected: number, list: readonly { readonly id: string }[]): number {
  const found = list.findIndex(({ id }) => id === chosen);
  return clamp(found < 0 ? selected : found, list.length);
}

interface What {
  readonly tasks: boolean;
  readonly detail: boolean;
}

const everything: What = { tasks: true, detail: true };

/** What is to be read again of the tasks that are on the screen. */
function readShown(model: Model, what: What): Order[] {
  const { tab, detail, workerPage } = model;
  return [
    ...(tab === 'overview' && what.tasks && !seesCluster(model) ? [{ kind: 'readOwn' } as const] : []),
    ...(tab === 'tasks' && what.tasks ? [readTasks] : []),
    ...(workerPage !== null && what.tasks ? [{ kind: 'readWorkerTasks', id: workerPage.id } as const] : []),
    ...(detail !== null && what.detail ? [{ kind: 'readDetail', id: detail.id } as const] : []),
  ];
}

function onTime(model: Model, at: number): Step {
  const message = model.message !== null && at < model.message.until ? model.message : null;
  const next: Model = { ...model, now: at, message, rates: advance(model.rates, at) };
  const everyMs = { up: systemEveryMs, lost: lostEveryMs, refused: refusedEveryMs }[model.link.kind];
  // A clock that was set back must not keep us waiting.
  const due = Math.abs(at - model.askedAt) >= everyMs;
  return due ? step({ ...next, askedAt: at }, readSystem) : step(next);
}

function onFeed(model: Model, { at, tally, events, detail }: EventOf<'feedMoved'>): Step {
  const entries = events.map((event) => entryOf(event, (id) => model.names.get(id) ?? id));
  const next: Model = {
    ...{ ...model, now: at, rates: advance(model.rates, at, tally) },
    journal: noted(model.journal, entries),
  };
  return step(next, readSystem, ...readShown(model, { tasks: events.some(({ kind }) => kind === 'task'), detail }));
}

const back = 'The dispatcher is back.';

/** `model` with the connection as it is now, and with word of it in the journal. */
function heard(model: Model, at: number, level: 'info' | 'warn', text: string): Model {
  return { ...model, link: { kind: 'up' }, journal: noted(model.journal, [{ at, level, text }]) };
}

/** `model` with names of workers by their ids, also in what the journal told before they were known. */
function withNames(model: Model, told: Readonly<Record<string, string>>): Model {
  const news = Object.entries(told).filter(([id, name]) => model.names.get(id) !== name);
  if (news.length === 0) return model;
  const journal = renamed(
    model.journal,
    news.map(([id, name]) => ({ id, name })),
  );
  return { ...model, names: new Map([...model.names, ...news]), journal };
}

/** What a person should hear of what was read. */
function newsOf(model: Model, { at, approvals }: EventOf<'systemRead'>): Model {
  if (model.link.kind !== 'up') return says(heard(model, at, 'info', back), at, back, false);
  const device = approvals.find(({ id }) => !model.approvals.some((known) => known.id === id));
  if (device === undefined || model.tab === 'approvals') return model;
  return says(model, at, `${device.name} asks to join: press 5 to decide.`, false);
}

function onSystem(model: Model, event: EventOf<'systemRead'>): Step {
  const { at, stats, workers, approvals } = event;
  const byName = workers.toSorted((a, b) => names.compare(a.name, b.name) || (a.id < b.id ? -1 : 1));
  const next: Model = {
    ...withNames(newsOf(model, event), Object.fromEntries(byName.map(({ id, name }) => [id, name]))),
    ...{ askedAt: at, stats, workers: byName, approvals },
    history: sampled(model.history, byName, at),
    selectedWorker: reselected(
      shownWorkers(model)[model.selectedWorker]?.id,
      model.selectedWorker,
      shownWorkers({ ...model, workers: byName }),
    ),
    selectedDevice: reselected(model.approvals[model.selectedDevice]?.id, model.selectedDevice, approvals),
  };
  return model.link.kind === 'up' ? step(next) : step(next, ...readShown(next, everything));
}

function onTasks(before: Model, { query, list }: EventOf<'tasksRead'>): Step {
  if (JSON.stringify(query) !== JSON.stringify(queryOf(before))) return step(before);
  const model = withNames(before, list.worker_names);
  const { page } = model;
  // A page that emptied itself (its tasks were deleted) leads back to the newest.
  if (list.tasks.length === 0 && page.cursors.length > 1) return withFilter(model, model.filter);
  const tasks = inOrder(model, list.tasks);
  const chosen = page.fresh ? page.tasks[model.selectedTask]?.id : undefined;
  const selectedTask = reselected(chosen, model.selectedTask, tasks);
  const known = new Map(tasks.map(({ id, completed_at: completedAt }) => [id, completedAt !== null]));
  const marked = new Map([...model.marked].map(([id, ended]) => [id, known.get(id) ?? ended]));
  const read: Page = { ...page, tasks, next: list.next_cursor, fresh: true, wrong: null };
  return step({ ...model, page: read, marked, selectedTask });
}

function onOutput(model: Model, { id, stream, text }: EventOf<'outputArrived'>): Step {
  const { detail } = model;
  if (detail?.id !== id) return step(model);
  const output = append(detail.output, stream, text);
  // Who scrolled up goes on seeing the same rows.
  const added = detail.scroll === 0 ? 0 : rowsAdded(detail.output, output, outputLookOf(model));
  return step({ ...model, detail: { ...detail, output, scroll: detail.scroll + added } });
}

function onSkipped(model: Model, id: string): Step {
  const { detail } = model;
  if (detail?.id !== id) return step(model);
  return step({ ...model, detail: { ...detail, output: { ...detail.output, isCut: true } } });
}

function onLost(model: Model, at: number, reason: string): Step {
  const { link } = model;
  if (link.kind === 'lost') return step({ ...model, now: at, link: { ...link, reason } });
  const noticed = heard(model, at, 'warn', `the dispatcher does not answer: ${reason}`);
  return step({ ...noticed, now: at, link: { kind: 'lost', reason, since: at } });
}

function onRefused(model: Model, at: number, reason: string): Step {
  const known =
    model.link.kind === 'refused' ? model : heard(model, at, 'warn', `the dispatcher refuses us: ${reason}`);
  return step({ ...known, now: at, link: { kind: 'refused', reason } });
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
    case 'feedMoved':
      return onFeed(model, event);
    case 'feedRestarted':
      return step({ ...model, now: event.at }, readSystem, ...readShown(model, everything));
    case 'systemRead':
      return onSystem(model, event);
    case 'logged':
      return step({ ...model, journal: noted(model.journal, event.entries) });
    case 'tasksRead':
      return onTasks(model, event);
    case 'tasksRefused':
      if (JSON.stringify(event.query) !== JSON.stringify(queryOf(model))) return step(model);
      return withoutList(model, event.reason);
    case 'ownRead':
      return step({ ...withNames(model, event.names), own: event.own });
    case 'outputSkipped':
      return onSkipped(model, event.id);
    case 'workerTasksRead':
      if (model.workerPage?.id !== event.id) return step(model);
      return step({ ...model, workerPage: { ...model.workerPage, tasks: event.tasks, log: event.log } });
    case 'detailRead':
      if (model.detail?.id !== event.task.id) return step(model);
      return step({ ...withNames(model, event.task.worker_names), detail: { ...model.detail, task: event.task } });
    case 'outputArrived':
      return onOutput(model, event);
    case 'explained':
      return step({ ...model, explanation: event.explanation, explanationScroll: 0 });
    case 'orderDone':
      return step(says(model, event.at, event.text, false), readSystem, ...readShown(model, everything));
    case 'failed':
      return step(says(model, event.at, event.reason, true));
    case 'linkLost':
      return onLost(model, event.at, event.reason);
    case 'linkRefused':
      return onRefused(model, event.at, event.reason);
    default:
      return unreachable(event);
  }
}
