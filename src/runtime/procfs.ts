/**
 * Linux's /proc as far as process trees need it: who is whose parent, in which group and session, with which
 * environment, and what it has used. Deliberately not here: decisions; they are in `linux-trees.ts` and `watcher.ts`.
 * Invariant: a process may vanish between any two calls, so everything answers null or nothing instead of throwing.
 * Reference: proc(5).
 */

import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

/** One process at one moment. `pid` and `startedTicks` together name it for ever; `pid` alone is used again. */
export interface ProcessFacts {
  readonly pid: number;
  /** `Z` and `X` are dead: nothing runs there any more. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Clock ticks from boot to its start. */
  readonly startedTicks: number;
  readonly threads: number;
  /** Processor time of its own, and of the children it has waited for. */
  readonly cpuMs: number;
  readonly waitedCpuMs: number;
  /** Memory it has in RAM, pages shared with others included. */
  readonly residentBytes: number;
}

/** One clock tick as /proc counts time (USER_HZ), the same on every architecture Octaskly is built for. */
const tickMs = 10;

/** Bytes of a page; 4096 on x64, up to 65536 on arm64. */
const pageBytes = measurePage();

/** Reads one line of /proc/PID/stat; the name in it may hold blanks and brackets. Null when it is no such line. */
export function parseStat(text: string): ProcessFacts | null {
  const nameEnd = text.lastIndexOf(')');
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(nameEnd + 2).split(' ');
  const [state, parent, group, session] = fields;
  const field = (index: number) => Number(fields[index]);
  const startedTicks = field(19);
  if (nameEnd < 0 || state === undefined || !Number.isInteger(pid) || !Number.isFinite(startedTicks)) return null;
  return {
    pid,
    state,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startedTicks,
    threads: field(17),
    cpuMs: (field(11) + field(12)) * tickMs,
    waitedCpuMs: (field(13) + field(14)) * tickMs,
    residentBytes: (field(21) || 0) * pageBytes,
  };
}

/** False for zombies, which only wait for their parent to take note. */
export function isAlive(facts: ProcessFacts): boolean {
  return facts.state !== 'Z' && facts.state !== 'X';
}

/** Processes and threads; the dead count as long as their parent lets them wait, since they keep their number. */
export function countThreads(members: readonly ProcessFacts[]): number {
  let count = 0;
  for (const facts of members) count += Math.max(1, facts.threads);
  return count;
}

/** What is known of one process; null when it is gone. */
export function readProcess(pid: number): ProcessFacts | null {
  return parseStat(readText(`/proc/${pid}/stat`));
}

/** All processes that can be seen. Takes about 15 µs for each of them that is not among the `known` already. */
export function readProcesses(known?: ReadonlyMap<number, ProcessFacts>): Map<number, ProcessFacts> {
  const all = new Map<number, ProcessFacts>();
  for (const name of readdirSync('/proc')) {
    const first = name.charCodeAt(0);
    if (first < 0x30 || first > 0x39) continue;
    const facts = known?.get(Number(name)) ?? readProcess(Number(name));
    if (facts !== null) all.set(facts.pid, facts);
  }
  return all;
}

/** More threads than this in one process make a look at all processes cheaper than one list of children a thread. */
const walkThreadsMax = 16;

/**
 * `roots` and all their descendants, found by lists of children: about 30 µs each, however many other processes there
 * are. Stops beyond `enough` processes. Null when that is not the cheap way: more than `max` processes, many threads, or
 * a kernel without such lists.
 */
export function walkDescendants(
  roots: Iterable<number>,
  { max, enough }: { readonly max: number; readonly enough: number },
): ProcessFacts[] | null {
  const found = new Map<number, ProcessFacts>();
  const open = [...roots];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    if (found.has(pid)) continue;
    const facts = readProcess(pid);
    if (facts === null) continue;
    if (facts.threads > walkThreadsMax || found.size >= max) return null;
    found.set(pid, facts);
    if (found.size > enough) break;
    if (!isAlive(facts)) continue;
    const children = readChildren(pid, facts.threads);
    if (children === null) return null;
    open.push(...children);
  }
  return [...found.values()];
}

/**
 * Pids of `roots` and their descendants, by lists of children alone; stops beyond `enough`. For trees that grow faster
 * than they can be looked at: reading `stat` waits for a process that is just being started, and among thousands that one
 * may not get its turn for many seconds. Misses children of threads other than the main one.
 */
export function listDescendants(roots: Iterable<number>, enough: number): Set<number> {
  const found = new Set<number>();
  const open = [...roots];
  for (let pid = open.pop(); pid !== undefined && found.size <= enough; pid = open.pop()) {
    if (found.has(pid)) continue;
    found.add(pid);
    open.push(...(readChildren(pid) ?? []));
  }
  return found;
}

/** Children of one process, of all its threads; null when the kernel does not list them. */
function readChildren(pid: number, threads = 1): number[] | null {
  const tasks = threads > 1 ? listQuietly(`/proc/${pid}/task`) : [String(pid)];
  const children: number[] = [];
  for (const task of tasks) {
    const text = readText(`/proc/${pid}/task/${task}/children`, null);
    if (text === null && existsSync(`/proc/${pid}/task/${task}`)) return null;
    for (const child of (text ?? '').split(' ')) if (child !== '') children.push(Number(child));
  }
  return children;
}

/** Pids of `roots` and all their descendants that are in `all`. */
export function withDescendants(all: ReadonlyMap<number, ProcessFacts>, roots: Iterable<number>): Set<number> {
  const childrenOf = Map.groupBy(all.values(), (facts) => facts.parent);
  const found = new Set<number>();
  const open = [...roots];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    if (found.has(pid) || !all.has(pid)) continue;
    found.add(pid);
    for (const child of childrenOf.get(pid) ?? []) open.push(child.pid);
  }
  return found;
}

/** Up to `length` processes from `pid` on, each the only child of the one before. */
export function readChain(pid: number, length: number): Set<number> {
  const chain = new Set<number>();
  for (let next: number | undefined = pid; next !== undefined && chain.size < length; ) {
    chain.add(next);
    const children: readonly number[] = readChildren(next) ?? [];
    next = children.length === 1 ? children[0] : undefined;
  }
  return chain;
}

/** Value of an environment variable a process was started with; null when unset or not readable. */
export function readVariable(pid: number, name: string): string | null {
  const start = `${name}=`;
  const entry = readText(`/proc/${pid}/environ`)
    .split('\0')
    .find((text) => text.startsWith(start));
  return entry === undefined ? null : entry.slice(start.length);
}

/** Soft limit of a process on POSIX message queues, in bytes; null when unlimited or not readable. */
export function readQueueLimit(pid: number): bigint | null {
  const digits = /^Max msgqueue size +(\d+) /m.exec(readText(`/proc/${pid}/limits`))?.[1];
  return digits === undefined ? null : BigInt(digits);
}

/** Bytes a process, and the children it has waited for, caused to be written to storage; 0 when not readable. */
export function readWrittenBytes(pid: number): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readText(`/proc/${pid}/io`))?.[1] ?? 0);
}

/** A line `name:  12 kB` of a file of /proc, in bytes; 0 when it is not there. */
export function readKilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
}

/**
 * Lists the children of this process, dead ones not yet reaped included: cheap enough (about 5 µs) for every ended task.
 * All of them are listed with the main thread: it is the one that spawns, and orphans are given to it.
 */
export class ChildList {
  readonly #file: number | null;
  readonly #buffer = new Uint8Array(8192);

  constructor() {
    this.#file = openQuietly(`/proc/self/task/${process.pid}/children`);
  }

  /** Pids, oldest first; falls back to a look at all processes on kernels built without this list. */
  read(): number[] {
    if (this.#file === null) {
      return [...readProcesses().values()].filter((facts) => facts.parent === process.pid).map((facts) => facts.pid);
    }
    const pids: number[] = [];
    let pid = 0;
    for (let offset = 0; ; ) {
      const length = readSync(this.#file, this.#buffer, 0, this.#buffer.length, offset);
      if (length === 0) break;
      offset += length;
      for (let index = 0; index < length; index++) {
        const byte = this.#buffer[index] ?? 0;
        if (byte === 0x20) {
          pids.push(pid);
          pid = 0;
        } else pid = pid * 10 + byte - 0x30;
      }
    }
    return pids;
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
  }
}

/** Lists all processes, in the place of `ChildList` where what has lost its parent comes to somebody else. */
export class ProcessList {
  read(): number[] {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0);
  }

  close(): void {}
}

function openQuietly(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}

/** A file of /proc; `otherwise` when it or its process is gone, or not for us to read. */
export function readText(path: string): string;
export function readText<Otherwise>(path: string, otherwise: Otherwise): string | Otherwise;
export function readText(path: string, otherwise: unknown = ''): unknown {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return otherwise;
  }
}

function listQuietly(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Page size by the auxiliary vector, whose entries are pairs of words: AT_PAGESZ is entry 6 (getauxval(3)). */
function measurePage(): number {
  try {
    const words = new BigUint64Array(Uint8Array.from(readFileSync('/proc/self/auxv')).buffer);
    for (let index = 0; index + 1 < words.length; index += 2) if (words[index] === 6n) return Number(words[index + 1]);
  } catch {
    // Not Linux, or already not dumpable: the usual size.
  }
  return 4096;
}
