/** `export`: tasks as CSV (RFC 4180) or as one JSON object a line, page by page: any number of them in little memory. */

import type { TaskView } from '../../api/schemas.ts';
import type { exportOptions } from '../client-options.ts';
import type { ClientAction } from '../command.ts';
import { countOf, queryOf } from '../filter.ts';
import { jsonText } from '../print.ts';
import { withCount } from '../progress.ts';
import { commandOf } from '../request.ts';

const columns = {
  id: (task) => task.id,
  name: (task) => task.name,
  command: commandOf,
  status: (task) => task.status,
  exit_code: (task) => task.exit_code,
  signal: (task) => task.signal,
  reason: (task) => task.reason,
  worker_id: (task) => task.worker_id,
  attempt: (task) => task.attempt,
  priority: (task) => task.priority,
  batch_id: (task) => task.batch_id,
  duration_ms: (task) => task.duration_ms,
  cpu_ms: (task) => task.cpu_ms,
  memory_peak_bytes: (task) => task.memory_peak_bytes,
  stdout_bytes: (task) => task.stdout_bytes,
  stderr_bytes: (task) => task.stderr_bytes,
  created_at: (task) => task.created_at,
  started_at: (task) => task.started_at,
  completed_at: (task) => task.completed_at,
} satisfies Record<string, (task: TaskView) => string | number | null>;

/**
 * One field of CSV. A text that a spreadsheet would run as a formula gets an apostrophe in front: names and commands are
 * others'. https://owasp.org/www-community/attacks/CSV_Injection
 */
export function csvField(value: string | number | null): string {
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Characters collected before they are written. */
const writeLength = 64 * 1024;

export const exportTasks: ClientAction<typeof exportOptions> = async ({ client, terminal }, values) => {
  const csv = values.format === 'csv';
  let text = csv ? `${Object.keys(columns).join(',')}\r\n` : '';
  const query = await queryOf(client, values, terminal.now());
  const counted = { noun: 'tasks', done: 'read', total: await countOf(client, query), alone: false };
  await withCount(terminal, counted, async (add) => {
    for await (const task of client.allTasks(query)) {
      const fields = Object.values(columns).map((column) => csvField(column(task)));
      text += csv ? `${fields.join(',')}\r\n` : `${jsonText(task, 0)}\n`;
      add(1);
      if (text.length < writeLength) continue;
      await terminal.stdout.write(text);
      text = '';
    }
    await terminal.stdout.write(text);
  });
  return 0;
};
