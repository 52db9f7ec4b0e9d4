/** How each worker fared in the last two minutes, sampled whenever workers are read. Pure and bounded. */

import type { WorkerView } from '../src/api/schemas.ts';

/** Least time between two samples, ms; and how many are kept of each worker. */
export const sampleEveryMs = 2000;
export const samplesKept = 60;

/** Shares, 0 to 1 and more; null where the worker cannot tell. */
export interface Sample {
  readonly slots: number;
  readonly cpu: number | null;
  readonly memory: number | null;
  readonly temperature: number | null;
}

export interface History {
  /** When the last sample was taken, ms since 1970. */
  readonly sampledAt: number;
  /** By worker id, the oldest first. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
}

export const emptyHistory: History = { sampledAt: Number.NEGATIVE_INFINITY, samples: new Map() };

/** Temperature that fills a bar, degrees Celsius: processors slow themselves down about here. */
const fullC = 100;

/** The shares of a worker now. */
export function sampleOf(worker: WorkerView): Sample {
  const { slots, load1, cpu_cores, memory_free_mb, memory_mb, temperature_c } = worker;
  const away = worker.status === 'offline';
  return {
    slots: slots === 0 ? 0 : takenSlots(worker) / slots,
    cpu: load1 === null || cpu_cores === 0 || away ? null : load1 / cpu_cores,
    memory: memory_free_mb === null || memory_mb === 0 || away ? null : Math.max(0, 1 - memory_free_mb / memory_mb),
    temperature: temperature_c === null || away ? null : temperature_c / fullC,
  };
}

/** Slots that have a task or were promised to one. */
export function takenSlots({ running, backlog, slots }: WorkerView): number {
  return Math.min(running + backlog, slots);
}

/** `history` with one more sample of each of `workers`, unless the last is too young; of others nothing is kept. */
export function sampled(history: History, workers: readonly WorkerView[], at: number): History {
  // A clock set back must not stop it. Readings come a little early or late.
  if (Math.abs(at - history.sampledAt) < sampleEveryMs * 0.9) return history;
  const samples = new Map<string, readonly Sample[]>();
  for (const worker of workers) {
    const before = history.samples.get(worker.id) ?? [];
    samples.set(worker.id, [...before.slice(1 - samplesKept), sampleOf(worker)]);
  }
  return { sampledAt: at, samples };
}
