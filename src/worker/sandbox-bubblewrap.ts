/**
 * The two upper levels by bubblewrap: its options. Pure.
 *
 * Namespaces for users, processes, IPC, host name and cgroups always; for the network unless a strict task asks for it;
 * at very-strict also uid 65534, no further user namespaces, and a filter of system calls. No privileges at either, and
 * none to be had by setuid programs.
 * Options and environment go through a descriptor: neither bubblewrap itself nor whoever lists processes sees the task's
 * variables, and a variable such as LD_PRELOAD never acts on bubblewrap before the walls stand.
 * It must not start as root: the task would still be root to whatever of /proc is not covered.
 * Reference: bwrap(1), 0.5 and later.
 */

import type { Mount } from '../confine/spec.ts';
import { coveredDirectories, mountsOf, type View } from './sandbox-view.ts';

/** Descriptors of the launch: the options, then the filter. */
const optionsFd = 3;
const filterFd = 4;

const nobody = '65534';

/** Programs of ours before the task's: bubblewrap, which waits, and the first process of the namespace. */
export const bubblewrapWrappers = 2;

/** What goes before the command. */
export function bubblewrapArgv(path: string): string[] {
  return [path, '--args', String(optionsFd), '--'];
}

/** The options, as bubblewrap reads them from their descriptor. None may hold a NUL character. */
export function bubblewrapOptions(
  view: View,
  task: {
    readonly env: Readonly<Record<string, string>>;
    /** Where the command starts, as the task sees it. */
    readonly workdir: string;
    /** This bubblewrap can forbid further user namespaces (0.8 and later). */
    readonly forbidsNamespaces: boolean;
  },
): string[] {
  const veryStrict = view.level === 'very-strict';
  const readOnlyAgain = ['/dev', ...coveredDirectories(view), '/'];
  return [
    ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...['--unshare-user', '--unshare-ipc', '--unshare-pid', '--unshare-uts', '--unshare-cgroup-try'],
    ...(view.network && !veryStrict ? [] : ['--unshare-net']),
    ...(veryStrict ? ['--uid', nobody, '--gid', nobody, '--hostname', 'task'] : []),
    ...(veryStrict && task.forbidsNamespaces ? ['--disable-userns', '--assert-userns-disabled'] : []),
    ...mountsOf(view).flatMap(mountOptions),
    ...['--chdir', task.workdir, '--clearenv'],
    ...Object.entries(task.env).flatMap(([name, value]) => ['--setenv', name, value]),
    ...readOnlyAgain.flatMap((path) => ['--remount-ro', path]),
    ...(veryStrict ? ['--seccomp', String(filterFd)] : []),
  ];
}

function mountOptions(mount: Mount): string[] {
  switch (mount.kind) {
    case 'bind': {
      const how = mount.write ? '--bind' : '--ro-bind';
      return [mount.optional ? `${how}-try` : how, mount.source, mount.target];
    }
    case 'symlink':
      return ['--symlink', mount.to, mount.target];
    case 'tmpfs':
      return ['--size', String(mount.bytes), '--tmpfs', mount.target];
    case 'proc':
      return ['--proc', mount.target];
    case 'devices':
      return ['--dev', mount.target];
  }
}
