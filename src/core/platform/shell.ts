/**
 * What runs a command line on each system: `/bin/sh -c` wherever there is one, `cmd.exe` on Windows. Pure.
 *
 * Not PowerShell: it starts ten times as slowly, and says of a program it ran only whether it failed.
 *
 * cmd.exe is no program that takes arguments apart as others do: what stands behind `/c` it takes as it is, and with `/s`
 * it removes the first and the last quotation mark and nothing else. So the words are handed over as they are
 * (`isVerbatim`), with one pair of marks around the command line: whatever is in between arrives as it was typed.
 * References: `cmd /?`; CreateProcessW (processthreadsapi.h).
 */

/** What is started for a command line. */
export interface ShellCommand {
  readonly argv: readonly string[];
  /** The words go to the program joined by spaces, without quotation marks of ours. */
  readonly isVerbatim: boolean;
}

/** Characters of a command line that cmd.exe takes. */
export const cmdLengthMax = 8191;

/** Where a command line is to run. */
export interface ShellPlace {
  /** The worker's environment, which says where the shell is. */
  readonly own: Readonly<Record<string, string | undefined>>;
  /** The directory it starts in. */
  readonly directory: string;
}

/**
 * What runs `command` on `platform` (as `process.platform` says it, or `android`). A string in place of it: why that cannot
 * be, as the end of the sentence "Cannot run the task: …".
 */
export function shellFor(platform: string, command: string, place: ShellPlace): ShellCommand | string {
  if (platform === 'win32') return cmd(command, place);
  const { own } = place;
  // Termux has its own below its prefix; of Android itself there is only this one.
  const android = own.PREFIX === undefined ? '/system/bin/sh' : `${own.PREFIX}/bin/sh`;
  return { argv: [platform === 'android' ? android : '/bin/sh', '-c', command], isVerbatim: false };
}

function cmd(command: string, { own, directory }: ShellPlace): ShellCommand | string {
  // It would run all the same, but in the directory of Windows itself, and put its files there.
  if (/^[\\/]{2}/.test(directory))
    return `cmd.exe starts in no directory of the network, as ${directory} is; name one on a disk of the worker (--data-dir of the worker, --wd of the task)`;
  const line = command.replace(/[\r\n]+$/, '');
  if (/[\r\n]/.test(line))
    return 'cmd.exe runs one line alone; join the lines by "&&", or send them as a .cmd file with --in and run that';
  if (line.length > cmdLengthMax)
    return `cmd.exe takes command lines of up to ${cmdLengthMax} characters, this has ${line.length}; send it as a .cmd file`;
  return { argv: [cmdPath(own), '/d', '/s', '/c', `"${line}"`], isVerbatim: true };
}

/**
 * How a task's first program is started, for `Bun.spawn`: as leader of a session of its own. On Windows that would be a
 * console without a window, of which every program it starts opens one: there it gets a console nobody sees, which all of
 * them share.
 */
export function startOptionsOn(platform: string, isVerbatim: boolean) {
  if (platform !== 'win32') return { detached: true };
  return { windowsHide: true, windowsVerbatimArguments: isVerbatim };
}

/** By its path, since Windows looks for programs where it stands first, and that is the task's own directory. */
function cmdPath(own: ShellPlace['own']): string {
  return `${own.SystemRoot ?? 'C:\\Windows'}\\System32\\cmd.exe`;
}
