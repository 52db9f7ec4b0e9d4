/**
 * The environment a task sees: an allow-list of the worker's own, what the task asked for, and a few words about where
 * it runs. Nothing else of the worker's environment gets through; secrets never do. Pure.
 */

import type { Assignment } from '../wire/messages.ts';

/** Variables of the worker that tools need and that say nothing secret. */
const passedOn = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'TZ',
  'TERM',
  'PREFIX',
  'ANDROID_ROOT',
  'ANDROID_DATA',
  'SystemRoot',
  'ComSpec',
  'PATHEXT',
];

const pathDefault = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function taskEnvironment(
  assignment: Assignment,
  here: {
    readonly own: Readonly<Record<string, string | undefined>>;
    readonly directory: string;
    readonly workerName: string;
  },
): Record<string, string> {
  const env: Record<string, string> = { PATH: pathDefault };
  for (const name of passedOn) {
    const value = here.own[name];
    if (value !== undefined) env[name] = value;
  }
  return {
    ...env,
    TMPDIR: here.directory,
    ...assignment.spec.env,
    OCTASKLY_TASK_ID: assignment.taskId,
    OCTASKLY_ATTEMPT: String(assignment.attempt),
    OCTASKLY_WORKER: here.workerName,
  };
}
