/**
 * Figures of the workers the scheduler knows, each under its name: slots, what it has and what of that is promised, and
 * how it feels. Those without a session are shown as not up, with what they have; what they feel like is not known.
 */

import type { MetricFamily, Sample } from '../api/metrics.ts';
import type { SchedulerState } from '../core/state.ts';
import type { Worker } from '../core/worker.ts';

/** Workers shown by name, the first by name where there are more: bounds the number of time series. */
export const workersShownMax = 1000;

const mebibyte = 1024 * 1024;

/** A figure of one worker; null = not known. */
interface Figure {
  readonly name: string;
  readonly help: string;
  of(worker: Worker): number | null;
}

const inMegabytes = (value: number | null | undefined): number | null =>
  value === null || value === undefined ? null : value * mebibyte;

const figures: readonly Figure[] = [
  { name: 'up', help: '1 while the worker has a session', of: ({ session }) => Number(session !== null) },
  { name: 'slots', help: 'Tasks the worker runs at once', of: ({ declaration }) => declaration.slots },
  {
    name: 'slots_used',
    help: 'Slots that are taken',
    of: ({ assigned, declaration }) => Math.min(assigned.size, declaration.slots),
  },
  {
    name: 'backlog_tasks',
    help: 'Tasks sent ahead that wait for a slot there',
    of: ({ assigned, declaration }) => Math.max(0, assigned.size - declaration.slots),
  },
  { name: 'cpu_cores', help: 'Cores offered', of: ({ declaration }) => declaration.cpuCores },
  { name: 'cpu_cores_reserved', help: 'Cores promised to tasks', of: ({ reserved }) => reserved.cpuCores },
  { name: 'memory_bytes', help: 'Memory offered', of: ({ declaration }) => inMegabytes(declaration.memoryMb) },
  {
    name: 'memory_reserved_bytes',
    help: 'Memory promised to tasks',
    of: ({ reserved }) => inMegabytes(reserved.memoryMb),
  },
  { name: 'memory_free_bytes', help: 'Memory that is free', of: ({ vitals }) => inMegabytes(vitals?.memoryFreeMb) },
  { name: 'gpus', help: 'GPUs offered', of: ({ declaration }) => declaration.gpu },
  { name: 'gpus_reserved', help: 'GPUs promised to tasks', of: ({ reserved }) => reserved.gpu },
  { name: 'load1', help: 'Load average of one minute', of: ({ vitals }) => vitals?.load1 ?? null },
  {
    name: 'battery_ratio',
    help: 'Charge of the battery, 0 to 1',
    of: ({ vitals }) => {
      const percent = vitals?.batteryPercent ?? null;
      return percent === null ? null : percent / 100;
    },
  },
  { name: 'temperature_celsius', help: 'How hot it is', of: ({ vitals }) => vitals?.temperatureC ?? null },
];

function slotsOf(workers: readonly Worker[]): MetricFamily[] {
  const sums = { total: 0, used: 0 };
  for (const { session, assigned, declaration } of workers) {
    if (session === null) continue;
    sums.total += declaration.slots;
    sums.used += Math.min(assigned.size, declaration.slots);
  }
  const help = 'of all workers with a session';
  return [
    { name: 'octaskly_slots', type: 'gauge', help: `Slots ${help}`, samples: [{ value: sums.total }] },
    { name: 'octaskly_slots_used', type: 'gauge', help: `Slots taken ${help}`, samples: [{ value: sums.used }] },
  ];
}

/** The slots of all together, and a family for each figure. */
export function workerFamilies(state: SchedulerState): MetricFamily[] {
  const workers = [...state.workers.values()];
  const shown = workers.sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, workersShownMax);
  const own = figures.map(({ name, help, of }): MetricFamily => {
    const samples = shown.flatMap((worker): Sample[] => {
      const value = of(worker);
      return value === null ? [] : [{ labels: { worker: worker.name }, value }];
    });
    return { name: `octaskly_worker_${name}`, type: 'gauge', help, samples };
  });
  return [...slotsOf(workers), ...own];
}
