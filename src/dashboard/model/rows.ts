/**
 * The list of tasks, newest first: pages of the API put together, and kept up to date by events. Of each task only what a row
 * shows is kept. Pure; the list given stays as it was.
 */

import type { FeedEvent, TaskView } from '../../api/schemas.ts';

export interface Row {
  readonly id: string;
  /** Its name, else its command. */
  readonly label: string;
  readonly status: TaskView['status'];
  readonly workerId: string | null;
  readonly priority: number;
  readonly exit: string;
  readonly createdAt: string;
  readonly durationMs: number | null;
}

/** Characters of a label that are kept. */
const labelLengthMax = 200;

function rowOf(task: TaskView): Row {
  const { id, name, command, argv, status, worker_id, priority, exit_code, signal, created_at, duration_ms } = task;
  return {
    id,
    label: (name ?? command ?? argv?.join(' ') ?? '').slice(0, labelLengthMax),
    status,
    workerId: worker_id,
    priority,
    exit: exit_code !== null ? `exit ${exit_code}` : (signal ?? ''),
    createdAt: created_at,
    durationMs: duration_ms,
  };
}

/** `rows` with those of another page in their places; what is in both is taken from the page. */
export function withPage(rows: readonly Row[], page: readonly TaskView[]): readonly Row[] {
  if (page.length === 0) return rows;
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const task of page) byId.set(task.id, rowOf(task));
  return [...byId.values()].sort((left, right) => (left.id < right.id ? 1 : -1));
}

/** `rows` with the states that events tell; the same list when no event is about one of them. */
export function withEvents(rows: readonly Row[], events: readonly FeedEvent[]): readonly Row[] {
  const news = new Map(events.filter(({ kind }) => kind === 'task').map((event) => [event.id, event]));
  if (!rows.some(({ id }) => news.has(id))) return rows;
  return rows.map((row) => {
    const event = news.get(row.id);
    if (event === undefined) return row;
    return { ...row, status: event.status as Row['status'], workerId: event.worker_id ?? row.workerId };
  });
}

/** Which rows of a list are in sight, with some more on both sides so that scrolling shows no gaps. */
export function windowOf(view: {
  readonly scrollTop: number;
  readonly height: number;
  readonly rowHeight: number;
  readonly count: number;
}): { readonly from: number; readonly to: number } {
  const extra = 8;
  const from = Math.max(0, Math.floor(view.scrollTop / view.rowHeight) - extra);
  const to = Math.min(view.count, Math.ceil((view.scrollTop + view.height) / view.rowHeight) + extra);
  return { from: Math.min(from, to), to };
}
