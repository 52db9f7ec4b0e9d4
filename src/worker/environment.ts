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
];

/** What programs on Windows look for; their case does not count there. */
const passedOnWindows = [
  ...['PATH', 'PATHEXT', 'ComSpec', 'SystemRoot', 'SystemDrive', 'windir', 'OS', 'TZ', 'LANG'],
  ...['USERNAME', 'USERPROFILE', 'HOMEDRIVE', 'HOMEPATH', 'APPDATA', 'LOCALAPPDATA', 'ALLUSERSPROFILE', 'PUBLIC'],
  ...['ProgramData', 'ProgramFiles', 'ProgramFiles(x86)', 'ProgramW6432', 'CommonProgramFiles', 'CommonProgramW6432'],
  ...['NUMBER_OF_PROCESSORS', 'PROCESSOR_ARCHITECTURE', 'PROCESSOR_IDENTIFIER', 'COMPUTERNAME'],
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
  /** As `HostIsolation` has it. */
  readonly platform: string;
}

/** The whole environment of an attempt. */
export function taskEnvironment(assignment: Assignment, here: Surroundings): Record<string, string> {
  if (here.platform === 'win32') return onWindows(assignment, here);
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
  return { ...env, TMPDIR: here.temporary, ...assignment.spec.env, ...aboutItself(assignment, here) };
}

/** Two variables whose names differ in case alone are one there: the task's stands in the place of the worker's. */
function onWindows(assignment: Assignment, here: Surroundings): Record<string, string> {
  const env = new Map<string, readonly [name: string, value: string]>();
  const set = (name: string, value: string) => env.set(name.toLowerCase(), [name, value]);
  const own = new Map(Object.entries(here.own).map(([name, value]) => [name.toLowerCase(), value]));
  for (const name of passedOnWindows) {
    const value = own.get(name.toLowerCase());
    if (value !== undefined) set(name, value);
  }
  for (const name of ['TEMP', 'TMP']) set(name, here.temporary);
  for (const asked of [assignment.spec.env, aboutItself(assignment, here)])
    for (const [name, value] of Object.entries(asked)) set(name, value);
  return Object.fromEntries(env.values());
}

function aboutItself(assignment: Assignment, here: Surroundings): Record<string, string> {
  return {
    OCTASKLY_TASK_ID: assignment.taskId,
    OCTASKLY_ATTEMPT: String(assignment.attempt),
    OCTASKLY_TASK_DIR: here.directory,
    OCTASKLY_WORKER: here.workerName,
  };
}
