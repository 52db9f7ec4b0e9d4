/**
 * The kinds of device a file of the program is built for, and which of them a device is.
 *
 * A target is named as the runtime names it, without its `bun-`: system, processor, C library. The same word stands in
 * names of files, in the manifest of a release, and in `/download/{target}`.
 */

export interface Target {
  readonly name: string;
  readonly system: 'linux' | 'android' | 'darwin' | 'windows';
  readonly arch: 'x64' | 'arm64' | 'armv7';
  /** The C library the file is linked with; `null` where a system has one alone. */
  readonly libc: 'glibc' | 'musl' | null;
  /** Compiled by Bun, or the single executable of Node with the same sources, where Bun has no such target. */
  readonly runtime: 'bun' | 'node';
}

const target = (
  name: string,
  system: Target['system'],
  arch: Target['arch'],
  libc: Target['libc'] = null,
  runtime: Target['runtime'] = 'bun',
): Target => ({ name, system, arch, libc, runtime });

/** All of them, in the order they are listed to people. */
export const targets: readonly Target[] = [
  target('linux-x64', 'linux', 'x64', 'glibc'),
  target('linux-arm64', 'linux', 'arm64', 'glibc'),
  target('linux-x64-musl', 'linux', 'x64', 'musl'),
  target('linux-arm64-musl', 'linux', 'arm64', 'musl'),
  target('linux-arm64-android', 'android', 'arm64'),
  target('linux-armv7', 'linux', 'armv7', 'glibc', 'node'),
  target('darwin-x64', 'darwin', 'x64'),
  target('darwin-arm64', 'darwin', 'arm64'),
  target('windows-x64', 'windows', 'x64'),
  target('windows-arm64', 'windows', 'arm64'),
];

/** The target of that name, with or without the runtime's `bun-` before it; undefined where there is none. */
export function targetNamed(name: string): Target | undefined {
  const bare = name.replace(/^bun-/, '');
  return targets.find((each) => each.name === bare);
}

/** The names of the targets in a list of sums as a dispatcher hands it out: lines of a sum, two spaces and a target. */
export function targetsIn(sums: string): readonly string[] {
  return sums
    .trim()
    .split('\n')
    .map((line) => line.split('  ')[1] ?? '');
}

/** The name of the program's file on that system. */
export function programNameOn({ system }: Pick<Target, 'system'>): string {
  return system === 'windows' ? 'octaskly.exe' : 'octaskly';
}

/** The archive of a version for a target: what a release offers to people and to `octaskly update`. */
export function archiveName(version: string, { name, system }: Target): string {
  return `octaskly-${version}-${name}.${system === 'windows' ? 'zip' : 'tar.gz'}`;
}
