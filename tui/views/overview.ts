/** The first tab: counts by state, slots, queue, workers, pace; and below, where there is room, the workers. Pure. */

import { statuses } from '../filter.ts';
import { bar, type Row, type Share, type Style, span, sparkline, styleOf } from '../lines.ts';
import type { Model } from '../model.ts';
import { rateOf, type Tally } from '../rates.ts';
import type { Look } from '../text.ts';
import { workerTable } from './workers.ts';

const labelCells = 12;
const numberCells = 9;
const barCells = 30;
/** Rows a table of workers needs to be worth its place: a gap, its titles, and some of them. */
const tableRowsMin = 6;

const label = (text: string): string => ` ${text.replace('_', ' ').padEnd(labelCells)}`;

function shareRow(name: string, share: Share, words: string, look: Look): Row {
  const style: Style = share.used >= share.total && share.total > 0 ? 'warn' : 'busy';
  return [span(label(name)), ...bar(share, barCells, style, look), span(`  ${words}`)];
}

function paceRow(model: Model, what: keyof Tally, style: Style, look: Look): Row {
  const rate = `${rateOf(model.rates, what).toFixed(1)}/s`.padStart(numberCells);
  const values = model.rates.perSecond.map((tally) => tally[what]);
  const cells = Math.max(0, Math.min(values.length, look.columns - labelCells - numberCells - 4));
  return [span(label(what)), span(rate), span('  '), span(sparkline(values, cells, look), style)];
}

/** At most `rows` rows. */
export function overview(model: Model, rows: number, look: Look): Row[] {
  const { stats } = model;
  if (stats === null) return [[span(' Reading ...', 'dim')]];
  const { slots, queue, workers } = stats;
  const counts = statuses.map((status): Row => {
    const count = stats.tasks[status] ?? 0;
    const style = count === 0 ? 'dim' : styleOf(status);
    return [span(label(status), style), span(String(count).padStart(numberCells), style)];
  });
  const online = Object.entries(workers).map(([status, count], i): Row => {
    return [span(`${i === 0 ? '' : ', '}${count} ${status}`, count === 0 ? 'dim' : styleOf(status))];
  });
  const top: Row[] = [
    [span(' Tasks', 'strong')],
    ...counts,
    [],
    shareRow('slots', { used: slots.used, total: slots.total }, `${slots.used} of ${slots.total} used`, look),
    shareRow('queue', { used: queue.size, total: queue.max }, `${queue.size} of ${queue.max} waiting`, look),
    [span(label('workers')), ...online.flat()],
    [],
    [span(' Pace', 'strong'), span(' of the last 60 s', 'dim')],
    paceRow(model, 'started', 'busy', look),
    paceRow(model, 'completed', 'good', look),
    paceRow(model, 'failed', 'bad', look),
  ];
  const left = rows - top.length;
  if (left < tableRowsMin || model.workers.length === 0) return top;
  return [...top, [], ...workerTable(model, left - 1, look, null).rows];
}
