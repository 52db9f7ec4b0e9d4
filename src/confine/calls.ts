/**
 * The calls of the C library and the kernel that the launcher makes, by bun:ffi. A call that fails throws an error that
 * says what was tried and what the system answered; nothing here decides whether that matters.
 *
 * Deliberately not here: `runtime/libc`, which serves a process that lives on and loads more. Nothing here is async or
 * safe to use beside other threads that change the same things: the launcher has one, and turns into the task.
 * Invariant: struct layouts and numbers below are the same on x64 and arm64; the raw calls are newer than the
 * differences between the two.
 * References: syscall(2), mount_setattr(2), close_range(2), capset(2), setrlimit(2).
 */

import { CString, dlopen, FFIType, ptr, read } from 'bun:ffi';

const { i32, u32, i64, u64, ptr: pointer, void: nothing } = FFIType;

const symbols = {
  __errno_location: { args: [], returns: pointer },
  strerror: { args: [i32], returns: pointer },
  _exit: { args: [i32], returns: nothing },
  syscall: { args: [i64, i64, i64, i64, i64, i64], returns: i64 },
  prctl: { args: [i32, u64, u64, u64, u64], returns: i32 },
  getppid: { args: [], returns: i32 },
  geteuid: { args: [], returns: u32 },
  signal: { args: [i32, u64], returns: i64 },
  sigprocmask: { args: [i32, pointer, pointer], returns: i32 },
  umask: { args: [u32], returns: u32 },
  nice: { args: [i32], returns: i32 },
  getrlimit: { args: [i32, pointer], returns: i32 },
  setrlimit: { args: [i32, pointer], returns: i32 },
  setgroups: { args: [u64, pointer], returns: i32 },
  setresgid: { args: [u32, u32, u32], returns: i32 },
  setresuid: { args: [u32, u32, u32], returns: i32 },
  capset: { args: [pointer, pointer], returns: i32 },
  open: { args: [pointer, i32, u32], returns: i32 },
  close: { args: [i32], returns: i32 },
  read: { args: [i32, pointer, u64], returns: i64 },
  write: { args: [i32, pointer, u64], returns: i64 },
  chdir: { args: [pointer], returns: i32 },
  mkdir: { args: [pointer, u32], returns: i32 },
  symlink: { args: [pointer, pointer], returns: i32 },
  mount: { args: [pointer, pointer, pointer, u64, pointer], returns: i32 },
  umount2: { args: [pointer, i32], returns: i32 },
  pivot_root: { args: [pointer, pointer], returns: i32 },
  sethostname: { args: [pointer, u64], returns: i32 },
  execve: { args: [pointer, pointer, pointer], returns: i32 },
} as const;

const O_DIRECTORY_X64 = 0o200000;
const O_DIRECTORY_ARM64 = 0o40000;
/** Fails with ENOTDIR on what is no directory; one of the few flags the two architectures number differently. */
export const O_DIRECTORY = process.arch === 'arm64' ? O_DIRECTORY_ARM64 : O_DIRECTORY_X64;
export const O_CREAT = 0o100;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

export const ENOENT = 2;
export const EACCES = 13;
export const EEXIST = 17;
export const ENOTDIR = 20;

function openLibrary() {
  for (const name of ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]) {
    try {
      return dlopen(name, symbols).symbols;
    } catch {
      // Another C library: the next name may do.
    }
  }
  throw new Error('the C library cannot be opened');
}

/** The C library. Loading this file where there is none throws. */
export const libc = openLibrary();

/** What C has been given the address of: collected by nobody, since the process soon turns into another program. */
const kept: NodeJS.TypedArray[] = [];

/** A string as C has it. */
export function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

/** Addresses of `parts` and a null, as execve(2) takes them. */
export function cVector(parts: readonly Uint8Array[]): BigUint64Array {
  const vector = new BigUint64Array(parts.length + 1);
  parts.forEach((part, index) => {
    vector[index] = addressOf(part);
  });
  return vector;
}

/** Where `bytes` are and stay, for what is passed within a structure or to a raw call. */
export function addressOf(bytes: NodeJS.TypedArray): bigint {
  kept.push(bytes);
  return BigInt(ptr(bytes));
}

/** What the last call answered; valid until the next call. */
export function errno(): number {
  const place = libc.__errno_location();
  return place === null ? 0 : read.i32(place, 0);
}

/** The system's words for an errno. */
export function textOf(code: number): string {
  const place = libc.strerror(code);
  return place === null ? `error ${code}` : new CString(place).toString();
}

/** The result of a call, or an error "cannot <what>: <why>". */
export function checked(what: string, result: number | bigint): number {
  if (Number(result) < 0) throw new Error(`cannot ${what}: ${textOf(errno())}`);
  return Number(result);
}

/** Everything that can be read from `descriptor`, which is at its beginning. Throws when there is no such thing. */
export function readAll(descriptor: number): Uint8Array {
  let whole = new Uint8Array(0);
  const part = new Uint8Array(65536);
  for (;;) {
    const count = checked(`read descriptor ${descriptor}`, libc.read(descriptor, part, part.length));
    if (count === 0) return whole;
    const longer = new Uint8Array(whole.length + count);
    longer.set(whole);
    longer.set(part.subarray(0, count), whole.length);
    whole = longer;
  }
}

/** A place in the file system, held by a descriptor that can neither read nor write. */
export interface Place {
  readonly descriptor: number;
  readonly directory: boolean;
}

/** Holds `path`, through symbolic links; null when it cannot be reached (errno says why). Give back with `libc.close`. */
export function openPlace(path: string): Place | null {
  const name = cString(path);
  const directory = libc.open(name, O_PATH | O_CLOEXEC | O_DIRECTORY, 0);
  if (directory >= 0) return { descriptor: directory, directory: true };
  if (errno() !== ENOTDIR) return null;
  const descriptor = libc.open(name, O_PATH | O_CLOEXEC, 0);
  return descriptor < 0 ? null : { descriptor, directory: false };
}
