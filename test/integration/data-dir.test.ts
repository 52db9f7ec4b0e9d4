import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../src/ports/time.ts';
import { dispatcherSecret, ensurePrivateDir, nodeKey, storedSecret, workerHome } from '../../src/runtime/data-dir.ts';

let dir: string;
let warnings: string[];
const nothing = (): void => undefined;
const log: Log = { debug: nothing, info: nothing, error: nothing, warn: (message) => warnings.push(message) };

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'data-dir-'));
  warnings = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('dispatcherSecret() makes a private secret once and keeps it', () => {
  const secret = dispatcherSecret(dir, null, log);
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(statSync(join(dir, 'secret')).mode & 0o777).toBe(0o600);
  expect([dispatcherSecret(dir, null, log), storedSecret(dir), warnings]).toEqual([secret, secret, []]);
});

test('dispatcherSecret() keeps a replaced secret beside the new one, and says so', () => {
  const first = dispatcherSecret(dir, null, log);
  expect(dispatcherSecret(dir, 'another one, long enough', log)).toBe('another one, long enough');
  const aside = readdirSync(dir).filter((name) => name.startsWith('secret.replaced-'));
  expect(aside.map((name) => readFileSync(join(dir, name), 'utf8').trim())).toEqual([first]);
  expect(warnings).toEqual(['the cluster secret is another one now; workers need the new one']);
  expect(storedSecret(dir)).toBe('another one, long enough');
});

test('dispatcherSecret() warns of a secret shorter than 16 characters', () => {
  dispatcherSecret(dir, 'x'.repeat(16), log);
  expect(warnings).toEqual([]);
  dispatcherSecret(dir, 'x'.repeat(15), log);
  expect(warnings[0]).toContain('short');
});

test('storedSecret() refuses a file that others can read, with the command that mends it', () => {
  writeFileSync(join(dir, 'secret'), 'x');
  chmodSync(join(dir, 'secret'), 0o640);
  expect(() => storedSecret(dir)).toThrow(`chmod 600 ${join(dir, 'secret')}`);
});

test('ensurePrivateDir() closes a directory others can look into, says so, and refuses one they can change', () => {
  chmodSync(dir, 0o755);
  ensurePrivateDir(dir, log);
  ensurePrivateDir(dir, log);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  expect(warnings).toEqual(['the data directory was open to others, and is private now']);
  chmodSync(dir, 0o775);
  expect(() => ensurePrivateDir(dir, log)).toThrow(`chmod 700 ${dir}`);
});

test('nodeKey() is the same on every call, and refuses what is no key', () => {
  expect(nodeKey(dir).publicKey).toEqual(nodeKey(dir).publicKey);
  writeFileSync(join(dir, 'node.key'), 'zz', { mode: 0o600 });
  expect(() => nodeKey(dir)).toThrow('does not hold a node key');
});

test('workerHome() gives each unnamed worker its own, and a named one to one process only', () => {
  const [one, two] = [workerHome(dir, null), workerHome(dir, null)];
  expect(two.id).not.toBe(one.id);
  one.lock.release();
  const again = workerHome(dir, null);
  expect(again.id).toBe(one.id);
  const named = workerHome(dir, 'pi');
  expect(() => workerHome(dir, 'pi')).toThrow('runs from');
  for (const home of [two, again, named]) home.lock.release();
});
