/** What every `Store` promises of overviews: pages of batches, what ended lately, the newest of the record. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Change } from '../../src/ports/store.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore, type SqliteStore } from '../../src/store/store.ts';
import { completed, plainSpec, sampleAt, sampleTask, saved } from '../unit/store/samples.ts';

let directory: string;
let store: SqliteStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-store-'));
  store = openStore(join(directory, 'octaskly.db'), storeFiles);
});
afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true, force: true });
});

test('batches() gives them newest first by the page, each with its counts, of one owner alone when asked', () => {
  const batches = [null, 'ann', null].map((owner, at): Change => {
    return { kind: 'batch', id: `00000000000${at + 1}`, name: null, createdAt: sampleAt, size: 1, owner };
  });
  const task = sampleTask({ spec: { ...plainSpec, batchId: '000000000002' } });
  store.commit([...batches, saved(task)]);
  const ids = (owner: { owner?: string }, limit: number, before: string | null = null) =>
    store.batches(owner, { limit, before }).map(({ id }) => id.slice(-1));
  expect(ids({}, 2)).toEqual(['3', '2']);
  expect(ids({}, 2, '000000000002')).toEqual(['1']);
  expect(ids({ owner: 'ann' }, 9)).toEqual(['2']);
  expect(store.batches({ owner: 'ann' }, { limit: 1, before: null })).toEqual([
    store.batch('000000000002') ?? expect.unreachable(),
  ]);
  expect(store.batch('000000000002')?.counts.queued).toBe(1);
});

test('endedAttempts() gives all attempts of tasks that ended since, the last first', () => {
  const ended = (id: string, owner: string | null, completedAt: number): Change[] => {
    const task = sampleTask({ ...completed, id, spec: { ...plainSpec, owner, name: `task ${id}` } });
    const outcome = { kind: 'exited', exitCode: 0 } as const;
    return [
      saved({ ...task, completedAt }),
      ...[1, 2].map((attempt): Change => {
        const times = { startedAt: completedAt - 20, endedAt: completedAt - 10 + 5 * attempt };
        return { kind: 'attempt', record: { taskId: id, attempt, workerId: 'w', ...times, outcome, usage: null } };
      }),
    ];
  };
  store.commit([...ended('000000000001', null, sampleAt), ...ended('000000000002', 'ann', sampleAt + 100)]);
  const found = (filter: { since: number; owner?: string }, limit = 9) =>
    store.endedAttempts(filter, limit).map(({ record, name }) => `${name} ${record.attempt}`);
  expect(found({ since: sampleAt })).toEqual([
    ...['task 000000000002 2', 'task 000000000002 1', 'task 000000000001 2', 'task 000000000001 1'],
  ]);
  expect(found({ since: sampleAt + 1 })).toHaveLength(2);
  expect(found({ since: 0 }, 1)).toEqual(['task 000000000002 2']);
  expect(found({ since: sampleAt + 1, owner: 'bob' })).toEqual([]);
});

test('audit() walks from the newest on when asked, and stops where it should', () => {
  store.commit(
    [1, 2, 3, 4].map((at): Change => {
      const about = { actor: 'a', workerId: null, taskId: null, details: '' };
      return { kind: 'audit', at: sampleAt + at, eventType: 'x', ...about };
    }),
  );
  const ids = (after: number, filter = {}) =>
    store.audit(filter, { limit: 2, after, newestFirst: true }).map(({ id }) => id);
  expect([ids(0), ids(3), ids(1)]).toEqual([[4, 3], [2, 1], []]);
  expect(ids(0, { since: sampleAt + 4 })).toEqual([4]);
  expect(ids(4, { since: sampleAt + 3 })).toEqual([3]);
});
