/**
 * Linux's /proc as far as process trees need it: who is whose parent, in which group and session, with which
 * environment. Deliberately not here: decisions; they are in `process-tree.ts`.
 * Invariant: a process may vanish between any two calls, so everything answers null or nothing instead of throwing.
 * Reference: proc(5).
 */

import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

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
}

/** Reads one line of /proc/PID/stat; the name in it may hold blanks and brackets. Null when it is no such line. */
export function parseStat(text: string): ProcessFacts | null {
  const nameEnd = text.lastIndexOf(')');
  const pid = Number.parseInt(text, 10);
  const fields = text.slice(nameEnd + 2).split(' ');
  const [state, parent, group, session] = fields;
  const startedTicks = Number(fields[19]);
  if (nameEnd < 0 || state === undefined || !Number.isInteger(pid) || !Number.isFinite(startedTicks)) return null;
  return { pid, state, parent: Number(parent), group: Number(group), session: Number(session), startedTicks };
}

/** False for zombies, which only wait for their parent to take note. */
export function isAlive(facts: ProcessFacts): boolean {
  return facts.state !== 'Z' && facts.state !== 'X';
}

/** What is known of one process; null when it is gone. */
export function readProcess(pid: number): ProcessFacts | null {
  return parseStat(readText(`/proc/${pid}/stat`));
}

/** All processes that can be seen. Takes about 15 µs for each of them. */
export function readProcesses(): Map<number, ProcessFacts> {
  const all = new Map<number, ProcessFacts>();
  for (const name of readdirSync('/proc')) {
    const first = name.charCodeAt(0);
    if (first < 0x30 || first > 0x39) continue;
    const facts = readProcess(Number(name));
    if (facts !== null) all.set(facts.pid, facts);
  }
  return all;
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

function openQuietly(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
