/**
 * How commands print what they found, in the three forms of `-o`: a table, the API's JSON, or ids alone.
 */

import type { TaskView } from '../api/schemas.ts';
import { formatDuration } from '../base/duration.ts';
import { OctasklyError } from '../base/errors.ts';
import type { Client } from '../client/client.ts';
import { type CommandContext, hasColor, type Terminal } from './context.ts';
import { commandOf } from './request.ts';
import { type Column, paintStatus, printable, renderTable } from './table.ts';

export type OutputForm = 'table' | 'json' | 'quiet';

/** Two spaces of indent, a newline behind: for people and `jq` alike. */
export function writeJson(terminal: Terminal, value: unknown): Promise<void> {
  return terminal.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export async function writeTable(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  const table = renderTable(columns, rows, {
    width: terminal.stdout.isTTY ? terminal.stdout.columns : null,
    textWidth: (text) => terminal.textWidth(text),
    ...(hasColor(terminal) ? { paint: paintStatus } : {}),
  });
  await terminal.stdout.write(table);
}

/** `name  value` lines; rows without a value are left out. */
export async function writeFacts(
  terminal: Terminal,
  facts: readonly (readonly [name: string, value: string | number | null])[],
): Promise<void> {
  const rows = facts.filter(([, value]) => value !== null && value !== '');
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${printable(String(value))}\n`);
  await terminal.stdout.write(lines.join(''));
}

const taskColumns: readonly Column[] = [
  { title: 'ID' },
  { title: 'STATUS' },
  { title: 'EXIT', align: 'right' },
  { title: 'TIME', align: 'right' },
  { title: 'AGE', align: 'right' },
  { title: 'WORKER' },
  { title: 'NAME', flexible: true },
  { title: 'COMMAND', flexible: true },
];

function exitCell(task: TaskView): string {
  return task.exit_code === null ? (task.signal ?? '') : String(task.exit_code);
}

/** Names of workers by their ids; none where the caller's role may not see workers. */
async function workerNames(client: Client): Promise<ReadonlyMap<string, string>> {
  try {
    return new Map((await client.workers()).workers.map((worker) => [worker.id, worker.name]));
  } catch (error) {
    if (error instanceof OctasklyError && error.code === 'forbidden') return new Map();
    throw error;
  }
}

/** The table looks up the names of the workers; the other forms ask for nothing more. */
export async function writeTasks(
  { client, terminal }: CommandContext,
  tasks: readonly TaskView[],
  form: OutputForm,
): Promise<void> {
  if (form === 'json') return writeJson(terminal, { tasks, next_cursor: null });
  if (form === 'quiet') return terminal.stdout.write(tasks.map((task) => `${task.id}\n`).join(''));
  const names = await workerNames(client);
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
