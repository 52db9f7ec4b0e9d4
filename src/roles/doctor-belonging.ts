/**
 * To which cluster a data directory belongs, by what is kept there: the cluster secret of a dispatcher, or the first
 * credential of a worker; or the cluster that let a worker in by the secret, where that secret is at hand. Only ever reads;
 * makes no key and takes no lock.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Belonging } from '../discovery/network-facts.ts';
import { keptCluster } from '../runtime/cluster-file.ts';
import { keptCredential } from '../runtime/credential.ts';
import { nativeCrypto } from '../runtime/crypto.ts';
import { nodeKey, storedSecret } from '../runtime/data-dir.ts';
import { fingerprintOf, keySet } from '../runtime/keys.ts';
import type { Proof } from '../wire/admission.ts';
import type { KeyPair } from '../wire/noise.ts';

/** What a member can show. */
export interface Membership {
  /** Null = it is no member of any. */
  readonly belonging: Belonging | null;
  /** As whom it belongs there. */
  readonly role: 'dispatcher' | 'worker' | null;
  readonly proof: Proof;
  readonly keypair: KeyPair;
  /** 32 bytes; null = no member. */
  readonly beaconKey: Uint8Array | null;
}

/**
 * What this data directory can show; `given`: a cluster secret from elsewhere. Errors: `io`, `forbidden`, for files that are
 * damaged or open to others.
 */
export function membershipIn(dataDir: string, given: string | null): Membership {
  return ofDispatcher(dataDir) ?? ofWorker(dataDir, given ?? storedSecret(dataDir)) ?? stranger();
}

function ofDispatcher(dataDir: string): Membership | null {
  const secret = storedSecret(dataDir);
  if (secret === null || secret === '' || !existsSync(join(dataDir, 'node.key'))) return null;
  const { psk, beaconKey } = keySet(secret);
  const own = nodeKey(dataDir).publicKey.toHex();
  return {
    belonging: { by: 'secret', fingerprint: fingerprintOf(own) },
    role: 'dispatcher',
    proof: { by: 'secret', psk },
    // A key of its own: with the dispatcher's, it would seem to dial itself.
    keypair: nativeCrypto.generateKeypair(),
    beaconKey,
  };
}

function ofWorker(dataDir: string, secret: string | null): Membership | null {
  const workers = join(dataDir, 'workers');
  const names = existsSync(workers) ? readdirSync(workers).toSorted() : [];
  for (const directory of names.map((name) => join(workers, name))) {
    if (!existsSync(join(directory, 'node.key'))) continue;
    const shown = byCredential(directory) ?? bySecret(directory, secret);
    if (shown !== null) return { ...shown, role: 'worker', keypair: nodeKey(directory) };
  }
  return null;
}

/** What a worker's folder lets it show. */
type Shown = Pick<Membership, 'belonging' | 'proof' | 'beaconKey'> | null;

function byCredential(directory: string): Shown {
  const kept = keptCredential(directory);
  if (kept === null) return null;
  const { psk, dispatcherKey, beaconKey } = kept.credential;
  const belonging = { by: 'credential', fingerprint: fingerprintOf(dispatcherKey) } as const;
  return { belonging, proof: { by: 'credential', psk, dispatcherKey }, beaconKey };
}

function bySecret(directory: string, secret: string | null): Shown {
  const cluster = keptCluster(directory);
  if (cluster === null || !secret) return null;
  const belonging = { by: 'secret', fingerprint: fingerprintOf(cluster.dispatcherKey) } as const;
  return { belonging, proof: { by: 'secret', psk: keySet(secret).psk }, beaconKey: cluster.beaconKey };
}

function stranger(): Membership {
  const keypair = nativeCrypto.generateKeypair();
  return { belonging: null, role: null, proof: { by: 'nothing' }, keypair, beaconKey: null };
}
