/** Peers in a simulated world: the real links between workers, on a simulated network, and what goes over them. */

import type { WorkerDeclaration } from '../../src/core/worker.ts';
import { PeerTable } from '../../src/discovery/peer-table.ts';
import type { Log } from '../../src/ports/time.ts';
import type { RosterEntry } from '../../src/wire/messages.ts';
import type { WorkerPeers } from '../../src/worker/parts.ts';
import { PeerBlobs } from '../../src/worker/peer-blobs.ts';
import { PeerRoster } from '../../src/worker/peer-roster.ts';
import { Peers } from '../../src/worker/peers.ts';
import type { MemoryBlobs } from '../memory-blobs.ts';
import type { Machine } from './clock.ts';
import { keyOf, type Network } from './net.ts';

/** A host as its peers know it. */
export interface SimulatedNode {
  readonly name: string;
  readonly declaration: Omit<WorkerDeclaration, 'processId'>;
}

interface Surroundings {
  readonly hosts: readonly SimulatedNode[];
  readonly network: Network;
  readonly machine: Machine;
  readonly host: SimulatedNode;
  readonly log: Log;
}

/** Links with peers for the program on `machine`, which calls itself `id`. */
export function peersOf({ hosts, network, machine, host, log }: Surroundings, id: string): Peers {
  const kept = { load: () => hosts.map(memberOf), save: () => undefined };
  const peers = new Peers({
    clock: machine.clock,
    log,
    links: network.peerLinksFor(machine, host.name),
    roster: new PeerRoster({ clock: machine.clock, kept, publicKey: keyOf(host.name) }),
    self: { id, name: host.declaration.name, version: '0', publicKey: keyOf(host.name) },
    psk: () => new Uint8Array(32),
  });
  return peers;
}

/** What a worker's program on `machine` has of its peers. */
export function workerPeersOf(
  around: Surroundings & { readonly host: SimulatedNode & { readonly blobs: MemoryBlobs } },
): WorkerPeers & { readonly peers: Peers } {
  const peers = peersOf(around, around.host.declaration.id);
  const { clock } = around.machine;
  const publicKey = keyOf(around.host.name);
  const blobs = new PeerBlobs({
    clock,
    log: around.log,
    store: around.host.blobs,
    peers,
    publicKey,
    isNear: () => true,
  });
  return { peers, table: new PeerTable(), blobs };
}

function memberOf({ declaration: { id, name } }: SimulatedNode): RosterEntry {
  return { id, name, publicKey: keyOf(id) };
}
