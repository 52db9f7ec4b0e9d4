/**
 * What `run --p2p` knows before it asks anybody: as whom of the data directory it may ask, and which workers suit the task
 * by their beacons. Dials nobody.
 *
 * A data directory may belong to more than one cluster: a dispatcher was tried there once, and a worker has joined
 * another. So key and node go together, and each such pair is one attempt.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { Requirement } from '../core/task.ts';
import { type Peer, PeerTable, type PeerTableView } from '../discovery/peer-table.ts';
import type { BeaconNode } from '../ports/discovery.ts';
import type { Log } from '../ports/time.ts';
import { systemClock } from '../runtime/clock.ts';
import { memberKeys, workerFolders } from '../runtime/cluster-keys.ts';
import { nodeKey, storedSecret } from '../runtime/data-dir.ts';
import { storedPrevious } from '../runtime/keyring.ts';
import { keySet } from '../runtime/keys.ts';
import type { KeyPair } from '../wire/noise.ts';

/** How long peers are listened for. */
const findMs = 2000;
/** After the first that suits, others get this long to answer: the best of them is wanted, not the fastest. */
const othersMs = 100;
const lookMs = 25;
/** Asked again so often: a datagram may be lost. */
const askAgainMs = 500;

/** A node of the data directory, and the keys of its cluster (32 bytes each, the present one first). */
export interface Belonging {
  readonly keypair: KeyPair;
  readonly beaconKeys: readonly Uint8Array[];
}

/** As whom this machine may ask: as its dispatcher, then as its workers. Empty: as nobody. Errors: `io`, `forbidden`. */
export function belongingsIn(dataDir: string, given: string | null, log: Log): readonly Belonging[] {
  const secrets = [given ?? storedSecret(dataDir), storedPrevious(dataDir, systemClock.wall())];
  const own = secrets.filter((secret) => secret !== null).map((secret) => keySet(secret).beaconKey);
  const workers = workerFolders(dataDir).map((directory) => {
    return { directory, beaconKeys: memberKeys({ dataDir, directory, given }, { clock: systemClock, log })() };
  });
  return [{ directory: dataDir, beaconKeys: own }, ...workers]
    .filter(({ directory, beaconKeys }) => beaconKeys.length > 0 && existsSync(join(directory, 'node.key')))
    .map(({ directory, beaconKeys }) => ({ keypair: nodeKey(directory), beaconKeys }));
}

/** Waits until somebody suits the task: the best first. Error: `not_found` with a sentence on why nobody does. */
export async function findPeers(
  node: Pick<BeaconNode, 'peers' | 'ask'>,
  requires: Requirement,
): Promise<readonly Peer[]> {
  const startedAt = systemClock.steady();
  let until = startedAt + findMs;
  for (let askedAt = startedAt, found = false; systemClock.steady() < until; ) {
    if (!found && node.peers.best(requires) !== null) {
      found = true;
      until = Math.min(until, systemClock.steady() + othersMs);
    }
    if (systemClock.steady() - askedAt >= askAgainMs) {
      askedAt = systemClock.steady();
      node.ask();
    }
    await new Promise<void>((resolve) => systemClock.after(lookMs, resolve));
  }
  const suited = node.peers.ranked(requires);
  if (suited.length > 0) return suited;
  throw new OctasklyError('not_found', whyNobody(node.peers, requires));
}

/** Why no worker that was heard can start this task now. */
export function whyNobody(peers: PeerTableView, requires: Requirement): string {
  const workers = peers.all().filter(({ beacon }) => beacon.role === 'worker');
  if (workers.length === 0) {
    return 'No worker of the cluster was heard on this network. "octaskly doctor net" says why; without --p2p the dispatcher places the task.';
  }
  const heard = workers.length === 1 ? 'The one worker heard' : `None of the ${workers.length} workers heard`;
  const not = workers.length === 1 ? ' not' : '';
  const open = workers.filter(({ beacon }) => beacon.peerPort !== null);
  if (open.length === 0) {
    return `${heard} does${not} take tasks of peers: --p2p-enabled false holds there, or at the dispatcher. Without --p2p the dispatcher places the task.`;
  }
  const idle = new PeerTable();
  for (const { beacon, from, heardAt } of open) {
    idle.heard({ ...beacon, slotsFree: beacon.slots, draining: false }, from, heardAt);
  }
  const suited = idle.ranked(requires).map(({ id }) => id);
  if (suited.length === 0) {
    return `${heard} is${not} made for this task: the cores, memory, GPUs or labels it asks for are not there. "octaskly peers" lists what is.`;
  }
  const draining = suited.filter((id) => peers.get(id)?.beacon.draining === true).length;
  if (draining === suited.length)
    return `${countOf(suited.length)} no new work just now (draining, hot, or on battery).`;
  return `${suited.length === 1 ? 'The one worker that could run it is' : `All ${suited.length} workers that could run it are`} busy. Try again when a task has ended; without --p2p the dispatcher lets the task wait.`;
}

function countOf(count: number): string {
  return count === 1 ? 'The one worker that could run it takes' : `All ${count} workers that could run it take`;
}
