/**
 * Beacons of a node that runs: opens them with its keys, keeps whom it hears for the next start, and tells others at once
 * when it has room again, has none left, or takes no more work.
 */

import { reasonOf } from '../base/errors.ts';
import type { Beacon } from '../discovery/beacon.ts';
import { type PeerAddress, PeerTable, type PeerTableView } from '../discovery/peer-table.ts';
import type { BeaconNode } from '../ports/discovery.ts';
import type { Log, Timer } from '../ports/time.ts';
import { openBeacons } from '../runtime/beacons.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { type ClusterKeys, sealKeys } from '../runtime/cluster-keys.ts';
import { cachedPeersMax, mergedPeers, placesOf, readCachedPeers, writeCachedPeers } from '../runtime/peers-cache.ts';

/** Whom it hears is written so long after a change, and at most this often, ms. */
const cacheDelayMs = 2000;
const cacheIntervalMs = 30_000;
/** How often is looked whether something changed that others wait for, ms: cheaper than a hook in every start and end. */
const lookIntervalMs = 250;

/** What changes from moment to moment, and is cheap to ask. */
export type Offer = Pick<Beacon, 'slotsFree' | 'waiting' | 'draining'>;
/** What else a node says of itself; its addresses are those of its interfaces. */
export type Announcement = Omit<Beacon, 'addresses' | keyof Offer>;

/** What beacons of a node need. */
export interface BeaconSetup {
  readonly id: string;
  readonly values: {
    readonly discovery: boolean;
    readonly discoveryPort: number;
    readonly interfaces: readonly string[];
  };
  /** Its folder, where whom it heard is kept. */
  readonly directory: string;
  readonly keys: ClusterKeys;
  /** Null = not yet: it listens and asks only. */
  readonly offer: () => Offer | null;
  /** Asked for with each beacon. */
  readonly announcement: () => Announcement;
  readonly log: Log;
}

/** Beacons that are sent and heard. */
export interface RunningBeacons {
  /** Who is there just now; live. */
  readonly peers: PeerTableView;
  /** Null where discovery is switched off. */
  readonly node: BeaconNode | null;
  /** Says goodbye, keeps whom it heard, closes. Idempotent. */
  stop(): Promise<void>;
}

/** Starts beacons in the background; with discovery switched off, nothing. Never throws. */
export function startBeacons(setup: BeaconSetup): RunningBeacons {
  if (!setup.values.discovery) return { peers: new PeerTable(), node: null, stop: async () => {} };
  const { id, values, directory, keys, offer, announcement, log } = setup;
  const self = (): Omit<Beacon, 'addresses'> | null => {
    const now = offer();
    return now === null ? null : { ...announcement(), ...now };
  };
  const cache = openPeersCache(directory, () => node, log);
  const node = openBeacons({
    ...{ id, port: values.discoveryPort, interfaces: values.interfaces, keys: sealKeys(keys), self },
    known: placesOf(cache.before, values.discoveryPort),
    clock: systemClock,
    random: systemRandom,
    onChange: cache.changed,
  });
  const look = watch(offer, () => node.announce());
  const looking = repeat(lookIntervalMs, () => {
    look();
    cache.look();
  });
  void node.opened.then(() => log.debug('beacons are sent and heard', { interfaces: node.interfaces.join(', ') }));
  let stopped: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    looking.cancel();
    cache.close();
    return node.close();
  };
  return { peers: node.peers, node, stop: () => (stopped ??= stop()) };
}

/**
 * Whom was heard before, and the file that is brought up to date soon after a change, but not often; at once when the node
 * itself is asked elsewhere than before.
 */
function openPeersCache(directory: string, node: () => BeaconNode, log: Log) {
  const before = readCachedPeers(directory);
  /** Those of this run count too when they have left: all may be started anew together. */
  let kept = before;
  let self: readonly PeerAddress[] = [];
  let writtenAt = Number.NEGATIVE_INFINITY;
  let due: Timer | null = null;
  const write = (): void => {
    due?.cancel();
    due = null;
    writtenAt = systemClock.steady();
    // Who stops last has heard everybody leave, and should still know whom to ask.
    kept = mergedPeers(node().peers.all(), kept);
    try {
      writeCachedPeers(directory, { peers: kept, self });
    } catch (error) {
      log.warn('cannot keep whom was heard for the next start', { reason: reasonOf(error) });
    }
  };
  return {
    before,
    changed: (): void => {
      const { peers } = node();
      // Who has left by the time of writing should be known too; of a crowd only some can be kept anyway.
      if (peers.size <= cachedPeersMax) kept = mergedPeers(peers.all(), kept);
      const delayMs = Math.max(cacheDelayMs, writtenAt + cacheIntervalMs - systemClock.steady());
      due ??= systemClock.after(delayMs, write);
    },
    look: (): void => {
      const { places } = node();
      if (JSON.stringify(places) === JSON.stringify(self)) return;
      self = places;
      write();
    },
    close: (): void => {
      if (due !== null) write();
    },
  };
}

/** A look at the offer that calls `announce` when the node began or ceased to take work, or has room after it had none. */
function watch(offer: () => Offer | null, announce: () => void): () => void {
  let before = '';
  return () => {
    const now = offer();
    const state = now === null ? '' : `${now.draining} ${now.slotsFree > 0}`;
    if (state !== before) announce();
    before = state;
  };
}

function repeat(intervalMs: number, action: () => void): Timer {
  let timer: Timer;
  const next = (): void => {
    timer = systemClock.after(intervalMs, () => {
      action();
      next();
    });
  };
  next();
  return { cancel: () => timer.cancel() };
}
