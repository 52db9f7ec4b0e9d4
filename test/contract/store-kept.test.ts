/** What every `Store` promises of files that stay with workers, held against the real one on a file. */

import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Task } from '../../src/core/task.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore, type SqliteStore } from '../../src/store/store.ts';
import { completed, plainSpec, sampleAt, sampleTask, saved } from '../unit/store/samples.ts';

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

/** After everything in the samples, wall ms. */
const wayLater = sampleAt * 2;

const fileBlob = (letter: string): string => `sha256:${letter.repeat(64)}`;

describe('Store.kept()', () => {
  const file = (path: string, letter: string) => ({ path, blob: fileBlob(letter), bytes: 4, executable: false });

  test('finds files by task, worker and content, over a restart, until they are here', () => {
    const [first, second, third] = [add(completed), add(completed), add(completed)];
    store.commit([
      { kind: 'outputs', taskId: first.id, files: [file('a', 'a'), file('b', 'b')], problems: ['p'], keptAt: 'w1' },
      { kind: 'outputs', taskId: second.id, files: [file('a', 'a')], problems: [], keptAt: 'w2' },
      { kind: 'outputs', taskId: third.id, files: [file('a', 'a')], problems: [] },
    ]);
    const kept = (of: Parameters<SqliteStore['kept']>[0]) =>
      reopened()
        .kept(of)
        .map(({ taskId, path, workerId }) => [taskId, path, workerId]);
    expect(kept({ taskId: first.id })).toEqual([
      [first.id, 'a', 'w1'],
      [first.id, 'b', 'w1'],
    ]);
    expect(kept({ blob: fileBlob('a') })).toEqual([
      [first.id, 'a', 'w1'],
      [second.id, 'a', 'w2'],
    ]);
    expect(kept({ workerId: 'w2' })).toEqual([[second.id, 'a', 'w2']]);
    expect(store.keptCounts()).toEqual(
      new Map([
        ['w1', 2],
        ['w2', 1],
      ]),
    );
    store.commit([{ kind: 'outputHere', workerId: 'w1', blob: fileBlob('a') }]);
    expect(kept({ workerId: 'w1' })).toEqual([[first.id, 'b', 'w1']]);
    expect(kept({ blob: fileBlob('a') })).toEqual([[second.id, 'a', 'w2']]);
    expect(store.outputs(first.id).files).toHaveLength(2);
  });
});

describe('Store.prune()', () => {
  test('says who keeps files of what it deletes, but not while another task has them as inputs', () => {
    const made = add(completed);
    const file = { path: 'out', blob: fileBlob('d'), bytes: 4, executable: false };
    store.commit([{ kind: 'outputs', taskId: made.id, files: [file], problems: [], keptAt: 'w1' }]);
    const user = sampleTask({ ...completed, spec: { ...plainSpec, inputs: [{ ...file, path: 'in' }] } });
    store.commit([saved(user)]);
    expect(store.prune(wayLater, 10)).toEqual({ tasks: 1, ended: { completed: 1 }, blobs: [], orphaned: [] });
    expect(store.task(user.id)).toBeNull();
    expect(store.prune(wayLater, 10)).toEqual({
      ...{ tasks: 1, ended: { completed: 1 }, blobs: [file.blob] },
      orphaned: [{ taskId: made.id, attempt: made.attempt, workerId: 'w1' }],
    });
  });
});
