/** Figure a: scheduling only. Simulated workers over real links, durable SQLite, batches of 1,000. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesWritten, completed, median, openStage, root, stats, submit, until } from './stage.ts';

export interface SchedulingFigures {
  readonly tasksPerSecond: number;
  readonly bytesPerTask: number;
}

/** Tasks per second from the first submission to the last stored result: the median of `rounds`. */
export async function measureScheduling(options: {
  tasks: number;
  rounds: number;
  workers: number;
}): Promise<SchedulingFigures> {
  const stage = await openStage();
  try {
    const dispatcher = stage.start(['dispatcher', '--max-queue-size', String(options.tasks * 2), '-q']);
    await until('the dispatcher', async () => (await fetch(`${stage.api}/ready`)).ok);
    const secret = readFileSync(join(stage.folder, 'data/secret'), 'utf8').trim();
    const script = join(root, 'test/bench/simulated-workers.ts');
    const simulated = Bun.spawn([process.execPath, script, String(stage.port), secret, String(options.workers), '64'], {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'inherit',
    });
    await until('the workers', async () => (await stats(stage)).workers.online === options.workers);
    const speeds: number[] = [];
    const written: number[] = [];
    for (let round = 0; round <= options.rounds; round++) {
      const before = (await stats(stage)).tasks.completed ?? 0;
      const bytes = bytesWritten(dispatcher.pid);
      const startedAt = performance.now();
      await submit(stage, options.tasks, { command: 'true' });
      await completed(stage, before + options.tasks);
      // The first round warms up.
      if (round === 0) continue;
      speeds.push(options.tasks / ((performance.now() - startedAt) / 1000));
      written.push((bytesWritten(dispatcher.pid) - bytes) / options.tasks);
    }
    simulated.kill();
    await simulated.exited;
    return { tasksPerSecond: median(speeds), bytesPerTask: median(written) };
  } finally {
    await stage.close();
  }
}
