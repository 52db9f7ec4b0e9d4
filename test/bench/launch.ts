/** Figure e: what a level costs at the start of a task: `true` from launch to its end, beside a plain spawn. Linux only. */

import { chmodSync, cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HostIsolation, notTried } from '../../src/core/host-isolation.ts';
import { noDemand, type SandboxLevel } from '../../src/core/isolation.ts';
import type { Workspace } from '../../src/ports/files.ts';
import type { LaunchPlan } from '../../src/ports/processes.ts';
import { findIsolation, tried } from '../../src/roles/isolation.ts';
import { createLauncher } from '../../src/runtime/launcher.ts';
import { findTaskUser } from '../../src/runtime/task-user.ts';
import { createWorkspace } from '../../src/runtime/workspace.ts';
import { offersOf } from '../../src/worker/offers.ts';
import { createSandbox } from '../../src/worker/sandbox.ts';
import { secondCandidates } from '../../src/worker/trials.ts';
import { executable, median } from './stage.ts';

export interface LaunchFigures {
  /** Bun.spawn of the same program, to its exit. */
  readonly plainMs: number;
  /** Per way of launching, medians: the whole, and the median of what it takes beyond the plain spawn of its round. */
  readonly ways: readonly { readonly name: string; readonly ms: number; readonly beyondPlainMs: number }[];
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const program = ['/bin/true'];

function planAt(host: HostIsolation, level: SandboxLevel, workspace: Workspace): LaunchPlan {
  const sandbox = createSandbox(host, { least: 'none', ownEnvironment: process.env });
  const prepared = sandbox.prepare({ ...noDemand, level });
  const isolation = { ...noDemand, level };
  const requires = { cpuCores: 1, memoryMb: 0, gpu: 0, labels: {}, platform: null, arch: null, isolation };
  const task = { command: null, argv: program, name: null, priority: 0, timeoutMs: 60_000, env: {}, workdir: null };
  const files = {
    stdin: { kind: 'closed' },
    inputs: [],
    outputs: [],
    maxOutputBytes: 1000,
    outputsAt: 'dispatcher',
  } as const;
  return sandbox.plan(
    { taskId: 'bench', attempt: 1, spec: { ...task, ...files, requires } },
    { prepared, area: workspace.createArea(prepared.area), marker: 'bench.1', workerName: 'bench' },
  );
}

/** Every level this machine offers, by everything that can make it. */
async function plansHere(folder: string): Promise<{ name: string; plan: LaunchPlan }[]> {
  const self = join(folder, 'octaskly');
  cpSync(executable, self);
  chmodSync(self, 0o755);
  const taskUser = findTaskUser(process.getuid?.() === 0 ? 'nobody' : undefined);
  const workspace = createWorkspace({ root: join(folder, 'work'), shared: taskUser !== null, log: silent });
  const cgroup = { memory: false, processes: false, cpu: false };
  const found = await findIsolation({ taskUser, hidden: [], cgroup, self: [self], workspace });
  const without = { ...found, bubblewrap: null };
  const own = await tried(without, secondCandidates(without), workspace);
  const noNamespaces = { strict: notTried, veryStrict: notTried };
  const landlock = { ...own, launcher: own.launcher && { ...own.launcher, namespaces: noNamespaces } };
  const levelsOf = (host: HostIsolation, least: SandboxLevel, by: string) =>
    offersOf(host, least).levels.map(({ level }) => ({
      name: `${level}${by}`,
      plan: planAt(host, level, workspace),
    }));
  return [
    ...levelsOf({ ...found, bubblewrap: null, launcher: null }, 'none', ''),
    ...(found.bubblewrap === null ? [] : levelsOf(found, 'strict', ' by bubblewrap')),
    ...levelsOf(own, 'strict', ' by own launcher, namespaces'),
    ...levelsOf(landlock, 'strict', ' by own launcher, Landlock'),
  ];
}

/** One launch each in turn, `rounds` times, on a machine that does nothing else. */
export async function measureLaunch(options: { rounds: number }): Promise<LaunchFigures> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'octaskly-launch-')));
  chmodSync(folder, 0o711);
  const launcher = createLauncher({ log: silent });
  try {
    const ways = (await plansHere(folder)).map((way) => ({ ...way, ms: [] as number[], beyond: [] as number[] }));
    const plain: number[] = [];
    // The first round is for what is done once.
    for (let round = 0; round <= options.rounds; round++) {
      const plainMs = await timed(() => Bun.spawn(program, { stdio: ['ignore', 'pipe', 'pipe'] }).exited);
      if (round > 0) plain.push(plainMs);
      for (const { name, plan, ms, beyond } of ways) {
        const each = await timed(async () => {
          const { exitCode } = await launcher.launch(plan, () => undefined).ended;
          if (exitCode !== 0) throw new Error(`${name}: it ended with status ${exitCode}`);
        });
        if (round === 0) continue;
        ms.push(each);
        beyond.push(each - plainMs);
      }
    }
    const figures = ways.map(({ name, ms, beyond }) => ({ name, ms: median(ms), beyondPlainMs: median(beyond) }));
    return { plainMs: median(plain), ways: figures };
  } finally {
    launcher.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await action();
  return performance.now() - startedAt;
}
