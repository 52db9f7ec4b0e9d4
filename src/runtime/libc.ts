/**
 * The few calls of the C library that Bun does not offer, by bun:ffi: pipes that are real pipes, files in memory, reaping
 * of adopted processes, the subreaper flag, priorities of groups, limits, advisory locks.
 *
 * Deliberately not here: anything Bun or node: can do, and any call whose variadic arguments would go wrong on the
 * platforms where it is used (Linux passes them like fixed ones on x64 and arm64; macOS on arm64 does not, so only
 * `flock`, and `openat` without its variadic one, are used there).
 * Invariant: everything is optional. Where the library cannot be opened `openLinuxCalls` gives null and callers do without.
 * References: pipe2(2), memfd_create(2), prctl(2), wait(2), getrlimit(2), setpriority(2),
 * flock(2), openat(2), execve(2).
 */

import { ptr as addressOf, dlopen, FFIType } from 'bun:ffi';
import { constants, readdirSync } from 'node:fs';

const { i32, u64, i64, ptr } = FFIType;

/** Names of the C library on Linux and Android. */
export const linuxNames: readonly string[] = [
  'libc.so.6', // glibc
  `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`,
  'libc.so', // Android's bionic
];

/** What this build goes without because it cannot make such calls, in sentences; null where it can. */
export const goesWithout: string | null = null;

const openCalls = { openat: { args: [i32, ptr, i32], returns: i32 } } as const;
const execCalls = { execve: { args: [ptr, ptr, ptr], returns: i32 } } as const;
const lockCalls = { flock: { args: [i32, i32], returns: i32 } } as const;
const linuxCalls = {
  ...lockCalls,
  pipe2: { args: [ptr, i32], returns: i32 },
  fcntl: { args: [i32, i32, i32], returns: i32 },
  read: { args: [i32, ptr, u64], returns: i64 },
  waitpid: { args: [i32, ptr, i32], returns: i32 },
  prctl: { args: [i32, u64, u64, u64, u64], returns: i32 },
  getrlimit: { args: [i32, ptr], returns: i32 },
  setrlimit: { args: [i32, ptr], returns: i32 },
  prlimit: { args: [i32, i32, ptr, ptr], returns: i32 },
  getxattr: { args: [ptr, ptr, ptr, u64], returns: i64 },
  sched_setscheduler: { args: [i32, i32, ptr], returns: i32 },
  setpriority: { args: [i32, i32, i32], returns: i32 },
} as const;
/** Apart, since C libraries of older Androids lack it. */
const memoryCalls = { memfd_create: { args: [ptr, i32], returns: i32 } } as const;

// Numbers of the Linux ABI, the same on every architecture Octaskly is built for.
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_SETFL = 4;
const WNOHANG = 1;
const PR_SET_DUMPABLE = 4;
const PR_SET_CHILD_SUBREAPER = 36;
const RLIMIT_CORE = 4;
const RLIMIT_NPROC = 6;
const RLIMIT_MSGQUEUE = 12;
const PRIO_PGRP = 1;
const SCHED_OTHER = 0;
const SCHED_RR = 2;
const SCHED_RESET_ON_FORK = 0x4000_0000;
const MFD_CLOEXEC = 1;
const LOCK_EX_NB = 2 | 4;

function openFirst<Calls extends Parameters<typeof dlopen>[1]>(names: readonly string[], calls: Calls) {
  for (const name of names) {
    try {
      return dlopen(name, calls).symbols;
    } catch {
      // Another C library, or one without a call that is needed: the next name may do.
    }
  }
  return null;
}

/** Soft and hard limit in bytes; `2n ** 64n - 1n` means unlimited. */
export interface Limit {
  readonly soft: bigint;
  readonly hard: bigint;
}

/** What Linux offers beyond Bun. File descriptors are close-on-exec, so no process started later inherits them. */
export interface LinuxCalls {
  /** A pipe: `read` does not block, `write` does (a process is given it). Null when descriptors ran out. */
  openOutputPipe(): { readonly read: number; readonly write: number } | null;
  /** A pipe the other way round: `write` does not block. Null when descriptors ran out. */
  openInputPipe(): { readonly read: number; readonly write: number } | null;
  /** Bytes read into `buffer`; 0 at the end of file, -1 when there is nothing now or the descriptor is bad. */
  read(fd: number, buffer: Uint8Array): number;
  /** Takes the remains of the ended child `pid`: true when there is nothing left of it. Never waits. */
  reap(pid: number): boolean;
  /** Descendants whose parent died become children of this process, or of pid 1 again. False when refused. */
  setSubreaper(on: boolean): boolean;
  /** Keeps other processes of this user from tracing this one and from reading its memory and environment. */
  protectMemory(): void;
  /** Limit on POSIX message queues; null when unknown. Children inherit it. */
  queueLimit(): Limit | null;
  setQueueLimit(limit: Limit): boolean;
  /** Limit on core dumps; null when unknown. Children inherit it. */
  coreLimit(): Limit | null;
  setCoreLimit(limit: Limit): boolean;
  /** Limit on the processes and threads of this account; null when unknown. Children inherit it. */
  processLimit(): Limit | null;
  setProcessLimit(limit: Limit): boolean;
  /** Sets that limit of another process of this account, for good. False when refused. */
  limitProcessesOf(pid: number, limit: bigint): boolean;
  /** Sets the niceness, -20 … 19, of every process in a group. False when refused. */
  setGroupNiceness(group: number, niceness: number): boolean;
  /**
   * Runs this process before all ordinary ones, or like them again; what it starts is not meant. All its threads, since
   * the main one waits for those that collect garbage. Needs root; does nothing when refused.
   */
  setUrgent(on: boolean): void;
  /** An extended attribute of a file, as text of up to 64 bytes; null when there is none. */
  attribute(path: string, name: string): string | null;
  /** An empty file that is in memory only. Null when there is no such thing here, or descriptors ran out. */
  openMemoryFile(): number | null;
}

/** `flock(2)`, exclusive, without waiting: true when this process now holds it. Null where there is none. */
export function openFlock(): ((fd: number) => boolean) | null {
  const names = process.platform === 'darwin' ? ['libSystem.B.dylib'] : linuxNames;
  const symbols = process.platform === 'win32' ? null : openFirst(names, lockCalls);
  return symbols === null ? null : (fd) => symbols.flock(fd, LOCK_EX_NB) === 0;
}

/**
 * `openat(2)` for reading: opens `name` in the open directory `directory` and follows no symbolic link there; a descriptor
 * of a directory when `wanted` says so. -1 when refused. It never waits, whatever it opens. Null where there is none.
 */
export function openOpenAt(): ((directory: number, name: string, wanted: 'file' | 'directory') => number) | null {
  const isDarwin = process.platform === 'darwin';
  const symbols =
    process.platform === 'win32' ? null : openFirst(isDarwin ? ['libSystem.B.dylib'] : linuxNames, openCalls);
  if (symbols === null) return null;
  const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK: nonblock } = constants;
  const always = O_NOFOLLOW | nonblock | (isDarwin ? 0x1000000 : O_CLOEXEC);
  return (directory, name, wanted) => {
    const flags = wanted === 'directory' ? always | O_DIRECTORY : always;
    return symbols.openat(directory, Buffer.from(`${name}\0`), flags);
  };
}

function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

/** What C has been given the address of within a structure; never collected. */
const handedOver: Uint8Array[] = [];

/** Turns this process into another program, on Linux and Android. Returns only when that cannot be done. */
export function become(image: {
  readonly program: string;
  readonly argv: readonly string[];
  /** `NAME=value` each. */
  readonly variables: readonly string[];
}): void {
  const symbols = openFirst(linuxNames, execCalls);
  const vectorOf = (texts: readonly string[]): BigUint64Array => {
    const ended = texts.map(cString);
    handedOver.push(...ended);
    return BigUint64Array.of(...ended.map((text) => BigInt(addressOf(text))), 0n);
  };
  symbols?.execve(cString(image.program), vectorOf(image.argv), vectorOf(image.variables));
}

/** Opens the C library on Linux and Android; null elsewhere. Never throws. */
export function openLinuxCalls(): LinuxCalls | null {
  if (process.platform !== 'linux' && process.platform !== 'android') return null;
  const symbols = openFirst(linuxNames, linuxCalls);
  if (symbols === null) return null;
  const ends = new Int32Array(2);
  const limits = new BigUint64Array(2);
  let memory: { memfd_create(name: Uint8Array, flags: number): number } | null = null;
  const memoryFileName = cString('octaskly');

  const openPipe = (ours: 0 | 1) => {
    if (symbols.pipe2(ends, O_CLOEXEC) !== 0) return null;
    const [read = -1, write = -1] = ends;
    symbols.fcntl(ours === 0 ? read : write, F_SETFL, O_NONBLOCK);
    return { read, write };
  };

  const getLimit = (resource: number): Limit | null => {
    if (symbols.getrlimit(resource, limits) !== 0) return null;
    const [soft = 0n, hard = 0n] = limits;
    return { soft, hard };
  };
  const setLimit = (resource: number, { soft, hard }: Limit): boolean => {
    limits.set([soft, hard]);
    return symbols.setrlimit(resource, limits) === 0;
  };

  return {
    openOutputPipe: () => openPipe(0),
    openInputPipe: () => openPipe(1),
    read: (fd, buffer) => Number(symbols.read(fd, buffer, buffer.length)),
    reap: (pid) => symbols.waitpid(pid, null, WNOHANG) !== 0,
    setSubreaper: (on) => symbols.prctl(PR_SET_CHILD_SUBREAPER, on ? 1 : 0, 0, 0, 0) === 0,
    protectMemory: () => {
      symbols.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    },
    queueLimit: () => getLimit(RLIMIT_MSGQUEUE),
    setQueueLimit: (limit) => setLimit(RLIMIT_MSGQUEUE, limit),
    coreLimit: () => getLimit(RLIMIT_CORE),
    setCoreLimit: (limit) => setLimit(RLIMIT_CORE, limit),
    processLimit: () => getLimit(RLIMIT_NPROC),
    setProcessLimit: (limit) => setLimit(RLIMIT_NPROC, limit),
    limitProcessesOf: (pid, limit) => {
      limits.set([limit, limit]);
      return symbols.prlimit(pid, RLIMIT_NPROC, limits, null) === 0;
    },
    setGroupNiceness: (group, niceness) => symbols.setpriority(PRIO_PGRP, group, niceness) === 0,
    setUrgent: (on) => {
      const policy = on ? SCHED_RR | SCHED_RESET_ON_FORK : SCHED_OTHER;
      const priority = Int32Array.of(on ? 1 : 0);
      if (symbols.sched_setscheduler(0, policy, priority) !== 0) return;
      for (const thread of readdirSync('/proc/self/task')) symbols.sched_setscheduler(Number(thread), policy, priority);
    },
    attribute: (path, name) => {
      const value = new Uint8Array(64);
      const length = Number(symbols.getxattr(cString(path), cString(name), value, value.length));
      return length < 0 ? null : new TextDecoder().decode(value.subarray(0, length));
    },
    openMemoryFile: () => {
      memory ??= openFirst(linuxNames, memoryCalls) ?? { memfd_create: () => -1 };
      const fd = memory.memfd_create(memoryFileName, MFD_CLOEXEC);
      return fd < 0 ? null : fd;
    },
  };
}
