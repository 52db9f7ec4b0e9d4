/**
 * The two upper levels by the own launcher, where bubblewrap does not work: what it is told. Pure.
 *
 * By namespaces it makes the same places as bubblewrap. By Landlock alone, strict only, the task sees the real tree and
 * may read just the system and its own directories; /tmp is not its own then, `TMPDIR` names the private one.
 */

import type { ConfineSpec } from '../confine/spec.ts';
import { coveredDirectories, mountsOf, readableDirectories, type View } from './sandbox-view.ts';

/** Devices a program expects to read and write. */
const devices = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty'];

/** The walls of a view by namespaces, or by Landlock. */
export function wallsOf(
  view: View,
  mode: 'namespaces' | 'landlock',
): Pick<ConfineSpec, 'landlock' | 'root' | 'sockets'> {
  const network = view.network && view.level === 'strict';
  if (mode === 'namespaces') return { landlock: null, root: mountsOf(view), sockets: { network, unixSockets: true } };
  const resolvConf = network && view.paths.resolvConf !== null ? [view.paths.resolvConf] : [];
  const landlock = {
    readOnly: [...readableDirectories(view), '/proc', ...resolvConf],
    readWrite: [view.directory, view.temporary, ...devices],
  };
  // A socket with a path is reached whatever Landlock says.
  return { landlock, root: null, sockets: { network, unixSockets: false } };
}

/** Landlock opens whole directories: nothing private may lie below them. */
export function landlockCanHide(view: Pick<View, 'level' | 'paths'>): boolean {
  return coveredDirectories(view).length === 0;
}
