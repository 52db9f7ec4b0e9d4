/**
 * The dispatcher's log of what happens in the cluster, written once it is stored: who came and went, what people did, who
 * was refused; of tasks what was lost, and with --verbose their whole way. One line each, with the same names throughout:
 * task, attempt, worker (its name), actor, from, reason.
 *
 * A log must not grow with the number of tasks unless that is wanted, nor with a flood of attempts to get in: refusals are
 * those that go on record, whose number is bounded, and attempts that were lost together are one line.
 */

import type { Effect } from '../core/events.ts';
import { describeOutcome } from '../core/task.ts';
import type { Log } from '../ports/time.ts';
import type { News } from './news.ts';
import type { Turn } from './turn.ts';

type Entry = News['entries'][number];
type NameOf = (workerId: string) => string;

/** Writes what the turn has to tell. */
export function writeJournal(log: Log, { news, state }: Pick<Turn, 'news' | 'state'>): void {
  const { effects, entries } = news;
  // Workers that have just left are not in the state any more.
  const left = new Map<string, string>();
  for (const effect of effects) if (effect.kind === 'saveWorker') left.set(effect.worker.id, effect.worker.name);
  const nameOf: NameOf = (id) => state.workers.get(id)?.name ?? left.get(id) ?? id;
  for (const entry of entries) writeEntry(log, entry, nameOf);
  writeLosses(log, effects, nameOf);
  const told = new Set(
    entries.filter(({ eventType }) => eventType.startsWith('worker_')).map((entry) => entry.workerId),
  );
  for (const effect of effects) {
    if (effect.kind === 'publish' && effect.what === 'worker') {
      // What somebody has done to a worker is told by the entry.
      if (!told.has(effect.id)) writeWorker(log, effect, state.workers.get(effect.id)?.address ?? null, nameOf);
    } else if (log.isVerbose === true) writeTask(log, effect, nameOf);
  }
}

/** What goes on record: refusals warn, tasks are told of with --verbose only. */
function writeEntry(log: Log, { eventType, actor, workerId, taskId, details }: Entry, nameOf: NameOf): void {
  const isTasks = /^(?:tasks?|batch)_/.test(eventType);
  const isRefusal = /_(?:refused|failed|rejected)$/.test(eventType);
  const level = isRefusal ? 'warn' : isTasks || eventType === 'login' ? 'debug' : 'info';
  const worker = workerId === null ? {} : { worker: nameOf(workerId) };
  const task = taskId === null ? {} : { task: taskId };
  const more = JSON.parse(details) as Record<string, unknown>;
  log[level](eventType.replaceAll('_', ' '), { actor, ...more, ...worker, ...task });
}

type Published = Extract<Effect, { kind: 'publish' }>;

function writeWorker(log: Log, { id, status, detail }: Published, from: string | null, nameOf: NameOf): void {
  const fields = {
    worker: nameOf(id),
    ...(from === null ? {} : { from }),
    ...(detail === null ? {} : { reason: detail }),
  };
  // It said goodbye, or stays away: with nothing lost, no trouble.
  const level = status === 'silent' ? 'warn' : 'info';
  log[level](`worker ${status}`, fields);
}

/** Attempts that were lost, by worker and reason. */
function writeLosses(log: Log, effects: readonly Effect[], nameOf: NameOf): void {
  const losses = new Map<string, { worker: string; reason: string; attempts: number; task: string }>();
  for (const effect of effects) {
    if (effect.kind !== 'saveAttempt' || effect.record.outcome.kind !== 'lost') continue;
    const { workerId, taskId, outcome } = effect.record;
    const key = `${workerId} ${outcome.why}`;
    const known = losses.get(key);
    if (known !== undefined) known.attempts += 1;
    else losses.set(key, { worker: nameOf(workerId), reason: outcome.why, attempts: 1, task: taskId });
  }
  for (const { task, attempts, ...fields } of losses.values()) {
    log.warn('attempts lost', { attempts, ...(attempts === 1 ? { task } : {}), ...fields });
  }
}

/** The way of a task, step by step. */
function writeTask(log: Log, effect: Effect, nameOf: NameOf): void {
  switch (effect.kind) {
    case 'assign': {
      const { task, attempt, workerId, waitedMs } = effect;
      log.debug('task placed', { task: task.id, attempt, worker: nameOf(workerId), waitedMs: Math.round(waitedMs) });
      return;
    }
    case 'grant': {
      const { key, workerId } = effect;
      log.debug('task handed over', { task: key.taskId, attempt: key.attempt, worker: nameOf(workerId) });
      return;
    }
    case 'saveAttempt': {
      const { taskId: task, attempt, workerId, outcome, usage } = effect.record;
      const ran = usage === null ? {} : { ranMs: Math.round(usage.durationMs) };
      log.debug('attempt ended', { task, attempt, worker: nameOf(workerId), end: describeOutcome(outcome), ...ran });
      return;
    }
    case 'publish': {
      if (effect.what !== 'task') return;
      const { id, status, workerId, detail } = effect;
      const worker = workerId === null ? {} : { worker: nameOf(workerId) };
      log.debug(`task ${status}`, { task: id, ...worker, ...(detail === null ? {} : { reason: detail }) });
      return;
    }
    default:
      return;
  }
}
