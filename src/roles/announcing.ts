/** What a dispatcher and a worker say of themselves in their beacons. */

import { hostname } from 'node:os';
import type { DispatcherValues, WorkerValues } from '../cli/options.ts';
import type { WorkerDeclaration } from '../core/worker.ts';
import { bloomBytesMax, bloomCapacity, bloomOf } from '../discovery/bloom.ts';
import type { Keyring } from '../ports/keys.ts';
import type { Log } from '../ports/time.ts';
import type { FileBlobCache } from '../runtime/blob-cache.ts';
import { systemClock } from '../runtime/clock.ts';
import { dispatcherKeys, memberKeys } from '../runtime/cluster-keys.ts';
import { detectResources, type HostResources, readVitals } from '../runtime/host.ts';
import { version } from '../version.ts';
import { protocolVersion } from '../wire/messages.ts';
import type { Peers } from '../worker/peers.ts';
import type { Worker } from '../worker/worker.ts';
import { type RunningBeacons, startBeacons } from './beacons.ts';
import { nameFromHost } from './common.ts';

const noBlobs = new Uint8Array(0);

/** Beacons of a dispatcher: it is there, its port for workers, how its machine feels. It has no slots itself. */
export function announceDispatcher(setup: {
  readonly values: Pick<DispatcherValues, 'discovery' | 'discoveryPort' | 'interfaces'>;
  readonly id: string;
  readonly dataDir: string;
  readonly keyring: Keyring;
  /** Hex. */
  readonly publicKey: string;
  /** TCP port for workers. */
  readonly port: number;
  /** Tasks that wait. */
  readonly waiting: () => number;
  readonly log: Log;
}): RunningBeacons {
  const { values, id, dataDir, keyring, publicKey, port, waiting, log } = setup;
  let host: HostResources | null = null;
  if (values.discovery) void detectResources().then((found) => (host = found));
  return startBeacons({
    ...{ id, values, log, directory: dataDir, keys: dispatcherKeys(keyring, systemClock) },
    offer: () => (host === null ? null : { slotsFree: 0, waiting: waiting(), draining: false }),
    announcement: () => {
      const { load1, memoryFreeMb } = readVitals();
      return {
        ...{ id, publicKey, version, load1, memoryFreeMb, name: nameFromHost(hostname()), role: 'dispatcher' },
        ...{ protocol: protocolVersion, peerPort: port, slots: 0, labels: {}, blobs: noBlobs },
        cpuCores: host?.cpuCores ?? 0,
        memoryMb: host?.memoryMb ?? 0,
        gpu: host?.gpu ?? 0,
        platform: host?.platform ?? process.platform,
        arch: host?.arch ?? process.arch,
      };
    },
  });
}

/**
 * Beacons of a worker. Before `worker` gives one it listens and asks only; so it does when it has peers and is not known
 * to be a member of the cluster, and when it was refused for good.
 */
export function announceWorker(setup: {
  readonly values: Pick<WorkerValues, 'discovery' | 'discoveryPort' | 'interfaces'>;
  readonly declaration: WorkerDeclaration;
  readonly dataDir: string;
  /** The worker's own folder. */
  readonly directory: string;
  /** Cluster secret it was given; null = none. */
  readonly given: string | null;
  /** Hex. */
  readonly publicKey: string;
  readonly blobs: Pick<FileBlobCache, 'recent'>;
  readonly worker: () => Pick<Worker, 'name' | 'offer' | 'standing'> | null;
  /** Null = it has none. */
  readonly peers: Pick<Peers, 'openPort' | 'roster'> | null;
  readonly log: Log;
}): RunningBeacons {
  const { values, declaration, dataDir, directory, given, publicKey, blobs, worker, peers, log } = setup;
  const { id, slots, cpuCores, memoryMb, gpu, labels, platform, arch } = declaration;
  return startBeacons({
    ...{ id, values, log, directory, keys: memberKeys({ dataDir, directory, given }, { clock: systemClock, log }) },
    offer: () => {
      const known = worker();
      const isMember = known?.standing === 'member' || peers === null || peers.roster.hasSelf;
      return known === null || known.standing === 'shut out' || !isMember ? null : known.offer;
    },
    announcement: () => {
      const { load1, memoryFreeMb } = readVitals();
      return {
        ...{ id, publicKey, version, protocol: protocolVersion, role: 'worker', load1, memoryFreeMb },
        ...{ peerPort: peers?.openPort ?? null, slots, cpuCores, memoryMb, gpu, labels, platform, arch },
        name: worker()?.name ?? declaration.name,
        blobs: bloomOf(blobs.recent(bloomCapacity(bloomBytesMax))),
      };
    },
  });
}
