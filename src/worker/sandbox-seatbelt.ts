/**
 * Level strict on macOS: the profile for `sandbox-exec`. Pure.
 *
 * Everything is refused but what is named: reading and running the system, reading and writing the task's own directories,
 * and the network where the task has it. Profiles are matched against real paths, so those given must hold no link
 * (`/private/tmp`, not `/tmp`). Reference: sandbox-exec(1), and the profiles in /usr/share/sandbox.
 */

/** What a program needs to start at all. */
const readable = ['/usr', '/bin', '/sbin', '/System', '/Library', '/Applications', '/opt', '/private/etc', '/dev'];

/** Devices everything writes to. */
const devices = ['/dev/null', '/dev/zero', '/dev/tty', '/dev/dtracehelper'];

/** The profile's text. `hidden` are directories that stay closed even below readable ones. */
export function seatbeltProfile(places: {
  readonly directory: string;
  readonly temporary: string;
  readonly network: boolean;
  readonly hidden: readonly string[];
}): string {
  const below = (paths: readonly string[]) => paths.map((path) => `(subpath ${quoted(path)})`).join(' ');
  const exactly = (paths: readonly string[]) => paths.map((path) => `(literal ${quoted(path)})`).join(' ');
  const own = [places.directory, places.temporary];
  return [
    '(version 1)',
    '(deny default)',
    '(allow process-fork)',
    `(allow process-exec ${below([...readable, ...own])})`,
    '(allow signal (target same-sandbox))',
    '(allow process-info* (target same-sandbox))',
    '(allow sysctl-read)',
    '(allow mach-lookup (global-name "com.apple.system.logger") (global-name "com.apple.system.opendirectoryd.libinfo"))',
    '(allow file-read-metadata)',
    `(allow file-read* ${exactly(['/', '/private/var/select/sh'])} ${below(readable)})`,
    ...(places.hidden.length === 0 ? [] : [`(deny file-read* file-write* ${below(places.hidden)})`]),
    `(allow file-read* file-write* ${below(own)})`,
    `(allow file-write-data ${exactly(devices)})`,
    places.network
      ? '(allow network*) (allow system-socket) (allow mach-lookup (global-name "com.apple.dnssd.service"))'
      : '(deny network*)',
    '',
  ].join('\n');
}

function quoted(path: string): string {
  return `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
