/** What every `Store` promises of notifications: those on their way, and whom the end of a batch is told. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeliveryRecord } from '../../src/core/notification.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore, type SqliteStore } from '../../src/store/store.ts';
import { sampleAt } from '../unit/store/samples.ts';

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

function delivery(id: string, createdAt: number): DeliveryRecord {
  const notice = { event: 'test', id, at: '2026-01-31T12:00:00.000Z', cluster: 'c', text: '\u2603 "x"' } as const;
  return { id, destination: 'json:https://a.home/', createdAt, notice, tries: 0, nextAt: createdAt };
}

test('deliveries() gives what was not ended, as it was written last, the oldest first', () => {
  const [old, young] = [delivery('r-9', sampleAt), delivery('r-10', sampleAt + 1)];
  const tried = { ...young, tries: 2, nextAt: sampleAt + 5000 };
  store.commit([young, old, delivery('r-1', sampleAt)].map((record) => ({ kind: 'delivery', record }) as const));
  store.commit([
    { kind: 'delivery', record: tried },
    { kind: 'deliveryEnded', id: 'r-1' },
    { kind: 'deliveryEnded', id: 'unknown' },
  ]);
  store.close();
  store = openStore(join(directory, 'octaskly.db'), storeFiles);
  expect(store.deliveries()).toEqual([old, tried]);
});

test("a batch grows by what joins it, in the commit that stores it as well, and is its owner's", () => {
  const batch = { kind: 'batch', name: 'n', createdAt: sampleAt, size: 2, owner: 'ann', notify: [] } as const;
  store.commit([
    { ...batch, id: '000000000001' },
    { kind: 'batchGrown', id: '000000000001', by: 3 },
  ]);
  store.commit([{ kind: 'batchGrown', id: '000000000001', by: 4 }]);
  expect(store.batch('000000000001')).toMatchObject({ name: 'n', size: 9 });
  expect([store.batchHead('000000000001'), store.batchHead('000000000002')]).toEqual([
    { owner: 'ann', notify: [] },
    null,
  ]);
});

test('batch() tells nobody, somebody and no word of it apart', () => {
  const batch = { kind: 'batch', name: null, createdAt: sampleAt, size: 1, owner: null } as const;
  store.commit([
    { ...batch, id: '000000000001' },
    { ...batch, id: '000000000002', notify: [] },
    { ...batch, id: '000000000003', notify: ['json:https://a.home/'] },
  ]);
  const told = ['000000000001', '000000000002', '000000000003'].map((id) => store.batch(id)?.notify);
  expect(told).toEqual([undefined, [], ['json:https://a.home/']]);
  expect(store.batches({}, { limit: 1, before: null })[0]?.notify).toEqual(['json:https://a.home/']);
});
