/** Figure c: what it costs to be there. Memory of an idle dispatcher and worker, start-up time, writes while idle. */

import { bytesWritten, executable, median, memoryMb, openStage, stats, until } from './stage.ts';

export interface FootprintFigures {
  readonly dispatcherMb: { readonly resident: number; readonly own: number };
  readonly workerMb: { readonly resident: number; readonly own: number };
  readonly versionMs: number;
  readonly helpMs: number;
  /** Bytes the idle dispatcher wrote in `idleSeconds`. */
  readonly idleBytes: number;
}

function startUp(args: readonly string[], runs: number): number {
  const figures: number[] = [];
  for (let run = 0; run < runs; run++) {
    const startedAt = performance.now();
    const { exitCode } = Bun.spawnSync([executable, ...args], { stdout: 'ignore', stderr: 'ignore' });
    if (exitCode !== 0) throw new Error(`octaskly ${args.join(' ')} ended with status ${exitCode}`);
    figures.push(performance.now() - startedAt);
  }
  return median(figures);
}

export async function measureFootprint(options: { idleSeconds: number; runs: number }): Promise<FootprintFigures> {
  const stage = await openStage();
  try {
    const dispatcher = stage.start(['dispatcher', '-q']);
    await until('the dispatcher', async () => (await fetch(`${stage.api}/ready`)).ok);
    const worker = stage.start(['worker', '-q']);
    await until('the worker', async () => (await stats(stage)).workers.online === 1);
    await Bun.sleep(1000);
    const before = bytesWritten(dispatcher.pid);
    await Bun.sleep(options.idleSeconds * 1000);
    return {
      idleBytes: bytesWritten(dispatcher.pid) - before,
      dispatcherMb: memoryMb(dispatcher.pid),
      workerMb: memoryMb(worker.pid),
      versionMs: startUp(['version'], options.runs),
      helpMs: startUp(['--help'], options.runs),
    };
  } finally {
    await stage.close();
  }
}
