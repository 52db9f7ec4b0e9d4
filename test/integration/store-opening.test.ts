/** What `openStore` does with files of all kinds: new, older, newer, damaged, somebody else's; and backups. */

import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OctasklyError } from '../../src/base/errors.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { migrations } from '../../src/store/migrations.ts';
import { blobsNamedIn, copyDatabase } from '../../src/store/snapshot.ts';
import { openStore } from '../../src/store/store.ts';
import { bytesOf, completed, plainSpec, sampleTask, saved, whole } from '../unit/store/samples.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-open-'));
  file = join(directory, 'data', 'octaskly.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function refusal(path = file): OctasklyError {
  try {
    openStore(path, storeFiles).close();
  } catch (error) {
    if (error instanceof OctasklyError) return error;
    throw error;
  }
  throw new Error('it was opened');
}

/** Runs SQL on the file as another program would. */
function tamper(sql: string): void {
  const database = new Database(file);
  database.run(sql);
  database.close();
}

function fill(count: number): void {
  const store = openStore(file, storeFiles);
  const command = `: ${'x'.repeat(500)}`;
  store.commit(Array.from({ length: count }, () => saved(sampleTask({ spec: { ...plainSpec, command } }))));
  store.close();
}

describe('openStore()', () => {
  test('makes a private file in a private directory, and leaves only that file after close', () => {
    const store = openStore(file, storeFiles);
    store.commit([saved(sampleTask())]);
    expect(statSync(join(directory, 'data')).mode & 0o777).toBe(0o700);
    const names = readdirSync(join(directory, 'data'));
    expect(names).toContain('octaskly.db-wal');
    for (const name of names) expect(statSync(join(directory, 'data', name)).mode & 0o777).toBe(0o600);
    store.close();
    store.close();
    expect(readdirSync(join(directory, 'data'))).toEqual(['octaskly.db']);
  });

  test('refuses a newer database and leaves it as it is', () => {
    fill(1);
    tamper(`PRAGMA user_version = ${migrations.length + 1}`);
    const before = readFileSync(file);
    const { code, message } = refusal();
    expect(code).toBe('storage_newer');
    expect(message).toContain(`"${file}"`);
    expect(message).toContain(`its schema is ${migrations.length + 1}, this program knows ${migrations.length}`);
    expect(readFileSync(file)).toEqual(before);
  });

  test('refuses a file that is no database, and a database of another program', () => {
    storeFiles.ensure(file);
    writeFileSync(file, 'this is a text file, and it is long enough to have a header of a hundred bytes '.repeat(20));
    const { code, message } = refusal();
    expect(code).toBe('storage_corrupt');
    expect(message).toContain(`"${file}"`);
    expect(message).toContain('octaskly backup');
    rmSync(file);
    tamper('CREATE TABLE other (a)');
    expect(refusal().message).toContain('belongs to another program');
  });

  test('refuses a database of ours that does not say which schema it has', () => {
    openStore(file, storeFiles).close();
    tamper('PRAGMA user_version = 0');
    expect(refusal().message).toContain('does not say which schema it has');
  });

  test('refuses a damaged database: overwritten in the middle, or cut off', () => {
    fill(500);
    const sound = readFileSync(file);
    const damaged = Uint8Array.from(sound);
    damaged.fill(0x5a, 8 * 4096, 40 * 4096);
    writeFileSync(file, damaged);
    expect(refusal().code).toBe('storage_corrupt');
    writeFileSync(file, sound);
    truncateSync(file, 20 * 4096);
    expect(refusal().code).toBe('storage_corrupt');
    writeFileSync(file, sound);
    openStore(file, storeFiles).close();
  });

  test('refuses a directory that cannot be made', () => {
    writeFileSync(join(directory, 'data'), '');
    expect(refusal().code).toBe('storage_unavailable');
  });
});

describe('Store.commit()', () => {
  test('says who is in the way when another program holds the database', () => {
    const store = openStore(file, storeFiles, { busyTimeoutMs: 20 });
    const other = new Database(file);
    other.run('BEGIN IMMEDIATE');
    const task = sampleTask();
    const locked = expect.objectContaining({ code: 'storage_unavailable', message: expect.stringContaining('locked') });
    expect(() => store.commit([saved(task)])).toThrow(locked);
    expect(() => store.probe()).toThrow(locked);
    expect(store.task(task.id)).toBeNull();
    other.run('ROLLBACK');
    other.close();
    store.probe();
    store.commit([saved(task)]);
    expect(store.task(task.id)?.task).toEqual(task);
    store.close();
  });

  test('writes columns that read well in sqlite3', () => {
    const store = openStore(file, storeFiles);
    const task = sampleTask(completed);
    const output = { stdout: whole(bytesOf('hällo\n')), stderr: whole(new Uint8Array([0xff])) };
    store.commit([saved(task), { kind: 'output', taskId: task.id, ...output }]);
    store.close();
    const database = new Database(file, { readonly: true });
    const columns = 'id, command, status, worker_id, exit_code, duration_ms, created_at, completed_at, stdout, stderr';
    expect(database.query(`SELECT ${columns}, typeof(stdout) AS kind FROM tasks`).get()).toEqual({
      ...{ id: task.id, command: 'true', status: 'completed', worker_id: 'w1', exit_code: 0, duration_ms: 12 },
      ...{ created_at: '2026-06-01T12:00:00.125Z', completed_at: '2026-06-01T12:00:00.142Z' },
      ...{ stdout: 'hällo\n', stderr: new Uint8Array([0xff]), kind: 'text' },
    });
    expect(database.query('SELECT task_id, exit_code, stdout FROM results').all()).toEqual([
      { task_id: task.id, exit_code: 0, stdout: 'hällo\n' },
    ]);
    database.close();
  });
});

describe('copyDatabase()', () => {
  test('writes a private, complete copy that opens, while the store goes on', () => {
    const store = openStore(file, storeFiles);
    const before = sampleTask();
    const after = sampleTask();
    store.commit([saved(before)]);
    const target = join(directory, 'copy.db');
    copyDatabase(file, target, storeFiles);
    store.commit([saved(after)]);
    expect(statSync(target).mode & 0o777).toBe(0o600);
    expect(() => copyDatabase(file, target, storeFiles)).toThrow(expect.objectContaining({ code: 'conflict' }));
    store.close();
    const copy = openStore(target, storeFiles);
    expect(copy.load().tasks).toEqual([before]);
    copy.close();
  });

  test('says where it could not write, and refuses a newer database', () => {
    fill(1);
    const target = join(directory, 'no', 'such', 'copy.db');
    const refused = expect.objectContaining({ code: 'io', message: expect.stringContaining(target) });
    expect(() => copyDatabase(file, target, storeFiles)).toThrow(refused);
    tamper(`PRAGMA user_version = ${migrations.length + 1}`);
    const newer = expect.objectContaining({ code: 'storage_newer' });
    expect(() => copyDatabase(file, join(directory, 'copy.db'), storeFiles)).toThrow(newer);
  });
});

test('blobsNamedIn() gives what rows say is here, once each', () => {
  const store = openStore(file, storeFiles);
  const blob = (letter: string): string => `sha256:${letter.repeat(64)}`;
  const [one, two] = [sampleTask(completed), sampleTask(completed)];
  const input = { path: 'in', blob: blob('b'), bytes: 1, executable: false };
  const left = { path: 'out', blob: blob('c'), bytes: 1, executable: false };
  store.commit([
    saved({ ...one, spec: { ...plainSpec, inputs: [input] } }),
    saved({ ...two, spec: { ...plainSpec, inputs: [input] } }),
    { kind: 'outputs', taskId: one.id, files: [left], problems: [] },
    { kind: 'outputs', taskId: two.id, files: [{ ...left, blob: blob('d') }], problems: [], keptAt: 'w1' },
    { kind: 'output', taskId: one.id, stdout: { ...whole(bytesOf('x')), blob: blob('a') }, stderr: whole(bytesOf('')) },
  ]);
  store.close();
  expect(blobsNamedIn(file)).toEqual([blob('a'), blob('b'), blob('c')]);
});
