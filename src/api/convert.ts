/**
 * Between the API's words and the product's: requests become `NewTask`s with every default filled in, rows become views.
 * Pure. Seconds outside are milliseconds inside, `null` outside is `null` inside, and instants become ISO 8601 in UTC.
 */

import { assert } from '../base/assert.ts';
import { type IsolationDemand, noDemand, noLimits, type TaskLimits } from '../core/isolation.ts';
import {
  type AttemptOutcome,
  type AttemptRecord,
  describeOutcome,
  noRequirement,
  priorities,
  type Requirement,
  type StdinSpec,
} from '../core/task.ts';
import type { StoredOutput } from '../ports/files.ts';
import type { TaskRow } from '../ports/store.ts';
import type { Backend, NewInput, NewTask } from './backend.ts';
import type { InputRequest } from './file-schemas.ts';
import { targetsOf } from './notify-schemas.ts';
import {
  type AttemptView,
  type BatchView,
  limits,
  type TaskRequest,
  type TaskView,
  type TaskWithAttempts,
} from './schemas.ts';

/** Bytes of output a task's view shows of each stream. */
export const tailBytesMax = 4096;

const retryDelayDefaultMs = 1000;
const nothing = {} as const;
const none: readonly never[] = [];

type Limits = Pick<
  TaskRequest,
  'cpu_time_limit' | 'memory_limit_mb' | 'disk_limit_mb' | 'max_open_files' | 'max_processes'
>;

/** What is asked for of isolation; nothing is always the same object, which millions of tasks may share. */
function demandOf(request: Limits & Pick<TaskRequest, 'sandbox_level' | 'network'>): IsolationDemand {
  const { sandbox_level: level = null, network = false } = request;
  const asked = limitsOf(request);
  return level === null && !network && asked === noLimits ? noDemand : { level, network, limits: asked };
}

function limitsOf(request: Limits): TaskLimits {
  const asked: TaskLimits = {
    cpuTimeMs: request.cpu_time_limit === undefined ? null : Math.ceil(request.cpu_time_limit * 1000),
    memoryMb: request.memory_limit_mb ?? null,
    diskMb: request.disk_limit_mb ?? null,
    openFiles: request.max_open_files ?? null,
    processes: request.max_processes ?? null,
  };
  return Object.values(asked).every((limit) => limit === null) ? noLimits : asked;
}

function requirementOf(request: TaskRequest): Requirement {
  const isolation = demandOf(request);
  // Terminals are made by calls of Linux: said like this, placement keeps it and `explain` explains it.
  const requires = request.terminal === undefined ? request.requires : { ...request.requires, platform: 'linux' };
  if (requires === undefined) return isolation === noDemand ? noRequirement : { ...noRequirement, isolation };
  return {
    cpuCores: requires.cpu_cores ?? 0,
    memoryMb: requires.memory_mb ?? 0,
    gpu: requires.gpu ?? 0,
    labels: requires.labels ?? nothing,
    platform: requires.platform ?? null,
    arch: requires.arch ?? null,
    isolation,
  };
}

function stdinOf({ stdin, terminal }: Pick<TaskRequest, 'stdin' | 'terminal'>): StdinSpec {
  if (terminal !== undefined) {
    return { kind: 'terminal', columns: terminal.columns, rows: terminal.rows, term: terminal.term ?? 'dumb' };
  }
  if (stdin === undefined) return { kind: 'closed' };
  return typeof stdin === 'string' ? { kind: 'text', text: stdin } : { kind: 'stream' };
}

function newInputOf(input: string | InputRequest): NewInput {
  assert(typeof input !== 'string', 'parts of a request are in the place of their names');
  return { path: input.path, blob: input.blob, bytes: input.bytes ?? null, executable: input.executable ?? false };
}

/** What a valid request asks for, in full. `defaultTimeoutMs` holds where it names no time limit. */
export function newTaskOf(request: TaskRequest, defaults: { readonly defaultTimeoutMs: number }): NewTask {
  const { priority = 0, timeout, retry_delay: retryDelay } = request;
  return {
    command: request.command ?? null,
    argv: request.argv ?? null,
    name: request.name ?? null,
    priority: typeof priority === 'number' ? priority : priorities[priority],
    // Rounded up: the shortest limit one can ask for is not "none".
    timeoutMs: timeout === undefined ? defaults.defaultTimeoutMs : Math.ceil(timeout * 1000),
    retryCount: request.retry_count ?? 0,
    retryDelayMs: retryDelay === undefined ? retryDelayDefaultMs : Math.round(retryDelay * 1000),
    env: request.env ?? nothing,
    workdir: request.workdir ?? null,
    stdin: stdinOf(request),
    inputs: request.inputs?.map(newInputOf) ?? none,
    outputs: request.outputs ?? none,
    outputsAt: request.outputs_at ?? 'dispatcher',
    maxOutputBytes: request.max_output ?? limits.outputBytesDefault,
    requires: requirementOf(request),
    dependsOn: request.depends_on ?? [],
    onDependencyFailure: request.on_dependency_failure ?? 'cancel',
    tags: request.tags ?? nothing,
    ...(request.attached === true ? { attached: true } : {}),
    ...(request.notify === undefined ? {} : { notify: targetsOf(request.notify) }),
  };
}

/** ISO 8601 in UTC with milliseconds, of wall-clock ms since 1970. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

function isoTimeOrNull(wallMs: number | null): string | null {
  return wallMs === null ? null : isoTime(wallMs);
}

const lenientUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** The last `tailBytesMax` bytes as text; never starts inside a character, what is no UTF-8 shows as U+FFFD. */
export function tailText(output: StoredOutput | null): string {
  if (output === null || output.bytes.length === 0) return '';
  const { bytes } = output;
  let start = Math.max(0, bytes.length - tailBytesMax);
  // At most three continuation bytes follow a first one; more of them are no text and stay.
  const latest = start === 0 ? 0 : Math.min(start + 3, bytes.length);
  while (start < latest && ((bytes[start] ?? 0) & 0xc0) === 0x80) start++;
  return lenientUtf8.decode(bytes.subarray(start));
}

function exitCodeOf(outcome: AttemptOutcome | null): number | null {
  return outcome?.kind === 'exited' ? outcome.exitCode : null;
}

function signalOf(outcome: AttemptOutcome | null): string | null {
  return outcome?.kind === 'signaled' ? outcome.signal : null;
}

function durationOf(startedAt: number | null, endedAt: number | null): number | null {
  return startedAt === null || endedAt === null ? null : Math.max(0, endedAt - startedAt);
}

/** A task as the API shows it. Secrets in `env` are shown to whoever may see the task. */
export function taskViewOf({ task, stdout, stderr }: TaskRow): TaskView {
  const { spec, usage, outcome } = task;
  const { requires } = spec;
  const { level, network, limits: asked } = requires.isolation;
  return {
    id: task.id,
    name: spec.name,
    command: spec.command,
    argv: spec.argv === null ? null : [...spec.argv],
    status: task.status,
    priority: spec.priority,
    worker_id: task.workerId,
    attempt: task.attempt,
    timeout: spec.timeoutMs / 1000,
    retry_count: spec.retryCount,
    retry_delay: spec.retryDelayMs / 1000,
    env: spec.env,
    workdir: spec.workdir,
    max_output: spec.maxOutputBytes,
    requires: {
      cpu_cores: requires.cpuCores,
      memory_mb: requires.memoryMb,
      gpu: requires.gpu,
      labels: requires.labels,
      platform: requires.platform,
      arch: requires.arch,
    },
    depends_on: [...spec.dependsOn],
    on_dependency_failure: spec.onDependencyFailure,
    tags: spec.tags,
    batch_id: spec.batchId,
    retry_of: spec.retryOf,
    owner: spec.owner,
    cpu_time_limit: asked.cpuTimeMs === null ? null : asked.cpuTimeMs / 1000,
    memory_limit_mb: asked.memoryMb,
    disk_limit_mb: asked.diskMb,
    max_open_files: asked.openFiles,
    max_processes: asked.processes,
    sandbox_level: level,
    network,
    inputs: spec.inputs.map(({ path, blob, bytes, executable }) => ({ path, blob, bytes, executable })),
    outputs: [...spec.outputs],
    outputs_at: spec.outputsAt,
    exit_code: exitCodeOf(outcome),
    signal: signalOf(outcome),
    reason: task.reason,
    duration_ms: usage?.durationMs ?? durationOf(task.startedAt, task.completedAt),
    cpu_ms: usage?.cpuMs ?? null,
    memory_peak_bytes: usage?.memoryPeakBytes ?? null,
    written_bytes: usage?.writtenBytes ?? null,
    sandbox_level_used: usage?.sandboxLevel ?? null,
    stdout_bytes: stdout?.totalBytes ?? usage?.stdoutBytes ?? 0,
    stderr_bytes: stderr?.totalBytes ?? usage?.stderrBytes ?? 0,
    discarded_bytes: usage?.discardedBytes ?? 0,
    stdout_tail: tailText(stdout),
    stderr_tail: tailText(stderr),
    created_at: isoTime(task.createdAt),
    started_at: isoTimeOrNull(task.startedAt),
    completed_at: isoTimeOrNull(task.completedAt),
  };
}

export function attemptViewOf(record: AttemptRecord): AttemptView {
  const { outcome, usage } = record;
  return {
    attempt: record.attempt,
    worker_id: record.workerId,
    outcome: {
      kind: outcome.kind,
      detail: describeOutcome(outcome),
      exit_code: exitCodeOf(outcome),
      signal: signalOf(outcome),
      limit:
        outcome.kind === 'limit_exceeded'
          ? { name: outcome.limit, value: outcome.limitValue, reached: outcome.reached }
          : null,
    },
    started_at: isoTimeOrNull(record.startedAt),
    ended_at: isoTime(record.endedAt),
    duration_ms: usage?.durationMs ?? durationOf(record.startedAt, record.endedAt),
    cpu_ms: usage?.cpuMs ?? null,
    memory_peak_bytes: usage?.memoryPeakBytes ?? null,
    written_bytes: usage?.writtenBytes ?? null,
    sandbox_level: usage?.sandboxLevel ?? null,
  };
}

export function taskWithAttemptsOf(
  row: TaskRow,
  attempts: readonly AttemptRecord[],
): Omit<TaskWithAttempts, 'worker_names'> {
  return { ...taskViewOf(row), attempts: attempts.map(attemptViewOf) };
}

export function batchViewOf(batch: NonNullable<ReturnType<Backend['batch']>>): BatchView {
  const { id, name, owner, createdAt, size, counts } = batch;
  return { id, name, owner, created_at: isoTime(createdAt), size, counts };
}
