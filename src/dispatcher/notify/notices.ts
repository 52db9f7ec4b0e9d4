/** What is said of a task, a batch or a worker: the small view of it, and one line for people. Pure. */

import { formatDuration } from '../../base/duration.ts';
import { harmless } from '../../base/harmless.ts';
import type { BatchNotice, ClusterEvent, Notice, TaskNotice, WorkerNotice } from '../../core/notification.ts';
import { describeOutcome, type FinalStatus, type Task } from '../../core/task.ts';

/** A notice without what tells one delivery from another. */
export type News = Pick<Notice, 'event' | 'text' | 'task' | 'batch' | 'worker' | 'sender'>;

/** Characters of a command in a notice, and of a name in its line. */
const commandLengthMax = 200;
const labelLengthMax = 80;

/** Cut and on one line. */
function brief(text: string, lengthMax: number): string {
  const plain = harmless(text.slice(0, lengthMax));
  return text.length <= lengthMax ? plain : `${plain}…`;
}

/** The event that a task's end is. */
export function taskEventOf(status: FinalStatus): ClusterEvent & `task_${string}` {
  return `task_${status}`;
}

function commandOf({ spec: { command, argv } }: Task): string {
  return command ?? argv?.join(' ') ?? '';
}

/** An ended task. `worker`: the name of the one that ran it last. */
export function taskNews(task: Task, status: FinalStatus, worker: string | null): News {
  const { id, spec, outcome, attempt, startedAt, completedAt, usage } = task;
  const command = commandOf(task);
  const measured = startedAt === null || completedAt === null ? null : Math.max(0, completedAt - startedAt);
  const durationMs = usage?.durationMs ?? measured;
  const why = task.reason ?? (outcome === null ? null : describeOutcome(outcome));
  const notice: TaskNotice = {
    ...{ id, name: spec.name, command: brief(command, commandLengthMax), status, reason: task.reason },
    exit_code: outcome?.kind === 'exited' ? outcome.exitCode : null,
    signal: outcome?.kind === 'signaled' ? outcome.signal : null,
    ...{ attempt, worker, batch_id: spec.batchId, owner: spec.owner, duration_ms: durationMs },
  };
  const label = brief(spec.name ?? command, labelLengthMax);
  const where = worker === null ? '' : ` on ${brief(worker, labelLengthMax)}`;
  const after = durationMs === null ? '' : ` after ${formatDuration(durationMs)}`;
  const reason = status === 'completed' || why === null ? '' : `: ${brief(why, commandLengthMax)}`;
  const verb = status === 'timed_out' ? 'timed out' : status;
  return { event: taskEventOf(status), text: `Task ${id} (${label}) ${verb}${where}${after}${reason}`, task: notice };
}

/** A batch of which every task has ended. */
export function batchNews(batch: BatchNotice): News {
  const label = batch.name === null ? '' : ` (${brief(batch.name, labelLengthMax)})`;
  const kinds = [
    [batch.failed, 'failed'],
    [batch.timed_out, 'timed out'],
    [batch.cancelled, 'cancelled'],
  ] as const;
  const rest = kinds.filter(([count]) => count > 0).map(([count, what]) => `, ${count} ${what}`);
  const text = `Batch ${batch.id}${label} ended: ${batch.completed} of ${batch.size} completed${rest.join('')}`;
  return { event: 'batch_ended', text, batch };
}

/** A worker that was not heard of for too long. */
export function lostNews(worker: WorkerNotice): News {
  const why = worker.detail === null ? '' : `: ${brief(worker.detail, commandLengthMax)}`;
  return { event: 'worker_lost', text: `Worker ${brief(worker.name, labelLengthMax)} is lost${why}`, worker };
}

/** A device that waits to be let in. Its code is compared on both screens, so it is not sent anywhere. */
export function pendingNews(worker: WorkerNotice): News {
  const from = worker.address === null ? '' : ` at ${worker.address}`;
  const name = brief(worker.name, labelLengthMax);
  const text = `A device that calls itself ${name}${from} asks to join: octaskly approve`;
  return { event: 'worker_pending', text, worker };
}

/** What somebody asks to be sent. `sender`: the subject of their token; null = the cluster's owner. */
export function askedNews(event: News['event'], text: string, sender: string | null): News {
  return { event, text: harmless(text), ...(sender === null ? {} : { sender }) };
}
