/** What was acknowledged is there: after kill -9, on a full disk; and a read-only disk is refused in a sentence. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { storeFiles } from '../../src/runtime/store-files.ts';
import { openStore } from '../../src/store/store.ts';
import { sampleTask, saved } from '../unit/store/samples.ts';

const child = join(import.meta.dir, 'store-child.ts');
let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-durable-'));
  file = join(directory, 'data', 'octaskly.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A mount namespace of one's own needs privileges that not every machine gives. */
const canMount =
  process.platform === 'linux' &&
  Bun.spawnSync(['unshare', '-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { stderr: 'ignore' }).success;
if (!canMount) console.log('store-durability: skipping full and read-only disks, which need `unshare -m` and mount');

/** Runs the child in a mount namespace after `mount`, a shell command with the directory as $1; returns its answer. */
function runMounted(mount: string, job: string): Record<string, unknown> {
  const script = `set -e; ${mount}; exec "$2" "$3" "$4" "$5"`;
  const argv = ['unshare', '-m', 'sh', '-c', script, 'sh', directory, process.execPath, child, job, file];
  const { stdout, stderr } = Bun.spawnSync(argv, { stdout: 'pipe', stderr: 'pipe' });
  expect(stderr.toString()).toBe('');
  return JSON.parse(stdout.toString()) as Record<string, unknown>;
}

test('Store.commit() has made durable what a process killed with -9 acknowledged', async () => {
  for (const linesWanted of [1, 7, 40]) {
    const committing = Bun.spawn([process.execPath, child, 'commit', file], { stdout: 'pipe', stderr: 'inherit' });
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of committing.stdout) {
      text += decoder.decode(chunk, { stream: true });
      if (text.split('\n').length > linesWanted) committing.kill('SIGKILL');
    }
    await committing.exited;
    expect(committing.signalCode).toBe('SIGKILL');
    const lines = text.split('\n').slice(0, -1);
    const acknowledged = lines.flatMap((line) => (JSON.parse(line) as { acknowledged: string[] }).acknowledged);
    expect(acknowledged.length).toBeGreaterThanOrEqual(linesWanted * 20);
    const store = openStore(file, storeFiles);
    expect(store.statuses(acknowledged).size).toBe(acknowledged.length);
    expect(store.load().tasks.length % 20).toBe(0);
    store.close();
  }
});

test.skipIf(!canMount)('Store.commit() on a full disk stores nothing, says so, and works again with space', () => {
  const result = runMounted('mount -t tmpfs -o size=3m tmpfs "$1"', 'fill');
  expect(result.whenFull).toEqual({
    code: 'storage_unavailable',
    message: expect.stringContaining('the disk is full'),
  });
  const acknowledged = result.acknowledged as string[];
  expect(acknowledged.length).toBeGreaterThan(100);
  expect(result.storedWhenFull).toBe(acknowledged.length - 20);
  expect(result.liveWhenFull).toBe(acknowledged.length - 20);
  expect(result.afterwards).toBeNull();
  expect(result.stored).toEqual(acknowledged);
});

test.skipIf(!canMount)('openStore() refuses a read-only disk in one sentence', () => {
  openStore(file, storeFiles).close();
  const result = runMounted('mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"', 'open');
  expect(result.error).toEqual({ code: 'storage_unavailable', message: expect.stringContaining(file) });
});

test('Store that is idle writes nothing to its files', async () => {
  const store = openStore(file, storeFiles);
  store.commit([saved(sampleTask())]);
  const facts = () => ['', '-wal'].map((suffix) => [statSync(file + suffix).mtimeMs, readFileSync(file + suffix)]);
  const before = facts();
  store.load();
  store.tasks({}, { limit: 10, before: null });
  store.prune(0, 10);
  expect(facts()).toEqual(before);
  store.close();
});
