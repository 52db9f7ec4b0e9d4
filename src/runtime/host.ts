/**
 * What this machine has and how it feels, read from the operating system without a library: cores and memory within the
 * limits of the container, GPUs, load, battery, temperature.
 *
 * Deliberately not here: what to make of it (`worker/conditions`). Invariants: nothing throws, what cannot be read is
 * null; `readVitals` reads a few small files and starts no process, so it can ride on every heartbeat.
 * Reference: Documentation/ABI/testing/sysfs-class-power, -thermal and -hwmon of the Linux kernel.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import type { WorkerDeclaration, WorkerVitals } from '../core/worker.ts';

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
    ...readPower(join(sysfs, 'class/power_supply')),
    temperatureC: readTemperature(join(sysfs, 'class')),
  };
}

/** AMD GPUs whose driver tells of video memory. */
export function countAmd(sysfs: string): number {
  const drm = join(sysfs, 'class/drm');
  return list(drm).filter(
    (name) => /^card\d+$/.test(name) && readNumber(join(drm, name, 'device/mem_info_vram_total')) !== null,
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

/** Linux programs run there too, but what is forbidden them kills instead of failing. */
export function isAndroid(): boolean {
  return process.platform === 'android' || (process.platform === 'linux' && process.env.ANDROID_ROOT !== undefined);
}

/** Lowest charge of the machine's own batteries, and whether it is on mains power; batteries of mice do not count. */
function readPower(dir: string): Pick<WorkerVitals, 'batteryPercent' | 'charging'> {
  const charges: number[] = [];
  let charging = false;
  for (const name of list(dir)) {
    const supply = join(dir, name);
    const type = readText(join(supply, 'type'));
    if (type !== 'Battery') {
      charging ||= readText(join(supply, 'online')) === '1';
      continue;
    }
    const charge = readNumber(join(supply, 'capacity'));
    if (charge === null || readText(join(supply, 'scope')) === 'Device') continue;
    charges.push(Math.max(0, Math.min(100, charge)));
    charging ||= ['Charging', 'Full'].includes(readText(join(supply, 'status')) ?? '');
  }
  return charges.length === 0
    ? { batteryPercent: null, charging: null }
    : { batteryPercent: Math.min(...charges), charging };
}

/** Hottest plausible sensor in °C: thermal zones, or where there are none the processor's own sensors. */
function readTemperature(dir: string): number | null {
  const zones = list(join(dir, 'thermal'))
    .filter((name) => name.startsWith('thermal_zone'))
    .map((name) => readNumber(join(dir, 'thermal', name, 'temp')));
  const sensors = () =>
    list(join(dir, 'hwmon'))
      .map((name) => join(dir, 'hwmon', name))
      .filter((path) => /^(coretemp|k10temp|zenpower|cpu_thermal)$/.test(readText(join(path, 'name')) ?? ''))
      .map((path) => readNumber(join(path, 'temp1_input')));
  return hottest(zones) ?? hottest(sensors());
}

/** Of readings in thousandths of a degree; sensors that are not connected report nonsense. */
function hottest(readings: readonly (number | null)[]): number | null {
  const plausible = readings.filter((value) => value !== null && value > 0 && value < 150_000).map(Number);
  return plausible.length === 0 ? null : Math.max(...plausible) / 1000;
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

function readNumber(path: string): number | null {
  const text = readText(path);
  return text === null || text === '' || !Number.isFinite(Number(text)) ? null : Number(text);
}
