/** What every `Store` promises, held against the real one on a file. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstIdAt } from '../../src/core/ids.ts';
import { unknownIsolation } from '../../src/core/isolation.ts';
import type { RememberedWorker } from '../../src/core/restore.ts';
import type { AttemptRecord, Task, TaskStatus } from '../../src/core/task.ts';
import type { Change, TaskFilter } from '../../src/ports/store.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore, type SqliteStore } from '../../src/store/store.ts';
import { bytesOf, completed, plainSpec, richSpec, sampleAt, sampleTask, saved, whole } from '../unit/store/samples.ts';

let directory: string;
let store: SqliteStore;

function open(): SqliteStore {
  return openStore(join(directory, 'octaskly.db'), storeFiles);
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-store-'));
  store = open();
});
afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true, force: true });
});

function reopened(): SqliteStore {
  store.close();
  store = open();
  return store;
}

function add(changes: Partial<Task> = {}): Task {
  const task = sampleTask(changes);
  store.commit([saved(task)]);
  return task;
}

function idsOf(filter: TaskFilter, limit = 100, before: string | null = null): string[] {
  return store.tasks(filter, { limit, before }).map(({ task }) => task.id);
}

function attemptOf(task: Task, attempt: number): AttemptRecord {
  return {
    taskId: task.id,
    attempt,
    workerId: 'w1',
    startedAt: sampleAt,
    endedAt: sampleAt + 5,
    outcome: { kind: 'exited', exitCode: 1 },
    usage: null,
  };
}

const fileBlob = (letter: string): string => `sha256:${letter.repeat(64)}`;

const output = (task: Task, stdout: Uint8Array, stderr = bytesOf('')): Change => ({
  kind: 'output',
  taskId: task.id,
  stdout: whole(stdout),
  stderr: whole(stderr),
});

describe('Store.commit()', () => {
  test('makes a task readable as it was given, also after closing and opening again', () => {
    const dependency = add();
    const task = add({ spec: { ...richSpec, dependsOn: [dependency.id] }, status: 'blocked' });
    task.waitingFor.add(dependency.id);
    expect(store.task(task.id)?.task).toEqual(task);
    expect(reopened().task(task.id)?.task).toEqual(task);
    expect(store.task('zzzzzzzzzzzz')).toBeNull();
  });

  test('follows a task through its life and keeps the last state', () => {
    const task = add();
    for (const change of [
      { status: 'running', phase: 'assigned', workerId: 'w1', attempt: 1 },
      { phase: 'started', startedAt: sampleAt + 5 },
      { status: 'queued', phase: 'idle', failures: 1, avoid: ['w1'], notBefore: sampleAt + 500, reason: 'failed once' },
      { status: 'running', phase: 'started', attempt: 2, avoid: [], notBefore: null, reason: null },
      { ...completed, attempt: 2, phase: 'idle' },
    ] as Partial<Task>[]) {
      Object.assign(task, change);
      store.commit([saved(task, false)]);
      expect(store.task(task.id)?.task).toEqual(task);
    }
  });

  test('takes a new task, its end, output, attempt and batch at once, in any order', () => {
    const task = sampleTask({ ...completed, spec: { ...plainSpec, batchId: '000000000bat' } });
    const batch: Change = { kind: 'batch', id: '000000000bat', name: 'b', createdAt: sampleAt, size: 1, owner: null };
    store.commit([
      output(task, bytesOf('out'), bytesOf('err')),
      { kind: 'attempt', record: attemptOf(task, 1) },
      saved(task),
      batch,
    ]);
    const row = store.task(task.id);
    expect(row).toEqual({ task, stdout: whole(bytesOf('out')), stderr: whole(bytesOf('err')) });
    expect(store.attempts(task.id)).toEqual([attemptOf(task, 1)]);
  });

  test('keeps output byte for byte, be it text or not', () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const bytes of ['', 'grüße\n', '\ufeffwith a mark', 'nul\0inside']
      .map(bytesOf)
      .concat(all, all.subarray(200))) {
      const task = add(completed);
      store.commit([output(task, bytes, bytes)]);
      expect(store.task(task.id)?.stdout).toEqual(whole(bytes));
      expect(store.task(task.id)?.stderr).toEqual(whole(bytes));
    }
  });

  test('keeps head, tail, size and blob of large output', () => {
    const task = add(completed);
    const stdout = { bytes: bytesOf('headtail'), totalBytes: 1_000_000, blob: `sha256:${'ab'.repeat(32)}` };
    store.commit([{ kind: 'output', taskId: task.id, stdout, stderr: whole(bytesOf('')) }]);
    expect(store.task(task.id)?.stdout).toEqual(stdout);
  });

  test('does all or nothing', () => {
    const first = sampleTask();
    const neverStored = sampleTask();
    expect(() => store.commit([saved(first), saved(neverStored, false)])).toThrow('never stored');
    expect(store.task(first.id)).toBeNull();
    const attempt: Change = { kind: 'attempt', record: attemptOf(neverStored, 1) };
    expect(() => store.commit([saved(first), attempt])).toThrow();
    expect(store.task(first.id)).toBeNull();
    store.commit([saved(first)]);
    expect(store.task(first.id)?.task).toEqual(first);
  });

  test('keeps settings and workers, the last value of each', () => {
    const worker: RememberedWorker = {
      declaration: {
        ...{ id: 'node', name: 'pi', processId: 'p', version: '1', slots: 4, cpuCores: 4, memoryMb: 1024, gpu: 0 },
        ...{ labels: { room: 'attic' }, platform: 'linux', arch: 'arm64', isolation: unknownIsolation, peerPort: 7879 },
        program: { target: 'linux-arm64', refusal: null, needsSignature: false },
      },
      name: 'pi-2',
      publicKey: 'ff',
      firstSeenAt: sampleAt,
      lastSeenAt: sampleAt,
      draining: false,
    };
    const later = { ...worker, draining: true, lastSeenAt: sampleAt + 1 };
    store.commit([
      { kind: 'worker', record: worker },
      { kind: 'setting', key: 'paused', value: 'no' },
    ]);
    store.commit([
      { kind: 'worker', record: later },
      { kind: 'setting', key: 'paused', value: 'yes' },
    ]);
    const loaded = reopened().load();
    expect(loaded.workers).toEqual([later]);
    expect([...loaded.settings]).toEqual([['paused', 'yes']]);
  });

  test('answers a repeated idempotency key', () => {
    store.commit([{ kind: 'idempotency', key: 'k', bodyHash: 'h', answer: '{}', createdAt: sampleAt }]);
    expect(store.idempotency('k')).toEqual({ bodyHash: 'h', answer: '{}' });
    expect(store.idempotency('other')).toBeNull();
  });
});

describe('Store.load()', () => {
  test('returns live tasks in order of submission with what they wait for', () => {
    const ended = add(completed);
    const running = add({ status: 'running', phase: 'started', attempt: 1, workerId: 'w1', startedAt: sampleAt });
    const dependsOn = [ended.id, running.id, '000000000000'];
    const blocked = add({ status: 'blocked', spec: { ...plainSpec, dependsOn } });
    const delayed = add({ notBefore: sampleAt + 1000, failures: 1 });
    blocked.waitingFor.add(running.id);
    expect(reopened().load().tasks).toEqual([running, blocked, delayed]);
  });

  test('counts every status', () => {
    const statuses: TaskStatus[] = ['completed', 'failed', 'completed', 'queued', 'cancelled', 'running', 'timed_out'];
    store.commit(statuses.map((status) => saved(sampleTask({ status }))));
    const expected = { blocked: 0, queued: 1, running: 1, completed: 2, failed: 1, timed_out: 1, cancelled: 1 };
    expect(store.load().counts).toEqual(expected);
  });

  test('knows the greatest id of tasks and batches, also when it was pruned', () => {
    expect(store.load().lastId).toBe('');
    const task = add(completed);
    expect(store.load().lastId).toBe(task.id);
    const id = sampleTask().id;
    store.commit([{ kind: 'batch', id, name: null, createdAt: sampleAt, size: 0, owner: null }]);
    expect(store.load().lastId).toBe(id);
    const last = add({ ...completed, createdAt: sampleAt + 1 });
    expect(store.prune(sampleAt * 2, 10).tasks).toBe(2);
    expect(reopened().load().lastId).toBe(last.id);
  });
});

describe('Store.outputs()', () => {
  const file = (path: string, letter: string) => ({ path, blob: fileBlob(letter), bytes: 3, executable: path === 'b' });

  test('gives what the last attempt left, by path, with its problems in order', () => {
    const task = add();
    const problems = Array.from({ length: 12 }, (_, index) => `problem ${index}`);
    const files = [file('b', 'b'), file('a/c', 'c'), file('Z', 'b')];
    store.commit([{ kind: 'outputs', taskId: task.id, files, problems }]);
    expect(reopened().outputs(task.id)).toEqual({
      files: [file('Z', 'b'), file('a/c', 'c'), file('b', 'b')],
      problems,
    });
    expect(store.outputs('nothing')).toEqual({ files: [], problems: [] });
  });

  test('forgets what an earlier attempt left, and its blobs unless another row names them', () => {
    const [task, other] = [add(), add({ spec: { ...plainSpec, inputs: [file('in', 'c')] } })];
    store.commit([{ kind: 'outputs', taskId: task.id, files: [file('a', 'a'), file('c', 'c')], problems: ['no'] }]);
    expect(['a', 'b', 'c'].map((letter) => store.usesBlob(fileBlob(letter)))).toEqual([true, false, true]);
    store.commit([{ kind: 'outputs', taskId: task.id, files: [file('b', 'b')], problems: [] }]);
    expect(store.outputs(task.id)).toEqual({ files: [file('b', 'b')], problems: [] });
    expect(['a', 'b', 'c'].map((letter) => store.usesBlob(fileBlob(letter)))).toEqual([false, true, true]);
    expect(store.task(other.id)?.task.spec.inputs).toEqual([file('in', 'c')]);
  });
});

describe('Store.tasks()', () => {
  test('gives pages newest first, without gaps or repeats', () => {
    const ids = Array.from({ length: 25 }, () => add().id).reverse();
    const pages: string[] = [];
    for (let before: string | null = null; ; before = pages.at(-1) ?? null) {
      const page = idsOf({}, 10, before);
      if (page.length === 0) break;
      pages.push(...page);
    }
    expect(pages).toEqual(ids);
  });

  /** Every filter, alone and combined, against filtering in memory. */
  test('filters as a plain comparison of each task would', () => {
    const batches = ['000000000ba1', '000000000ba2'];
    store.commit(batches.map((id) => ({ kind: 'batch', id, name: null, createdAt: sampleAt, size: 0, owner: null })));
    const statuses: TaskStatus[] = ['completed', 'failed', 'queued', 'completed', 'running', 'cancelled'];
    const owners = ['ci', 'ci-2'];
    const all = Array.from({ length: 120 }, (_, i) =>
      add({
        status: statuses[i % statuses.length] ?? 'queued',
        createdAt: sampleAt + i * 1000,
        workerId: i % 4 === 0 ? null : `w${i % 4}`,
        spec: {
          ...plainSpec,
          batchId: batches[i % 5] ?? null,
          owner: owners[i % 3] ?? null,
          tags: i % 3 === 0 ? { k: `v${i % 2}` } : {},
        },
      }),
    );
    const filters: TaskFilter[] = [{}];
    const choices: TaskFilter[] = [
      { statuses: ['failed', 'queued'] },
      { statuses: ['completed', 'running'] },
      { workerId: 'w1' },
      { batchId: '000000000ba2' },
      { owner: 'ci' },
      { tag: { key: 'k', value: 'v1' } },
      { since: sampleAt + 50_500 },
      { idPrefix: (all[60]?.id ?? '').slice(0, 7) },
    ];
    for (const choice of choices) for (const filter of [...filters]) filters.push({ ...filter, ...choice });
    for (const filter of filters) {
      const { statuses, workerId, batchId, tag, since, idPrefix, owner } = filter;
      const expected = all.filter(
        (task) =>
          (statuses?.includes(task.status) ?? true) &&
          (workerId === undefined || task.workerId === workerId) &&
          (batchId === undefined || task.spec.batchId === batchId) &&
          (owner === undefined || task.spec.owner === owner) &&
          (tag === undefined || task.spec.tags[tag.key] === tag.value) &&
          (since === undefined || task.createdAt >= since) &&
          task.id.startsWith(idPrefix ?? ''),
      );
      const newestFirst = expected.map(({ id }) => id).reverse();
      expect(idsOf(filter)).toEqual(newestFirst.slice(0, 100));
      expect(idsOf(filter, 3, all[90]?.id ?? null)).toEqual(
        newestFirst.filter((id) => id < (all[90]?.id ?? '')).slice(0, 3),
      );
    }
    expect(idsOf({ statuses: [] })).toEqual([]);
  });

  test('meets a task whose id is ahead of its creation because the clock was set back', () => {
    const ahead = add({ createdAt: sampleAt + 60_000 });
    const after = sampleTask({ createdAt: sampleAt });
    store.commit([saved(after)]);
    expect(after.id > firstIdAt(sampleAt + 59_999)).toBe(true);
    expect(idsOf({ since: sampleAt })).toEqual([after.id, ahead.id]);
    expect(idsOf({ since: sampleAt + 1 })).toEqual([ahead.id]);
  });
});

describe('Store, reading', () => {
  test('statuses() answers ten thousand ids at once, known or not', () => {
    const tasks = Array.from({ length: 2000 }, (_, i) => sampleTask({ status: i % 2 === 0 ? 'queued' : 'failed' }));
    store.commit(tasks.map((task) => saved(task)));
    const unknown = Array.from({ length: 8000 }, (_, i) => `x${i}`);
    const statuses = store.statuses([...tasks.map(({ id }) => id), ...unknown]);
    expect(statuses.size).toBe(2000);
    expect(tasks.every(({ id, status }) => statuses.get(id) === status)).toBe(true);
  });

  test('attempts() gives them in order, batch() counts by status', () => {
    store.commit([{ kind: 'batch', id: '00000000000b', name: 'night', createdAt: sampleAt, size: 3, owner: 'ci' }]);
    const spec = { ...plainSpec, batchId: '00000000000b' };
    const task = add({ spec, status: 'failed' });
    add({ spec });
    add({ spec });
    add();
    store.commit([2, 1, 10].map((attempt) => ({ kind: 'attempt', record: attemptOf(task, attempt) })));
    expect(store.attempts(task.id).map(({ attempt }) => attempt)).toEqual([1, 2, 10]);
    const counts = { blocked: 0, queued: 2, running: 0, completed: 0, failed: 1, timed_out: 0, cancelled: 0 };
    expect(store.batch('00000000000b')).toEqual({
      id: '00000000000b',
      name: 'night',
      createdAt: sampleAt,
      size: 3,
      owner: 'ci',
      counts,
    });
    expect(store.batch('nothing')).toBeNull();
  });
});

describe('Store.prune()', () => {
  test('deletes old ended tasks with all that hangs on them, and nothing else', () => {
    const batch: Change = { kind: 'batch', id: '00000000000b', name: null, createdAt: sampleAt, size: 1, owner: null };
    const old = sampleTask({ ...completed, spec: { ...richSpec, batchId: '00000000000b' } });
    const recent = sampleTask({ ...completed, completedAt: sampleAt + 10_000 });
    const live = sampleTask();
    store.commit([batch, saved(old), saved(recent), saved(live), { kind: 'attempt', record: attemptOf(old, 1) }]);
    const files = [{ path: 'out', blob: fileBlob('e'), bytes: 4, executable: false }];
    store.commit([{ kind: 'outputs', taskId: old.id, files, problems: ['no'] }]);
    const blobs = [...richSpec.inputs, ...files].map(({ blob }) => blob);
    const pruned = store.prune(sampleAt + 10_000, 10);
    expect({ ...pruned, blobs: [...pruned.blobs].sort() }).toEqual({
      ...{ tasks: 1, ended: { completed: 1 } },
      ...{ blobs: blobs.sort(), orphaned: [] },
    });
    expect(store.outputs(old.id)).toEqual({ files: [], problems: [] });
    expect(idsOf({})).toEqual([live.id, recent.id]);
    expect(store.attempts(old.id)).toEqual([]);
    expect(idsOf({ tag: { key: 'k', value: 'v' } })).toEqual([]);
    expect(store.batch('00000000000b')).toBeNull();
    expect(store.prune(sampleAt + 10_000, 10).tasks).toBe(0);
  });

  test('keeps a file that another task brought, and names it when that one goes', () => {
    const input = (path: string) => ({ path, blob: fileBlob('f'), bytes: 1, executable: false });
    add({ ...completed, spec: { ...plainSpec, inputs: [input('in'), input('again')] } });
    add({ ...completed, spec: { ...plainSpec, inputs: [input('in')] } });
    expect(store.prune(sampleAt * 2, 1)).toMatchObject({ tasks: 1, blobs: [] });
    expect(store.prune(sampleAt * 2, 1)).toMatchObject({ tasks: 1, blobs: [fileBlob('f')] });
  });

  test('names a blob when the last row that refers to it goes', () => {
    const [first, second] = [add(completed), add(completed)];
    const large = (letter: string) => ({ bytes: bytesOf('x'), totalBytes: 9, blob: `sha256:${letter.repeat(64)}` });
    store.commit([
      { kind: 'output', taskId: first.id, stdout: large('a'), stderr: large('b') },
      { kind: 'output', taskId: second.id, stdout: whole(bytesOf('')), stderr: large('a') },
    ]);
    expect(store.prune(sampleAt * 2, 1)).toMatchObject({ tasks: 1, blobs: [`sha256:${'b'.repeat(64)}`] });
    expect(store.prune(sampleAt * 2, 1)).toMatchObject({ tasks: 1, blobs: [`sha256:${'a'.repeat(64)}`] });
  });

  test('deletes at most the limit, oldest first, and old idempotency keys', () => {
    const ids = Array.from(
      { length: 5 },
      (_, index) => add({ ...completed, ...(index === 1 ? { status: 'failed' } : {}) }).id,
    );
    store.commit([{ kind: 'idempotency', key: 'k', bodyHash: 'h', answer: '{}', createdAt: sampleAt }]);
    expect(store.prune(sampleAt * 2, 3)).toMatchObject({ tasks: 3, ended: { completed: 2, failed: 1 } });
    expect(store.load().counts).toMatchObject({ completed: 2, failed: 0 });
    expect(idsOf({})).toEqual(ids.slice(3).reverse());
    expect(store.idempotency('k')).toBeNull();
  });
});
