import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Keyring } from '../../src/ports/keys.ts';
import type { Log } from '../../src/ports/time.ts';
import { openKeyring } from '../../src/runtime/keyring.ts';
import { keySet } from '../../src/runtime/keys.ts';

let dir: string;
let warnings: string[];
let now: number;
const nothing = (): void => undefined;
const log: Log = { debug: nothing, info: nothing, error: nothing, warn: (message) => warnings.push(message) };
const graceMs = 3600_000;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'keyring-'));
  warnings = [];
  now = Date.UTC(2026, 5, 1);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const open = (given: string | null = null): Keyring =>
  openKeyring({ dataDir: dir, given, log, clock: { wall: () => now } });
const text = (name: string): string => readFileSync(join(dir, name), 'utf8').trim();
const ids = (keyring: Keyring): string[] => keyring.valid(now).map(({ id }) => id);

describe('openKeyring()', () => {
  test('makes a secret once, and has its keys alone', () => {
    const keyring = open();
    expect(ids(keyring)).toEqual([keySet(text('secret')).id]);
    expect(keyring.graceEndsAt()).toBeNull();
    expect(ids(open())).toEqual(ids(keyring));
    expect(readdirSync(dir)).toEqual(['secret']);
  });

  test('rotate(): the new keys come first, the old ones stay until the end of the grace, also over a restart', () => {
    const keyring = open();
    const [first = ''] = ids(keyring);
    keyring.rotate(now + graceMs);
    const second = keySet(text('secret')).id;
    expect(text('secret')).toMatch(/^[\w-]{43}$/);
    for (const each of [keyring, open()]) {
      expect(ids(each)).toEqual([second, first]);
      expect(each.graceEndsAt()).toBe(now + graceMs);
    }
    for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o777, name).toBe(0o600);
    now += graceMs;
    expect(ids(keyring)).toEqual([second]);
    expect(keyring.graceEndsAt()).toBeNull();
    expect(existsSync(join(dir, 'secret.previous'))).toBe(false);
    expect(ids(open())).toEqual([second]);
  });

  test('drops what is left of a grace time that ended while nobody ran', () => {
    open().rotate(now + graceMs);
    now += graceMs + 1;
    expect(ids(open()).length).toBe(1);
    expect(existsSync(join(dir, 'secret.previous'))).toBe(false);
  });

  test('rotate() within the grace of an earlier one ends the earlier one', () => {
    const keyring = open();
    keyring.rotate(now + graceMs);
    const [second = ''] = ids(keyring);
    keyring.rotate(now + 2 * graceMs);
    expect(ids(keyring)).toEqual([keySet(text('secret')).id, second]);
    expect(keyring.graceEndsAt()).toBe(now + 2 * graceMs);
  });

  test('loses nothing in a crash at any point of a rotation', () => {
    const keyring = open('the secret of a careful owner');
    const before = readdirSync(dir).map((name) => [name, readFileSync(join(dir, name))] as const);
    const [first = ''] = ids(keyring);
    keyring.rotate(now + graceMs);
    const [second = ''] = ids(keyring);
    const after = ['secret.retired', 'secret.previous', 'secret'].map(
      (name) => [name, readFileSync(join(dir, name))] as const,
    );
    // The files are replaced one after the other, each as a whole: what is there after 0, 1, 2 and 3 of them.
    for (let written = 0; written <= after.length; written++) {
      rmSync(dir, { recursive: true });
      dir = mkdtempSync(join(tmpdir(), 'keyring-'));
      for (const [name, content] of [...before, ...after.slice(0, written)])
        writeFileSync(join(dir, name), content, { mode: 0o600 });
      for (const given of [null, 'the secret of a careful owner'])
        expect(ids(open(given))).toEqual(written < after.length ? [first] : [second, first]);
    }
  });

  test('keeps the rotated secret, and says so, when the one before is given again; also after the grace', () => {
    const given = 'a secret in a unit file';
    const keyring = open(given);
    keyring.rotate(now + graceMs);
    const [rotated = ''] = ids(keyring);
    expect(ids(open(given))).toEqual([rotated, keySet(given).id]);
    now += 2 * graceMs;
    expect(ids(open(given))).toEqual([rotated]);
    expect(warnings).toEqual(Array(2).fill('the given cluster secret was replaced by a rotation, which stands'));
    expect(ids(open('quite another secret'))).toEqual([keySet('quite another secret').id]);
  });

  test('keeps no secret in the list of retired ones', () => {
    const keyring = open('a secret in a unit file');
    keyring.rotate(now + graceMs);
    expect(text('secret.retired')).toBe(keySet('a secret in a unit file').id);
  });

  test('refuses files that others can read, with the command that mends it', () => {
    open().rotate(now + graceMs);
    for (const name of ['secret', 'secret.previous', 'secret.retired']) {
      chmodSync(join(dir, name), 0o644);
      expect(() => open()).toThrow(`chmod 600 ${join(dir, name)}`);
      chmodSync(join(dir, name), 0o600);
    }
  });

  test('refuses a previous secret that is none, without quoting it', () => {
    open();
    for (const content of ['', 'only-a-secret', 'a-secret\nnever', '\n2026-01-01T00:00:00.000Z']) {
      writeFileSync(join(dir, 'secret.previous'), content, { mode: 0o600 });
      expect(() => open()).toThrow(/does not hold a secret and.*remove it/);
      expect(() => open()).not.toThrow(/only-a-secret/);
    }
  });
});
