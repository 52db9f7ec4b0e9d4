/**
 * How a task takes over the terminal that its standard streams already are: it becomes the controlling terminal of the
 * session the command runs in, so that Ctrl-C and hang-ups reach the command and nothing else. Pure: programs that turn
 * into the command, without a process of their own.
 *
 * Where the chain of programs stays in the session the launcher made, its leader opens the terminal once more, which is
 * what makes it controlling (tty_ioctl(4), "controlling terminal"). Where namespaces stand between, the command is not a leader, and the
 * session outside must not get its signals: there it begins a session of its own by setsid(1).
 * Deliberately not here: making the terminal. Linux only, as the launcher's terminals are.
 */

const leaderScript = 'exec "$@" 0<>/proc/self/fd/0 1>&0 2>&0';

/** With fixed paths: the task's own PATH may lead anywhere. */
const insideScript = [
  'for setsid in /usr/bin/setsid /bin/setsid /run/current-system/sw/bin/setsid',
  'do [ -x "$setsid" ] && exec "$setsid" -c "$@"',
  'done',
  'echo "octaskly: a terminal at this sandbox level needs setsid(1) of util-linux on the worker" >&2',
  'exit 127',
].join('\n');

/** `argv` behind what makes the terminal its own, for the leader of the launcher's session. */
export function inTerminalOfLeader(argv: readonly string[]): readonly string[] {
  return ['/bin/sh', '-c', leaderScript, 'sh', ...argv];
}

/** Likewise, for a command within namespaces. */
export function inTerminalOfOwn(argv: readonly string[]): readonly string[] {
  return ['/bin/sh', '-c', insideScript, 'sh', ...argv];
}
