/**
 * How a task and this program are asked to end, and what a task's end says, on each system. Pure.
 *
 *   Linux, Android, macOS   TERM to every process, 5 s later KILL     the end is an exit status or a signal
 *   Windows                 there is nothing to ask with: at once      the end is an exit status of 32 bits
 *
 * Windows has signals in no sense: a window may be asked to close, a console's programs to stop (Ctrl-Break), but a task
 * has neither. What the system ends by itself has an exit status from a list that hardly anybody knows by heart.
 * References: signal(7); TerminateJobObject (jobapi2.h); [MS-ERREF] section 2.3, NTSTATUS.
 */

/** Signals that ask this program itself to stop; the last one on Windows is Ctrl-Break of a console. */
export function stopSignalsOn(platform: string): readonly ('SIGINT' | 'SIGTERM' | 'SIGBREAK')[] {
  return platform === 'win32' ? ['SIGINT', 'SIGTERM', 'SIGBREAK'] : ['SIGINT', 'SIGTERM'];
}

/** Whether a program can be stopped for a while (Ctrl-Z) and go on later. */
export function canSuspendOn(platform: string): boolean {
  return platform !== 'win32';
}

/** What a tree that was ended has as its exit status on Windows: as a shell elsewhere says 128 + KILL. */
export const endedStatus = 137;

const statuses: Readonly<Record<number, string>> = {
  9009: 'cmd.exe found no such command; install it on the worker, or use --require to choose workers that have it',
  3221225477: 'access violation',
  3221225501: 'illegal instruction',
  3221225620: 'integer division by zero',
  3221225725: 'stack overflow',
  3221225781: 'a library it needs is missing',
  3221225786: 'interrupted by Ctrl-C',
  3221225794: 'a library it needs failed to start',
  3221225495: 'no memory left',
  3221226356: 'heap corruption',
  3221226505: 'stopped itself, as after a buffer overrun',
};

/** What an exit status of a program on Windows means, in words; null for one that is the program's own. */
export function windowsStatusMeans(exitCode: number): string | null {
  return statuses[exitCode >>> 0] ?? null;
}
