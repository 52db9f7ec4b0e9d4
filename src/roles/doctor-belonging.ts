/**
 * To which cluster a data directory belongs, by what is kept there: the cluster secret of a dispatcher, or the first
 * credential of a worker. Only ever reads; makes no key and takes no lock.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Belonging } from '../discovery/network-facts.ts';
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
  readonly proof: Proof;
  readonly keypair: KeyPair;
  /** 32 bytes; null = no member. */
  readonly beaconKey: Uint8Array | null;
}

/** What this data directory can show. Errors: `io`, `forbidden`, for files that are damaged or open to others. */
export function membershipIn(dataDir: string): Membership {
  return ofDispatcher(dataDir) ?? ofWorker(dataDir) ?? stranger();
}

function ofDispatcher(dataDir: string): Membership | null {
  const secret = storedSecret(dataDir);
  if (secret === null || secret === '' || !existsSync(join(dataDir, 'node.key'))) return null;
  const { psk, beaconKey } = keySet(secret);
  const own = nodeKey(dataDir).publicKey.toHex();
  return {
    belonging: { by: 'secret', fingerprint: fingerprintOf(own) },
    proof: { by: 'secret', psk },
    // A key of its own: with the dispatcher's, it would seem to dial itself.
    keypair: nativeCrypto.generateKeypair(),
    beaconKey,
  };
}

function ofWorker(dataDir: string): Membership | null {
  const workers = join(dataDir, 'workers');
  const names = existsSync(workers) ? readdirSync(workers).toSorted() : [];
  for (const directory of names.map((name) => join(workers, name))) {
    const kept = existsSync(join(directory, 'node.key')) ? keptCredential(directory) : null;
    if (kept === null) continue;
    const { psk, dispatcherKey, beaconKey } = kept.credential;
    return {
      belonging: { by: 'credential', fingerprint: fingerprintOf(dispatcherKey) },
      proof: { by: 'credential', psk, dispatcherKey },
      keypair: nodeKey(directory),
      beaconKey,
    };
  }
  return null;
}

function stranger(): Membership {
  return { belonging: null, proof: { by: 'nothing' }, keypair: nativeCrypto.generateKeypair(), beaconKey: null };
}
