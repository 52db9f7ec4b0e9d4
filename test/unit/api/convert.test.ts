/** Requests to tasks and rows to views. */

import { describe, expect, test } from 'bun:test';
import { attemptViewOf, newTaskOf, tailBytesMax, tailText, taskViewOf } from '../../../src/api/convert.ts';
import { attemptSchema, type TaskRequest, taskRequestSchema, taskSchema } from '../../../src/api/schemas.ts';
import { noDemand } from '../../../src/core/isolation.ts';
import type { AttemptOutcome } from '../../../src/core/task.ts';
import type { StoredOutput } from '../../../src/ports/files.ts';
import { FakeBackend } from './fake.ts';

const defaults = { defaultTimeoutMs: 3_600_000 };

function stored(bytes: Uint8Array | string): StoredOutput {
  const data = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes;
  return { bytes: data, totalBytes: data.length, blob: null };
}

async function rowOf(request: TaskRequest) {
  const backend = new FakeBackend();
  const tasks = [newTaskOf(request, defaults)];
  const { taskIds } = await backend.submit({
    tasks,
    batch: null,
    idempotency: null,
    actor: { name: 'local', role: 'admin', from: null },
  });
  const row = backend.task(taskIds[0] ?? '');
  if (row === null) throw new Error('not submitted');
  return row;
}

describe('newTaskOf()', () => {
  test('fills in every default', () => {
    expect(newTaskOf({ command: 'true' }, defaults)).toEqual({
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
      requires: { cpuCores: 0, memoryMb: 0, gpu: 0, labels: {}, platform: null, arch: null, isolation: noDemand },
      inputs: [],
      outputs: [],
      outputsAt: 'dispatcher',
      dependsOn: [],
      onDependencyFailure: 'cancel',
      tags: {},
    });
  });

  test('turns names, seconds and stdin into the words inside', () => {
    const convert = (more: Partial<TaskRequest>) => newTaskOf({ command: 'true', ...more }, defaults);
    const named = (['low', 'normal', 'high', 'critical', 7] as const).map((priority) => convert({ priority }).priority);
    expect(named).toEqual([-50, 0, 50, 100, 7]);
    expect(convert({ timeout: 0.0001 }).timeoutMs).toBe(1);
    expect(convert({ retry_delay: 0 }).retryDelayMs).toBe(0);
    expect(convert({ max_output: 0 }).maxOutputBytes).toBe(0);
    expect(convert({ stdin: '' }).stdin).toEqual({ kind: 'text', text: '' });
    expect(convert({ stdin: { stream: true } }).stdin).toEqual({ kind: 'stream' });
    const inTerminal = convert({ stdin: { stream: true }, terminal: { columns: 80, rows: 24 } });
    expect(inTerminal.stdin).toEqual({ kind: 'terminal', columns: 80, rows: 24, term: 'dumb' });
    // Placed where terminals are.
    expect(inTerminal.requires.platform).toBe('linux');
    expect([convert({ attached: true }).attached, convert({ attached: false }).attached]).toEqual([true, undefined]);
  });
});

describe('taskViewOf()', () => {
  test('shows what was asked, so that the view can be submitted again', async () => {
    const request: TaskRequest = {
      argv: ['a', 'b'],
      name: 'n',
      timeout: 2.5,
      priority: 3,
      retry_count: 2,
      retry_delay: 4,
      env: { A: 'x' },
      workdir: 'w',
      max_output: 5,
      requires: { cpu_cores: 0.5, memory_mb: 6, gpu: 1, labels: { l: 'v' }, platform: 'linux', arch: 'arm' },
      depends_on: ['000000000001'],
      on_dependency_failure: 'run',
      tags: { t: 'v' },
    };
    const view = taskSchema.strict().parse(taskViewOf(await rowOf(taskRequestSchema.parse(request))));
    expect(view).toMatchObject(request);
  });

  test('shows how it ended', async () => {
    const row = await rowOf({ command: 'false' });
    Object.assign(row.task, {
      status: 'failed',
      startedAt: 1000,
      completedAt: 4000,
      outcome: { kind: 'signaled', signal: 'SIGSEGV' },
      usage: {
        durationMs: 2999,
        cpuMs: 5,
        memoryPeakBytes: 6,
        stdoutBytes: 7,
        stderrBytes: 8,
        discardedBytes: 9,
        writtenBytes: null,
        sandboxLevel: null,
      },
    });
    expect(taskViewOf({ ...row, stdout: stored('out'), stderr: null })).toMatchObject({
      exit_code: null,
      signal: 'SIGSEGV',
      duration_ms: 2999,
      cpu_ms: 5,
      memory_peak_bytes: 6,
      stdout_bytes: 3,
      stderr_bytes: 8,
      discarded_bytes: 9,
      stdout_tail: 'out',
      stderr_tail: '',
      started_at: '1970-01-01T00:00:01.000Z',
      completed_at: '1970-01-01T00:00:04.000Z',
    });
  });
});

describe('tailText()', () => {
  test('gives everything that fits, from the first byte', () => {
    expect(tailText(null)).toBe('');
    expect(tailText(stored('\ufeffgrüße'))).toBe('\ufeffgrüße');
    expect(tailText(stored('x'.repeat(tailBytesMax)))).toHaveLength(tailBytesMax);
  });

  test('never starts inside a character, wherever the cut falls', () => {
    for (const char of ['a', 'ü', '€', '😀']) {
      for (let shift = 0; shift < 4; shift++) {
        const text = tailText(stored(`${char.repeat(tailBytesMax)}${'.'.repeat(shift)}`));
        expect(text).toMatch(new RegExp(`^(?:${char})+\\.{${shift}}$`, 'u'));
        expect(new TextEncoder().encode(text).length).toBeGreaterThan(tailBytesMax - 4);
      }
    }
  });

  test('shows bytes that are no text as replacement characters', () => {
    expect(tailText(stored(new Uint8Array([0x61, 0xff, 0x62])))).toBe('a\ufffdb');
    expect(tailText(stored(new Uint8Array(tailBytesMax + 10).fill(0x80)))).toHaveLength(tailBytesMax - 3);
  });
});

test('attemptViewOf() shows every kind of outcome', () => {
  const outcomes: AttemptOutcome[] = [
    { kind: 'exited', exitCode: 2 },
    { kind: 'signaled', signal: 'SIGKILL' },
    { kind: 'timed_out', limitMs: 1500 },
    { kind: 'limit_exceeded', limit: 'memory', limitValue: 1, reached: 2 },
    { kind: 'cancelled' },
    { kind: 'spawn_failed', message: 'no such file' },
    { kind: 'lost', why: 'its worker fell silent' },
  ];
  const views = outcomes.map((outcome) =>
    attemptSchema
      .strict()
      .parse(
        attemptViewOf({ taskId: 't', attempt: 1, workerId: 'w', startedAt: null, endedAt: 0, outcome, usage: null }),
      ),
  );
  expect(views.map(({ outcome }) => outcome.kind)).toEqual(outcomes.map(({ kind }) => kind));
  expect(views.map(({ outcome }) => outcome.exit_code)).toEqual([2, null, null, null, null, null, null]);
  expect(views[2]?.outcome.detail).toBe('exceeded its time limit of 1.5 s');
});
