/**
 * What `run --p2p` knows before it asks anybody: as whom of the data directory it may ask and who belongs to their
 * cluster, and which workers suit the task by their beacons. Dials nobody.
 *
 * A beacon shows only that its node has the key of the cluster, as one that was shut out still has. So tasks go to those
 * alone who stand on a roster kept here: the dispatcher's own, else what it told a worker last.
 *
 * A data directory may belong to more than one cluster: a dispatcher was tried there once, and a worker has joined
 * another. So key, node and roster go together, and each such belonging is one attempt. A worker of the dispatcher of the
 * same data directory is none: what it was told last may be older than what the dispatcher knows.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { Requirement } from '../core/task.ts';
import type { Peer } from '../discovery/peer-table.ts';
import type { BeaconNode } from '../ports/discovery.ts';
import type { Log } from '../ports/time.ts';
import { systemClock } from '../runtime/clock.ts';
import { keptCluster } from '../runtime/cluster-file.ts';
import { memberKeys, workerFolders } from '../runtime/cluster-keys.ts';
import { keptCredential } from '../runtime/credential.ts';
import { nodeKey, storedSecret } from '../runtime/data-dir.ts';
import { storedPrevious } from '../runtime/keyring.ts';
import { keySet } from '../runtime/keys.ts';
import { rosterFile } from '../runtime/roster-file.ts';
import type { RosterEntry } from '../wire/messages.ts';
import type { KeyPair } from '../wire/noise.ts';
import { whyNobody } from './p2p-refusal.ts';

/** How long peers are listened for. */
export const findMs = 2000;
/** After the first that suits, others get this long to answer: the best of them is wanted, not the fastest. */
const othersMs = 100;
const lookMs = 25;
/** Asked again so often: a datagram may be lost. */
const askAgainMs = 500;
/** Rosters are read again so often: a node that has just joined is on them a moment later. */
const rosterLookMs = 250;

/** A node of the data directory, the keys of its cluster (32 bytes each, the present one first), and who belongs to it. */
export interface Belonging {
  readonly keypair: KeyPair;
  readonly beaconKeys: readonly Uint8Array[];
  /** As it was kept last; empty where nothing was, or the node is no member itself. Never throws. */
  members(): readonly RosterEntry[];
}

/** As whom this machine may ask: as its dispatcher, then as its workers. Empty: as nobody. Errors: `io`, `forbidden`. */
export function belongingsIn(dataDir: string, given: string | null, log: Log): readonly Belonging[] {
  const secrets = [given ?? storedSecret(dataDir), storedPrevious(dataDir, systemClock.wall())];
  const keys = secrets.filter((secret) => secret !== null).map((secret) => keySet(secret).beaconKey);
  const own = belongingOf(dataDir, keys, log);
  const dispatcherKey = own[0]?.keypair.publicKey.toHex();
  const workers = workerFolders(dataDir)
    .filter((directory) => dispatcherKey === undefined || dispatcherKeyOf(directory) !== dispatcherKey)
    .flatMap((directory) => {
      return belongingOf(directory, memberKeys({ dataDir, directory, given }, { clock: systemClock, log })(), log);
    });
  return [...own, ...workers];
}

/** None where there is no node, or no key of a cluster. */
function belongingOf(directory: string, beaconKeys: readonly Uint8Array[], log: Log): readonly Belonging[] {
  if (beaconKeys.length === 0 || !existsSync(join(directory, 'node.key'))) return [];
  const roster = rosterFile(directory, log);
  const keypair = nodeKey(directory);
  const own = keypair.publicKey.toHex();
  const members = (): readonly RosterEntry[] => {
    const kept = roster.load();
    return kept.some(({ publicKey }) => publicKey === own) ? kept : [];
  };
  return [{ keypair, beaconKeys, members }];
}

/** Of the dispatcher a worker belongs to; null = it was never let in. */
function dispatcherKeyOf(directory: string): string | null {
  return keptCluster(directory)?.dispatcherKey ?? keptCredential(directory)?.credential.dispatcherKey ?? null;
}

/** Those among the peers heard who are asked, by rosters that are read anew now and then. */
function memberTest(belongings: readonly Belonging[]): (peer: Peer) => boolean {
  let keys = new Set<string>();
  let readAt = Number.NEGATIVE_INFINITY;
  return ({ beacon }) => {
    if (systemClock.steady() - readAt >= rosterLookMs) {
      readAt = systemClock.steady();
      keys = new Set(belongings.flatMap((one) => one.members().map(({ publicKey }) => publicKey)));
    }
    return keys.has(beacon.publicKey);
  };
}

interface Search {
  readonly requires: Requirement;
  readonly belongings: readonly Belonging[];
  /** Steady ms; looked for until then at most. */
  readonly until: number;
}

/** Waits until a member suits the task: the best first. Error: `not_found` with a sentence on why nobody does. */
export async function findPeers(
  node: Pick<BeaconNode, 'peers' | 'ask'>,
  { requires, belongings, until }: Search,
): Promise<readonly Peer[]> {
  const isMember = memberTest(belongings);
  let askedAt = systemClock.steady();
  let settledAt = Number.POSITIVE_INFINITY;
  for (;;) {
    const now = systemClock.steady();
    const suited = node.peers.ranked(requires).filter(isMember);
    // Who was free a moment ago may be so no more: then it is looked on.
    settledAt = suited.length === 0 ? Number.POSITIVE_INFINITY : Math.min(settledAt, now + othersMs, until);
    if (now >= settledAt) return suited;
    if (now >= until) break;
    if (now - askedAt >= askAgainMs) {
      askedAt = now;
      node.ask();
    }
    await new Promise<void>((resolve) => systemClock.after(lookMs, resolve));
  }
  if (belongings.every((one) => one.members().length === 0)) {
    throw new OctasklyError(
      'not_found',
      'No node of this data directory may hand tasks to workers: it is no member of its cluster (it was removed, or not let in yet), or --p2p-enabled false holds there or at the dispatcher. What is known here is from when it ran last; start it to bring that up to date.',
    );
  }
  throw new OctasklyError('not_found', whyNobody(node.peers, requires, isMember));
}
