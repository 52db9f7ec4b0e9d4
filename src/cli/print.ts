/**
 * How commands print what they found, in the three forms of `-o`: a table, the API's JSON, or ids alone.
 */

import type { TaskView } from '../api/schemas.ts';
import { formatDuration } from '../base/duration.ts';
import { OctasklyError } from '../base/errors.ts';
import { harmless } from '../base/harmless.ts';
import type { Client } from '../client/client.ts';
import { type CommandContext, columnsOf, hasColor, type Terminal } from './context.ts';
import { commandOf } from './request.ts';
import { type Column, paintStatus, renderTable } from './table.ts';
import { wrapped } from './wrap.ts';

export type OutputForm = 'table' | 'json' | 'quiet';

/** What JSON may hold as it is, and what could yet steer a terminal or reorder its line: C1 controls, direction marks. */
const steering = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The same JSON, harmless on a terminal. `indent`: spaces; 0 = one line. */
export function jsonText(value: unknown, indent: 0 | 2): string {
  const text = JSON.stringify(value, null, indent);
  return text.replace(steering, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Two spaces of indent, a newline behind: for people and `jq` alike. */
export function writeJson(terminal: Terminal, value: unknown): Promise<void> {
  return terminal.stdout.write(`${jsonText(value, 2)}\n`);
}

export async function writeTable(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  const table = renderTable(columns, rows, {
    width: columnsOf(terminal),
    textWidth: (text) => terminal.textWidth(text),
    ...(hasColor(terminal) ? { paint: paintStatus } : {}),
  });
  await terminal.stdout.write(table);
}

/** Ids alone, one a line. */
export function writeIds(terminal: Terminal, ids: readonly string[]): Promise<void> {
  return terminal.stdout.write(ids.map((id) => `${harmless(id)}\n`).join(''));
}

/** `name  value` lines; rows without a value are left out. On a terminal long values go on below their beginning. */
export async function writeFacts(
  terminal: Terminal,
  facts: readonly (readonly [name: string, value: string | number | null])[],
): Promise<void> {
  const rows = facts.filter(([, value]) => value !== null && value !== '');
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) =>
    proseLine(terminal, harmless(String(value)), `${name.padEnd(width)}  `, ' '.repeat(width + 2)),
  );
  await terminal.stdout.write(lines.join(''));
}

/** A line as it is, or on a terminal in as many as it needs; ended by a newline. */
export function proseLine(terminal: Terminal, text: string, first = '', rest = ''): string {
  const width = columnsOf(terminal);
  if (width === null) return `${first}${text}\n`;
  return wrapped(text, { width, first, rest, textWidth: (part) => terminal.textWidth(part) });
}

const taskColumns: readonly Column[] = [
  { title: 'ID' },
  { title: 'STATUS' },
  { title: 'EXIT', align: 'right' },
  { title: 'TIME', align: 'right' },
  { title: 'AGE', align: 'right', spare: 4 },
  { title: 'WORKER', flexible: true, spare: 1 },
  { title: 'NAME', flexible: true, spare: 3 },
  { title: 'COMMAND', flexible: true, least: 20 },
];

function exitCell(task: TaskView): string {
  return task.exit_code === null ? (task.signal ?? '') : String(task.exit_code);
}

/** Names of workers by their ids; none where the caller's role may not see workers. */
export async function workerNames(client: Client): Promise<ReadonlyMap<string, string>> {
  try {
    return new Map((await client.workers()).workers.map((worker) => [worker.id, worker.name]));
  } catch (error) {
    if (error instanceof OctasklyError && error.code === 'forbidden') return new Map();
    throw error;
  }
}

/** A task as it was read, which may come with the names of its workers. */
type Listed = TaskView & { readonly attempts?: unknown; readonly worker_names?: Readonly<Record<string, string>> };

/**
 * Names of the workers of these tasks by their ids, as far as they can be known: those that came with the tasks, which
 * every role may know, else those of the list of workers.
 */
export async function namesOf(
  client: Client,
  tasks: readonly Listed[],
  known: ReadonlyMap<string, string> = new Map(),
): Promise<ReadonlyMap<string, string>> {
  const names = new Map([...known, ...tasks.flatMap((task) => Object.entries(task.worker_names ?? {}))]);
  const isComplete = tasks.every(({ worker_id: id }) => id === null || names.has(id));
  return isComplete ? names : new Map([...(await workerNames(client)), ...names]);
}

/** Table and JSON have the names of the workers; `known`: those that came with the list. */
export async function writeTasks(
  { client, terminal }: CommandContext,
  tasks: readonly TaskView[],
  form: OutputForm,
  known?: ReadonlyMap<string, string>,
): Promise<void> {
  // Those that were waited for one by one come with their attempts, those of a batch without: a list has none.
  const bare = (task: Listed) => ({ ...task, ...{ attempts: undefined, worker_names: undefined } });
  if (form === 'json') {
    const ids = new Set(tasks.flatMap(({ worker_id: id }) => id ?? []));
    const named = [...(await namesOf(client, tasks, known))].filter(([id]) => ids.has(id));
    const list = { tasks: tasks.map(bare), next_cursor: null, worker_names: Object.fromEntries(named) };
    return writeJson(terminal, list);
  }
  if (form === 'quiet')
    return writeIds(
      terminal,
      tasks.map(({ id }) => id),
    );
  const names = await namesOf(client, tasks, known);
  const now = terminal.now();
  const rows = tasks.map((task) => [
    task.id,
    task.status,
    exitCell(task),
    formatDuration(task.duration_ms),
    formatDuration(now - Date.parse(task.created_at)),
    task.worker_id === null ? '' : (names.get(task.worker_id) ?? task.worker_id),
    task.name ?? '',
    commandOf(task),
  ]);
  return writeTable(terminal, taskColumns, rows);
}
