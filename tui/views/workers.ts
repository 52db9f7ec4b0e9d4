/** The second tab: each worker with its slots, load, memory, battery and heat. Pure. */

import type { WorkerView } from '../../src/api/schemas.ts';
import {
  bar,
  type Cell,
  type Column,
  firstShown,
  type Row,
  selected,
  span,
  styleOf,
  tableHead,
  tableRow,
} from '../lines.ts';
import type { Model } from '../model.ts';
import { formatAge, type Look } from '../text.ts';

/** Rows with the list index of each row that can be clicked; null for the others. */
export interface Listing {
  readonly rows: readonly Row[];
  readonly indexes: readonly (number | null)[];
}

/** Columns from which on there is room for more than the essential. */
export const wideColumns = 120;
const barCells = 8;

interface Fact {
  readonly column: Column;
  cell(worker: WorkerView, model: Model, look: Look): Cell;
}

const gigabytes = (megabytes: number): string => (megabytes / 1024).toFixed(1);

function slotsCell({ running, backlog, slots }: WorkerView, look: Look): Row {
  const taken = Math.min(running + backlog, slots);
  return [...bar({ used: taken, total: slots }, barCells, 'busy', look), span(` ${taken}/${slots}`.padEnd(8))];
}

function loadCell({ load1, cpu_cores }: WorkerView): Cell {
  if (load1 === null) return '';
  return span(`${load1.toFixed(2)}/${cpu_cores}`, load1 > cpu_cores ? 'warn' : 'plain');
}

function batteryCell({ battery_percent, charging }: WorkerView): Cell {
  if (battery_percent === null) return '';
  const style = battery_percent < 20 && !charging ? 'bad' : 'plain';
  return span(`${Math.round(battery_percent)}%${charging ? '+' : ''}`, style);
}

const hotC = 75;

function temperatureCell({ temperature_c }: WorkerView): Cell {
  if (temperature_c === null) return '';
  return span(`${Math.round(temperature_c)}C`, temperature_c >= hotC ? 'bad' : 'plain');
}

function labelsCell({ labels }: WorkerView): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

/** Only what some worker can tell, and what there is room for. */
function factsOf({ workers }: Model, { columns }: Look): Fact[] {
  const facts: (Fact | false)[] = [
    { column: { title: 'NAME', width: null }, cell: ({ name }) => name },
    { column: { title: 'STATUS', width: 8 }, cell: ({ status }) => span(status, styleOf(status)) },
    { column: { title: 'SLOTS', width: 16 }, cell: (worker, _, look) => slotsCell(worker, look) },
    { column: { title: 'LOAD', width: 8, align: 'right' }, cell: loadCell },
    {
      column: { title: 'FREE GB', width: 11, align: 'right' },
      cell: ({ memory_free_mb: free, memory_mb }) =>
        free === null ? '' : `${gigabytes(free)}/${gigabytes(memory_mb)}`,
    },
    workers.some(({ battery_percent }) => battery_percent !== null) && {
      column: { title: 'BATT', width: 5, align: 'right' },
      cell: batteryCell,
    },
    workers.some(({ temperature_c }) => temperature_c !== null) && {
      column: { title: 'TEMP', width: 4, align: 'right' },
      cell: temperatureCell,
    },
    {
      column: { title: 'SEEN', width: 4, align: 'right' },
      cell: ({ last_seen_at }, { now }) => formatAge(now - Date.parse(last_seen_at)),
    },
    columns >= wideColumns && {
      column: { title: 'PLATFORM', width: 14 },
      cell: ({ platform, arch }) => `${platform}/${arch}`,
    },
    columns >= wideColumns && { column: { title: 'LABELS', width: 30 }, cell: labelsCell },
  ];
  return facts.filter((fact) => fact !== false);
}

/** At most `rows` rows; `selectedRow` null marks none. */
export function workerTable(model: Model, rows: number, look: Look, selectedRow: number | null): Listing {
  const facts = factsOf(model, look);
  const columns = facts.map(({ column }) => column);
  const places = Math.max(0, rows - 1);
  const first = firstShown(selectedRow ?? 0, model.workers.length, places);
  const shown = model.workers.slice(first, first + places).map((worker, i): Row => {
    const cells = facts.map(({ cell }) => cell(worker, model, look));
    const row = tableRow(columns, cells, look);
    return first + i === selectedRow ? selected(row, look) : row;
  });
  return { rows: [tableHead(columns, look), ...shown], indexes: [null, ...shown.map((_, i) => first + i)] };
}

/** At most `rows` rows. */
export function workers(model: Model, rows: number, look: Look): Listing {
  const { length } = model.workers;
  if (length === 0) {
    const hint = " No worker has joined yet. Start one with 'octaskly worker', on this machine or another.";
    return { rows: [[span(hint, 'dim')]], indexes: [null] };
  }
  const table = workerTable(model, rows - 1, look, model.selectedWorker);
  const worker = model.workers[model.selectedWorker];
  const place = worker === undefined ? '' : `  ${model.selectedWorker + 1} of ${length}  ${worker.id}`;
  return { rows: [[span(' Workers', 'strong'), span(place, 'dim')], ...table.rows], indexes: [null, ...table.indexes] };
}
