/**
 * A terminal for a task: the pair of ends the kernel keeps (pty(7)), ours and the task's, by bun:ffi. What is typed at our
 * end the line discipline echoes, edits and turns into signals, as for any terminal.
 *
 * Both ends are opened without becoming anybody's controlling terminal: the first program of the task takes it over in its
 * own session (`worker/sandbox-terminal.ts`), since at the upper levels only that one is in the right session.
 *
 * Deliberately not here: reading and writing, which pipes do as well (`pipes.ts`), and names in /dev/pts, which a task in
 * another root does not have. Invariant: both ends are close-on-exec, ours does not block.
 * References: posix_openpt(3), ioctl_tty(2). Numbers of the Linux ABI, the same on every architecture Octaskly is built for;
 * ioctl is variadic, which Linux passes like fixed arguments on x64 and arm64.
 */

import { dlopen, FFIType } from 'bun:ffi';
import { closeSync } from 'node:fs';
import type { TerminalSize } from '../core/task.ts';
import { linuxNames } from './libc.ts';

const { i32, u64, ptr } = FFIType;

const calls = {
  posix_openpt: { args: [i32], returns: i32 },
  unlockpt: { args: [i32], returns: i32 },
  ioctl: { args: [i32, u64, ptr], returns: i32 },
} as const;
/** Its third argument is a number here. */
const peerCalls = { ioctl: { args: [i32, u64, u64], returns: i32 } } as const;

const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const TIOCSWINSZ = 0x5414;
/** Opens the other end without a name (Linux 4.13). */
const TIOCGPTPEER = 0x5441;

/** The two ends, and what can be done to the terminal as such. Whoever opened it closes both. */
export interface PseudoTerminal {
  /** Ours: what is written is typed, what is read is shown. At its end reading fails (EIO). */
  readonly own: number;
  /** The task's. */
  readonly theirs: number;
  /** Programs in it are told (SIGWINCH). Harmless once it is closed by the other side. */
  resize(size: TerminalSize): void;
}

function openCalls() {
  for (const name of linuxNames) {
    try {
      return { ...dlopen(name, calls).symbols, openPeer: dlopen(name, peerCalls).symbols.ioctl };
    } catch {
      // Another C library: the next name may do.
    }
  }
  return null;
}

let opened: ReturnType<typeof openCalls> | undefined;

/** Opens a terminal of this size; null where there are none, or descriptors ran out. */
export function openPseudoTerminal(size: TerminalSize): PseudoTerminal | null {
  if (process.platform !== 'linux') return null;
  opened ??= openCalls();
  const libc = opened;
  if (libc === null) return null;
  const own = libc.posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (own < 0) return null;
  const theirs = libc.unlockpt(own) === 0 ? libc.openPeer(own, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
  if (theirs < 0) {
    closeSync(own);
    return null;
  }
  const resize = ({ columns, rows }: TerminalSize): void => {
    // struct winsize: rows, columns, and pixels, which nobody knows.
    libc.ioctl(own, TIOCSWINSZ, Uint16Array.of(rows, columns, 0, 0));
  };
  resize(size);
  return { own, theirs, resize };
}
