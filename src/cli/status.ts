/**
 * Exit statuses of `run` and `submit --wait`, as a shell would give them for the same command run here. A task that
 * exceeded a limit has no exit status of its own: it is `exitOwnFailure`, and its reason names the limit.
 */

import type { TaskView } from '../api/schemas.ts';

export const exitTimedOut = 124;
export const exitOwnFailure = 125;

/** Signals by number on Linux; those that can end a process have the same number on macOS, apart from BUS, USR1, USR2, SYS. */
const signalNumbers: Readonly<Record<string, number>> = {
  ...{ HUP: 1, INT: 2, QUIT: 3, ILL: 4, TRAP: 5, ABRT: 6, BUS: 7, FPE: 8, KILL: 9, USR1: 10, SEGV: 11, USR2: 12 },
  ...{ PIPE: 13, ALRM: 14, TERM: 15, STKFLT: 16, CHLD: 17, CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23 },
  ...{ XCPU: 24, XFSZ: 25, VTALRM: 26, PROF: 27, WINCH: 28, IO: 29, PWR: 30, SYS: 31 },
};

/** 128 + the signal's number, as shells say it, of `SIGTERM`, `TERM` or `SIG34`; `exitOwnFailure` for an unknown name. */
export function exitOfSignal(signal: string): number {
  const name = signal.replace(/^SIG/, '');
  // Signals without a name, the real-time ones among them, go by their number.
  const number = /^(?:[1-9]|[1-5][0-9]|6[0-4])$/.test(name) ? Number(name) : signalNumbers[name];
  return number === undefined ? exitOwnFailure : 128 + number;
}

/** Exit status for an ended task (`exitOwnFailure` for one that exceeded a limit other than its time), and a sentence where its exit code alone does not say what happened. */
export function exitOfTask(task: TaskView): { readonly status: number; readonly message: string | null } {
  const why = task.reason === null ? '' : `: ${task.reason}`;
  if (task.status === 'completed') return { status: 0, message: null };
  if (task.status === 'timed_out') return { status: exitTimedOut, message: `Task ${task.id} timed out${why}` };
  if (task.status === 'cancelled')
    return { status: exitOfSignal('TERM'), message: `Task ${task.id} was cancelled${why.replace(': cancelled', '')}` };
  // A status of Windows has 32 bits, one here has 8: what failed there must not end well here.
  if (task.exit_code !== null)
    return { status: task.exit_code & 255 || Math.min(1, Math.abs(task.exit_code)), message: null };
  const message = `Task ${task.id} failed${why}`;
  return { status: task.signal === null ? exitOwnFailure : exitOfSignal(task.signal), message };
}
