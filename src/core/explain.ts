/**
 * Why a task stands where it stands, in sentences. For a waiting task the reasons come from the placement code itself,
 * worker by worker; for an ended one from its outcome, with what to do about it.
 */

import { isolationMismatches, type LimitName } from './isolation.ts';
import { asksForAmounts, backlogLimit, hindrances, mismatches } from './placement.ts';
import { windowsStatusMeans } from './platform/signals.ts';
import type { SchedulerState } from './state.ts';
import { describeOutcome, isFinal, type Task } from './task.ts';
import type { Sleeper } from './waking.ts';

export interface WorkerVerdict {
  readonly id: string;
  readonly name: string;
  /** Made for the task, though it may have no room now. */
  readonly fits: boolean;
  readonly reasons: readonly string[];
}

export interface Explanation {
  readonly summary: string;
  readonly workers: readonly WorkerVerdict[];
  readonly advice: readonly string[];
}

/** Explains `task` at scheduler time `at` (ms). `sleepers`: workers that are away, and made for it. */
export function explain(
  state: SchedulerState,
  task: Task,
  { at, sleepers = [] }: { readonly at: number; readonly sleepers?: readonly Sleeper[] },
): Explanation {
  if (isFinal(task.status)) return explainEnded(task);
  if (task.phase === 'started') {
    return {
      summary: `It is running on worker ${workerName(state, task)}, attempt ${task.attempt}.`,
      workers: [],
      advice: [],
    };
  }
  if (task.phase === 'assigned') {
    return {
      summary: `It was handed to worker ${workerName(state, task)} and starts there when a slot is free.`,
      workers: [],
      advice: [],
    };
  }
  return explainWaiting(state, task, { at, sleepers });
}

function workerName(state: SchedulerState, task: Task): string {
  return (task.workerId === null ? undefined : state.workers.get(task.workerId)?.name) ?? task.workerId ?? 'unknown';
}

function explainWaiting(
  state: SchedulerState,
  task: Task,
  { at, sleepers }: { readonly at: number; readonly sleepers: readonly Sleeper[] },
): Explanation {
  if (task.waitingFor.size > 0) {
    const ids = [...task.waitingFor];
    const named = ids.slice(0, 5).join(', ') + (ids.length > 5 ? ` and ${ids.length - 5} more` : '');
    return { summary: `It waits for ${ids.length} of its dependencies to end: ${named}.`, workers: [], advice: [] };
  }
  if (task.notBefore !== null && task.notBefore > at) {
    const seconds = ((task.notBefore - at) / 1000).toFixed(1);
    return {
      summary: `It is tried again in ${seconds} s: ${clauseOf(task.reason ?? 'an attempt failed')}.`,
      workers: [],
      advice: [],
    };
  }
  const { requires } = task.spec;
  const workers = [...state.workers.values()].map((worker): WorkerVerdict => {
    const never = mismatches(worker, requires);
    const now = hindrances(worker, requires);
    const ahead = !asksForAmounts(requires) && worker.assigned.size - worker.declaration.slots >= backlogLimit(worker);
    if (ahead && now.length === 1) now.push('its backlog is full');
    return { id: worker.id, name: worker.name, fits: never.length === 0, reasons: never.length > 0 ? never : now };
  });
  const asleep = sleepers.map(({ id, name, state: why }): WorkerVerdict => ({ id, name, fits: true, reasons: [why] }));
  const isForSleepers = asleep.length > 0 && !workers.some(({ fits }) => fits) && !state.paused && !state.closing;
  const found = isForSleepers ? sleepersSummary(sleepers) : waitingSummary(state, workers, task);
  return { ...found, workers: [...workers, ...asleep] };
}

/** Nobody who is here is made for the task. */
function sleepersSummary(sleepers: readonly Sleeper[]): Pick<Explanation, 'summary' | 'advice'> {
  const names = sleepers.map(({ name }) => name);
  const named = names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
  const summary = `It waits for a worker that is asleep or switched off, and is being woken: ${named}.`;
  return { summary, advice: [`Call one at once with: octaskly wake ${names[0] ?? ''}`] };
}

function waitingSummary(
  state: SchedulerState,
  workers: readonly WorkerVerdict[],
  task: Task,
): Pick<Explanation, 'summary' | 'advice'> {
  if (state.closing) return { summary: 'The dispatcher is going down; it goes on after the restart.', advice: [] };
  if (state.paused) return { summary: 'Dispatching is paused.', advice: ['Let it go on with: octaskly resume'] };
  if (workers.length === 0) {
    return {
      summary: 'No worker is connected.',
      advice: ['Start one on any device with: octaskly worker --dispatcher HOST'],
    };
  }
  const fitting = workers.filter((worker) => worker.fits);
  if (fitting.length === 0) {
    return {
      summary:
        workers.length === 1
          ? 'The only connected worker is not made for it.'
          : `None of the ${workers.length} workers is made for it.`,
      advice: [
        ...isolationAdvice(state, task),
        'Ask for less (--cpus, --mem, --gpus, --require), or add a worker that has what it asks for.',
      ],
    };
  }
  if (fitting.some((worker) => worker.reasons.length === 0)) {
    return { summary: 'It is about to be placed.', advice: [] };
  }
  return occupiedSummary(state, fitting, workers.length);
}

/** Those that are made for the task take nothing now: `fitting`, of `among` workers. */
function occupiedSummary(
  state: SchedulerState,
  fitting: readonly WorkerVerdict[],
  among: number,
): Pick<Explanation, 'summary' | 'advice'> {
  const who = among === 1 ? 'the only connected worker' : `${fitting.length} of ${among} workers`;
  const able = `${who} could run it`;
  const isOne = fitting.length === 1;
  const drained = fitting.filter(({ id }) => state.workers.get(id)?.draining === true);
  if (drained.length === fitting.length) {
    return {
      summary: `${capitalized(able)}, and ${isOne ? 'it is' : 'they are'} drained.`,
      advice: [`Let one take work again with: octaskly undrain ${drained[0]?.name ?? ''}`],
    };
  }
  const resting = fitting.filter(({ id }) => (state.workers.get(id)?.resting ?? null) !== null);
  if (resting.length === fitting.length) {
    return {
      summary: `${capitalized(able)}, and ${isOne ? 'it takes' : 'they take'} no work for the time being (--when).`,
      advice: ['It starts by itself when one does again; add a worker that may work now.'],
    };
  }
  return {
    summary: `It waits for room: ${able}, and ${isOne ? 'it has none' : 'none of them has any'} now.`,
    advice: ['It starts by itself; add a worker, or raise --priority of what should go first.'],
  };
}

/** Where a level or limit is what is missing, the worker itself knows how to get it. */
function isolationAdvice(state: SchedulerState, task: Task): string[] {
  const lacking = [...state.workers.values()].find(
    ({ declaration }) => isolationMismatches(declaration.isolation, task.spec.requires.isolation).length > 0,
  );
  if (lacking === undefined) return [];
  return [
    `See which levels and limits a worker can give, and how to get more, with: octaskly doctor sandbox (on ${lacking.name}).`,
  ];
}

function explainEnded(task: Task): Explanation {
  const { outcome } = task;
  const attempts = task.attempt === 1 ? '1 attempt' : `${task.attempt} attempts`;
  const reason = task.reason ?? (outcome === null ? task.status : describeOutcome(outcome));
  const summary =
    task.status === 'completed'
      ? `It completed after ${attempts}.`
      : `It ended as ${task.status} after ${attempts}: ${clauseOf(reason)}.`;
  return { summary, workers: [], advice: outcome === null || task.status === 'completed' ? [] : adviceFor(task) };
}

/** A clause, to stand at the beginning of a sentence. */
function capitalized(clause: string): string {
  return clause.charAt(0).toUpperCase() + clause.slice(1);
}

/** A reason, to stand before a full stop. */
function clauseOf(reason: string): string {
  return reason.replace(/\.+$/, '');
}

const knownExits: Readonly<Record<number, string>> = {
  126: 'Status 126 is the shell saying that the command was found but may not be executed: check its permissions.',
  127: 'Status 127 is the shell saying that the command was not found: install it on the worker, or use --require to choose workers that have it.',
  137: 'Status 137 is 128+9: something inside the task was killed, often for want of memory.',
};

function exitMeans(exitCode: number): string[] {
  const known = knownExits[exitCode];
  if (known !== undefined) return [known];
  const onWindows = windowsStatusMeans(exitCode);
  return onWindows === null ? [] : [`Status ${exitCode} is Windows saying: ${onWindows}.`];
}

/** Flags that set the limits, by the limits' names. */
const limitFlags: Readonly<Record<string, string>> = {
  timeout: '--timeout',
  max_output: '--max-output',
  cpu_time_limit: '--cpu-time',
  memory_limit_mb: '--mem-limit',
  disk_limit_mb: '--disk-limit',
  max_open_files: '--max-open-files',
  max_processes: '--max-processes',
} satisfies Record<LimitName, string>;

function adviceFor(task: Task): string[] {
  const logs = `Read what it wrote with: octaskly logs --stderr ${task.id}`;
  const { outcome } = task;
  switch (outcome?.kind) {
    case 'exited':
      return [...exitMeans(outcome.exitCode), logs];
    case 'signaled':
      return outcome.signal === 'SIGKILL'
        ? ['It was killed from outside, often by the system for want of memory: ask for more with --mem.', logs]
        : [logs];
    case 'timed_out':
      return [`Give it more time with --timeout (it had ${outcome.limitMs / 1000} s).`, logs];
    case 'limit_exceeded':
      return [`Raise its limit with ${limitFlags[outcome.limit] ?? outcome.limit}.`, logs];
    case 'spawn_failed':
      return /^Cannot (place|fetch) (the )?input /.test(outcome.message)
        ? ['Its inputs did not reach the worker: see the reason, and whether the disks there and here have room.']
        : ['Check that the program and the working directory exist on the worker.'];
    case 'lost':
      return ['Its workers went away while it ran. If it brings them down, limit what it may use.'];
    default:
      return [];
  }
}
