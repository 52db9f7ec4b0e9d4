/**
 * Things to schedule: specs, declarations and workers with plain defaults, of which a test names only what matters.
 * Nothing here decides or asserts.
 */

import type { SchedulerEvent, SubmittedTask } from '../../../src/core/events.ts';
import { unknownIsolation } from '../../../src/core/isolation.ts';
import type { Policy } from '../../../src/core/state.ts';
import {
  type AttemptUsage,
  newTask,
  noRequirement,
  type Requirement,
  type Task,
  type TaskSpec,
} from '../../../src/core/task.ts';
import type { Worker, WorkerDeclaration } from '../../../src/core/worker.ts';

/** 2026-11-21, 12:00:00 UTC: where the wall clock of the tests starts. */
export const noonWall = Date.UTC(2026, 10, 21, 12);

export const policy: Policy = { workersMax: 10, queueMax: 10_000, silenceMs: 60_000 };

export function requirement(wanted: Partial<Requirement> = {}): Requirement {
  return { ...noRequirement, ...wanted };
}

/** An event without its time stamp. */
export type Fact = SchedulerEvent extends infer E ? (E extends unknown ? Omit<E, 'at' | 'wall'> : never) : never;

export function spec(wanted: Partial<TaskSpec> = {}): TaskSpec {
  return {
    command: 'true',
    argv: null,
    name: null,
    priority: 0,
    timeoutMs: 3_600_000,
    retryCount: 0,
    retryDelayMs: 1000,
    env: {},
    workdir: null,
    stdin: { kind: 'closed' },
    maxOutputBytes: 10_000_000,
    inputs: [],
    outputs: [],
    outputsAt: 'dispatcher',
    requires: noRequirement,
    dependsOn: [],
    onDependencyFailure: 'cancel',
    tags: {},
    batchId: null,
    retryOf: null,
    owner: null,
    ...wanted,
  };
}

export function submitted(id: string, wanted: Partial<TaskSpec> = {}): SubmittedTask {
  return { id, spec: spec(wanted), ended: new Map() };
}

export function task(id: string, wanted: Partial<Task> = {}): Task {
  return { ...newTask(id, spec(), noonWall), ...wanted };
}

export function declaration(id: string, wanted: Partial<WorkerDeclaration> = {}): WorkerDeclaration {
  return {
    id,
    name: id,
    processId: `${id}-process-1`,
    version: '0.1.0',
    slots: 1,
    cpuCores: 4,
    memoryMb: 4096,
    gpu: 0,
    labels: {},
    platform: 'linux',
    arch: 'x64',
    isolation: unknownIsolation,
    peerPort: null,
    program: null,
    ...wanted,
  };
}

/** A connected worker that holds nothing. */
export function worker(id: string, wanted: Partial<WorkerDeclaration> = {}, kept: Partial<Worker> = {}): Worker {
  return {
    id,
    declaration: declaration(id, wanted),
    name: id,
    session: 1,
    address: '192.0.2.1:1',
    publicKey: `key of ${id}`,
    firstSeenAt: noonWall,
    lastSeenAt: noonWall,
    heardAt: 0,
    draining: false,
    leaving: false,
    resting: null,
    vitals: null,
    assigned: new Map(),
    lowestPriority: 0,
    reserved: { cpuCores: 0, memoryMb: 0, gpu: 0 },
    meanDurationMs: null,
    ...kept,
  };
}

export function usage(wanted: Partial<AttemptUsage> = {}): AttemptUsage {
  return {
    durationMs: 100,
    cpuMs: null,
    memoryPeakBytes: null,
    stdoutBytes: 0,
    stderrBytes: 0,
    discardedBytes: 0,
    writtenBytes: null,
    sandboxLevel: null,
    ...wanted,
  };
}
