/** Figure f: a gigabyte of output of one task, and how much larger that makes its worker. */

import { readFileSync } from 'node:fs';
import { memoryMb, openStage, stats, until } from './stage.ts';

export interface FloodFigures {
  /** Output beyond the limit, which is counted and dropped. */
  readonly dropped: Flood;
  /** Output that is all kept: it goes through the worker to the dispatcher. */
  readonly kept: Flood;
}

interface Flood {
  readonly seconds: number;
  /** Highest resident memory of the worker while it ran, above what it was before. */
  readonly growthMb: number;
}

interface Task {
  readonly id: string;
  readonly status: string;
  readonly stdout_bytes: number;
  readonly discarded_bytes: number;
}

/** `bytes` of output. Linux only. Throws when the task does not end well or output is missing. */
export async function measureFlood(options: { bytes: number }): Promise<FloodFigures> {
  const stage = await openStage();
  try {
    stage.start(['dispatcher', '-q']);
    await until('the dispatcher', async () => (await fetch(`${stage.api}/ready`)).ok);
    const worker = stage.start(['worker', '-q']);
    await until('the worker', async () => (await stats(stage)).workers.online === 1);

    const submit = async (command: string, maxOutput: number): Promise<Task> => {
      const response = await fetch(`${stage.api}/api/v1/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ command, max_output: maxOutput }),
      });
      let task = (await response.json()) as Task;
      await until('the task to end', async () => {
        task = (await (await fetch(`${stage.api}/api/v1/tasks/${task.id}`)).json()) as Task;
        return !['queued', 'running'].includes(task.status);
      });
      return task;
    };

    const flood = async (maxOutput: number): Promise<Flood> => {
      // What the worker needs once, for any task, is not growth.
      await submit('head -c 1000000 /dev/zero', 1_000_000);
      const beforeMb = memoryMb(worker.pid).resident;
      let highestMb = beforeMb;
      const watch = setInterval(() => {
        const status = readFileSync(`/proc/${worker.pid}/status`, 'utf8');
        highestMb = Math.max(highestMb, Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
      }, 20);
      const startedAt = performance.now();
      const task = await submit(`head -c ${options.bytes} /dev/zero`, maxOutput);
      clearInterval(watch);
      if (task.status !== 'completed' || task.stdout_bytes + task.discarded_bytes !== options.bytes) {
        throw new Error(`output is missing: ${JSON.stringify(task)}`);
      }
      return { seconds: (performance.now() - startedAt) / 1000, growthMb: highestMb - beforeMb };
    };

    return { dropped: await flood(1_000_000), kept: await flood(1_000_000_000) };
  } finally {
    await stage.close();
  }
}
