/** What the API shows of workers and of the dispatcher itself, from the scheduler's state. Pure. */

import type { Explanation, FeedEvent, SandboxView, Stats, WorkerView } from '../api/schemas.ts';
import type { Effect } from '../core/events.ts';
import type { Explanation as Findings } from '../core/explain.ts';
import type { Isolation } from '../core/isolation.ts';
import type { RememberedWorker } from '../core/restore.ts';
import { type SchedulerState, waitingCount } from '../core/state.ts';
import type { Task } from '../core/task.ts';
import { type Calls, isWakeable } from '../core/waking.ts';
import { type Worker, type WorkerDeclaration, workerStatus } from '../core/worker.ts';

const iso = (wallMs: number): string => new Date(wallMs).toISOString();

function declared(has: WorkerDeclaration) {
  return {
    id: has.id,
    version: has.version,
    platform: has.platform,
    arch: has.arch,
    slots: has.slots,
    cpu_cores: has.cpuCores,
    memory_mb: has.memoryMb,
    gpu: has.gpu,
    labels: { ...has.labels },
    sandbox: sandboxView(has.isolation),
  };
}

function sandboxView({ least, levels, missing }: Isolation): SandboxView {
  return {
    least,
    levels: levels.map(({ level, mechanism, network, limits }) => ({ level, mechanism, network, limits })),
    missing: missing.map(({ level, reason, remedy }) => ({ level, reason, remedy })),
  };
}

/** All workers in the order of their names: those the scheduler knows, and those that are `away`. */
export function workerViews(
  state: SchedulerState,
  away: readonly RememberedWorker[],
  facts: {
    /** Files that are there and nowhere else, by worker. */
    readonly kept: ReadonlyMap<string, number>;
    /** How often it was called since work waits for it, `lastAt` as wall-clock ms. */
    callsOf(workerId: string): Calls | null;
  },
): WorkerView[] {
  const present = [...state.workers.values()].map((worker) => workerView(worker, facts.kept.get(worker.id) ?? 0));
  const absent = away.map((record) => {
    const { id } = record.declaration;
    return offlineView(record, facts.kept.get(id) ?? 0, facts.callsOf(id));
  });
  return [...present, ...absent].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** A worker the scheduler knows. `keptOutputs`: files that are there and nowhere else. */
function workerView(worker: Worker, keptOutputs: number): WorkerView {
  const { declaration, vitals, reserved } = worker;
  const running = [...worker.assigned.values()].filter(({ task }) => task.phase === 'started').length;
  return {
    ...declared(declaration),
    name: worker.name,
    status: workerStatus(worker),
    address: worker.session === null ? null : worker.address,
    running,
    backlog: worker.assigned.size - running,
    reserved: { cpu_cores: reserved.cpuCores, memory_mb: reserved.memoryMb, gpu: reserved.gpu },
    load1: vitals?.load1 ?? null,
    memory_free_mb: vitals?.memoryFreeMb ?? null,
    battery_percent: vitals?.batteryPercent ?? null,
    charging: vitals?.charging ?? null,
    temperature_c: vitals?.temperatureC ?? null,
    resting: worker.resting,
    wake: wakeView(worker, null),
    kept_outputs: keptOutputs,
    first_seen_at: iso(worker.firstSeenAt),
    last_seen_at: iso(worker.lastSeenAt),
  };
}

/** A worker that is only on record. */
function offlineView(record: RememberedWorker, keptOutputs: number, calls: Calls | null): WorkerView {
  return {
    ...declared(record.declaration),
    name: record.name,
    status: 'offline',
    address: null,
    running: 0,
    backlog: 0,
    reserved: { cpu_cores: 0, memory_mb: 0, gpu: 0 },
    load1: null,
    memory_free_mb: null,
    battery_percent: null,
    charging: null,
    temperature_c: null,
    resting: null,
    wake: wakeView(record, calls),
    kept_outputs: keptOutputs,
    first_seen_at: iso(record.firstSeenAt),
    last_seen_at: iso(record.lastSeenAt),
  };
}

/** `lastAt` of `calls` is wall-clock ms. */
function wakeView(worker: Pick<Worker, 'declaration' | 'draining'>, calls: Calls | null): WorkerView['wake'] {
  if (worker.declaration.wake === undefined) return null;
  const last_try_at = calls === null ? null : iso(calls.lastAt);
  return { unasked: isWakeable(worker), tries: calls?.tries ?? 0, last_try_at };
}

/** Numbers at a glance; `offline` is how many workers are only on record. */
export function statsView(
  state: SchedulerState,
  facts: {
    version: string;
    uptimeMs: number;
    offline: number;
    linksEnded: Readonly<Record<string, number>>;
    discovery: Readonly<Record<string, number>>;
    notifications?: Stats['notifications'];
  },
): Stats {
  const workers = { online: 0, draining: 0, silent: 0, offline: facts.offline };
  const slots = { total: 0, used: 0 };
  for (const worker of state.workers.values()) {
    workers[workerStatus(worker)] += 1;
    if (worker.session === null) continue;
    slots.total += worker.declaration.slots;
    slots.used += Math.min(worker.assigned.size, worker.declaration.slots);
  }
  return {
    version: facts.version,
    paused: state.paused,
    uptime_seconds: Math.floor(facts.uptimeMs / 1000),
    tasks: { ...state.counts },
    workers,
    slots,
    queue: { size: waitingCount(state), max: state.policy.queueMax },
    stale_reports: state.staleReports,
    links_ended: { ...facts.linksEnded },
    discovery: { ...facts.discovery },
    ...(facts.notifications === undefined ? {} : { notifications: facts.notifications }),
  };
}

/** Why a task stands where it stands. */
export function explanationView(task: Task, { summary, workers, advice }: Findings): Explanation {
  return {
    id: task.id,
    status: task.status,
    summary,
    workers: workers.map((verdict) => ({ ...verdict, reasons: [...verdict.reasons] })),
    advice: [...advice],
  };
}

/** A published effect as the feed shows it; `at` is ISO 8601. */
export function feedEvent(effect: Extract<Effect, { kind: 'publish' }>, at: string): FeedEvent {
  const { what, id, status, workerId, detail } = effect;
  return { kind: what, id, status, at, worker_id: workerId, detail };
}
