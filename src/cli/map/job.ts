/** A job of `map` on its way: from its arguments over its command to how it ended. Plain data. */

import type { TaskView } from '../../api/schemas.ts';
import { discardedText } from '../follow.ts';
import { exitOfSignal, exitOfTask, exitOwnFailure } from '../status.ts';
import type { JobFiles } from './job-files.ts';
import type { JobFacts } from './placeholders.ts';

/** A job that is ready to be submitted. */
export interface Job extends JobFacts {
  readonly command: string;
  /** Before each line of its output; null: nothing. */
  readonly tag: string | null;
  readonly files: JobFiles;
  /** Place in the order of output, from 0: jobs that need not run have none. */
  readonly place: number;
}

/** What a job wrote to one stream. */
export interface Output {
  readonly bytes: number;
  /** All of it, when it is short; null: to be asked for. */
  readonly whole: Uint8Array | null;
}

/** How a job ended, as GNU parallel counts it. */
export interface JobEnd {
  readonly job: Job;
  readonly id: string;
  /** Worker; null: it never started. */
  readonly host: string | null;
  /** Milliseconds since 1970, 0: it never started. */
  readonly startedAt: number;
  readonly runtimeMs: number;
  readonly sentBytes: number;
  /** -1: stopped for its time. */
  readonly exitCode: number;
  /** Number of the signal that ended it, 0: none. */
  readonly signal: number;
  /** Exit status as a shell gives it; 0: it ended well. */
  readonly status: number;
  /** Why it has no exit status of its own, or what of its output is lost; null when there is no more to say. */
  readonly message: string | null;
  readonly stdout: Output;
  readonly stderr: Output;
}

const terminated = 15;

/** An output that the task's own view shows in full, byte for byte: most are short, and need not be asked for. */
function outputOf(task: TaskView, stream: 'stdout' | 'stderr'): Output {
  const tail = task[`${stream}_tail`];
  const size = task[`${stream}_bytes`];
  const whole = new TextEncoder().encode(tail);
  // What is no UTF-8 shows as U+FFFD.
  return { bytes: size, whole: whole.length === size && !tail.includes('\ufffd') ? whole : null };
}

function exitOf(task: TaskView, isOverTime: boolean): Pick<JobEnd, 'exitCode' | 'signal' | 'status' | 'message'> {
  const { status, message } = exitOfTask(task);
  if (isOverTime || task.status === 'timed_out') {
    const said = isOverTime ? 'It ran too long for --timeout' : message;
    return { exitCode: -1, signal: terminated, status: exitOfSignal('TERM'), message: said };
  }
  const signal = task.signal === null ? 0 : exitOfSignal(task.signal) - 128;
  return { exitCode: task.exit_code ?? (signal === 0 ? status : 0), signal, status, message };
}

/** `isOverTime`: it was cancelled for its time; `hasFiles`: all that `--out` asks for is here. Without them, or all of its output, it failed. */
export function endOf(
  job: Job,
  task: TaskView,
  { isOverTime, hasFiles }: { readonly isOverTime: boolean; readonly hasFiles: boolean },
): JobEnd {
  const exit = exitOf(task, isOverTime && task.status !== 'completed');
  const lost = discardedText(task);
  const isMissing = exit.status === 0 && (!hasFiles || lost !== null);
  return {
    ...{ job, id: task.id, host: task.worker_id, ...exit },
    ...(isMissing ? { exitCode: exitOwnFailure, status: exitOwnFailure } : {}),
    ...(lost === null ? {} : { message: [...(exit.message === null ? [] : [exit.message]), lost].join('. ') }),
    startedAt: task.started_at === null ? 0 : Date.parse(task.started_at),
    runtimeMs: task.duration_ms ?? 0,
    sentBytes: task.inputs.reduce((sum, { bytes }) => sum + bytes, 0),
    stdout: outputOf(task, 'stdout'),
    stderr: outputOf(task, 'stderr'),
  };
}
