/** Figure h: what a thousand workers cost a dispatcher that has nothing to do: memory and processor time. */

import { join } from 'node:path';
import { cpuMs, memoryMb, openStage, root, stats, until } from './stage.ts';

export interface CrowdFigures {
  readonly workers: number;
  /** From the first dial until all have joined, ms. */
  readonly joinedMs: number;
  readonly residentMb: number;
  /** Share of one core, 0 … 1. */
  readonly cpuShare: number;
}

const secret = 'a secret of the bench, long enough to be one';

/** `settleMs` is rest before measuring: what joining left to be told and collected is over. */
export async function measureCrowd(options: {
  readonly workers: number;
  readonly settleMs: number;
  readonly restMs: number;
}): Promise<CrowdFigures> {
  const stage = await openStage();
  let crowd: Bun.Subprocess | null = null;
  try {
    const { workers, settleMs, restMs } = options;
    const dispatcher = stage.start(['dispatcher', '-q', '--bind', '127.0.0.1', '--max-workers', `${workers}`], {
      OCTASKLY_SECRET: secret,
    });
    await until('the dispatcher', async () => (await fetch(`${stage.api}/ready`)).ok);
    const startedAt = performance.now();
    const script = join(root, 'test/bench/simulated-workers.ts');
    crowd = Bun.spawn([process.execPath, script, `${stage.port}`, secret, `${workers}`, '4'], {
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await until('all workers', async () => (await stats(stage)).workers.online === workers);
    const joinedMs = performance.now() - startedAt;
    await Bun.sleep(settleMs);
    const before = cpuMs(dispatcher.pid);
    const restedAt = performance.now();
    await Bun.sleep(restMs);
    const cpuShare = (cpuMs(dispatcher.pid) - before) / (performance.now() - restedAt);
    return { workers, joinedMs, residentMb: memoryMb(dispatcher.pid).resident, cpuShare };
  } finally {
    crowd?.kill();
    await crowd?.exited;
    await stage.close();
  }
}

if (import.meta.main) {
  const { workers, joinedMs, residentMb, cpuShare } = await measureCrowd({
    workers: 1000,
    settleMs: 10_000,
    restMs: 10_000,
  });
  console.log(`${workers} workers joined in ${Math.round(joinedMs)} ms`);
  console.log(`at rest: ${Math.round(residentMb)} MB, ${(cpuShare * 100).toFixed(1)} % of one core`);
}
