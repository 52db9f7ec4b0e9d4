/** Figure b: real processes, one dispatcher and one worker on this machine, beside `xargs` in the same run. */

import { bytesWritten, completed, median, openStage, quantile, type Stage, stats, submit, until } from './stage.ts';

export interface ProcessFigures {
  readonly tasksPerSecond: number;
  readonly xargsPerSecond: number;
  /** Median of the rounds' own ratios. */
  readonly ratio: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  /** Bytes the dispatcher writes for a task submitted alone. */
  readonly bytesPerTask: number;
}

function xargs(count: number): number {
  const input = Buffer.from(`${Array.from({ length: count }, (_, n) => n).join('\n')}\n`);
  const startedAt = performance.now();
  const { exitCode } = Bun.spawnSync(['xargs', '-P4', '-n1', 'sh', '-c', 'true'], { stdin: input, stdout: 'ignore' });
  if (exitCode !== 0) throw new Error(`xargs ended with status ${exitCode}`);
  return count / ((performance.now() - startedAt) / 1000);
}

async function throughput(stage: Stage, count: number): Promise<number> {
  const before = (await stats(stage)).tasks.completed ?? 0;
  const startedAt = performance.now();
  await submit(stage, count, { command: 'true' });
  await completed(stage, before + count);
  return count / ((performance.now() - startedAt) / 1000);
}

/** Times from the POST to the published (stored) completion, one task after the other on an idle system. */
async function latencies(stage: Stage, count: number): Promise<number[]> {
  const events = await fetch(`${stage.api}/api/v1/events`);
  const reader = events.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) throw new Error('the event stream has no body');
  let text = '';
  const completion = async (): Promise<void> => {
    for (;;) {
      const end = text.search(/"status":"completed"/);
      if (end >= 0) {
        text = text.slice(end + 1);
        return;
      }
      const { value, done } = await reader.read();
      if (done) throw new Error('the event stream ended');
      text += value;
    }
  };
  const figures: number[] = [];
  for (let n = 0; n < count; n++) {
    const startedAt = performance.now();
    const response = await fetch(`${stage.api}/api/v1/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"command":"true"}',
    });
    await Promise.all([response.arrayBuffer(), completion()]);
    figures.push(performance.now() - startedAt);
    await Bun.sleep(10);
  }
  await reader.cancel();
  return figures;
}

export async function measureProcesses(options: {
  tasks: number;
  rounds: number;
  single: number;
}): Promise<ProcessFigures> {
  const stage = await openStage();
  try {
    const dispatcher = stage.start(['dispatcher', '--max-queue-size', '1000000', '-q']);
    await until('the dispatcher', async () => (await fetch(`${stage.api}/ready`)).ok);
    stage.start(['worker', '--max-jobs', '4', '-q']);
    await until('the worker', async () => (await stats(stage)).workers.online === 1);
    await throughput(stage, 500);
    const own: number[] = [];
    const others: number[] = [];
    for (let round = 0; round < options.rounds; round++) {
      others.push(xargs(options.tasks));
      own.push(await throughput(stage, options.tasks));
    }
    await latencies(stage, 20);
    const bytes = bytesWritten(dispatcher.pid);
    const single = await latencies(stage, options.single);
    return {
      tasksPerSecond: median(own),
      xargsPerSecond: median(others),
      ratio: median(own.map((speed, round) => speed / (others[round] ?? Number.NaN))),
      latencyMs: { p50: quantile(single, 0.5), p99: quantile(single, 0.99) },
      bytesPerTask: (bytesWritten(dispatcher.pid) - bytes) / options.single,
    };
  } finally {
    await stage.close();
  }
}
