/**
 * Figure u: what the terminal dashboard costs beside 200 workers and 10,000 tasks while tasks go on ending: memory, and
 * processor time on each of its busiest tabs. The terminal is a pseudo terminal whose other end takes everything in.
 */

import { join } from 'node:path';
import { completed, cpuMs, executable, memoryMb, openStage, root, type Stage, stats, submit, until } from './stage.ts';

export interface UiFigures {
  /** Of one core, 0 … 1, on the tab that costs most. */
  readonly cpuShare: number;
  readonly residentMb: number;
  /** Tasks that ended in a second while it was measured. */
  readonly tasksPerSecond: number;
}

const secret = 'a secret of the bench, long enough to be one';
const size = { cols: 120, rows: 40 };
/** Submitted at once, so many times a second. */
const perBatch = 5;
const batchEveryMs = 100;
/** Overview, workers, tasks, logs. */
const tabKeys = ['1', '2', '3', '4'] as const;

interface Options {
  readonly workers: number;
  readonly tasks: number;
  /** On each tab. */
  readonly tabMs: number;
}

/** Submits some tasks now and then until `signal` aborts. */
async function trickle(stage: Stage, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const sent = submit(stage, perBatch, { command: 'true' });
    await Promise.all([sent, Bun.sleep(batchEveryMs)]);
  }
}

/** Looks at the dashboard in a terminal of its own while tasks trickle in. */
async function watchUi(stage: Stage, tabMs: number): Promise<Omit<UiFigures, 'tasksPerSecond'>> {
  let shown = 0;
  const env = { PATH: '/usr/bin:/bin', HOME: stage.folder, TERM: 'xterm-256color', LANG: 'C.UTF-8' };
  const ui = Bun.spawn([executable, 'ui', '--api', stage.api, '--data-dir', join(stage.folder, 'data')], {
    cwd: stage.folder,
    env: { ...env, OCTASKLY_DISCOVERY: 'false' },
    terminal: {
      ...size,
      data: (_, bytes) => {
        shown += bytes.length;
      },
    },
  });
  try {
    await until('the dashboard', () => Promise.resolve(shown > size.cols));
    const shares: number[] = [];
    for (const key of tabKeys) {
      ui.terminal?.write(key);
      await Bun.sleep(tabMs / 4);
      const before = cpuMs(ui.pid);
      const startedAt = performance.now();
      await Bun.sleep(tabMs);
      shares.push((cpuMs(ui.pid) - before) / (performance.now() - startedAt));
    }
    return { cpuShare: Math.max(...shares), residentMb: memoryMb(ui.pid).resident };
  } finally {
    ui.kill('SIGTERM');
    await ui.exited;
    ui.terminal?.close();
  }
}

export async function measureUi({ workers, tasks, tabMs }: Options): Promise<UiFigures> {
  const stage = await openStage();
  const ended = new AbortController();
  let crowd: Bun.Subprocess | null = null;
  let trickling: Promise<void> | null = null;
  try {
    stage.start(['dispatcher', '-q', '--bind', '127.0.0.1', '--max-workers', `${workers}`], {
      OCTASKLY_SECRET: secret,
    });
    await until('the dispatcher', async () => (await fetch(`${stage.api}/ready`)).ok);
    const script = join(root, 'test/bench/simulated-workers.ts');
    crowd = Bun.spawn([process.execPath, script, `${stage.port}`, secret, `${workers}`, '4'], {
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await until('all workers', async () => (await stats(stage)).workers.online === workers);
    await submit(stage, tasks, { command: 'true' });
    await completed(stage, tasks);
    trickling = trickle(stage, ended.signal);
    const startedAt = performance.now();
    const figures = await watchUi(stage, tabMs);
    const more = ((await stats(stage)).tasks.completed ?? 0) - tasks;
    return { ...figures, tasksPerSecond: more / ((performance.now() - startedAt) / 1000) };
  } finally {
    ended.abort();
    await trickling;
    crowd?.kill();
    await crowd?.exited;
    await stage.close();
  }
}
