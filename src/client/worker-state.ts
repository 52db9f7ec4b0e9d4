/** What a worker is doing, in the one word that lists and dashboards show. Pure. */

import type { WorkerView } from '../api/schemas.ts';

/** The status of a worker, and what it does not say alone: that it rests, that its machine sleeps, or is being woken. */
export type WorkerState = WorkerView['status'] | 'resting' | 'asleep' | 'waking';

/** The state of a worker. */
export function workerState({ status, resting, wake }: Pick<WorkerView, 'status' | 'resting' | 'wake'>): WorkerState {
  if (status === 'online' && resting !== null) return 'resting';
  if (status !== 'offline' || wake === null) return status;
  if (wake.tries > 0) return 'waking';
  return wake.unasked ? 'asleep' : status;
}
