/** The record with its beginning cut off by retention: what is left is checked from there on, and a cut by hand is found. */

import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditFinding } from '../../src/core/trust.ts';
import type { Change } from '../../src/ports/store.ts';
import { verifyRecordIn } from '../../src/roles/record.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore, type SqliteStore } from '../../src/store/store.ts';
import { sampleAt } from '../unit/store/samples.ts';

const dayMs = 86_400_000;
/** Entries 1 to 10 are of days 1 to 10; it is day 11 when the record is cut. */
const on = (day: number): number => sampleAt + day * dayMs;
const nowMs = on(11);

let directory: string;
let copies = 0;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-cut-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function entry(at: number): Change {
  return { kind: 'audit', at, eventType: 'seen', actor: 'me', workerId: null, taskId: null, details: '{}' };
}

function written(...days: readonly number[]): { file: string; store: SqliteStore } {
  const file = join(directory, `record-${copies++}.db`);
  const store = openStore(file, storeFiles);
  store.commit(days.map((day) => entry(on(day))));
  return { file, store };
}

const tenDays = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const idsIn = (store: SqliteStore): number[] => store.audit({}, { limit: 100, after: 0 }).map(({ id }) => id);
const cutBefore = (store: SqliteStore, day: number, limit = 100) =>
  store.cutRecord({ beforeMs: on(day), nowMs, limit });

describe('cutRecord()', () => {
  test('deletes the entries before an instant, says so on record, and the rest is checked from there on', async () => {
    const { file, store } = written(...tenDays);
    expect(store.cuttable({ beforeMs: on(5), nowMs })).toBe(4);
    expect(cutBefore(store, 5)).toEqual({ entries: 4, damaged: null });
    const finding: AuditFinding = { ok: true, entries: 7, cut: { through: 4, at: nowMs } };
    expect([idsIn(store), store.verifyAudit()]).toEqual([[5, 6, 7, 8, 9, 10, 11], finding]);
    const [told] = store.audit({ eventType: 'record_cut' }, { limit: 1, after: 0 });
    const details: unknown = JSON.parse(told?.details ?? '');
    const writtenBefore = new Date(on(5)).toISOString();
    expect(details).toEqual({ through: 4, hash: expect.any(String), entries: 4, written_before: writtenBefore });
    expect(cutBefore(store, 5)).toEqual({ entries: 0, damaged: null });
    store.close();
    expect(await verifyRecordIn(file)).toEqual(finding);
  });

  test('goes in slices, one on top of the other, down to the entries of the cuts themselves', () => {
    const { store } = written(...tenDays);
    const slices = [cutBefore(store, 6, 2), cutBefore(store, 6, 2), cutBefore(store, 6, 2)];
    expect(slices.map(({ entries }) => entries)).toEqual([2, 2, 1]);
    expect(store.verifyAudit()).toEqual({ ok: true, entries: 8, cut: { through: 5, at: nowMs } });
    expect(store.cutRecord({ beforeMs: on(12), nowMs: on(13), limit: 100 }).entries).toBe(8);
    store.commit([entry(on(13))]);
    expect([idsIn(store), store.verifyAudit()]).toEqual([
      [14, 15],
      { ok: true, entries: 2, cut: { through: 13, at: on(13) } },
    ]);
    store.close();
  });

  test('neither empties the record nor keeps it for ever where the clock was wrong', () => {
    const early = written(8, -300, 9);
    expect([cutBefore(early.store, 5).entries, idsIn(early.store)]).toEqual([0, [1, 2, 3]]);
    early.store.close();
    const ahead = written(1, 4000, 2, 4000, 9);
    expect([cutBefore(ahead.store, 5).entries, idsIn(ahead.store)]).toEqual([3, [4, 5, 6]]);
    ahead.store.close();
  });

  test('puts on record that an entry it deleted was not as it was written', () => {
    const { file, store } = written(...tenDays);
    onFile(file, `UPDATE audit_log SET actor = 'you' WHERE id = 2`);
    expect(cutBefore(store, 5)).toEqual({ entries: 4, damaged: 3 });
    const [told] = store.audit({ eventType: 'record_cut' }, { limit: 1, after: 0 });
    expect(told?.details).toContain('"damaged":3');
    store.close();
  });
});

function onFile(file: string, ...statements: readonly string[]): void {
  const database = new Database(file);
  for (const statement of statements) database.run(statement);
  database.close();
}

const zeros = '0'.repeat(64);
const cutId = 11;
const setCut = (sql: string): string => `UPDATE audit_log SET details = ${sql} WHERE id = ${cutId}`;

/** What is done to a record of which entries 1 to 4 were cut, and what is found. */
const tamperings: readonly [string, readonly string[], object][] = [
  ['more taken off the beginning', ['DELETE FROM audit_log WHERE id < 7'], { what: 'removed', id: 5 }],
  [
    'more taken off the beginning, and the cut made to fit',
    ['DELETE FROM audit_log WHERE id < 7', setCut(`replace(details, '"through":4', '"through":6')`)],
    { what: 'changed', id: cutId },
  ],
  ['another hash in the cut', [setCut(`replace(details, '"hash":"', '"hash":"00')`)], { what: 'changed', id: cutId }],
  ['a cut that says nothing', [setCut(`'{}'`)], { what: 'changed', id: cutId }],
  ['the entry of the cut taken out', [`DELETE FROM audit_log WHERE id = ${cutId}`], { what: 'removed', id: 1 }],
  [
    'an entry put before the beginning',
    [`INSERT INTO audit_log VALUES (4, '2026-01-01T00:00:00.000Z', 'seen', 'me', NULL, NULL, '{}', '${zeros}')`],
    { what: 'changed', id: 4 },
  ],
  ['the first entry edited', [`UPDATE audit_log SET actor = 'you' WHERE id = 5`], { what: 'changed', id: 5 }],
  [
    'the hash of the first entry edited',
    [`UPDATE audit_log SET previous_hash = '${zeros}' WHERE id = 5`],
    { what: 'changed', id: 5 },
  ],
  [
    'an entry taken out, ids closed up',
    [
      'DELETE FROM audit_log WHERE id = 7',
      'UPDATE audit_log SET id = -id WHERE id > 7',
      'UPDATE audit_log SET id = -id - 1 WHERE id < 0',
    ],
    { what: 'removed', id: 7 },
  ],
  ['the end cut off', ['DELETE FROM audit_log WHERE id > 11'], { what: 'removed', id: 12 }],
];

describe('verifyAudit() after a cut finds', () => {
  let cut: string;
  beforeAll(() => {
    const { file, store } = written(...tenDays);
    cutBefore(store, 5);
    store.commit([entry(nowMs), entry(nowMs)]);
    store.close();
    cut = file;
  });
  for (const [name, statements, expected] of tamperings) {
    test(name, () => {
      const file = join(directory, `tampered-${copies++}.db`);
      copyFileSync(cut, file);
      onFile(file, ...statements);
      const store = openStore(file, storeFiles);
      const finding = store.verifyAudit();
      store.close();
      expect(finding).toMatchObject({ ok: false, ...expected });
    });
  }
});
