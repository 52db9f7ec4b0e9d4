/**
 * What a task sees of the machine at the two upper levels, as a list of mounts: one answer for every mechanism that can
 * build a root. Pure.
 *
 *                strict                                          very-strict
 *   read-only    /usr with /bin and /lib, /etc, /opt, /nix       /usr with /bin and /lib, four things of /etc
 *   writable     /task (its directory), /tmp (on disk), /dev/shm the same
 *
 * It is a list of what is there, not of what is hidden: homes, /run with its sockets, /var and other disks do not exist.
 * Every bind costs a fraction of a millisecond, so they are few.
 */

import type { Mount } from '../confine/spec.ts';
import type { SystemPaths } from '../core/host-isolation.ts';

/** The levels that take the machine away from a task. */
export type UpperLevel = 'strict' | 'very-strict';

const mebibyte = 1024 * 1024;

/** Most that /dev/shm holds: it is memory, and a task without a limit must not take half of the machine's by it. */
const sharedMemoryBytesMax = 64 * mebibyte;

/** What covers a private directory; nothing is written there. */
const coverBytes = 4096;

/** Of /etc at very-strict: what the loader, languages and TLS need. */
const etcNeeded = ['/etc/ld.so.cache', '/etc/alternatives', '/etc/ssl/certs', '/etc/localtime'];

/** What decides what a task sees. */
export interface View {
  readonly level: UpperLevel;
  readonly paths: SystemPaths;
  /** Its directories on the worker. */
  readonly directory: string;
  readonly temporary: string;
  readonly network: boolean;
  readonly memoryMb: number | null;
}

/** Where the task finds its own directory: not where it really is, whose path would show the home it lies in. */
export const directoryInside = '/task';

/** Directories of the system that the task may read. */
export function readableDirectories({ level, paths }: Pick<View, 'level' | 'paths'>): string[] {
  const bin = [...paths.readOnly, ...paths.links.map(({ path }) => path)];
  return level === 'strict' ? [...bin, '/etc', ...paths.extra] : bin;
}

/** Private directories that lie where the task may read. */
export function coveredDirectories(view: Pick<View, 'level' | 'paths'>): string[] {
  const readable = readableDirectories(view);
  return view.paths.hidden.filter((path) => readable.some((root) => path.startsWith(`${root}/`)));
}

/** The mounts of the task's root, in their order. */
export function mountsOf(view: View): Mount[] {
  const { level, paths, directory, temporary, network, memoryMb } = view;
  const shown = (path: string, optional: boolean): Mount => {
    return { kind: 'bind', source: path, target: path, write: false, optional };
  };
  const own = (source: string, target: string): Mount => {
    return { kind: 'bind', source, target, write: true, optional: false };
  };
  const etc =
    level === 'strict'
      ? ['/etc', ...paths.extra].map((path) => shown(path, false))
      : etcNeeded.map((path) => shown(path, true));
  const names = level === 'strict' && network && paths.resolvConf !== null ? [shown(paths.resolvConf, true)] : [];
  const sharedBytes = Math.min(sharedMemoryBytesMax, (memoryMb ?? Number.POSITIVE_INFINITY) * mebibyte);
  return [
    ...paths.readOnly.map((path) => shown(path, false)),
    ...paths.links.map(({ path, target }): Mount => ({ kind: 'symlink', to: target, target: path })),
    ...etc,
    ...names,
    ...coveredDirectories(view).map((target): Mount => ({ kind: 'tmpfs', target, bytes: coverBytes })),
    { kind: 'proc', target: '/proc' },
    { kind: 'devices', target: '/dev' },
    { kind: 'tmpfs', target: '/dev/shm', bytes: sharedBytes },
    own(temporary, '/tmp'),
    own(directory, directoryInside),
  ];
}
