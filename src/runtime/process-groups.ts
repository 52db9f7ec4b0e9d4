/**
 * Ending trees of processes on systems without Linux's /proc and subreapers: best effort. Kills the process group, then
 * whatever still carries the attempt's marker in its environment, found with `ps -E` (macOS, BSD). A process that both
 * leaves its group and scrubs its environment gets away; there is no way to find it.
 * Deliberately not here: anything exact; that is `linux-trees.ts`.
 */

import type { Log } from '../ports/time.ts';
import { markerVariable, type OrphansUse, type ProcessTrees, type Survey, signal } from './process-tree.ts';
import { type ProcessFacts, withDescendants } from './procfs.ts';
import { askTool } from './tool-answer.ts';

const roundsMax = 20;
const pauseMs = 20;
/** Longest a listing of processes may take, ms. */
const listingMsMax = 10_000;

/** Trees by process group and marker. */
export class GroupTrees implements ProcessTrees {
  readonly #log: Log;
  readonly #markers = new Map<number, string>();

  constructor(log: Log) {
    this.#log = log;
  }

  get size(): number {
    return this.#markers.size;
  }

  add(pid: number, { marker }: { readonly marker: string }): OrphansUse {
    this.#markers.set(pid, marker);
    // Orphans go to pid 1 here, and their sums with them.
    return { cpuMs: 0, writtenBytes: 0 };
  }

  terminate(pid: number, signals: readonly NodeJS.Signals[]): void {
    if (!this.#markers.has(pid)) return;
    for (const name of signals) signal(-pid, name);
  }

  kill(pid: number): void {
    if (!this.#markers.has(pid)) return;
    signal(-pid, 'SIGKILL');
  }

  finish(pid: number): Promise<void> | null {
    const marker = this.#markers.get(pid);
    this.#markers.delete(pid);
    if (marker === undefined) return null;
    signal(-pid, 'SIGKILL');
    return this.#sweep(marker);
  }

  readonly survey: Survey = async (trees) => {
    const all = await listProcesses();
    return new Map(
      trees.map(({ pid }) => {
        const members = withDescendants(all, [pid]);
        const tree = [...all.values()].filter((facts) => facts.group === pid || members.has(facts.pid));
        return [pid, { members: tree, count: tree.length }];
      }),
    );
  };

  close(): void {
    this.#markers.clear();
  }

  async #sweep(marker: string): Promise<void> {
    try {
      for (let round = 0; round < roundsMax; round++) {
        const pids = await findMarked(marker);
        if (pids.length === 0) return;
        for (const pid of pids) signal(pid, 'SIGKILL');
        await Bun.sleep(pauseMs);
      }
    } catch (error) {
      this.#log.debug('Cannot look for processes of an ended task', { marker, reason: String(error) });
    }
  }
}

/** All processes, as far as ps tells: threads count as one, and what a process has waited for is not known. */
async function listProcesses(): Promise<Map<number, ProcessFacts>> {
  const lines = await linesOfPs('-axo', 'pid=,ppid=,pgid=,rss=,time=,state=');
  return new Map(
    lines
      .map(parseListing)
      .filter((facts) => facts !== null)
      .map((facts) => [facts.pid, facts]),
  );
}

/** One line of `ps -o pid=,ppid=,pgid=,rss=,time=,state=`; null when it is none. */
export function parseListing(line: string): ProcessFacts | null {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+([\d:.-]+)\s+(\S)/.exec(line);
  if (match === null) return null;
  const [pid = 0, parent = 0, group = 0, kilobytes = 0] = match.slice(1, 5).map(Number);
  // [days-][hours:]minutes:seconds[.hundredths]
  const [time = '', days = '0'] = (match[5] ?? '').split('-').reverse();
  const seconds = time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) + Number(days) * 86_400;
  return {
    pid,
    parent,
    group,
    session: group,
    state: match[6] ?? '',
    startedTicks: 0,
    threads: 1,
    cpuMs: Math.round(seconds * 1000),
    waitedCpuMs: 0,
    residentBytes: kilobytes * 1024,
  };
}

/** Pids of living processes started with the marker; `ps -E` shows the environment behind the command. */
async function findMarked(marker: string): Promise<number[]> {
  const lines = await linesOfPs('-axEww', '-o', 'pid=', '-o', 'command=');
  const wanted = ` ${markerVariable}=${marker} `;
  return lines.filter((line) => `${line} `.includes(wanted)).map((line) => Number.parseInt(line, 10));
}

/** Throws when ps cannot be had, or does not end. */
async function linesOfPs(...words: readonly string[]): Promise<readonly string[]> {
  const answer = await askTool(['ps', ...words], listingMsMax);
  if (answer === null) throw new Error('there is no ps');
  if (answer.status === null) throw new Error(`ps did not end within ${listingMsMax / 1000} s`);
  return answer.text.split('\n');
}
