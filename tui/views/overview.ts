/** The first tab: counts by state, slots, queue, load, workers, pace; and below, where there is room, the workers. Pure. */

import type { Stats } from '../../src/api/schemas.ts';
import { statuses } from '../filter.ts';
import { takenSlots } from '../history.ts';
import { bar, beside, meter, type Row, type Share, type Style, span, sparkline, styleOf } from '../lines.ts';
import { type Model, seesCluster } from '../model.ts';
import { rateOf, secondsKept, type Tally } from '../rates.ts';
import { sortedMax } from '../sorting.ts';
import { type Look, wrap } from '../text.ts';
import { type Listing, percent, workerTable } from './workers.ts';

const labelCells = 10;
const numberCells = 9;
/** Cells of the counts, with the gap behind them. */
const countCells = 1 + labelCells + numberCells + 3;
/** Rows a table of workers needs to be worth its place: its titles, and some of them. */
const tableRowsMin = 3;

const label = (text: string): string => ` ${text.replace('_', ' ').padEnd(labelCells)}`;

function barCells({ columns }: Look): number {
  return columns >= 180 ? 60 : columns >= 120 ? 36 : 20;
}

function shareRow(name: string, share: Share, words: string, look: Look): Row {
  const style: Style = share.used >= share.total && share.total > 0 ? 'warn' : 'busy';
  return [span(label(name)), ...bar(share, barCells(look), style, look), span(`  ${words}`)];
}

function paceRow(model: Model, what: keyof Tally, style: Style, look: Look): Row {
  const rate = `${rateOf(model.rates, what).toFixed(1)}/s`.padStart(numberCells);
  const values = model.rates.perSecond.map((tally) => tally[what]);
  return [span(label(what)), span(rate), span('  '), span(sparkline(values, paceCells(look), look), style)];
}

function paceCells({ columns }: Look): number {
  return Math.max(0, Math.min(secondsKept, columns - labelCells - numberCells - 4));
}

/** Processors and memory of all workers that can tell, as shares. */
function loadRows({ workers }: Model, look: Look): Row[] {
  const there = workers.filter(({ status }) => status !== 'offline');
  const sum = (numbers: readonly number[]): number => numbers.reduce((one, other) => one + other, 0);
  const loaded = there.filter(({ load1 }) => load1 !== null);
  const cores = sum(loaded.map(({ cpu_cores }) => cpu_cores));
  const filled = there.filter(({ memory_free_mb }) => memory_free_mb !== null);
  const memory = sum(filled.map(({ memory_mb }) => memory_mb));
  const row = (name: string, share: number, words: string): Row => {
    return [span(label(name)), ...meter(share, barCells(look), look), span(`  ${percent(share)} ${words}`)];
  };
  const cpu = sum(loaded.map(({ load1 }) => load1 ?? 0)) / cores;
  const used = 1 - sum(filled.map(({ memory_free_mb }) => memory_free_mb ?? 0)) / memory;
  return [
    cores === 0 ? [] : row('cpu', cpu, `of ${cores} cores`),
    memory === 0 ? [] : row('memory', Math.max(0, used), `of ${(memory / 1024).toFixed(0)} GB`),
  ];
}

function counts(title: string, of: Readonly<Partial<Record<string, number>>>): Row[] {
  const rows = statuses.map((status): Row => {
    const count = of[status] ?? 0;
    const style = count === 0 ? 'dim' : styleOf(status);
    return [span(label(status), style), span(String(count).padStart(numberCells), style)];
  });
  return [[span(title, 'strong')], ...rows];
}

function cluster(model: Model, { slots, queue, workers, paused }: Stats, look: Look): Row[] {
  const online = Object.entries(workers)
    .filter(([status, count]) => count > 0 || status === 'online')
    .map(([status, count], i) =>
      span(`${i === 0 ? '' : ', '}${count} ${status}`, count === 0 ? 'dim' : styleOf(status)),
    );
  // What the dispatcher counts, and what is promised to slots that are about to be free.
  const taken = model.workers.filter(({ status }) => status !== 'offline').reduce((n, one) => n + takenSlots(one), 0);
  const promised = Math.max(0, taken - slots.used);
  const more = promised === 0 ? '' : `, ${promised} about to start`;
  const [cpu = [], memory = []] = loadRows(model, look);
  return [
    [span(' Workers', 'strong'), ...(paused ? [span('  the queue is held: p lets it go on', 'warn')] : [])],
    [span(label('there')), ...online],
    shareRow('slots', { used: slots.used, total: slots.total }, `${slots.used} of ${slots.total} used${more}`, look),
    shareRow('queue', { used: queue.size, total: queue.max }, `${queue.size} of ${queue.max} waiting`, look),
    cpu,
    memory,
    ...(model.approvals.length === 0
      ? []
      : [[span(label('devices'), 'warn'), span(`${model.approvals.length} ask to join: press 5`, 'warn')]]),
  ];
}

function pace(model: Model, look: Look): Row[] {
  return [
    [span(' Pace', 'strong'), span(` of the last ${paceCells(look)} s`, 'dim')],
    paceRow(model, 'started', 'busy', look),
    paceRow(model, 'completed', 'good', look),
    paceRow(model, 'failed', 'bad', look),
  ];
}

/** The overview of who sees no more than the tasks submitted with the same token. */
function ownOverview(model: Model, look: Look): Row[] {
  const { own } = model;
  const title = own?.more ? ` Your newest ${sortedMax} tasks` : ' Your tasks';
  const shown = own === null ? [[span(' Reading ...', 'dim')]] : counts(title, own.tasks);
  return [...ownOnly(model, look), [], ...shown, [], ...pace(model, look)];
}

/** At most `rows` rows; those of workers can be clicked. */
export function overview(model: Model, rows: number, look: Look): Listing {
  const { stats, workers } = model;
  if (!seesCluster(model)) return { rows: ownOverview(model, look), indexes: [] };
  if (stats === null) return { rows: [[span(' Reading ...', 'dim')]], indexes: [] };
  const tasks = counts(' Tasks', stats.tasks);
  const top = [...beside(tasks, countCells, cluster(model, stats, look), look), [], ...pace(model, look), []];
  const left = rows - top.length;
  if (left < tableRowsMin || workers.length === 0) return { rows: top, indexes: [] };
  const isWhole = workers.length < left;
  const table = workerTable(model, workers, isWhole ? left : left - 1, look, null);
  const more = workers.length + 1 - table.rows.length;
  const rest: Row[] = isWhole ? [] : [[span(` and ${more} more: press 2`, 'dim')]];
  return { rows: [...top, ...table.rows, ...rest], indexes: [...top.map(() => null), ...table.indexes] };
}

/** Instead of what only those who run the cluster may see. */
export function ownOnly({ role }: Pick<Model, 'role'>, look: Look): Row[] {
  const sees = `Your token has the role ${role}: it sees the tasks submitted with it, and their events.`;
  const needs = 'Workers, queue and approvals need the role dispatcher or admin.';
  const lines = (text: string): string[] => wrap(text, look.columns - 2, 4, look);
  return [
    ...lines(sees).map((line): Row => [span(` ${line}`)]),
    ...lines(needs).map((line): Row => [span(` ${line}`, 'dim')]),
  ];
}
