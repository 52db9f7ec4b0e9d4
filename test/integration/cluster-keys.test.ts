import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerTable } from '../../src/discovery/peer-table.ts';
import type { Log } from '../../src/ports/time.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { dispatcherKeys, formerKeyMs, keysInDirectory, memberKeys, sealKeys } from '../../src/runtime/cluster-keys.ts';
import { keepCredential } from '../../src/runtime/credential.ts';
import { writePrivate } from '../../src/runtime/data-dir.ts';
import { openKeyring } from '../../src/runtime/keyring.ts';
import { keySet } from '../../src/runtime/keys.ts';
import {
  knownPlaces,
  mergedPeers,
  placesOf,
  readCachedPeers,
  writeCachedPeers,
} from '../../src/runtime/peers-cache.ts';
import { sampleBeacon } from '../unit/discovery/beacon-samples.ts';
import { ManualClock } from '../unit/manual-clock.ts';

const quiet: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const directories: string[] = [];

function newDirectory(): string {
  const made = mkdtempSync(join(tmpdir(), 'octaskly-keys-'));
  directories.push(made);
  return made;
}

afterEach(() => {
  for (const each of directories.splice(0)) rmSync(each, { recursive: true, force: true });
});

const keyOf = (secret: string): Uint8Array => keySet(secret).beaconKey;

function keep(folder: string, secret: string): void {
  const credential = {
    keyId: 'aabbccdd',
    psk: new Uint8Array(32),
    beaconKey: keyOf(secret),
    dispatcherKey: 'ab'.repeat(32),
  };
  keepCredential(folder, { credential, name: null, addresses: [], inviteId: null });
}

describe('keysInDirectory()', () => {
  test('finds the secret, the one before it while its grace lasts, and every credential, each once', () => {
    const dataDir = newDirectory();
    expect(keysInDirectory(dataDir, null, 0)).toEqual([]);
    const keyring = openKeyring({ dataDir, given: 'first', log: quiet, clock: systemClock });
    const endsAt = Date.now() + 60_000;
    keyring.rotate(endsAt);
    keep(join(dataDir, 'workers/1'), 'first');
    keep(join(dataDir, 'workers/name-x'), 'elsewhere');
    const [present] = dispatcherKeys(keyring, systemClock)();
    expect(keysInDirectory(dataDir, null, Date.now())).toEqual([
      present ?? new Uint8Array(),
      keyOf('first'),
      keyOf('elsewhere'),
    ]);
    expect(keysInDirectory(dataDir, 'given', endsAt)).toEqual([keyOf('given'), keyOf('first'), keyOf('elsewhere')]);
  });
});

describe('memberKeys()', () => {
  test('has none before joining, then the credential and what else it was given, and a former key for ten minutes', () => {
    const dataDir = newDirectory();
    const directory = join(dataDir, 'workers/1');
    const clock = new ManualClock();
    const keys = memberKeys({ dataDir, directory, given: null }, { clock, log: quiet });
    expect(keys()).toEqual([]);
    keep(directory, 'first');
    clock.advance(3000);
    expect(keys()).toEqual([keyOf('first')]);
    keep(directory, 'second');
    clock.advance(3000);
    expect(keys()).toEqual([keyOf('second'), keyOf('first')]);
    clock.advance(formerKeyMs + 1);
    expect(keys()).toEqual([keyOf('second')]);
    writePrivate(join(directory, 'credential.json'), 'damaged');
    clock.advance(3000);
    expect(keys()).toEqual([keyOf('second')]);
  });

  test('takes the secret it was given, or the one kept beside it', () => {
    const dataDir = newDirectory();
    writePrivate(join(dataDir, 'secret'), 'kept');
    const place = { dataDir, directory: join(dataDir, 'workers/1') };
    const parts = { clock: new ManualClock(), log: quiet };
    expect(memberKeys({ ...place, given: null }, parts)()).toEqual([keyOf('kept')]);
    expect(memberKeys({ ...place, given: 'given' }, parts)()).toEqual([keyOf('given')]);
  });
});

describe('sealKeys()', () => {
  test('derives one key for each, the same each time, that tells nothing of it', () => {
    const own = keyOf('a');
    const seals = sealKeys(() => [own, keyOf('b')]);
    const [one, other] = seals();
    expect(one?.key).not.toEqual(own);
    expect(one?.id).not.toEqual(other?.id ?? new Uint8Array());
    expect(seals()[0]).toBe(one as NonNullable<typeof one>);
  });
});

describe('readCachedPeers()', () => {
  test('gives whom writeCachedPeers() kept, the last heard first, then those known before', () => {
    const directory = newDirectory();
    const table = new PeerTable();
    table.heard(sampleBeacon({ id: 'a' }), { address: '10.0.0.1', port: 1 }, 0);
    table.heard(sampleBeacon({ id: 'b' }), { address: 'fe80::1%eth0', port: 2 }, 1);
    const before = [
      { id: 'a', name: 'x', address: '10.0.0.9', port: 9 },
      { id: 'old', name: 'y', address: '10.0.0.3', port: 3 },
    ];
    const self = [{ address: '10.0.0.5', port: 7 }];
    writeCachedPeers(directory, { peers: mergedPeers(table.all(), before), self });
    expect(knownPlaces([directory], 5555)[0]).toEqual({ address: '10.0.0.5', port: 7 });
    const kept = readCachedPeers(directory);
    expect(kept.map(({ id, address }) => `${id} ${address}`)).toEqual(['b fe80::1%eth0', 'a 10.0.0.1', 'old 10.0.0.3']);
    expect(placesOf(kept.slice(1, 2), 5555)).toEqual([
      { address: '10.0.0.1', port: 1 },
      { address: '10.0.0.1', port: 5555 },
    ]);
  });

  test('gives nobody where the file is missing or damaged, and leaves out what is no address', () => {
    const directory = newDirectory();
    expect(readCachedPeers(directory)).toEqual([]);
    writePrivate(join(directory, 'peers.json'), '{"peers":');
    expect(readCachedPeers(directory)).toEqual([]);
    const peers = [
      { id: 'a', name: 'a', address: 'evil.example', port: 1 },
      { id: 'b', name: 'b', address: '10.0.0.1', port: 0 },
      7,
    ];
    writePrivate(join(directory, 'peers.json'), JSON.stringify({ peers }));
    expect(readCachedPeers(directory)).toEqual([]);
  });
});
