/**
 * What this machine has and how it feels, read from the operating system without a library: cores and memory within the
 * limits of the container, GPUs, load; battery and temperature come from `battery.ts` and `heat.ts`.
 *
 * Deliberately not here: what to make of it (`core/conditions.ts`). Invariants: nothing throws, what cannot be read is
 * null; `readVitals` reads a few small files and waits for no program, so it can ride on every heartbeat.
 */

import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import type { WorkerDeclaration, WorkerVitals } from '../core/worker.ts';
import { isAndroid } from './android.ts';
import { readPower } from './battery.ts';
import { readTemperature } from './heat.ts';
import { namesIn, numberOf } from './small-files.ts';

const mebibyte = 1024 * 1024;
const probeTimeoutMs = 3000;

/** What can be found out about this machine's resources. */
export type HostResources = Pick<WorkerDeclaration, 'cpuCores' | 'memoryMb' | 'gpu' | 'platform' | 'arch'>;

/** Cores and memory follow CPU affinity and cgroup limits. Takes up to 3 s where a GPU driver is slow. Never rejects. */
export async function detectResources(): Promise<HostResources> {
  const constrained = process.constrainedMemory();
  const memoryBytes = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return {
    cpuCores: availableParallelism(),
    memoryMb: Math.floor(memoryBytes / mebibyte),
    gpu: (await countNvidia()) + countAmd('/sys'),
    platform: isAndroid() ? 'android' : process.platform,
    arch: process.arch,
  };
}

/** Everything of a heartbeat but the number of running tasks. `sysfs` is where /sys is mounted. */
export function readVitals(sysfs = '/sys'): Omit<WorkerVitals, 'running'> {
  return {
    load1: process.platform === 'win32' ? null : (loadavg()[0] ?? null),
    memoryFreeMb: Math.floor(freemem() / mebibyte),
    ...readPower(sysfs),
    temperatureC: readTemperature(sysfs),
  };
}

/** AMD GPUs whose driver tells of video memory. */
export function countAmd(sysfs: string): number {
  const drm = join(sysfs, 'class/drm');
  return namesIn(drm).filter(
    (name) => /^card\d+$/.test(name) && numberOf(join(drm, name, 'device/mem_info_vram_total')) !== null,
  ).length;
}

async function countNvidia(): Promise<number> {
  const program = Bun.which('nvidia-smi');
  if (program === null) return 0;
  try {
    const child = Bun.spawn([program, '--query-gpu=name', '--format=csv,noheader'], {
      env: process.env,
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'ignore',
      timeout: probeTimeoutMs,
      killSignal: 'SIGKILL',
    });
    const names = await new Response(child.stdout).text();
    return (await child.exited) === 0 ? names.split('\n').filter((name) => name.trim() !== '').length : 0;
  } catch {
    return 0;
  }
}
