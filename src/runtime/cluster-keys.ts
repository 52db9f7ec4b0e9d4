/**
 * By which keys a node speaks to the others of its cluster without a dispatcher: the beacon keys of its cluster secrets.
 * They come from the secret, where there is one, from what a worker keeps of the cluster that let it in, and from its
 * credential, which the dispatcher renews when the secret is replaced.
 *
 * While a replaced secret is in its grace time, both its key and the new one count: whoever was away has only the former.
 * The dispatcher knows when that ends. A worker does not, and lets go of a former key after ten minutes.
 * What is read here is looked at again every few seconds, and a file that cannot be read just now changes nothing.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { reasonOf } from '../base/errors.ts';
import type { BeaconKey } from '../discovery/beacon-seal.ts';
import type { Keyring } from '../ports/keys.ts';
import type { Clock, Log } from '../ports/time.ts';
import { keptCluster } from './cluster-file.ts';
import { keptCredential } from './credential.ts';
import { storedSecret } from './data-dir.ts';
import { storedPrevious } from './keyring.ts';
import { beaconSealKey, keySet } from './keys.ts';

/** How long a worker still believes what is sealed with a key that was replaced, ms. */
export const formerKeyMs = 600_000;
/** How often files are read again, ms; and while there is no key yet: who has just joined is to be heard soon. */
const lookMs = 2000;
const firstLookMs = 200;

/** Keys that are valid just now, 32 bytes each, the present one first. */
export type ClusterKeys = () => readonly Uint8Array[];

/** The keys of a dispatcher. */
export function dispatcherKeys(keyring: Pick<Keyring, 'valid'>, clock: Pick<Clock, 'wall'>): ClusterKeys {
  return () => keyring.valid(clock.wall()).map(({ beaconKey }) => beaconKey);
}

/** Where a worker has its keys from. */
export interface MemberPlace {
  readonly dataDir: string;
  /** The worker's own folder. */
  readonly directory: string;
  /** Cluster secret it was given; null = none. */
  readonly given: string | null;
}

/** The keys of a worker; none before it has joined. Never throws. */
export function memberKeys(
  place: MemberPlace,
  { clock, log }: { readonly clock: Pick<Clock, 'steady'>; readonly log: Log },
): ClusterKeys {
  let lookedAt = Number.NEGATIVE_INFINITY;
  let present: readonly Uint8Array[] = [];
  let former: { readonly key: Uint8Array; readonly untilMs: number }[] = [];
  const look = (now: number): void => {
    const found = keysOf(place);
    const gone = present.filter((key) => !has(found, key));
    present = found.map((key) => present.find((known) => same(known, key)) ?? key);
    former = [...former, ...gone.map((key) => ({ key, untilMs: now + formerKeyMs }))];
    former = former.filter(({ key, untilMs }) => untilMs > now && !has(present, key));
  };
  return () => {
    const now = clock.steady();
    if (now - lookedAt >= (present.length === 0 ? firstLookMs : lookMs)) {
      lookedAt = now;
      try {
        look(now);
      } catch (error) {
        log.debug('cannot read the key of beacons just now', { reason: reasonOf(error) });
      }
    }
    return [...present, ...former.map(({ key }) => key)];
  };
}

/**
 * Every key found in a data directory at `wallMs`: of the secret given or kept there and the one before it, and those
 * that its workers keep. Errors: `io`, `forbidden`.
 */
export function keysInDirectory(dataDir: string, given: string | null, wallMs: number): readonly Uint8Array[] {
  const secrets = [given ?? storedSecret(dataDir), storedPrevious(dataDir, wallMs)].filter((each) => each !== null);
  return distinct([
    ...secrets.map((secret) => keySet(secret).beaconKey),
    ...workerFolders(dataDir).flatMap((folder) => keptKeys(folder)),
  ]);
}

/** The folders of the workers run from a data directory, in the order of names. */
export function workerFolders(dataDir: string): readonly string[] {
  const parent = join(dataDir, 'workers');
  try {
    return readdirSync(parent)
      .sort()
      .map((name) => join(parent, name));
  } catch {
    return [];
  }
}

const seals = new WeakMap<Uint8Array, BeaconKey>();

/** What beacons are sealed with, for each of these keys; derived once a key. */
export function sealKeys(keys: ClusterKeys): () => readonly BeaconKey[] {
  return () =>
    keys().map((key) => {
      const seal = seals.get(key) ?? beaconSealKey(key);
      seals.set(key, seal);
      return seal;
    });
}

function keysOf({ dataDir, directory, given }: MemberPlace): readonly Uint8Array[] {
  const secret = given ?? storedSecret(dataDir);
  return distinct([...keptKeys(directory), ...(secret === null ? [] : [keySet(secret).beaconKey])]);
}

/** What a worker keeps: of the cluster it was let in by last, then of its credential, which may be an older one. */
function keptKeys(directory: string): readonly Uint8Array[] {
  const keys = [keptCluster(directory)?.beaconKey, keptCredential(directory)?.credential.beaconKey];
  return keys.filter((key) => key !== undefined);
}

function distinct(keys: readonly Uint8Array[]): readonly Uint8Array[] {
  return keys.filter((key, n) => keys.findIndex((other) => same(other, key)) === n);
}

function has(keys: readonly Uint8Array[], key: Uint8Array): boolean {
  return keys.some((other) => same(other, key));
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
