/** Databases of every earlier version (`test/fixtures/databases`) are moved forward with all that is in them, or left as they were. */

import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { migrations } from '../../src/store/migrations.ts';
import { blobsNamedIn, upgradeCopyPath } from '../../src/store/snapshot.ts';
import { openStore } from '../../src/store/store.ts';

const fixtures = join(import.meta.dir, '../fixtures/databases');
const versions = readdirSync(fixtures)
  .map((name) => Number(/^v(\d+)\.sql$/.exec(name)?.[1]))
  .sort((a, b) => a - b);

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-upgrade-'));
  file = join(directory, 'octaskly.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function make(version: number): void {
  storeFiles.ensure(file);
  asked((database) => database.run(readFileSync(join(fixtures, `v${version}.sql`), 'utf8')));
}

function asked<T>(action: (database: Database) => T, path = file): T {
  const database = new Database(path);
  try {
    return action(database);
  } finally {
    database.close();
  }
}

/** All rows of all tables, without the columns that later versions added. */
function contents(path: string, columnsOf: (table: string) => readonly string[]): Record<string, unknown[]> {
  return asked((database) => {
    const tables = tablesOf(path).filter((table) => columnsOf(table).length > 0);
    const rows = (table: string) =>
      database.query(`SELECT ${columnsOf(table).join(', ')} FROM ${table} ORDER BY 1, 2`).all();
    return Object.fromEntries(tables.map((table) => [table, rows(table)]));
  }, path);
}

function tablesOf(path: string): string[] {
  const text = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
  return asked((database) => database.query<{ name: string }, []>(text).all(), path).map(({ name }) => name);
}

function columnsIn(path: string): (table: string) => readonly string[] {
  const text = 'SELECT name FROM pragma_table_info(?)';
  const all = asked(
    (database) =>
      tablesOf(path).map((table) => [table, database.query<{ name: string }, [string]>(text).all(table)] as const),
    path,
  );
  const columns = new Map(all.map(([table, found]) => [table, found.map(({ name }) => name)]));
  return (table) => columns.get(table) ?? [];
}

function schemaIn(path: string): unknown[] {
  return asked(
    (database) => database.query('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name').all(),
    path,
  );
}

test('there is a database of every version that was ever written', () => {
  expect(versions).toEqual(migrations.map((_, n) => n + 1));
});

describe.each(versions)('a database of version %d', (version) => {
  test('is moved forward with every row, is sound, and has the schema of a new one', () => {
    make(version);
    const columns = columnsIn(file);
    const before = contents(file, columns);
    openStore(file, storeFiles).close();
    const after = contents(file, columns);
    // The mark at the end of the record is new in version 4.
    expect({ ...after, marks: null }).toEqual({ ...before, marks: null });
    expect(asked((database) => database.query('PRAGMA integrity_check').all())).toEqual([{ integrity_check: 'ok' }]);
    expect(asked((database) => database.query('PRAGMA foreign_key_check').all())).toEqual([]);
    const fresh = join(directory, 'fresh.db');
    openStore(fresh, storeFiles).close();
    expect(schemaIn(file)).toEqual(schemaIn(fresh));
  });

  test('is read as it was meant', () => {
    make(version);
    const store = openStore(file, storeFiles);
    const { tasks, workers, settings, lastId } = store.load();
    expect(tasks.map(({ status, attempt, failures }) => [status, attempt, failures])).toEqual([
      ['running', 1, 0],
      ['blocked', 0, 0],
      ['queued', 1, 1],
    ]);
    expect([...(tasks[1]?.waitingFor ?? [])]).toEqual([tasks[0]?.id ?? '']);
    expect(tasks[2]).toMatchObject({ avoid: ['w9'], spec: { name: 'rich "task"', priority: -7, retryCount: 3 } });
    expect(workers.map(({ name, draining }) => [name, draining])).toEqual([['pi', true]]);
    expect([settings.get('paused'), lastId >= (tasks[2]?.id ?? 'z')]).toEqual(['true', true]);
    const ended = store.tasks({ statuses: ['completed', 'failed'] }, { limit: 9, before: null });
    const [failed, done] = ended.slice(-2);
    expect(done?.task).toMatchObject({ status: 'completed', spec: { command: "echo 'it''s done'", tags: { k: 'v' } } });
    expect(done?.stdout).toMatchObject({ totalBytes: 500_000, blob: `sha256:${'a'.repeat(64)}` });
    expect(done?.stderr?.bytes).toEqual(new Uint8Array([0xff, 0, 0x41]));
    expect(store.attempts(failed?.task.id ?? '').map(({ outcome }) => outcome.kind)).toEqual(['lost', 'exited']);
    expect(store.idempotency('key 1')).toEqual({ bodyHash: 'h', answer: '{"x":1}' });
    expect(store.batch('05k000000000')).toMatchObject({ name: 'night', size: 2 });
    expect(store.verifyAudit()).toEqual({ ok: true, entries: 2 });
    store.close();
  });

  test.if(version < migrations.length)('is kept beside the new one as it was, to go back to', () => {
    make(version);
    const [columns, before] = [columnsIn(file), contents(file, columnsIn(file))];
    expect(blobsNamedIn(file)[0]).toBe(`sha256:${'a'.repeat(64)}`);
    openStore(file, storeFiles).close();
    const copy = upgradeCopyPath(file, version);
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    expect(contents(copy, columns)).toEqual(before);
    expect(asked((database) => database.query('PRAGMA user_version').get(), copy)).toEqual({ user_version: version });
    openStore(file, storeFiles).close();
    expect(readdirSync(directory).sort()).toEqual(['octaskly.db', `octaskly.db.before-v${version}`]);
  });
});

test('openStore() leaves a database as it was when no copy can be kept', () => {
  make(1);
  const before = contents(file, columnsIn(file));
  const full = {
    ...storeFiles,
    sync: () => {
      throw new Error('no space left on device');
    },
  };
  const refused = expect.objectContaining({
    code: 'storage_unavailable',
    message: expect.stringContaining('free some space'),
  });
  expect(() => openStore(file, full)).toThrow(refused);
  expect(contents(file, columnsIn(file))).toEqual(before);
  expect(readdirSync(directory)).toEqual(['octaskly.db']);
});

test('a migration that is killed leaves a database that the version before reads', async () => {
  make(1);
  const schema = schemaIn(file);
  const script = join(directory, 'child.ts');
  const [connection, list, files] = ['store/connection', 'store/migrations', 'runtime/store-files'].map((name) =>
    join(import.meta.dir, `../../src/${name}.ts`),
  );
  writeFileSync(
    script,
    `import { Connection } from '${connection}'; import { migrate, migrations } from '${list}'; import '${files}';
     const connection = new Connection(process.argv[2]);
     connection.exec('PRAGMA journal_mode = WAL');
     const exec = connection.exec.bind(connection);
     let done = 0;
     connection.exec = (text) => { exec(text); done += 1; if (done === 4) process.kill(process.pid, 'SIGKILL'); };
     migrate(connection);`,
  );
  const child = Bun.spawn([process.execPath, script, file], { env: {}, stdout: 'ignore', stderr: 'ignore' });
  await child.exited;
  expect(child.signalCode).toBe('SIGKILL');
  expect(schemaIn(file)).toEqual(schema);
  expect(asked((database) => database.query('PRAGMA user_version').get())).toEqual({ user_version: 1 });
  openStore(file, storeFiles).close();
});
