/** Tasks for the tests of the store: a plain one, and one with nothing left at its default. */

import { nextId } from '../../../src/core/ids.ts';
import { noDemand } from '../../../src/core/isolation.ts';
import { newTask, type Task, type TaskSpec } from '../../../src/core/task.ts';
import type { StoredOutput } from '../../../src/ports/files.ts';
import type { Change } from '../../../src/ports/store.ts';
import { spec } from '../core/samples.ts';

export const sampleAt = Date.UTC(2026, 5, 1, 12, 0, 0, 125);

export const plainSpec: TaskSpec = spec();

/** A specification in which every field differs from `plainSpec`, without a batch. */
export const richSpec: TaskSpec = {
  command: null,
  argv: ['printf', '%s\n', 'grüße', ''],
  name: 'rich "task"',
  priority: -7,
  timeoutMs: 1500,
  retryCount: 3,
  retryDelayMs: 250,
  env: { A: '1', B: '' },
  workdir: 'sub/dir',
  stdin: { kind: 'text', text: 'line\n' },
  inputs: [{ path: 'in/a', blob: `sha256:${'ab'.repeat(32)}`, bytes: 3, executable: false }],
  outputs: ['out/*'],
  outputsAt: 'worker',
  maxOutputBytes: 5,
  requires: {
    cpuCores: 0.5,
    memoryMb: 64,
    gpu: 1,
    labels: { room: 'attic' },
    platform: 'linux',
    arch: 'arm64',
    isolation: noDemand,
  },
  dependsOn: ['000000000001'],
  onDependencyFailure: 'run',
  tags: { k: 'v', l: '' },
  batchId: null,
  retryOf: '000000000002',
  owner: 'ci',
};

let lastId = '';

/** A queued task with a new, later id. */
export function sampleTask(changes: Partial<Task> = {}): Task {
  lastId = nextId(lastId, changes.createdAt ?? sampleAt);
  return { ...newTask(lastId, plainSpec, sampleAt), ...changes };
}

export const sampleUsage = {
  durationMs: 12,
  cpuMs: 3,
  memoryPeakBytes: 4096,
  stdoutBytes: 6,
  stderrBytes: 0,
  discardedBytes: 0,
  writtenBytes: null,
  sandboxLevel: null,
};

/** Fields of a task that ended well. */
export const completed: Partial<Task> = {
  status: 'completed',
  attempt: 1,
  workerId: 'w1',
  startedAt: sampleAt + 5,
  completedAt: sampleAt + 17,
  outcome: { kind: 'exited', exitCode: 0 },
  usage: sampleUsage,
};

export function saved(task: Task, isNew = true): Change {
  return { kind: 'task', task, isNew, notBeforeWall: task.notBefore };
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function whole(bytes: Uint8Array): StoredOutput {
  return { bytes, totalBytes: bytes.length, blob: null };
}
