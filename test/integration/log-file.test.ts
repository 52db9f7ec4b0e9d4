/** Logs in real files: begun anew, moved, deleted, refused by the disk. */

import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../src/runtime/log.ts';
import { LogFile } from '../../src/runtime/log-file.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'octaskly-log-'));
  path = join(directory, 'worker.log');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const missing = (lines: number): string => `${lines} missing`;
const text = (suffix = ''): string => readFileSync(`${path}${suffix}`, 'utf8');

test('LogFile begins anew above its size and keeps so many older ones', () => {
  writeFileSync(`${path}.3`, 'of a start that kept more\n');
  const file = new LogFile({ path, maxBytes: 10, keep: 2, missing });
  for (const line of ['1111', '2222', '3333', '4444', '5555', '6666', '7777']) file.write(line);
  expect(text()).toBe('7777\n');
  expect(text('.1')).toBe('5555\n6666\n');
  expect(text('.2')).toBe('3333\n4444\n');
  expect(existsSync(`${path}.3`)).toBe(false);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('LogFile keeps a line that is larger than its size, and no older file where none is wanted', () => {
  const file = new LogFile({ path, maxBytes: 4, keep: 0, missing });
  file.write('a long line');
  file.write('another one');
  expect(text()).toBe('another one\n');
  expect(existsSync(`${path}.1`)).toBe(false);
});

test('LogFile never begins anew with a size of 0, and goes on where an earlier start ended', () => {
  writeFileSync(path, 'before\n');
  const file = new LogFile({ path, maxBytes: 0, keep: 2, missing });
  for (let n = 0; n < 100; n++) file.write('x'.repeat(100));
  expect(text()).toStartWith('before\nxxx');
  expect(existsSync(`${path}.1`)).toBe(false);
});

test('LogFile writes on when its file was moved, and when its directory is gone', () => {
  const file = new LogFile({ path, maxBytes: 0, keep: 2, missing });
  file.write('one');
  renameSync(path, `${path}.old`);
  file.reopen();
  file.write('two');
  expect([text('.old'), text()]).toEqual(['one\n', 'two\n']);
  rmSync(directory, { recursive: true });
  file.write('into the deleted file');
  file.reopen();
  file.write('three');
  expect(text()).toBe('three\n');
});

test('LogFile finds out by itself, within a second, that its file was moved', async () => {
  const file = new LogFile({ path, maxBytes: 0, keep: 2, missing });
  file.write('one');
  renameSync(path, `${path}.old`);
  const startedAt = performance.now();
  while (!existsSync(path) && performance.now() - startedAt < 5000) {
    file.write('again');
    await Bun.sleep(50);
  }
  expect(performance.now() - startedAt).toBeLessThan(1500);
  expect(text()).toStartWith('again\n');
});

test.skipIf(process.platform !== 'linux')('LogFile counts what a full disk refuses, and says so afterwards', () => {
  // It takes nothing: every write fails as on a full disk (full(4)).
  symlinkSync('/dev/full', path);
  const file = new LogFile({ path, maxBytes: 10, keep: 2, missing });
  file.write('one');
  file.write('two');
  rmSync(path);
  file.reopen();
  file.write('three');
  file.write('four');
  expect(text('.1')).toBe('2 missing\nthree\n');
  expect(text()).toBe('four\n');
});

test('LogFile counts what is lost while something else stands in its place, and says so once and afterwards', () => {
  const told: string[] = [];
  const said = (lines: number, reason: string): string => `${lines} missing: ${reason.split(':')[0]}`;
  const file = new LogFile({ path, maxBytes: 0, keep: 2, missing: said, unopened: (reason) => told.push(reason) });
  rmSync(path);
  mkdirSync(path);
  for (const line of ['one', 'two']) {
    file.reopen();
    file.write(line);
  }
  expect(told).toEqual([expect.stringContaining('EISDIR')]);
  rmSync(path, { recursive: true });
  file.reopen();
  file.write('three');
  expect(text()).toMatch(/^2 missing: .*EISDIR.*\nthree\n$/);
});

test('LogFile is emptied where older files cannot be renamed', () => {
  const file = new LogFile({ path, maxBytes: 10, keep: 1, missing });
  file.write('1111');
  // A directory that is not empty stands where the older file would go.
  mkdirSync(join(`${path}.1`, 'x'), { recursive: true });
  file.write('2222');
  file.write('3333');
  expect(text()).toBe('3333\n');
});

test('createLog() keeps the last lines in memory from info up, and gives more from the file', () => {
  const quiet = createLog({ level: 'error', format: 'text', file: { path, maxBytes: 0, keep: 0 } });
  quiet.debug('not kept');
  quiet.info('kept');
  expect(quiet.recent(5).map((line) => line.slice(25))).toEqual(['info  kept']);
  expect(text()).toBe('');
  writeFileSync(path, 'of an earlier start\n');
  const log = createLog({ level: 'info', format: 'text', file: { path, maxBytes: 0, keep: 0 } });
  log.info('one');
  log.info('two');
  expect(log.recent(1)).toHaveLength(1);
  expect(log.recent(3).map((line) => line.slice(-7))).toEqual(['r start', 'fo  one', 'fo  two']);
  for (let n = 0; n < 1200; n++) log.info('x'.repeat(5000));
  expect(log.recent(2000).length).toBeLessThanOrEqual(1000);
  expect(log.recent(1)[0]?.length).toBe(4097);
});

test('createLog() refuses a file that cannot be opened', () => {
  const file = { path: join(directory, 'none', 'x.log'), maxBytes: 0, keep: 0 };
  expect(() => createLog({ level: 'info', format: 'text', file })).toThrow(
    /^Cannot open the log file ".*x\.log": .*ENOENT/,
  );
});
