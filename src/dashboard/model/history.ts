/**
 * What the charts show: samples of the figures of the last minutes, in order of time, at most `samplesMax` of them. Pure:
 * an answer of the API and an instant go in, a longer history comes out; the old one stays as it was.
 */

import type { Stats, WorkerView } from '../../api/schemas.ts';

/** Ten minutes of one sample every two seconds. */
export const samplesMax = 300;

const finalStates = ['completed', 'failed', 'timed_out', 'cancelled'] as const;

export interface Sample {
  /** Wall ms. */
  readonly at: number;
  readonly queued: number;
  readonly running: number;
  /** Tasks that ended, ever. */
  readonly ended: number;
  readonly failed: number;
}

/** Of one worker: load of its processors, memory and slots in use, each from 0 to 1 (load may exceed it); null = not known. */
export interface WorkerSample {
  readonly at: number;
  readonly load: number | null;
  readonly memory: number | null;
  readonly slots: number;
}

export interface History {
  readonly samples: readonly Sample[];
  readonly workers: ReadonlyMap<string, readonly WorkerSample[]>;
}

export const emptyHistory: History = { samples: [], workers: new Map() };

export function workerSample(worker: WorkerView, at: number): WorkerSample {
  const { load1, cpu_cores, memory_free_mb, memory_mb, running, slots } = worker;
  return {
    at,
    load: load1 === null || cpu_cores === 0 ? null : load1 / cpu_cores,
    memory: memory_free_mb === null || memory_mb === 0 ? null : Math.max(0, 1 - memory_free_mb / memory_mb),
    slots: slots === 0 ? 0 : running / slots,
  };
}

/** The history with one more look at the cluster. Workers that are gone are forgotten. */
export function sampled(history: History, seen: { stats: Stats; workers: readonly WorkerView[] }, at: number): History {
  const { tasks } = seen.stats;
  const count = (status: keyof typeof tasks): number => tasks[status] ?? 0;
  const sample = {
    at,
    queued: count('queued') + count('blocked'),
    running: count('running'),
    ended: finalStates.reduce((sum, status) => sum + count(status), 0),
    failed: count('failed') + count('timed_out'),
  };
  const present = seen.workers.filter(({ status }) => status !== 'offline');
  const workers = present.map((worker) => {
    const before = history.workers.get(worker.id) ?? [];
    return [worker.id, [...before, workerSample(worker, at)].slice(-samplesMax)] as const;
  });
  return { samples: [...history.samples, sample].slice(-samplesMax), workers: new Map(workers) };
}

/** Tasks ended a second, between each sample and the one before it; the first has none. Deletions never make it negative. */
export function throughput(samples: readonly Sample[], of: 'ended' | 'failed' = 'ended'): (number | null)[] {
  return samples.map((sample, index) => {
    const before = samples[index - 1];
    if (before === undefined || sample.at <= before.at) return null;
    return (Math.max(0, sample[of] - before[of]) * 1000) / (sample.at - before.at);
  });
}
