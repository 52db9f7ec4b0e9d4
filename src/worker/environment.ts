/**
 * The environment a task sees: an allow-list of the worker's own, what the task asked for, and a few words about where
 * it runs. Nothing else of the worker's environment gets through; secrets never do. Pure.
 */

import type { Assignment } from '../wire/messages.ts';

/** Variables of the worker that say nothing about its machine or its people. */
const neutral = ['LANG', 'LC_ALL', 'LC_CTYPE', 'TZ'];

/** Variables of the worker that tools need and that say nothing secret. */
const passedOn = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  ...neutral,
  'TERM',
  'PREFIX',
  'ANDROID_ROOT',
  'ANDROID_DATA',
  'SystemRoot',
  'ComSpec',
  'PATHEXT',
];

const pathDefault = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where a task runs, as it sees it. */
export interface Surroundings {
  readonly own: Readonly<Record<string, string | undefined>>;
  /** Its own directory, where its inputs are. */
  readonly directory: string;
  readonly temporary: string;
  readonly workerName: string;
  /** In place of the worker's account: whose home and name the task sees; null = the worker's. */
  readonly person: { readonly name: string; readonly home: string } | null;
  /** Only language and time zone of the worker get through. */
  readonly minimal: boolean;
}

/** The whole environment of an attempt. */
export function taskEnvironment(assignment: Assignment, here: Surroundings): Record<string, string> {
  const env: Record<string, string> = { PATH: pathDefault };
  for (const name of here.minimal ? neutral : passedOn) {
    const value = here.own[name];
    if (value !== undefined) env[name] = value;
  }
  if (here.person !== null) {
    env.HOME = here.person.home;
    env.USER = here.person.name;
    env.LOGNAME = here.person.name;
    env.SHELL = '/bin/sh';
  }
  const { stdin } = assignment.spec;
  if (stdin.kind === 'terminal') env.TERM = stdin.term;
  return {
    ...env,
    TMPDIR: here.temporary,
    ...assignment.spec.env,
    OCTASKLY_TASK_ID: assignment.taskId,
    OCTASKLY_ATTEMPT: String(assignment.attempt),
    OCTASKLY_TASK_DIR: here.directory,
    OCTASKLY_WORKER: here.workerName,
  };
}
