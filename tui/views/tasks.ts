/** The third tab: one page of tasks, newest first; or the newest thousand in another order. Pure. */

import type { TaskView } from '../../src/api/schemas.ts';
import { formatDuration } from '../../src/base/duration.ts';
import {
  type Cell,
  type Column,
  firstShown,
  fitting,
  type Row,
  selected,
  span,
  styleOf,
  tableHead,
  tableRow,
} from '../lines.ts';
import { type Model, workerOf } from '../model.ts';
import { exitOf, isNewestFirst, runTimeOf, sortedMax, sortTitles } from '../sorting.ts';
import { formatAge, harmless, type Look, wrap } from '../text.ts';
import { type Listing, wideColumns } from './workers.ts';

/** What a task runs, as one line. */
export function commandOf({ command, argv }: TaskView): string {
  return command ?? argv?.join(' ') ?? '';
}

interface Fact {
  readonly column: Column;
  cell(task: TaskView, model: Model): Cell;
}

const essentials: readonly Fact[] = [
  { column: { title: 'STATUS', width: 9 }, cell: ({ status }) => span(status.replace('_', ' '), styleOf(status)) },
  { column: { title: 'ID', width: 12, rank: 1 }, cell: ({ id }) => id },
  { column: { title: 'EXIT', width: 4, align: 'right', rank: 2 }, cell: exitOf },
  {
    column: { title: 'TIME', width: 6, align: 'right', rank: 3 },
    cell: (task, { now }) => formatDuration(runTimeOf(task, now)),
  },
  {
    column: { title: 'AGE', width: 4, align: 'right', rank: 4 },
    cell: ({ created_at }, { now }) => formatAge(now - Date.parse(created_at)),
  },
];

const narrow: readonly Fact[] = [
  ...essentials,
  { column: { title: 'WORKER', width: 10, rank: 5 }, cell: workerOf },
  {
    column: { title: 'NAME: COMMAND', width: null },
    cell: (task) => (task.name === null ? commandOf(task) : `${task.name}: ${commandOf(task)}`),
  },
];

const wide: readonly Fact[] = [
  ...essentials,
  { column: { title: 'PRIO', width: 4, align: 'right' }, cell: ({ priority }) => String(priority) },
  { column: { title: 'WORKER', width: 20 }, cell: workerOf },
  { column: { title: 'NAME', width: 24 }, cell: ({ name }) => name ?? '' },
  { column: { title: 'COMMAND', width: null }, cell: commandOf },
];

const factsOf = (look: Look): readonly Fact[] => fitting(look.columns >= wideColumns ? wide : narrow, look);

function rowOf(model: Model, task: TaskView, look: Look): Row {
  const facts = factsOf(look);
  return tableRow(
    facts.map(({ column }) => column),
    facts.map(({ cell }) => cell(task, model)),
    look,
  );
}

/** A table of tasks without a selection, in at most `rows` rows. */
export function taskRows(model: Model, tasks: readonly TaskView[], rows: number, look: Look): Row[] {
  const columns = factsOf(look).map(({ column }) => column);
  return [tableHead(columns, look), ...tasks.map((task) => rowOf(model, task, look))].slice(0, rows);
}

function headline({ filter, page, sort, marked, selectedTask }: Model, look: Look): Row {
  const all = filter.text === '' ? 'All tasks' : `Filter: ${harmless(filter.text, look.ascii)}`;
  const order = `, ${sortTitles[sort.by]}${sort.reversed ? ', turned round' : ''}`;
  const place = isNewestFirst(sort)
    ? `${page.cursors.length > 1 ? `  page ${page.cursors.length}` : ''}${page.next === null ? '' : '  (older ones below)'}`
    : page.tasks.length === 0
      ? ''
      : `  ${selectedTask + 1} of ${page.next === null ? '' : 'the newest '}${Math.min(page.tasks.length, sortedMax)}`;
  const marks = marked.size === 0 ? [] : [span(`  ${marked.size} marked`, 'warn')];
  return [span(` ${all}${order}`, 'strong'), span(place, 'dim'), ...marks];
}

/** A row with a mark at its left edge. */
function withMark([edge, ...others]: Row, look: Look): Row {
  return edge === undefined ? others : [span(look.ascii ? '*' : '●', 'warn'), ...others];
}

/** Rows of what is said in the place of a list. */
const emptyRows = 4;

/** Why nothing is listed. */
function emptyWords({ filter, page }: Model): string {
  if (page.wrong !== null) return `The dispatcher gives no list: ${page.wrong}`;
  if (!page.fresh) return 'Reading ...';
  return filter.text === '' ? "None yet. Submit one: octaskly run 'uname -a'" : 'None fits the filter.';
}

/** At most `rows` rows. */
export function tasks(model: Model, rows: number, look: Look): Listing {
  const { page, selectedTask, marked } = model;
  const head = headline(model, look);
  if (page.tasks.length === 0) {
    const words = emptyWords(model);
    const lines = wrap(words, look.columns - 2, emptyRows, look);
    const style = page.wrong === null ? 'dim' : 'bad';
    return { rows: [head, ...lines.map((line): Row => [span(` ${line}`, style)])], indexes: [] };
  }
  const places = Math.max(0, rows - 2);
  const first = firstShown(selectedTask, page.tasks.length, places);
  const shown = page.tasks.slice(first, first + places).map((task, i): Row => {
    const bare = rowOf(model, task, look);
    const row = marked.has(task.id) ? withMark(bare, look) : bare;
    return first + i === selectedTask ? selected(row, look) : row;
  });
  const [titles] = taskRows(model, [], 1, look);
  return { rows: [head, titles ?? [], ...shown], indexes: [null, null, ...shown.map((_, i) => first + i)] };
}
