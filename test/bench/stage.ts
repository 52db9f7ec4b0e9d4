/** A stage for measuring: a temporary folder with a dispatcher and workers run from the compiled file, and their ends. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const root = join(import.meta.dir, '../..');
export const executable = process.env.OCTASKLY_TEST_EXECUTABLE ?? join(root, 'dist/octaskly');

/** A port nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

export type Process = Bun.Subprocess<'ignore', 'ignore', 'ignore'>;

export interface Stage {
  readonly folder: string;
  readonly port: number;
  readonly api: string;
  /** Starts the compiled file with these words. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Process;
  /** Ends everything and removes the folder. */
  close(): Promise<void>;
}

/** An empty stage. Throws when the file is not built. */
export async function openStage(): Promise<Stage> {
  if (!existsSync(executable)) throw new Error(`There is no ${executable}; build it first: bun run build`);
  const folder = mkdtempSync(join(tmpdir(), 'octaskly-bench-'));
  const port = await freePort();
  const apiPort = await freePort();
  const started: Process[] = [];
  const base = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: folder,
    OCTASKLY_DATA_DIR: join(folder, 'data'),
    OCTASKLY_PORT: String(port),
    OCTASKLY_API_PORT: String(apiPort),
    // Nothing of it belongs on a real network.
    OCTASKLY_DISCOVERY: 'false',
  };
  return {
    folder,
    port,
    api: `http://127.0.0.1:${apiPort}`,
    start(args, env = {}) {
      const child = Bun.spawn([executable, ...args], {
        cwd: folder,
        env: { ...base, ...env },
        stdin: 'ignore',
        stdout: 'ignore',
        stderr: 'ignore',
      });
      started.push(child);
      return child;
    },
    async close() {
      for (const child of started.reverse()) {
        child.kill('SIGTERM');
        await Promise.race([child.exited, Bun.sleep(10_000)]);
        child.kill('SIGKILL');
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until `condition` holds, asked often; throws after a minute. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`waited a minute in vain for ${what}`);
    // Often enough for a round of seconds, seldom enough not to be part of what is measured.
    await Bun.sleep(20);
  }
}

export async function stats(stage: Stage): Promise<{ tasks: Record<string, number>; workers: { online: number } }> {
  const response = await fetch(`${stage.api}/api/v1/stats`);
  return (await response.json()) as { tasks: Record<string, number>; workers: { online: number } };
}

/** Submits `count` tasks in batches of 1,000, a few under way at once. */
export async function submit(stage: Stage, count: number, task: object): Promise<void> {
  const perBatch = Math.min(1000, count);
  const body = JSON.stringify({ tasks: Array.from({ length: perBatch }, () => task) });
  let left = Math.ceil(count / perBatch);
  const feed = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const response = await fetch(`${stage.api}/api/v1/batches`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: 4 }, feed));
}

export async function completed(stage: Stage, count: number): Promise<void> {
  await until(`${count} tasks to complete`, async () => (await stats(stage)).tasks.completed === count);
}

/** The middle one of some figures. */
export function median(figures: readonly number[]): number {
  return quantile(figures, 0.5);
}

export function quantile(figures: readonly number[], share: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Memory of a process in MB: resident, and its own part of it. Linux only. */
export function memoryMb(pid: number): { resident: number; own: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kb = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
  return { resident: kb('Rss') / 1024, own: (kb('Private_Clean') + kb('Private_Dirty')) / 1024 };
}

/** Processor time a process has used so far, ms. Linux only. */
export function cpuMs(pid: number): number {
  const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const fields = rest.split(' ');
  // Fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms; the state, field 3, comes first here.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Bytes a process has caused to be written to disk so far. Linux only. */
export function bytesWritten(pid: number): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0);
}
