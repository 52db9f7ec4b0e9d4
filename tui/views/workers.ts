/** The second tab: each worker with its slots, load, memory, battery and heat; and one of them, opened. Pure. */

import type { WorkerView } from '../../src/api/schemas.ts';
import { workerState } from '../../src/client/worker-state.ts';
import { type Sample, sampleOf, samplesKept, takenSlots } from '../history.ts';
import {
  bar,
  type Cell,
  type Column,
  firstShown,
  fitting,
  meter,
  type Row,
  type Span,
  selected,
  span,
  sparkline,
  styleOf,
  tableHead,
  tableRow,
} from '../lines.ts';
import { type Model, shownWorkers } from '../model.ts';
import { formatAge, harmless, type Look, wrap } from '../text.ts';

/** Rows with the list index of each row that can be clicked; null for the others. */
export interface Listing {
  readonly rows: readonly Row[];
  readonly indexes: readonly (number | null)[];
}

/** Columns from which on there is room for more than the essential. */
export const wideColumns = 120;
/** Columns from which on nothing needs to be short. */
const vastColumns = 180;

interface Fact {
  readonly column: Column;
  cell(worker: WorkerView, model: Model, look: Look): Cell;
}

function barCells({ columns }: Look): number {
  return columns >= vastColumns ? 12 : columns >= wideColumns ? 8 : 4;
}

export const percent = (share: number | null): string => (share === null ? '' : `${Math.round(share * 100)}%`);

/** A column of a bar with a word behind it. */
function barFact(
  title: string,
  look: Look,
  wordCells: number,
  rank: number,
  of: (worker: WorkerView, cells: number) => readonly [bar: Row, word: string],
): Fact {
  const cells = barCells(look);
  return {
    column: { title, width: cells + 1 + wordCells, rank },
    cell: (worker) => {
      const [drawn, word] = of(worker, cells);
      return [...drawn, span(` ${word.slice(0, wordCells).padEnd(wordCells)}`)];
    },
  };
}

/** A bar that is bad when it is short: what is left in a battery. */
export function batteryBar({ battery_percent: left, charging }: WorkerView, cells: number, look: Look): Row {
  if (left === null) return [span(' '.repeat(cells))];
  const style = charging || left >= 50 ? 'good' : left >= 20 ? 'warn' : 'bad';
  return bar({ used: left, total: 100 }, cells, style, look);
}

export function batteryWord({ battery_percent: left, charging }: WorkerView): string {
  return left === null ? '' : `${Math.round(left)}%${charging ? '+' : ''}`;
}

export function temperatureWord({ temperature_c }: WorkerView): string {
  return temperature_c === null ? '' : `${Math.round(temperature_c)}C`;
}

export function labelsOf({ labels }: WorkerView): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

/** A line of what a worker did lately; the scale is fixed, so that lines can be compared. */
export function trend(model: Model, id: string, what: keyof Sample, cells: number, look: Look): string {
  const values = (model.history.samples.get(id) ?? []).map((sample) => Math.min(1, sample[what] ?? 0));
  return sparkline(values, cells, look, 1).padStart(cells);
}

/** The state of a worker, in its colour. */
export function stateSpan(worker: WorkerView): Span {
  const state = workerState(worker);
  return span(state, styleOf(state));
}

/** Only what some worker can tell, and what there is room for. */
function factsOf({ workers }: Model, look: Look): readonly Fact[] {
  const { columns } = look;
  const trendCells = columns >= vastColumns ? Math.min(samplesKept, columns - 150) : 16;
  const facts: (Fact | false)[] = [
    { column: { title: 'NAME', width: null }, cell: ({ name }) => name },
    {
      column: { title: 'STATUS', width: 8, rank: 1 },
      cell: (worker) => stateSpan(worker),
    },
    barFact('SLOTS', look, 5, 2, (worker, cells) => {
      const taken = takenSlots(worker);
      return [bar({ used: taken, total: worker.slots }, cells, 'busy', look), `${taken}/${worker.slots}`];
    }),
    columns >= wideColumns && {
      column: { title: 'LAST 2 MIN', width: trendCells, rank: 8 },
      cell: ({ id }, model) => [span(trend(model, id, 'slots', trendCells, look), 'busy')],
    },
    barFact('CPU', look, 4, 3, (worker, cells) => {
      const { cpu } = sampleOf(worker);
      return [meter(cpu, cells, look), percent(cpu)];
    }),
    barFact('MEMORY', look, 4, 4, (worker, cells) => {
      const { memory } = sampleOf(worker);
      return [meter(memory, cells, look), percent(memory)];
    }),
    workers.some(({ battery_percent }) => battery_percent !== null) &&
      barFact('BATTERY', look, 5, 6, (worker, cells) => [batteryBar(worker, cells, look), batteryWord(worker)]),
    workers.some(({ temperature_c }) => temperature_c !== null) &&
      barFact('TEMP', look, 4, 5, (worker, cells) => {
        return [meter(sampleOf(worker).temperature, cells, look), temperatureWord(worker)];
      }),
    {
      column: { title: 'SEEN', width: 4, align: 'right', rank: 7 },
      cell: ({ last_seen_at }, { now }) => formatAge(now - Date.parse(last_seen_at)),
    },
    columns >= vastColumns && {
      column: { title: 'PLATFORM', width: 14, rank: 9 },
      cell: ({ platform, arch }) => `${platform}/${arch}`,
    },
    columns >= vastColumns && { column: { title: 'LABELS', width: 30, rank: 10 }, cell: labelsOf },
  ];
  return fitting(
    facts.filter((fact) => fact !== false),
    look,
  );
}

/** These workers in at most `rows` rows; `selectedRow` null marks none. */
export function workerTable(
  model: Model,
  listed: readonly WorkerView[],
  rows: number,
  look: Look,
  selectedRow: number | null,
): Listing {
  const facts = factsOf(model, look);
  const columns = facts.map(({ column }) => column);
  const places = Math.max(0, rows - 1);
  const first = firstShown(selectedRow ?? 0, listed.length, places);
  const shown = listed.slice(first, first + places).map((worker, i): Row => {
    const cells = facts.map(({ cell }) => cell(worker, model, look));
    const row = tableRow(columns, cells, look);
    return first + i === selectedRow ? selected(row, look) : row;
  });
  return { rows: [tableHead(columns, look), ...shown], indexes: [null, ...shown.map((_, i) => first + i)] };
}

/** At most `rows` rows. */
export function workers(model: Model, rows: number, look: Look): Listing {
  const listed = shownWorkers(model);
  const { selectedWorker, workerFind } = model;
  if (model.workers.length === 0) {
    const hint = "No worker has joined yet. Start one with 'octaskly worker', on this machine or another.";
    return { rows: wrap(hint, look.columns - 2, 3, look).map((line): Row => [span(` ${line}`, 'dim')]), indexes: [] };
  }
  const table = workerTable(model, listed, rows - 1, look, selectedWorker);
  const worker = listed[selectedWorker];
  const word = workerFind === '' ? '' : ` with "${harmless(workerFind, look.ascii)}"`;
  const place =
    worker === undefined ? '  none; Esc lists all' : `  ${selectedWorker + 1} of ${listed.length}  ${worker.id}`;
  const head: Row = [span(` Workers${word}`, 'strong'), span(place, 'dim')];
  return { rows: [head, ...table.rows], indexes: [null, ...table.indexes] };
}
