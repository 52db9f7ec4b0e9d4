/** What a worker needs to deal with peers, put together: roster, links, listener, files. */

import { reasonOf } from '../base/errors.ts';
import type { WorkerValues } from '../cli/options.ts';
import type { BlobCache } from '../ports/files.ts';
import type { Log } from '../ports/time.ts';
import { systemClock } from '../runtime/clock.ts';
import { type MemberPlace, memberKeys } from '../runtime/cluster-keys.ts';
import { peerPsk } from '../runtime/keys.ts';
import { isNear } from '../runtime/near.ts';
import { createPeerLinks } from '../runtime/peer-links.ts';
import { rosterFile } from '../runtime/roster-file.ts';
import { version } from '../version.ts';
import type { KeyPair } from '../wire/noise.ts';
import { PeerBlobs } from '../worker/peer-blobs.ts';
import { PeerRoster } from '../worker/peer-roster.ts';
import { Peers } from '../worker/peers.ts';

export interface PeersSetup {
  readonly id: string;
  readonly name: string;
  readonly staticKeypair: KeyPair;
  readonly place: MemberPlace;
  readonly blobs: BlobCache;
  readonly values: Pick<WorkerValues, 'p2pEnabled' | 'peerPort'>;
  readonly log: Log;
}

/**
 * Peers are taken on every interface: the roster and the cluster's key decide who is let in. Nobody is, before this worker
 * is on the roster itself.
 */
const everywhere = '0.0.0.0';

/**
 * A worker's peers, listening; null where there are to be none. Where no port can be had it says so: then it has peers
 * only as far as it dials them.
 */
export async function openPeers(
  setup: PeersSetup,
): Promise<{ readonly peers: Peers; readonly blobs: PeerBlobs } | null> {
  const { id, name, staticKeypair, place, values, log } = setup;
  const kept = rosterFile(place.directory, log);
  if (!values.p2pEnabled) {
    // What is not brought up to date would let commands ask those who were shut out meanwhile.
    if (kept.load().length > 0) kept.save([]);
    return null;
  }
  const clock = systemClock;
  const beaconKeys = memberKeys(place, { clock, log });
  const publicKey = staticKeypair.publicKey.toHex();
  const roster = new PeerRoster({ clock, kept, publicKey });
  const psks = (): readonly Uint8Array[] => beaconKeys().map(peerPsk);
  const admits = (key: string): boolean => roster.admits(key);
  const links = createPeerLinks({ staticKeypair, psks, admits, log });
  const self = { id, name, version, publicKey };
  const peers = new Peers({ clock, log, links, roster, self, psk: () => psks()[0] ?? null });
  const blobs = new PeerBlobs({ clock, log, store: setup.blobs, peers, publicKey, isNear });
  try {
    await peers.listen({ host: everywhere, port: values.peerPort });
  } catch (error) {
    log.warn('peers are not taken in', { reason: reasonOf(error) });
  }
  return { peers, blobs };
}
