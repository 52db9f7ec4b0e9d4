/**
 * GNU parallel's joblog: a title line, then a line for each ended job, tab-separated, so that tools that read it go on
 * working. Send and Receive are bytes of input and output; a signal is given by its number.
 */

import type { TaskView } from '../api/schemas.ts';
import { exitOfSignal, exitOfTask } from './status.ts';

export const joblogTitle = 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n';

/** The line of job `number`, run as `task` with `command`. */
export function joblogLine(number: number, task: TaskView, command: string): string {
  const startedAt = task.started_at === null ? 0 : Date.parse(task.started_at) / 1000;
  const fields = [
    number,
    task.worker_id ?? '',
    startedAt.toFixed(3).padStart(14),
    ((task.duration_ms ?? 0) / 1000).toFixed(3).padStart(10),
    0,
    task.stdout_bytes,
    task.exit_code ?? (task.signal === null ? exitOfTask(task).status : 0),
    task.signal === null ? 0 : exitOfSignal(task.signal) - 128,
    command.replaceAll('\n', ' '),
  ];
  return `${fields.join('\t')}\n`;
}
