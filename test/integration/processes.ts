/**
 * For tests with real processes: names that can be found again, who of them is alive, and waiting for a condition.
 * Linux only, like the tests that use it.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { isAlive, readProcess } from '../../src/runtime/procfs.ts';

let serial = 0;

/** A number of seconds nobody else sleeps: `sleep ${token()}` is found again by `sleepers`. */
export function token(): string {
  return `300.${process.pid}${String(serial++).padStart(4, '0')}`;
}

/** Living processes that have `mark` as an argument of their own. */
export function sleepers(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && argumentsOf(name).includes(mark))
    .map(Number)
    .filter((pid) => {
      const facts = readProcess(pid);
      return facts !== null && isAlive(facts);
    });
}

function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Resolves when `condition` holds; rejects with its name after 20 s. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited 20 s in vain until ${what}`);
    await Bun.sleep(5);
  }
}

/** Shell text that starts `sleep mark` as daemons do: two forks and a session of its own. */
export function daemon(mark: string, options: { readonly scrubbed?: boolean } = {}): string {
  const clean = options.scrubbed === true ? 'env -i ' : '';
  return `(setsid ${clean}/bin/sh -c 'cd /; /bin/sleep ${mark} </dev/null >/dev/null 2>&1 &' &)`;
}

export const silentLog = { debug() {}, info() {}, warn() {}, error() {} };
