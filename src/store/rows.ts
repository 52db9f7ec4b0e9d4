/**
 * A task and its row, there and back. Pure: values in, values out.
 *
 * The specification is spread over columns where people look for them, and one JSON text for the rest, which leaves out
 * whatever has its default: a plain command costs two bytes there. Outcomes and usage are columns of their own.
 * Invariant: `taskOf(rowOf(task))` equals the task, except `waitingFor`, which follows from the states of others.
 */

import { present, unreachable } from '../base/assert.ts';
import { OctasklyError } from '../base/errors.ts';
import { noDemand, unknownIsolation } from '../core/isolation.ts';
import type { RememberedWorker } from '../core/restore.ts';
import type { AttemptOutcome, AttemptRecord, AttemptUsage, Task, TaskSpec } from '../core/task.ts';
import type { StoredOutput } from '../ports/files.ts';
import type { attempts, tasks, workers } from './schema.ts';

type OutputColumn = 'stdout' | 'stdoutSize' | 'stdoutBlob' | 'stderr' | 'stderrSize' | 'stderrBlob';
/** A row of `tasks` with and without output. */
export type FullTaskRow = typeof tasks.$inferSelect;
export type BareTaskRow = Omit<FullTaskRow, OutputColumn>;
export type AttemptRow = typeof attempts.$inferSelect;
export type WorkerRow = typeof workers.$inferSelect;

// ------------------------------------------------------------------------------------------------- specification

type SpecRest = Omit<TaskSpec, 'command' | 'name' | 'priority' | 'batchId' | 'owner'>;

/**
 * What a missing key of the `spec` column means. Part of the stored format: a value here must never change, a new key
 * of a specification comes with the value that earlier tasks had.
 */
const specDefaults: SpecRest = {
  argv: null,
  timeoutMs: 3_600_000,
  retryCount: 0,
  retryDelayMs: 1000,
  env: {},
  workdir: null,
  stdin: { kind: 'closed' },
  maxOutputBytes: 10_000_000,
  requires: { cpuCores: 0, memoryMb: 0, gpu: 0, labels: {}, platform: null, arch: null, isolation: noDemand },
  inputs: [],
  outputs: [],
  outputsAt: 'dispatcher',
  dependsOn: [],
  onDependencyFailure: 'cancel',
  tags: {},
  retryOf: null,
};

/** Deep equality of plain data. */
function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => same(Reflect.get(left, key), Reflect.get(right, key)));
}

/** Parts of a specification that have a column of their own. */
const specColumns: readonly string[] = ['command', 'name', 'priority', 'batchId', 'owner'] satisfies (keyof TaskSpec)[];

/** Objects that were found to be a default, by key: most tasks share theirs, and comparing takes longer than writing. */
const knownDefaults = new Map(Object.keys(specDefaults).map((key) => [key, new WeakSet<object>()]));

function isDefault(key: string, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === Reflect.get(specDefaults, key);
  const known = knownDefaults.get(key);
  if (known?.has(value) === true) return true;
  if (!same(value, Reflect.get(specDefaults, key))) return false;
  known?.add(value);
  return true;
}

function encodeSpec(spec: TaskSpec): string {
  let rest: Record<string, unknown> | null = null;
  for (const key of Object.keys(spec)) {
    const value: unknown = Reflect.get(spec, key);
    if (specColumns.includes(key) || isDefault(key, value)) continue;
    rest ??= {};
    rest[key] = value;
  }
  return rest === null ? '{}' : JSON.stringify(rest);
}

/** The parts of a specification that are stored. What it requires was stored with fewer fields by earlier versions. */
function decodeSpec(json: string): Partial<SpecRest> {
  const rest = parse<Partial<SpecRest>>(json);
  return rest.requires === undefined ? rest : { ...rest, requires: { ...specDefaults.requires, ...rest.requires } };
}

// ------------------------------------------------------------------------------------------- outcomes and usage

interface OutcomeRow {
  readonly outcome: string | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly outcomeDetail: string | null;
}

const noOutcome = { outcome: null, exitCode: null, signal: null, outcomeDetail: null };

/** The columns an outcome fills. */
function outcomeRowOf(outcome: AttemptOutcome): OutcomeRow & { readonly outcome: string } {
  switch (outcome.kind) {
    case 'exited':
      return { outcome: 'exited', exitCode: outcome.exitCode, signal: null, outcomeDetail: null };
    case 'signaled':
      return { outcome: 'signaled', exitCode: null, signal: outcome.signal, outcomeDetail: null };
    case 'cancelled':
      return { outcome: 'cancelled', exitCode: null, signal: null, outcomeDetail: null };
    case 'timed_out':
    case 'limit_exceeded':
    case 'spawn_failed':
    case 'lost': {
      const { kind, ...detail } = outcome;
      return { outcome: kind, exitCode: null, signal: null, outcomeDetail: JSON.stringify(detail) };
    }
    default:
      return unreachable(outcome);
  }
}

function outcomeOf(row: OutcomeRow): AttemptOutcome | null {
  if (row.outcome === null) return null;
  if (row.outcome === 'exited') return { kind: 'exited', exitCode: row.exitCode ?? -1 };
  if (row.outcome === 'signaled') return { kind: 'signaled', signal: row.signal ?? '' };
  return { kind: row.outcome, ...parse<object>(row.outcomeDetail ?? '{}') } as AttemptOutcome;
}

const noUsage = {
  durationMs: null,
  cpuMs: null,
  memoryPeakBytes: null,
  stdoutBytes: null,
  stderrBytes: null,
  discardedBytes: null,
  writtenBytes: null,
  sandboxLevel: null,
};

type UsageRow = Pick<FullTaskRow, keyof typeof noUsage>;

function usageOf(row: UsageRow): AttemptUsage | null {
  const { durationMs, cpuMs, memoryPeakBytes, stdoutBytes, stderrBytes, discardedBytes, writtenBytes, sandboxLevel } =
    row;
  if (durationMs === null) return null;
  return {
    durationMs,
    cpuMs,
    memoryPeakBytes,
    stdoutBytes: stdoutBytes ?? 0,
    stderrBytes: stderrBytes ?? 0,
    discardedBytes: discardedBytes ?? 0,
    writtenBytes,
    sandboxLevel,
  };
}

// --------------------------------------------------------------------------------------------------------- tasks

/** What a new task writes and an update never touches, and where it stands at first. */
export function newRowOf(task: Task) {
  const { spec } = task;
  return {
    id: task.id,
    createdAt: task.createdAt,
    command: spec.command,
    name: spec.name,
    priority: spec.priority,
    batchId: spec.batchId,
    owner: spec.owner,
    spec: encodeSpec(spec),
    status: task.status,
    phase: task.phase,
    workerId: task.workerId,
    attempt: task.attempt,
  };
}

/** True when `newRowOf` says all there is to say about a task: nothing has happened to it but, perhaps, an assignment. */
export function isPristine(task: Task, notBeforeWall: number | null): boolean {
  return (
    isSmooth(task, notBeforeWall) &&
    task.startedAt === null &&
    task.completedAt === null &&
    task.outcome === null &&
    task.usage === null
  );
}

/** True when nothing out of the ordinary ever happened to a task: at most it ran once and exited. */
export function isSmooth(task: Task, notBeforeWall: number | null): boolean {
  return (
    notBeforeWall === null &&
    task.failures === 0 &&
    task.losses === 0 &&
    task.avoid.length === 0 &&
    task.reason === null &&
    !task.cancelRequested &&
    (task.outcome === null || task.outcome.kind === 'exited')
  );
}

/** The columns that change while a task lives. */
export function stateRowOf(task: Task, notBeforeWall: number | null) {
  const state = {
    id: task.id,
    status: task.status,
    phase: task.phase,
    workerId: task.workerId,
    attempt: task.attempt,
    failures: task.failures,
    losses: task.losses,
    startedAt: task.startedAt,
    completedAt: task.completedAt,
    cancelRequested: task.cancelRequested,
    reason: task.reason,
    avoid: task.avoid.length === 0 ? null : JSON.stringify(task.avoid),
    notBefore: notBeforeWall,
  };
  return Object.assign(state, task.outcome === null ? noOutcome : outcomeRowOf(task.outcome), task.usage ?? noUsage);
}

/** The columns of a task's output. */
export function outputRowOf(stdout: StoredOutput, stderr: StoredOutput) {
  return {
    stdout: stdout.bytes,
    stdoutSize: sizeOf(stdout),
    stdoutBlob: stdout.blob,
    stderr: stderr.bytes,
    stderrSize: sizeOf(stderr),
    stderrBlob: stderr.blob,
  };
}

function sizeOf({ bytes, totalBytes }: StoredOutput): number | null {
  return totalBytes === bytes.length ? null : totalBytes;
}

/** A stream's output, or null when the row has none yet. */
export function outputOf(bytes: Uint8Array | null, size: number | null, blob: string | null): StoredOutput | null {
  return bytes === null ? null : { bytes, totalBytes: size ?? bytes.length, blob };
}

/** The task of a row; `notBefore` is wall-clock ms. Error: `storage_corrupt` when its JSON cannot be read. */
export function taskOf(row: BareTaskRow, waitingFor: Set<string>): Task {
  const { id, status, createdAt, attempt, phase, workerId, failures, losses, notBefore } = row;
  const { cancelRequested, startedAt, completedAt, reason, command, name, priority, batchId, owner } = row;
  return {
    ...{ id, status, createdAt, attempt, phase, workerId, failures, losses, notBefore, waitingFor },
    ...{ cancelRequested, startedAt, completedAt, reason },
    spec: { ...specDefaults, ...decodeSpec(row.spec), command, name, priority, batchId, owner },
    avoid: row.avoid === null ? [] : parse<string[]>(row.avoid),
    outcome: outcomeOf(row),
    usage: usageOf(row),
  };
}

/** The dependencies a row names. */
export function dependenciesOf(row: BareTaskRow): readonly string[] {
  return parse<Partial<SpecRest>>(row.spec).dependsOn ?? [];
}

// ------------------------------------------------------------------------------------------ attempts and workers

export function attemptRowOf(record: AttemptRecord): AttemptRow {
  const { taskId, attempt, workerId, startedAt, endedAt } = record;
  return {
    taskId,
    attempt,
    workerId,
    startedAt,
    endedAt,
    ...outcomeRowOf(record.outcome),
    ...(record.usage ?? noUsage),
  };
}

export function attemptOf(row: AttemptRow): AttemptRecord {
  const { taskId, attempt, workerId, startedAt, endedAt } = row;
  const outcome = present(outcomeOf(row), 'outcome of an attempt');
  return { taskId, attempt, workerId, startedAt, endedAt, outcome, usage: usageOf(row) };
}

export function workerRowOf(record: RememberedWorker): WorkerRow {
  const { declaration, ...columns } = record;
  return { id: declaration.id, ...columns, declaration: JSON.stringify(declaration) };
}

export function workerOf({ id, declaration, ...columns }: WorkerRow): RememberedWorker {
  // Earlier versions declared nothing about isolation.
  const known = parse<Partial<RememberedWorker['declaration']>>(declaration);
  return {
    ...columns,
    declaration: {
      isolation: unknownIsolation,
      peerPort: null,
      program: null,
      ...known,
    } as RememberedWorker['declaration'],
  };
}

function parse<T>(json: string): T {
  try {
    return JSON.parse(json) as T;
  } catch (cause) {
    const message = `A row of the database holds "${json.slice(0, 60)}" where JSON should be: restore a backup.`;
    throw new OctasklyError('storage_corrupt', message, { cause });
  }
}
