/**
 * The terminal this process was started in, as a keyboard: settings taken away, so that every key arrives as the bytes it
 * makes and every byte written is shown as it is, and given back in any case: when asked, when this process exits, and by
 * the signals that would end it otherwise.
 *
 * By tcsetattr(3) rather than by the runtime's raw mode, which leaves output processing on: full-screen programs of another
 * terminal would be shown in steps. Where there is no C library to ask, the runtime's mode has to do.
 * Deliberately not here: reading. Invariant: what was found is given back once, and only by who took it.
 * References: termios(3), ioctl_tty(2).
 */

import { dlopen, FFIType } from 'bun:ffi';
import { isatty } from 'node:tty';
import type { Keyboard } from '../cli/context.ts';
import { linuxNames } from './libc.ts';

const { i32, ptr, void: nothing } = FFIType;

const calls = {
  tcgetattr: { args: [i32, ptr], returns: i32 },
  tcsetattr: { args: [i32, i32, ptr], returns: i32 },
  cfmakeraw: { args: [ptr], returns: nothing },
} as const;

const input = 0;
/** Once what was written is shown; what was typed ahead stays. The same number on Linux and macOS. */
const TCSADRAIN = 1;
/** Larger than any `struct termios`. */
const termiosBytesMax = 256;

/** Signals that end a process which does not listen, beside those a command listens to itself. */
const deadly = ['SIGQUIT', 'SIGABRT', 'SIGALRM', 'SIGUSR1', 'SIGUSR2', 'SIGXCPU'] as const;

function openCalls() {
  const names = process.platform === 'darwin' ? ['libSystem.B.dylib'] : linuxNames;
  for (const name of process.platform === 'win32' ? [] : names) {
    try {
      return dlopen(name, calls).symbols;
    } catch {
      // Another C library: the next name may do.
    }
  }
  return null;
}

/** Takes the settings away; returns what gives them back. */
function takeSettings(): () => void {
  const libc = openCalls();
  const found = new Uint8Array(termiosBytesMax);
  if (libc === null || libc.tcgetattr(input, found) !== 0) {
    process.stdin.setRawMode(true);
    return () => void process.stdin.setRawMode(false);
  }
  const raw = found.slice();
  libc.cfmakeraw(raw);
  libc.tcsetattr(input, TCSADRAIN, raw);
  return () => void libc.tcsetattr(input, TCSADRAIN, found);
}

let taken = 0;

/** Lines have to go back to the first column themselves. */
export function isRaw(): boolean {
  return taken > 0;
}

function raw(): () => void {
  const back = takeSettings();
  taken++;
  let isBack = false;
  const restore = (): void => {
    if (isBack) return;
    isBack = true;
    taken--;
    back();
    process.off('exit', restore);
    for (const [signal, end] of ends) process.off(signal, end);
  };
  const ends = deadly.map((signal) => {
    const end = (): void => {
      restore();
      process.kill(process.pid, signal);
    };
    return [signal, end] as const;
  });
  process.on('exit', restore);
  for (const [signal, end] of ends) process.on(signal, end);
  return restore;
}

/** Null where standard input is no terminal. */
export function createKeyboard(): Keyboard | null {
  if (!isatty(input)) return null;
  return {
    size: () => {
      const seen = [process.stdout, process.stderr].find((stream) => stream.isTTY);
      const [columns, rows] = seen?.getWindowSize() ?? [80, 24];
      return { columns, rows };
    },
    raw,
    onResize: (listener) => {
      process.on('SIGWINCH', listener);
      return () => void process.off('SIGWINCH', listener);
    },
  };
}
