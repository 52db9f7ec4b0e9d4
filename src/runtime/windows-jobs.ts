/**
 * Job objects of Windows, by bun:ffi: what holds a tree of processes together whatever it starts, keeps it within limits,
 * sums up what it used, and ends it as one. To Windows they are what control groups are to Linux.
 *
 * A job ends with its last handle (KILL_ON_JOB_CLOSE), and only this process has one, which no child inherits: so tasks end
 * with their worker, however it ends. A process in a job stays in it, and so does what it starts: leaving is not allowed.
 *
 * References: jobapi2.h, winnt.h (JOBOBJECT_*), psapi.h; layouts are those of 64-bit Windows, x64 and arm64 alike.
 */

import { dlopen, FFIType } from 'bun:ffi';
import type { LaunchLimits } from '../ports/processes.ts';

const { i32, u32, ptr } = FFIType;

const symbols = {
  CreateJobObjectW: { args: [ptr, ptr], returns: ptr },
  AssignProcessToJobObject: { args: [ptr, ptr], returns: i32 },
  SetInformationJobObject: { args: [ptr, u32, ptr, u32], returns: i32 },
  QueryInformationJobObject: { args: [ptr, u32, ptr, u32, ptr], returns: i32 },
  TerminateJobObject: { args: [ptr, u32], returns: i32 },
  OpenProcess: { args: [u32, i32, u32], returns: ptr },
  GetProcessTimes: { args: [ptr, ptr, ptr, ptr, ptr], returns: i32 },
  GetExitCodeProcess: { args: [ptr, ptr], returns: i32 },
  CloseHandle: { args: [ptr], returns: i32 },
  K32GetProcessMemoryInfo: { args: [ptr, ptr, u32], returns: i32 },
} as const;

const PROCESS_TERMINATE = 0x1;
const PROCESS_SET_QUOTA = 0x100;
const PROCESS_QUERY_LIMITED_INFORMATION = 0x1000;

/** Kinds of JOBOBJECTINFOCLASS, and the sizes of what they say. */
const processList = { kind: 3, bytes: 8 + 8 * 4096 };
const accounting = { kind: 8, bytes: 96 };
const extendedLimits = { kind: 9, bytes: 144 };

const LIMIT_ACTIVE_PROCESS = 0x8;
const LIMIT_JOB_MEMORY = 0x200;
/** No window that tells of a crash and waits for somebody to close it. */
const LIMIT_DIE_ON_UNHANDLED_EXCEPTION = 0x400;
const LIMIT_KILL_ON_JOB_CLOSE = 0x2000;

/** What a job's processes used, the ended ones too. */
export interface JobUse {
  readonly cpuMs: number;
  readonly writtenBytes: number;
  /** The most memory all of them had been promised at once. */
  readonly memoryPeakBytes: number;
  /** How many of them live. */
  readonly active: number;
}

/** One job. Nothing throws; after `close` nothing is known and nothing is done. */
export interface Job {
  /** Puts a process into it, with all it will start. False when it has ended already. */
  take(pid: number): boolean;
  /** Holds it to these; what cannot be held (time, disk) is left out. */
  limit(limits: Pick<LaunchLimits, 'memoryBytes' | 'processes'>): void;
  /** Pids of its living processes, up to 4096. */
  members(): readonly number[];
  use(): JobUse;
  /** Ends every process of it, with this as their exit status. */
  end(exitStatus: number): void;
  /** What is in it, and this process with it, no longer ends with its last handle. */
  release(): void;
  /** Gives it up, and ends what is left in it. Idempotent. */
  close(): void;
}

/** Holds on to an ended process until `close`. */
export interface ExitStatus {
  /** Null while it runs. */
  read(): number | null;
  close(): void;
}

export interface JobCalls {
  /** Null when Windows gives none. */
  open(): Job | null;
  /** Memory a process holds now; 0 when it is gone. */
  residentBytes(pid: number): number;
  /** When a process began, in units of 100 ns; 0 when it is gone. */
  startedAt(pid: number): bigint;
  /** What tells the exit status of a process when it has ended, all 32 bits of it; null when it is gone. */
  openStatus(pid: number): ExitStatus | null;
}

/** Null where there are no such calls: not on Windows, or no bun:ffi (arm64). */
export function openJobCalls(): JobCalls | null {
  if (process.platform !== 'win32') return null;
  try {
    const calls = dlopen('kernel32.dll', symbols).symbols;
    return {
      open: () => openJob(calls),
      residentBytes: (pid) => residentBytes(calls, pid),
      startedAt: (pid) => startedAt(calls, pid),
      openStatus: (pid) => openStatus(calls, pid),
    };
  } catch {
    return null;
  }
}

type Calls = ReturnType<typeof dlopen<typeof symbols>>['symbols'];

/** JOBOBJECT_EXTENDED_LIMIT_INFORMATION for these limits. Pure; exported for its test. */
export function limitsRecord(
  { memoryBytes, processes }: Pick<LaunchLimits, 'memoryBytes' | 'processes'>,
  endsWithHandle = true,
): DataView {
  const record = new DataView(new ArrayBuffer(extendedLimits.bytes));
  let flags = LIMIT_DIE_ON_UNHANDLED_EXCEPTION | (endsWithHandle ? LIMIT_KILL_ON_JOB_CLOSE : 0);
  if (processes !== null) {
    flags |= LIMIT_ACTIVE_PROCESS;
    record.setUint32(40, Math.min(processes, 0xffff_ffff), true);
  }
  if (memoryBytes !== null) {
    flags |= LIMIT_JOB_MEMORY;
    record.setBigUint64(120, BigInt(memoryBytes), true);
  }
  record.setUint32(16, flags, true);
  return record;
}

/** Of JOBOBJECT_BASIC_AND_IO_ACCOUNTING_INFORMATION and the peak that stands in the limits. Pure; exported for its test. */
export function useIn(sums: DataView, limits: DataView): JobUse {
  // Times are in units of 100 ns.
  const cpu = sums.getBigUint64(0, true) + sums.getBigUint64(8, true);
  return {
    cpuMs: Number(cpu / 10_000n),
    active: sums.getUint32(40, true),
    writtenBytes: Number(sums.getBigUint64(48 + 32, true)),
    memoryPeakBytes: Number(limits.getBigUint64(136, true)),
  };
}

function openJob(calls: Calls): Job | null {
  const handle = calls.CreateJobObjectW(null, null);
  if (handle === null) return null;
  let open = true;
  const ask = ({ kind, bytes }: { readonly kind: number; readonly bytes: number }): DataView => {
    const answer = new DataView(new ArrayBuffer(bytes));
    if (open) calls.QueryInformationJobObject(handle, kind, bytesOf(answer), bytes, null);
    return answer;
  };
  const limit = (limits: Pick<LaunchLimits, 'memoryBytes' | 'processes'>, endsWithHandle = true): void => {
    const record = bytesOf(limitsRecord(limits, endsWithHandle));
    if (open) calls.SetInformationJobObject(handle, extendedLimits.kind, record, record.length);
  };
  limit({ memoryBytes: null, processes: null });
  return {
    limit: (limits) => limit(limits),
    release: () => limit({ memoryBytes: null, processes: null }, false),
    take: (pid) =>
      open &&
      (withProcess(calls, pid, PROCESS_TERMINATE | PROCESS_SET_QUOTA, (process) =>
        calls.AssignProcessToJobObject(handle, process),
      ) ?? 0) !== 0,
    members: () => {
      const answer = ask(processList);
      return Array.from({ length: answer.getUint32(4, true) }, (_, at) =>
        Number(answer.getBigUint64(8 + 8 * at, true)),
      );
    },
    use: () => useIn(ask(accounting), ask(extendedLimits)),
    end: (exitStatus) => {
      if (open) calls.TerminateJobObject(handle, exitStatus);
    },
    close: () => {
      if (open) calls.CloseHandle(handle);
      open = false;
    },
  };
}

/** PROCESS_MEMORY_COUNTERS, of which the working set is wanted. */
function residentBytes(calls: Calls, pid: number): number {
  const counters = new DataView(new ArrayBuffer(72));
  counters.setUint32(0, counters.byteLength, true);
  withProcess(calls, pid, PROCESS_QUERY_LIMITED_INFORMATION, (process) =>
    calls.K32GetProcessMemoryInfo(process, bytesOf(counters), counters.byteLength),
  );
  return Number(counters.getBigUint64(16, true));
}

function bytesOf(record: DataView): Uint8Array {
  return new Uint8Array(record.buffer, record.byteOffset, record.byteLength);
}

function startedAt(calls: Calls, pid: number): bigint {
  const times = new BigUint64Array(4);
  const at = (index: number) => times.subarray(index, index + 1);
  withProcess(calls, pid, PROCESS_QUERY_LIMITED_INFORMATION, (process) =>
    calls.GetProcessTimes(process, at(0), at(1), at(2), at(3)),
  );
  return times[0] ?? 0n;
}

/** GetExitCodeProcess: one that still runs has this status. */
const STILL_ACTIVE = 259;

function openStatus(calls: Calls, pid: number): ExitStatus | null {
  const handle = calls.OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid);
  if (handle === null) return null;
  return {
    read: () => {
      const status = new Uint32Array(1);
      const isKnown = calls.GetExitCodeProcess(handle, status) !== 0;
      return isKnown && status[0] !== STILL_ACTIVE ? (status[0] ?? null) : null;
    },
    close: () => void calls.CloseHandle(handle),
  };
}

type Handle = NonNullable<ReturnType<Calls['OpenProcess']>>;

/** Null when there is no such process, or it is not ours to ask. */
function withProcess<T>(calls: Calls, pid: number, rights: number, action: (process: Handle) => T): T | null {
  const handle = calls.OpenProcess(rights, 0, pid);
  if (handle === null) return null;
  try {
    return action(handle);
  } finally {
    calls.CloseHandle(handle);
  }
}
