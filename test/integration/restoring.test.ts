/** A restore that is cut short, at every step of it and by a kill at any moment: all of the old, or all of the new. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finishRestore, type Replacement, replaceAll, restorePart } from '../../src/runtime/restoring.ts';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore } from '../../src/store/store.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-restoring-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const names = ['a', 'b', 'folder', 'only-old', 'only-new'];

/** Old and new files; what they are called, and what is in them. */
function scene(dataDir: string): Replacement[] {
  const part = restorePart(dataDir);
  mkdirSync(join(dataDir, 'folder'), { recursive: true });
  mkdirSync(join(part, 'folder'), { recursive: true });
  for (const name of ['a', 'b', 'folder/x', 'only-old']) writeFileSync(join(dataDir, name), 'old');
  for (const name of ['a', 'b', 'folder/x', 'only-new']) writeFileSync(join(part, name), 'new');
  return names.map((name) => {
    const from = name === 'only-old' ? null : join(part, name);
    return { name: join(dataDir, name), from, aside: join(dataDir, 'before', name) };
  });
}

function text(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

function isNew(dataDir: string): void {
  expect(['a', 'b', 'folder/x', 'only-old', 'only-new'].map((name) => text(join(dataDir, name)))).toEqual([
    ...['new', 'new', 'new', null, 'new'],
  ]);
  expect(['a', 'b', 'folder/x', 'only-old', 'only-new'].map((name) => text(join(dataDir, 'before', name)))).toEqual([
    ...['old', 'old', 'old', 'old', null],
  ]);
  expect(readdirSync(dataDir).sort()).toEqual(['a', 'b', 'before', 'folder', 'only-new']);
}

test('replaceAll() moves the old aside and the new in place, and leaves nothing of itself', () => {
  replaceAll(directory, scene(directory));
  isNew(directory);
  expect(finishRestore(directory)).toBe(false);
});

test.each(names.map((_, n) => n))('finishRestore() goes on where a restore ended before rename %d', (n) => {
  const all = scene(directory);
  // The rename in front of the one that fails is a half: the old is aside, the new not there yet.
  const obstacle: Replacement = { name: join(directory, 'no', 'such', 'place'), from: join(directory, 'c'), aside: '' };
  writeFileSync(join(directory, 'c'), '');
  expect(() => replaceAll(directory, [...all.slice(0, n), obstacle, ...all.slice(n)])).toThrow('in place');
  expect(() => finishRestore(directory)).toThrow('in place');
  mkdirSync(join(directory, 'no', 'such'), { recursive: true });
  expect(finishRestore(directory)).toBe(true);
  rmSync(join(directory, 'no'), { recursive: true });
  isNew(directory);
});

test('finishRestore() removes what was unpacked and never listed', () => {
  scene(directory);
  expect(finishRestore(directory)).toBe(false);
  expect(text(join(directory, 'a'))).toBe('old');
  expect(existsSync(restorePart(directory))).toBe(false);
});

/** A data directory with a database that holds a mark, and files that hold the same. */
function dispatcherIn(dataDir: string, mark: string): void {
  const store = openStore(join(dataDir, 'octaskly.db'), storeFiles);
  store.commit([{ kind: 'setting', key: 'mark', value: mark }]);
  store.close();
  for (const name of ['secret', 'node.key', 'id']) writeFileSync(join(dataDir, name), mark, { mode: 0o600 });
}

function markOf(dataDir: string): string[] {
  const store = openStore(join(dataDir, 'octaskly.db'), storeFiles);
  const mark = store.setting('mark') ?? '';
  store.close();
  return [mark, ...['secret', 'node.key', 'id'].map((name) => readFileSync(join(dataDir, name), 'utf8'))];
}

test('restore, killed at any moment, leaves a dispatcher of one time', async () => {
  const [one, two] = [join(directory, 'one'), join(directory, 'two')];
  dispatcherIn(one, 'first');
  const main = join(import.meta.dir, '../../src/main.ts');
  const start = (...args: string[]) => {
    const env = { HOME: directory, PATH: process.env.PATH ?? '', OCTASKLY_DISCOVERY: 'false' };
    return Bun.spawn([process.execPath, main, ...args], { env, stdout: 'ignore', stderr: 'pipe' });
  };
  const file = join(directory, 'backup.tar');
  expect(await start('backup', file, '--data-dir', one).exited).toBe(0);
  const startedAt = performance.now();
  dispatcherIn(two, 'second');
  expect(await start('restore', file, '--force', '--data-dir', two).exited).toBe(0);
  const tookMs = performance.now() - startedAt;
  const found = new Set<string>();
  for (let n = 1; n <= 8; n++) {
    rmSync(two, { recursive: true });
    dispatcherIn(two, 'second');
    const child = start('restore', file, '--force', '--data-dir', two);
    await Bun.sleep(tookMs * (0.4 + n * 0.07));
    child.kill('SIGKILL');
    await child.exited;
    finishRestore(two);
    const marks = new Set(markOf(two));
    expect(marks.size).toBe(1);
    for (const mark of marks) found.add(mark);
  }
  expect(found.size).toBeGreaterThan(0);
}, 30_000);
