import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore } from '../../src/store/store.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-written-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('writtenBytes of a store counts its log, over the start of a new one, and what moves into the file', () => {
  const file = join(directory, 'octaskly.db');
  const store = openStore(file, storeFiles);
  const logBytes = (): number => statSync(`${file}-wal`).size;
  const commit = (n: number): void =>
    store.commit([{ kind: 'setting', key: `key ${n}`, value: 'x'.repeat(1024 * 1024) }]);
  expect(store.writtenBytes).toBe(0);
  commit(0);
  // The first commits only append: what was written is what the log has grown by.
  expect(store.writtenBytes).toBeGreaterThan(1024 * 1024);
  expect(store.writtenBytes).toBeLessThanOrEqual(logBytes());
  for (let n = 1; n <= 24; n++) commit(n);
  // Each page went to the log, and most of them to the file as well; the log itself stayed small.
  expect(store.writtenBytes).toBeGreaterThan(40 * 1024 * 1024);
  expect(store.writtenBytes).toBeLessThan(60 * 1024 * 1024);
  expect(logBytes()).toBeLessThan(16 * 1024 * 1024);
  store.close();
});
