/**
 * Ending trees of processes on systems without Linux's /proc and subreapers: best effort. Kills the process group, then
 * whatever still carries the attempt's marker in its environment, found with `ps -E` (macOS, BSD); on Windows
 * `taskkill /T`. A process that both leaves its group and scrubs its environment gets away; there is no way to find it.
 * Deliberately not here: anything exact; that is `process-tree.ts`.
 */

import type { Log } from '../ports.ts';
import { markerVariable, type ProcessTrees, signal } from './process-tree.ts';

const roundsMax = 20;
const pauseMs = 20;

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

  add(pid: number, marker: string): void {
    this.#markers.set(pid, marker);
  }

  terminate(pid: number): void {
    if (!this.#markers.has(pid)) return;
    if (process.platform === 'win32') this.kill(pid);
    else signal(-pid, 'SIGTERM');
  }

  kill(pid: number): void {
    if (!this.#markers.has(pid)) return;
    if (process.platform === 'win32') {
      Bun.spawn(['taskkill', '/PID', String(pid), '/T', '/F'], { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' });
    } else signal(-pid, 'SIGKILL');
  }

  finish(pid: number): Promise<void> | null {
    const marker = this.#markers.get(pid);
    this.#markers.delete(pid);
    if (marker === undefined || process.platform === 'win32') return null;
    signal(-pid, 'SIGKILL');
    return this.#sweep(marker);
  }

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

/** Pids of living processes started with the marker; `ps -E` shows the environment behind the command. */
async function findMarked(marker: string): Promise<number[]> {
  const listing = Bun.spawn(['ps', '-axEww', '-o', 'pid=', '-o', 'command='], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'ignore',
  });
  const lines = (await new Response(listing.stdout).text()).split('\n');
  const wanted = ` ${markerVariable}=${marker} `;
  return lines.filter((line) => `${line} `.includes(wanted)).map((line) => Number.parseInt(line, 10));
}
