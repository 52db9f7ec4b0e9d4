/**
 * A new root for the task: an empty file system in memory, what the spec lists mounted into it, the old one let go.
 *
 * Runs as process 1 of fresh mount, process and user namespaces with their capabilities (`chainOf` makes them). The new
 * root is built over /tmp, which exists everywhere; sources are held before that hides any of them.
 * Invariants: nothing of it is seen outside (propagation is private); all but `write` and `tmpfs` is read-only with all
 * below it; set-uid bits and devices count nowhere but in /dev.
 * References: pivot_root(2), mount_setattr(2) (Linux 5.12), mount_namespaces(7).
 */

import {
  addressOf,
  checked,
  cString,
  EEXIST,
  errno,
  libc,
  O_CLOEXEC,
  O_CREAT,
  openPlace,
  type Place,
} from './calls.ts';
import type { Mount } from './spec.ts';

const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_BIND = 4096;
const MS_REC = 16384;
const MS_PRIVATE = 1 << 18;
const MNT_DETACH = 2;

const mountSetattr = 442;
const AT_FDCWD = -100;
const AT_RECURSIVE = 0x8000;
const MOUNT_ATTR_RDONLY = 1n;
const MOUNT_ATTR_NOSUID = 2n;
const MOUNT_ATTR_NODEV = 4n;

const base = '/tmp';
/** Enough for the directories and names of a root, or of a /dev. */
const skeletonBytes = 1024 * 1024;
const nodes = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const streams = { fd: '/proc/self/fd', stdin: '/proc/self/fd/0', stdout: '/proc/self/fd/1', stderr: '/proc/self/fd/2' };

/** Builds the root and goes into it. Throws at the first thing that cannot be done; the process is then of no use. */
export function enterRoot(mounts: readonly Mount[]): void {
  mount({ target: '/', flags: MS_REC | MS_PRIVATE });
  const held = mounts.map((each) => (each.kind === 'bind' ? hold(each) : null));
  mountMemory({ target: base, bytes: skeletonBytes, mode: '755' });
  for (const [index, each] of mounts.entries()) put(each, held[index] ?? null);
  checked(`enter ${base}`, libc.chdir(cString(base)));
  const here = cString('.');
  checked('change the root', libc.pivot_root(here, here));
  // Both roots are now at the same place, the old one on top.
  checked('let go of the old root', libc.umount2(here, MNT_DETACH));
  checked('enter the new root', libc.chdir(cString('/')));
  setAttributes('/', MOUNT_ATTR_RDONLY, { recursive: false });
}

function hold({ source, optional }: Extract<Mount, { kind: 'bind' }>): Place | null {
  const place = openPlace(source);
  if (place === null && !optional) checked(`reach ${source}`, -1);
  return place;
}

function put(what: Mount, held: Place | null): void {
  const target = base + what.target;
  switch (what.kind) {
    case 'bind':
      if (held === null) return;
      makeTarget(target, held.directory);
      bind(held, target);
      setAttributes(target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (what.write ? 0n : MOUNT_ATTR_RDONLY), {
        recursive: true,
      });
      return;
    case 'symlink':
      makeDirectory(parentOf(target));
      checked(`make ${what.target}`, libc.symlink(cString(what.to), cString(target)));
      return;
    case 'tmpfs':
      makeDirectory(target);
      mountMemory({ target, bytes: what.bytes, mode: '1777' });
      return;
    case 'proc':
      makeDirectory(target);
      mount({ source: 'proc', target, type: 'proc', flags: MS_NOSUID | MS_NODEV | MS_NOEXEC });
      return;
    case 'devices':
      makeDirectory(target);
      putDevices(target);
      return;
  }
}

function putDevices(target: string): void {
  mountMemory({ target, bytes: skeletonBytes, mode: '755' });
  for (const name of nodes) {
    const node = openPlace(`/dev/${name}`);
    if (node === null) throw new Error(`cannot reach /dev/${name}`);
    makeTarget(`${target}/${name}`, false);
    bind(node, `${target}/${name}`);
  }
  for (const [name, to] of Object.entries(streams)) {
    checked(`make ${name}`, libc.symlink(cString(to), cString(`${target}/${name}`)));
  }
  makeDirectory(`${target}/shm`);
  setAttributes(target, MOUNT_ATTR_RDONLY, { recursive: false });
}

function bind({ descriptor }: Place, target: string): void {
  mount({ source: `/proc/self/fd/${descriptor}`, target, flags: MS_BIND | MS_REC });
  libc.close(descriptor);
}

/** In memory, with a limit on its files too: they cost memory as well. */
function mountMemory({ target, bytes, mode }: { target: string; bytes: number; mode: string }): void {
  const files = Math.ceil(bytes / 4096) + 64;
  const options = `size=${bytes},nr_inodes=${files},mode=${mode}`;
  mount({ source: 'tmpfs', target, type: 'tmpfs', flags: MS_NOSUID | MS_NODEV, options });
}

function mount(what: { source?: string; target: string; type?: string; flags: number; options?: string }): void {
  const { source = 'none', target, type = 'none', flags, options = '' } = what;
  checked(
    `mount ${source === 'none' ? 'anew' : source} at ${target}`,
    libc.mount(cString(source), cString(target), cString(type), flags, cString(options)),
  );
}

function setAttributes(target: string, set: bigint, { recursive }: { readonly recursive: boolean }): void {
  // struct mount_attr: what to set, what to clear, propagation, a user namespace.
  const attributes = new BigUint64Array([set, 0n, 0n, 0n]);
  const name = cString(target);
  checked(
    `protect ${target}`,
    libc.syscall(
      mountSetattr,
      AT_FDCWD,
      addressOf(name),
      recursive ? AT_RECURSIVE : 0,
      addressOf(attributes),
      attributes.byteLength,
    ),
  );
}

function makeTarget(path: string, directory: boolean): void {
  makeDirectory(directory ? path : parentOf(path));
  if (!directory) libc.close(checked(`make ${path}`, libc.open(cString(path), O_CREAT | O_CLOEXEC, 0o444)));
}

function makeDirectory(path: string): void {
  const name = cString(path);
  if (libc.mkdir(name, 0o755) === 0 || errno() === EEXIST) return;
  if (parentOf(path).length > base.length) makeDirectory(parentOf(path));
  checked(`make ${path}`, libc.mkdir(name, 0o755));
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
