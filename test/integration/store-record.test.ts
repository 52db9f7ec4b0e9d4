/** The record of who did what: what somebody with `sqlite3` does to it is found, and the entry it was done to is named. */

import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditFinding } from '../../src/core/trust.ts';
import type { Change } from '../../src/ports/store.ts';
import { verifyRecordIn } from '../../src/roles/record.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { auditHash, auditStart, decodeHead } from '../../src/store/audit.ts';
import { migrations } from '../../src/store/migrations.ts';
import { openStore } from '../../src/store/store.ts';
import { sampleAt, sampleTask, saved } from '../unit/store/samples.ts';
import { databaseV1 } from './store-v1.ts';

let directory: string;
/** A record of ten entries; each test works on a copy of it. */
let sound: string;
let copies = 0;

function entry(eventType: string, actor = 'me'): Extract<Change, { kind: 'audit' }> {
  return {
    kind: 'audit',
    at: sampleAt,
    eventType,
    actor,
    workerId: 'w1',
    taskId: null,
    details: '{"from":"10.0.0.1"}',
  };
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-record-'));
  sound = join(directory, 'sound.db');
  const store = openStore(sound, storeFiles);
  for (let i = 1; i <= 10; i++) store.commit([entry(`event_${i}`)]);
  store.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A copy of the sound database, in a directory of its own, after `statements`. */
function tampered(...statements: string[]): string {
  const folder = join(directory, `copy ${copies++} 100%?#`);
  mkdirSync(folder);
  const file = join(folder, 'octaskly.db');
  copyFileSync(sound, file);
  onFile(file, ...statements);
  return file;
}

function onFile(file: string, ...statements: string[]): void {
  const database = new Database(file);
  for (const statement of statements) database.run(statement);
  database.close();
}

function opened<T>(file: string, action: (store: ReturnType<typeof openStore>) => T): T {
  const store = openStore(file, storeFiles);
  try {
    return action(store);
  } finally {
    store.close();
  }
}

/** The finding, without its sentence, by both ways to ask for it. */
async function findingIn(file: string): Promise<object> {
  const finding = await verifyRecordIn(file);
  expect(opened(file, (store) => store.verifyAudit())).toEqual(finding);
  return short(finding);
}

function short(finding: AuditFinding): object {
  return finding.ok ? finding : { what: finding.what, id: finding.id };
}

const contents = 'timestamp, event_type, actor, worker_id, task_id, details';

/** Exchanges whole rows: each keeps all it has but its id. */
const exchangeRows = (left: number, right: number): string[] => [
  `UPDATE audit_log SET id = -1 WHERE id = ${left}`,
  `UPDATE audit_log SET id = ${left} WHERE id = ${right}`,
  `UPDATE audit_log SET id = ${right} WHERE id = -1`,
];

/** Exchanges what rows say; ids and hashes stay where they are. */
const exchangeContents = (left: number, right: number): string[] => [
  `CREATE TABLE spare AS SELECT * FROM audit_log WHERE id IN (${left}, ${right})`,
  `UPDATE audit_log SET (${contents}) = (SELECT ${contents} FROM spare WHERE id = ${right}) WHERE id = ${left}`,
  `UPDATE audit_log SET (${contents}) = (SELECT ${contents} FROM spare WHERE id = ${left}) WHERE id = ${right}`,
  'DROP TABLE spare',
];

/** Takes an entry out and closes the gap, as a person would who knows of the ids and not of the hashes. */
const closeUp = (id: number): string[] => [
  `DELETE FROM audit_log WHERE id = ${id}`,
  `UPDATE audit_log SET id = -id WHERE id > ${id}`,
  'UPDATE audit_log SET id = -id - 1 WHERE id < 0',
];

const insert = (id: number, previousHash: string): string =>
  `INSERT INTO audit_log VALUES (${id}, '2026-06-01T12:00:00.125Z', 'forged', 'me', NULL, NULL, '', ${previousHash})`;

const changed = (id: number, set: string): [string, string[], object] => [
  `${set} of entry ${id}`,
  [`UPDATE audit_log SET ${set} WHERE id = ${id}`],
  { what: 'changed', id },
];
const removed = (name: string, statements: string[], id: number): [string, string[], object] => [
  name,
  statements,
  { what: 'removed', id },
];
const reordered = (name: string, statements: string[], id: number): [string, string[], object] => [
  name,
  statements,
  { what: 'reordered', id },
];

const tamperings: readonly [name: string, statements: readonly string[], finding: object][] = [
  ['nothing', [], { ok: true, entries: 10 }],

  ...[1, 2, 5, 9, 10].flatMap((id) => [
    changed(id, `timestamp = '2026-06-01T12:00:00.126Z'`),
    changed(id, `timestamp = '2026-06-01T12:00:00.125+00:00'`),
    changed(id, `timestamp = ''`),
    changed(id, `event_type = 'other'`),
    changed(id, `actor = 'someone else'`),
    changed(id, `actor = X'6d65'`),
    changed(id, 'worker_id = NULL'),
    changed(id, `task_id = ''`),
    changed(id, `details = '{"from":"10.0.0.1" }'`),
    changed(id, `previous_hash = '${'ab'.repeat(32)}'`),
    changed(id, `previous_hash = ''`),
  ]),
  [
    'two entries, of which the first is named',
    [`UPDATE audit_log SET actor = 'x' WHERE id IN (4, 8)`],
    { what: 'changed', id: 4 },
  ],
  ['entries side by side', [`UPDATE audit_log SET actor = 'x' WHERE id BETWEEN 4 AND 6`], { what: 'changed', id: 4 }],
  ['every entry', [`UPDATE audit_log SET actor = 'x'`], { what: 'changed', id: 1 }],
  [
    'hashes side by side',
    [`UPDATE audit_log SET previous_hash = '' WHERE id BETWEEN 4 AND 6`],
    { what: 'changed', id: 4 },
  ],
  ['hashes at the end', [`UPDATE audit_log SET previous_hash = '' WHERE id > 7`], { what: 'changed', id: 8 }],
  ['every hash', [`UPDATE audit_log SET previous_hash = 'x'`], { what: 'changed', id: 1 }],
  ['the hash in the mark', [`UPDATE marks SET value = '10 ${auditStart}'`], { what: 'changed', id: 10 }],
  ['an entry put in after the end', [insert(11, `'${auditStart}'`)], { what: 'changed', id: 11 }],
  ['an entry put in far behind', [insert(4000, `'${auditStart}'`)], { what: 'changed', id: 4000 }],
  ['an entry put in before the beginning', [insert(0, `'${auditStart}'`)], { what: 'changed', id: 0 }],
  [
    'an entry replaced by another with its hash',
    [
      `CREATE TABLE spare AS SELECT previous_hash FROM audit_log WHERE id = 4`,
      'DELETE FROM audit_log WHERE id = 4',
      insert(4, '(SELECT previous_hash FROM spare)'),
    ],
    { what: 'changed', id: 4 },
  ],

  ...[1, 2, 5, 9, 10].map((id) => removed(`entry ${id}`, [`DELETE FROM audit_log WHERE id = ${id}`], id)),
  removed('several in a row', ['DELETE FROM audit_log WHERE id BETWEEN 4 AND 6'], 4),
  removed('several at the end', ['DELETE FROM audit_log WHERE id > 7'], 8),
  removed('several at the beginning', ['DELETE FROM audit_log WHERE id < 4'], 1),
  removed('all', ['DELETE FROM audit_log'], 1),
  removed(
    'one, and the next one carries the hash of the one before',
    [
      `UPDATE audit_log SET previous_hash = (SELECT previous_hash FROM audit_log WHERE id = 5) WHERE id = 6`,
      'DELETE FROM audit_log WHERE id = 5',
    ],
    5,
  ),
  ...[1, 2, 5, 9].map((id) => removed(`entry ${id}, and the ids closed up`, closeUp(id), id)),
  removed('the last, and the mark too', ['DELETE FROM audit_log WHERE id = 10', 'DELETE FROM marks'], 10),
  removed('the mark', ['DELETE FROM marks'], 11),
  removed('the mark, by one that says nothing', [`UPDATE marks SET value = 'x'`], 11),

  ...[
    [1, 2],
    [1, 10],
    [3, 4],
    [3, 7],
    [9, 10],
    [8, 10],
  ].flatMap(([left = 0, right = 0]) => [
    reordered(`rows ${left} and ${right} exchanged`, exchangeRows(left, right), left),
    reordered(`contents of ${left} and ${right} exchanged`, exchangeContents(left, right), left),
  ]),
  reordered('three rows in a circle', [...exchangeRows(3, 5), ...exchangeRows(5, 8)], 3),
  reordered('all rows backwards', ['UPDATE audit_log SET id = id - 100', 'UPDATE audit_log SET id = -89 - id'], 1),
  reordered('one moved behind the end', ['UPDATE audit_log SET id = 1000 WHERE id = 4'], 4),
  reordered('the last moved behind the end', ['UPDATE audit_log SET id = 1000 WHERE id = 10'], 10),
  reordered('one moved before the beginning', ['UPDATE audit_log SET id = -4 WHERE id = 4'], 4),
  reordered(
    'ids from one on raised',
    ['UPDATE audit_log SET id = -id WHERE id > 4', 'UPDATE audit_log SET id = 1 - id WHERE id < 0'],
    5,
  ),
];

describe('verifyAudit() and verifyRecordIn() after tampering with', () => {
  for (const [name, statements, finding] of tamperings) {
    test(`${name} find ${JSON.stringify(finding)}`, async () => {
      const file = tampered(...statements);
      expect(await findingIn(file)).toEqual(finding);
    });
  }
});

describe('verifyAudit()', () => {
  test('goes on finding what was done when more entries were written after it', () => {
    const cases: [string[], object][] = [
      [[`UPDATE audit_log SET actor = 'x' WHERE id = 10`], { what: 'changed', id: 10 }],
      [[`UPDATE audit_log SET previous_hash = '' WHERE id = 10`], { what: 'changed', id: 10 }],
      [['DELETE FROM audit_log WHERE id = 10'], { what: 'removed', id: 10 }],
      [['DELETE FROM audit_log'], { what: 'removed', id: 1 }],
      [closeUp(5), { what: 'removed', id: 5 }],
      [exchangeRows(9, 10), { what: 'reordered', id: 9 }],
      [[insert(11, `'${auditStart}'`)], { what: 'changed', id: 11 }],
    ];
    for (const [statements, expected] of cases) {
      const found = opened(tampered(...statements), (store) => {
        store.commit([entry('later'), entry('later')]);
        store.commit([entry('last')]);
        return store.verifyAudit();
      });
      expect(short(found)).toEqual(expected);
    }
  });

  test('tells an edited entry from a moved one also where all entries say the same', () => {
    const file = join(directory, 'same.db');
    opened(file, (store) => store.commit(Array.from({ length: 10 }, () => entry('same'))));
    for (const id of [1, 2, 5, 9, 10]) {
      onFile(file, `UPDATE audit_log SET details = '' WHERE id = ${id}`);
      expect(opened(file, (store) => short(store.verifyAudit()))).toEqual({ what: 'changed', id });
      onFile(file, `UPDATE audit_log SET details = '${entry('').details}' WHERE id = ${id}`);
    }
    onFile(file, ...exchangeRows(4, 6));
    expect(opened(file, (store) => short(store.verifyAudit()))).toEqual({ what: 'reordered', id: 4 });
  });

  test('says in a sentence what it found, and how many entries there are', () => {
    const file = tampered(...exchangeRows(3, 7));
    expect(opened(file, (store) => store.verifyAudit())).toEqual({
      ...{ ok: false, entries: 10, id: 3, what: 'reordered' },
      detail: 'Entry 3 was moved: what belongs there stands at 7.',
    });
  });

  test('takes the record of a new database, and one of many pages, with anything in it', () => {
    const file = join(directory, 'many.db');
    opened(file, (store) => {
      expect(store.verifyAudit()).toEqual({ ok: true, entries: 0 });
      const odd = ['', 'grüße', 'nul\0inside', 'half \ud800 a pair', '\ufeff', '"quoted"\\', '\u2028'];
      const entries = Array.from({ length: 2500 }, (_, i) => ({
        ...entry('many', odd[i % odd.length] ?? ''),
        ...{
          at: sampleAt + i * 0.7,
          workerId: odd[i % 3] ?? null,
          taskId: odd[i % 5] ?? null,
          details: odd[i % 4] ?? '',
        },
      }));
      store.commit(entries);
      expect(store.verifyAudit()).toEqual({ ok: true, entries: 2500 });
    });
    onFile(file, `UPDATE audit_log SET actor = 'x' WHERE id = 2000`);
    expect(opened(file, (store) => short(store.verifyAudit()))).toEqual({ what: 'changed', id: 2000 });
    onFile(file, ...exchangeContents(500, 2300));
    expect(opened(file, (store) => short(store.verifyAudit()))).toEqual({ what: 'reordered', id: 500 });
  });

  test('verifies a record from before there was a mark, and guards its end from the next entry on', async () => {
    const file = join(directory, 'v1.db');
    storeFiles.ensure(file);
    onFile(file, databaseV1, ...oldEntries(3));
    expect(await verifyRecordIn(file)).toEqual({ ok: true, entries: 3 });
    onFile(file, `UPDATE audit_log SET actor = 'you' WHERE id = 2`);
    expect(short(await verifyRecordIn(file))).toEqual({ what: 'changed', id: 2 });
    onFile(file, `UPDATE audit_log SET actor = 'me' WHERE id = 2`);
    expect(opened(file, (store) => store.verifyAudit())).toEqual({ ok: true, entries: 3 });
    onFile(file, 'CREATE TABLE spare AS SELECT * FROM audit_log WHERE id = 3', 'DELETE FROM audit_log WHERE id = 3');
    expect(short(await verifyRecordIn(file))).toEqual({ what: 'removed', id: 3 });
    onFile(file, 'INSERT INTO audit_log SELECT * FROM spare', 'DROP TABLE spare');
    opened(file, (store) => store.commit([entry('new')]));
    expect(await verifyRecordIn(file)).toEqual({ ok: true, entries: 4 });
    onFile(file, `UPDATE audit_log SET event_type = '' WHERE id = 4`);
    expect(short(await verifyRecordIn(file))).toEqual({ what: 'changed', id: 4 });
  });
});

/** INSERTs of entries as the first release wrote them. */
function oldEntries(count: number): string[] {
  let previousHash = auditStart;
  return Array.from({ length: count }, (_, i) => {
    const columns = [i + 1, '2026-06-01T12:00:00.125Z', `old_${i}`, 'me', null, null, '{}', previousHash] as const;
    previousHash = auditHash(columns, storeFiles.sha256);
    return `INSERT INTO audit_log VALUES (${columns.map((value) => (value === null ? 'NULL' : `'${value}'`)).join(', ')})`;
  });
}

describe('Store.commit()', () => {
  test('chains entries over commits and restarts; of a rolled-back commit nothing is left', () => {
    const file = join(directory, 'chain.db');
    opened(file, (store) => {
      store.commit([entry('one'), entry('two')]);
      expect(() => store.commit([entry('never'), saved(sampleTask(), false)])).toThrow('never stored');
    });
    opened(file, (store) => store.commit([entry('three')]));
    const database = new Database(file, { readonly: true });
    const rows = database.query('SELECT * FROM audit_log ORDER BY id').values() as [number, string, string][];
    const [mark] = database.query(`SELECT value FROM marks WHERE name = 'audit_head'`).values();
    database.close();
    expect(rows.map(([id, , eventType]) => [id, eventType])).toEqual([
      [1, 'one'],
      [2, 'two'],
      [3, 'three'],
    ]);
    let previousHash = auditStart;
    for (const [id, timestamp, eventType] of rows) {
      const { actor, workerId, taskId, details } = entry(eventType);
      const columns = [id, timestamp, eventType, actor, workerId, taskId, details, previousHash] as const;
      expect(rows[id - 1]).toEqual([...columns] as never);
      previousHash = auditHash(columns, storeFiles.sha256);
    }
    expect(decodeHead(String(mark?.[0]))).toEqual({ id: 3, hash: previousHash });
  });
});

describe('verifyRecordIn()', () => {
  test('writes nothing, neither to the file nor beside it, and needs no right to', async () => {
    const file = tampered();
    const folder = join(file, '..');
    const before = [readFileSync(file), statSync(file).mtimeMs];
    chmodSync(folder, 0o500);
    chmodSync(file, 0o400);
    expect(await verifyRecordIn(file)).toEqual({ ok: true, entries: 10 });
    chmodSync(folder, 0o700);
    expect([readFileSync(file), statSync(file).mtimeMs]).toEqual(before);
    expect(readdirSync(folder)).toEqual(['octaskly.db']);
  });

  test('reads along while a dispatcher writes, and does not migrate', async () => {
    const file = tampered();
    const store = openStore(file, storeFiles);
    for (let entries = 11; entries < 15; entries++) {
      store.commit([entry('now')]);
      expect(await verifyRecordIn(file)).toEqual({ ok: true, entries });
    }
    store.close();
    const old = join(directory, 'old.db');
    onFile(old, databaseV1);
    expect(await verifyRecordIn(old)).toEqual({ ok: true, entries: 0 });
    const database = new Database(old, { readonly: true });
    expect(database.query('PRAGMA user_version').get()).toEqual({ user_version: 1 });
    database.close();
  });

  test('refuses in a sentence what is missing, empty, no database, of another program, or newer', async () => {
    const refused = (code: string, file: string, text: string) =>
      expect(verifyRecordIn(file)).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
    const file = join(directory, 'other.db');
    await refused('not_found', file, `There is no database "${file}"`);
    writeFileSync(file, '');
    await refused('storage_corrupt', file, 'it is empty');
    writeFileSync(file, 'a text that is long enough to have a header of a hundred bytes '.repeat(20));
    await refused('storage_corrupt', file, `"${file}" is damaged or not one of Octaskly`);
    rmSync(file);
    onFile(file, 'CREATE TABLE audit_log (id)');
    await refused('storage_corrupt', file, 'it belongs to another program');
    const newer = tampered(`PRAGMA user_version = ${migrations.length + 1}`);
    await refused('storage_newer', newer, 'was written by a newer Octaskly');
    await refused('storage_unavailable', directory, `"${directory}"`);
  });
});
