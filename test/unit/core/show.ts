/**
 * Effects, tasks and workers as lines of text, for the stories in `test/unit/traces` and for the tests of `step`.
 * A task that one step saves several times is shown once, as it stands at the end: that is what the driver commits.
 */

import { unreachable } from '../../../src/base/assert.ts';
import type { AttemptKey } from '../../../src/core/attempt.ts';
import type { Effect } from '../../../src/core/events.ts';
import type { SchedulerState } from '../../../src/core/state.ts';
import { describeOutcome, type Task } from '../../../src/core/task.ts';
import { type Worker, workerStatus } from '../../../src/core/worker.ts';

const seconds = (ms: number): string => `${(ms / 1000).toFixed(3).replace(/\.?0+$/, '')} s`;
const keyed = ({ taskId, attempt }: AttemptKey): string => `${taskId}#${attempt}`;

/** The effects of one step at scheduler time `at`. */
export function showEffects(effects: readonly Effect[], at: number): string[] {
  const saved = new Set<Task>();
  const lines: string[] = [];
  for (const effect of effects) {
    if (effect.kind === 'saveTask') {
      if (saved.has(effect.task)) continue;
      saved.add(effect.task);
    }
    lines.push(showEffect(effect, at));
  }
  return lines;
}

function showEffect(effect: Effect, at: number): string {
  switch (effect.kind) {
    case 'saveTask':
      return `save ${effect.isNew ? 'new ' : ''}${showTask(effect.task, at)}`;
    case 'saveAttempt':
      return `record ${keyed(effect.record)} on ${effect.record.workerId}: ${describeOutcome(effect.record.outcome)}`;
    case 'saveWorker':
      return `save worker ${effect.worker.id}${effect.worker.draining ? ' draining' : ''}`;
    case 'savePaused':
      return `save paused=${effect.paused}`;
    case 'assign':
      return `assign ${effect.task.id}#${effect.attempt} to ${effect.workerId}`;
    case 'grant':
      return `grant ${keyed(effect.key)} to ${effect.workerId}, which has it as attempt ${effect.previous}`;
    case 'drain':
      return `tell ${effect.workerId} that it is ${effect.draining ? '' : 'no longer '}draining`;
    case 'recall':
      return `recall ${keyed(effect.key)} from ${effect.workerId}`;
    case 'cancel':
      return `cancel ${keyed(effect.key)} on ${effect.workerId}`;
    case 'abandon':
      return `abandon ${keyed(effect.key)} on ${effect.workerId}`;
    case 'welcome': {
      const resume = effect.resume.length === 0 ? '' : `, goes on with ${effect.resume.map(keyed).join(' ')}`;
      return `welcome ${effect.workerId} on link ${effect.session}${resume}`;
    }
    case 'refuse':
      return `refuse link ${effect.session} (${effect.code}): ${effect.detail}`;
    case 'replaceSession':
      return `close link ${effect.session}`;
    case 'publish': {
      const detail = effect.detail === null ? '' : `: ${effect.detail}`;
      return `publish ${effect.what === 'dispatcher' ? '' : `${effect.what} `}${effect.id} ${effect.status}${detail}`;
    }
    default:
      return unreachable(effect);
  }
}

export function showTask(task: Task, at: number): string {
  const parts = [task.id, task.status];
  if (task.phase !== 'idle') parts.push(`${task.phase}`);
  if (task.attempt > 0) parts.push(`attempt=${task.attempt} worker=${task.workerId}`);
  if (task.failures > 0) parts.push(`failures=${task.failures}`);
  if (task.losses > 0) parts.push(`losses=${task.losses}`);
  if (task.notBefore !== null) parts.push(`in ${seconds(task.notBefore - at)}`);
  if (task.waitingFor.size > 0) parts.push(`waits for ${[...task.waitingFor].join(',')}`);
  if (task.cancelRequested) parts.push('cancel requested');
  return parts.join(' ');
}

export function showWorker(worker: Worker): string {
  const { declaration, reserved } = worker;
  const amounts = [`slots=${Math.min(worker.assigned.size, declaration.slots)}/${declaration.slots}`];
  if (reserved.cpuCores > 0) amounts.push(`cpus=${reserved.cpuCores}/${declaration.cpuCores}`);
  if (reserved.memoryMb > 0) amounts.push(`memory=${reserved.memoryMb}/${declaration.memoryMb}`);
  if (reserved.gpu > 0) amounts.push(`gpus=${reserved.gpu}/${declaration.gpu}`);
  const holds = [...worker.assigned.values()].map(({ task, recalled }) => {
    const mark = recalled ? ' (asked back)' : task.phase === 'started' ? ' (runs)' : '';
    return `${task.id}#${task.attempt}${mark}`;
  });
  const work = holds.length === 0 ? 'holds nothing' : `holds ${holds.join(', ')}`;
  return `${worker.id} ${workerStatus(worker)} ${amounts.join(' ')}, ${work}`;
}

export function showState(state: SchedulerState, at: number, what: 'tasks' | 'workers'): string[] {
  if (what === 'tasks') return [...state.tasks.values()].map((task) => showTask(task, at));
  return [...state.workers.values()].map(showWorker);
}
