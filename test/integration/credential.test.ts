import { afterEach, beforeEach, expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KeptCredential, keepCredential, keptCredential, setIdentityAside } from '../../src/runtime/credential.ts';
import { nodeId, nodeKey } from '../../src/runtime/data-dir.ts';

let dir: string;
let file: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'credential-'));
  file = join(dir, 'credential.json');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const kept: KeptCredential = {
  credential: {
    keyId: 'a1b2c3d4',
    psk: new Uint8Array(32).fill(1),
    beaconKey: new Uint8Array(32).fill(2),
    dispatcherKey: '03'.repeat(32),
  },
  name: 'pi-3',
  addresses: ['192.0.2.1:7878', '[2001:db8::1]:7878'],
  inviteId: '00112233445566ff',
};

test('keptCredential() gives back what keepCredential() was given, from a private file', () => {
  expect(keptCredential(dir)).toBeNull();
  keepCredential(dir, kept);
  expect(keptCredential(dir)).toEqual(kept);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const other = { ...kept, name: null, addresses: [], inviteId: null };
  keepCredential(dir, other);
  expect([keptCredential(dir), readdirSync(dir)]).toEqual([other, ['credential.json']]);
});

test('keptCredential() refuses a file that others can read, with the command that mends it', () => {
  keepCredential(dir, kept);
  chmodSync(file, 0o644);
  expect(() => keptCredential(dir)).toThrow(`chmod 600 ${file}`);
});

test('keptCredential() says of a damaged file that it is, and what to do, without showing any of it', () => {
  keepCredential(dir, kept);
  const whole = readFileSync(file, 'utf8');
  const fields: Record<string, unknown> = JSON.parse(whole);
  const without = Object.keys(fields).map((name) => JSON.stringify({ ...fields, [name]: undefined }));
  const spoilt = Object.keys(fields).map((name) => JSON.stringify({ ...fields, [name]: [1] }));
  for (const text of ['', '{', '[]', 'null', whole.slice(0, -20), ...without, ...spoilt]) {
    writeFileSync(file, text);
    expect(() => keptCredential(dir)).toThrow(/is damaged.*octaskly invite/);
  }
  writeFileSync(file, JSON.stringify({ ...fields, version: 2 }));
  expect(() => keptCredential(dir)).toThrow('newer octaskly');
});

test('setIdentityAside() keeps id, key and credential under other names, and new ones are made', () => {
  const [id, key] = [nodeId(dir), nodeKey(dir)];
  keepCredential(dir, kept);
  setIdentityAside(dir, new Date(Date.UTC(2026, 10, 21, 12, 30, 15)));
  const suffix = '.replaced-2026-11-21T123015.000Z';
  const names = ['credential.json', 'id', 'node.key'].map((name) => `${name}${suffix}`);
  expect(readdirSync(dir).sort()).toEqual(names);
  expect(readFileSync(join(dir, `id${suffix}`), 'utf8').trim()).toBe(id);
  expect([nodeId(dir) === id, nodeKey(dir).publicKey.toHex() === key.publicKey.toHex()]).toEqual([false, false]);
  expect(keptCredential(dir)).toBeNull();
});
