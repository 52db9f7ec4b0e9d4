/**
 * A backstop against fork bombs of an ordinary user where no group or namespace counts a task's processes: the kernel's own
 * count for the account (RLIMIT_NPROC). It counts everything the account runs, threads too, so the cap is what runs now
 * and what the task may have, with room for its neighbours: it holds a bomb to a size at which the watcher can end it.
 *
 * Deliberately not here: exactness, which is the watcher's part; and root, whom the kernel does not hold to it.
 * Reference: getrlimit(2), prlimit(2).
 */

import { readdirSync, statSync } from 'node:fs';
import type { LinuxCalls } from './libc.ts';
import { countThreads, readProcess } from './procfs.ts';

/** What others of the account may start meanwhile. */
const neighboursMax = 256;
/** A count is used again for so long where the limit is far above it. */
const freshMs = 10_000;
const farAbove = 4096;

export class ProcessCap {
  readonly #calls: LinuxCalls | null;
  readonly #own = process.getuid?.() ?? 0;
  readonly #counted = new Map<number, { readonly at: number; readonly threads: number }>();

  constructor(calls: LinuxCalls | null) {
    this.#calls = calls;
  }

  /**
   * Holds what is started next as account `uid` (null = our own) to `processes` and some; until the returned call, which
   * makes it final for the started process and sets ours back. Null when the kernel would not hold it.
   */
  take(processes: number | null, uid: number | null): ((pid: number | null) => void) | null {
    const account = uid ?? this.#own;
    if (processes === null || account === 0) return null;
    const limit = this.#calls?.processLimit() ?? null;
    if (limit === null) return null;
    const cap = BigInt(this.#threads(account, processes) + processes + neighboursMax);
    if (cap >= limit.soft || this.#calls?.setProcessLimit({ soft: cap, hard: limit.hard }) !== true) return null;
    return (pid) => {
      this.#calls?.setProcessLimit(limit);
      if (pid !== null) this.#calls?.limitProcessesOf(pid, cap);
    };
  }

  #threads(account: number, processes: number): number {
    const now = performance.now();
    const known = this.#counted.get(account);
    if (known !== undefined && processes >= farAbove && now - known.at < freshMs) return known.threads;
    const threads = threadsOf(account, account === this.#own);
    this.#counted.set(account, { at: now, threads });
    return threads;
  }
}

/** Threads of all processes of an account; `own`: this process too, which looks like root's as it may not be traced. */
function threadsOf(account: number, own: boolean): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && ownerOf(name) === account);
  const found = new Set(pids.map(Number));
  if (own) found.add(process.pid);
  return countThreads([...found].flatMap((pid) => readProcess(pid) ?? []));
}

function ownerOf(pid: string): number | null {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? null;
}
