/** The third tab: one page of tasks, newest first. Pure. */

import type { TaskView } from '../../src/api/schemas.ts';
import { formatDuration } from '../../src/base/duration.ts';
import { type Cell, type Column, type Row, selected, span, styleOf, tableHead, tableRow } from '../lines.ts';
import type { Model } from '../model.ts';
import { formatAge, harmless, type Look } from '../text.ts';
import { type Listing, wideColumns } from './workers.ts';

/** What a task runs, as one line. */
export function commandOf({ command, argv }: TaskView): string {
  return command ?? argv?.join(' ') ?? '';
}

/** The name of the task's worker, or its id; '' when it has none. */
export function workerOf({ worker_id: id }: TaskView, { workers }: Model): string {
  return workers.find((worker) => worker.id === id)?.name ?? id ?? '';
}

/** How long the task ran, or runs already, ms; null when it never started. */
export function runTimeOf(task: TaskView, now: number): number | null {
  if (task.duration_ms !== null) return task.duration_ms;
  return task.started_at === null || task.status !== 'running' ? null : now - Date.parse(task.started_at);
}

interface Fact {
  readonly column: Column;
  cell(task: TaskView, model: Model): Cell;
}

const essentials: readonly Fact[] = [
  { column: { title: 'STATUS', width: 9 }, cell: ({ status }) => span(status, styleOf(status)) },
  { column: { title: 'ID', width: 12 }, cell: ({ id }) => id },
  {
    column: { title: 'EXIT', width: 4, align: 'right' },
    cell: ({ exit_code, signal }) => (exit_code === null ? (signal?.replace(/^SIG/, '') ?? '') : String(exit_code)),
  },
  {
    column: { title: 'TIME', width: 6, align: 'right' },
    cell: (task, { now }) => formatDuration(runTimeOf(task, now)),
  },
  {
    column: { title: 'AGE', width: 4, align: 'right' },
    cell: ({ created_at }, { now }) => formatAge(now - Date.parse(created_at)),
  },
];

const narrow: readonly Fact[] = [
  ...essentials,
  { column: { title: 'WORKER', width: 10 }, cell: workerOf },
  {
    column: { title: 'COMMAND', width: null },
    cell: (task) => (task.name === null ? commandOf(task) : `${task.name}: ${commandOf(task)}`),
  },
];

const wide: readonly Fact[] = [
  ...essentials,
  { column: { title: 'WORKER', width: 20 }, cell: workerOf },
  { column: { title: 'NAME', width: 24 }, cell: ({ name }) => name ?? '' },
  { column: { title: 'COMMAND', width: null }, cell: commandOf },
];

function headline({ filter, page }: Model, look: Look): Row {
  const what = filter.text === '' ? 'All tasks, newest first' : `Filter: ${harmless(filter.text, look.ascii)}`;
  const place = page.cursors.length > 1 ? `  page ${page.cursors.length}` : '';
  return [span(` ${what}`, 'strong'), span(page.next === null ? place : `${place}  (older ones below)`, 'dim')];
}

/** At most `rows` rows. */
export function tasks(model: Model, rows: number, look: Look): Listing {
  const { page } = model;
  const head = headline(model, look);
  if (page.tasks.length === 0) {
    const nothing =
      model.filter.text === '' ? " None yet. Submit one: octaskly run 'uname -a'" : ' None fits the filter.';
    return { rows: [head, [span(page.fresh ? nothing : ' Reading ...', 'dim')]], indexes: [null, null] };
  }
  const facts = look.columns >= wideColumns ? wide : narrow;
  const columns = facts.map(({ column }) => column);
  const shown = page.tasks.slice(0, Math.max(0, rows - 2)).map((task, i): Row => {
    const row = tableRow(
      columns,
      facts.map(({ cell }) => cell(task, model)),
      look,
    );
    return i === model.selectedTask ? selected(row, look) : row;
  });
  return { rows: [head, tableHead(columns, look), ...shown], indexes: [null, null, ...shown.map((_, i) => i)] };
}
