/**
 * Who is there: the last beacon of every node that was heard lately, and which of them would suit a task.
 *
 * Knows no datagram and no key: what is put in was found authentic and fresh by `beacon-ear.ts`. Instants are steady
 * milliseconds of whoever drives it. Invariants: at most `peersMax` nodes, one entry an id; where it is full, who was
 * heard longest ago makes way. A node that says goodbye is dropped at once, one that falls silent after `beaconExpiryMs`.
 */

import type { Requirement } from '../core/task.ts';
import { type Beacon, beaconExpiryMs } from './beacon.ts';
import { bloomHas } from './bloom.ts';

/** Most nodes kept. */
export const peersMax = 4096;

/** Where a datagram came from. */
export interface PeerAddress {
  readonly address: string;
  readonly port: number;
}

/** A node as it was heard last. */
export interface Peer {
  readonly id: string;
  readonly beacon: Beacon;
  /** Where it was heard from: the first address to dial it at. */
  readonly from: PeerAddress;
  /** Steady ms. */
  readonly heardAt: number;
  /** Time from an ask to its answer, ms; null = not measured. An upper bound: the answer may have waited its turn. */
  readonly roundTripMs: number | null;
}

/** What became of a beacon: a node not known before, one whose offer changed, or nothing new. */
export type PeerNews = 'new' | 'changed' | 'same';

/** Reading access to the table: what others take of it. */
export interface PeerTableView {
  readonly size: number;
  get(id: string): Peer | undefined;
  /** All, by name and then id. */
  all(): readonly Peer[];
  /** Those that take new work and are made for a task with this requirement, the best first; see `PeerTable.ranked`. */
  suited(requires: Requirement): readonly Peer[];
  /** Those that can start a task with this requirement just now, the best first; see `PeerTable.ranked`. */
  ranked(requires: Requirement): readonly Peer[];
  /** The first of `ranked`, null when there is none. */
  best(requires: Requirement): Peer | null;
  /** Workers that take peers and probably hold the blob (a Bloom filter says so), nearest first. */
  holdersOf(blob: string): readonly Peer[];
}

export class PeerTable implements PeerTableView {
  /** Heard longest ago first. */
  readonly #peers = new Map<string, Peer>();

  get size(): number {
    return this.#peers.size;
  }

  /** Takes in a beacon that came from `from` at `at`, steady ms; `roundTripMs` where it answered an ask. */
  heard(beacon: Beacon, from: PeerAddress, at: number, roundTripMs: number | null = null): PeerNews {
    const known = this.#peers.get(beacon.id);
    this.#peers.delete(beacon.id);
    if (this.#peers.size >= peersMax) this.#dropOldest();
    const measured = roundTripMs ?? known?.roundTripMs ?? null;
    this.#peers.set(beacon.id, { id: beacon.id, beacon, from, heardAt: at, roundTripMs: measured });
    if (known === undefined) return 'new';
    return isSameOffer(known.beacon, beacon) ? 'same' : 'changed';
  }

  /** The node said goodbye. The entry it had, undefined when it was not known. */
  left(id: string): Peer | undefined {
    const known = this.#peers.get(id);
    this.#peers.delete(id);
    return known;
  }

  /** Drops who was not heard for `beaconExpiryMs` before `at`, steady ms, and returns them. */
  expire(at: number): readonly Peer[] {
    const gone: Peer[] = [];
    for (const peer of this.#peers.values()) {
      if (peer.heardAt > at - beaconExpiryMs) break;
      gone.push(peer);
    }
    for (const { id } of gone) this.#peers.delete(id);
    return gone;
  }

  get(id: string): Peer | undefined {
    return this.#peers.get(id);
  }

  all(): readonly Peer[] {
    return [...this.#peers.values()].sort((a, b) => compare(a.beacon.name, b.beacon.name) || compare(a.id, b.id));
  }

  /**
   * Workers that take peers and new work, have a free slot, and are made for the task as far as a beacon tells (it does
   * not tell of sandbox levels: they may still decline). The largest share of free slots first, then the lowest load for
   * each core, then the id.
   */
  ranked(requires: Requirement): readonly Peer[] {
    return this.suited(requires).filter(({ beacon }) => beacon.slotsFree > 0);
  }

  /** As `ranked`, and after those whoever has no free slot, the least loaded first. */
  suited(requires: Requirement): readonly Peer[] {
    const suited = [...this.#peers.values()].filter(({ beacon }) => takesWork(beacon) && fits(beacon, requires));
    return suited.sort(
      (a, b) => freeShare(b.beacon) - freeShare(a.beacon) || loadOf(a.beacon) - loadOf(b.beacon) || compare(a.id, b.id),
    );
  }

  best(requires: Requirement): Peer | null {
    return this.ranked(requires)[0] ?? null;
  }

  holdersOf(blob: string): readonly Peer[] {
    const holders = [...this.#peers.values()].filter(
      ({ beacon }) => beacon.role === 'worker' && beacon.peerPort !== null && bloomHas(beacon.blobs, blob),
    );
    return holders.sort((a, b) => distanceOf(a) - distanceOf(b) || compare(a.id, b.id));
  }

  #dropOldest(): void {
    for (const id of this.#peers.keys()) {
      this.#peers.delete(id);
      return;
    }
  }
}

/** Takes tasks of peers. */
function takesWork({ role, peerPort, draining }: Beacon): boolean {
  return role === 'worker' && peerPort !== null && !draining;
}

function fits(has: Beacon, requires: Requirement): boolean {
  if (requires.cpuCores > has.cpuCores || requires.memoryMb > has.memoryMb || requires.gpu > has.gpu) return false;
  if (requires.platform !== null && requires.platform !== has.platform) return false;
  if (requires.arch !== null && requires.arch !== has.arch) return false;
  return Object.entries(requires.labels).every(([label, value]) => has.labels[label] === value);
}

function freeShare({ slots, slotsFree }: Beacon): number {
  return slots === 0 ? 0 : slotsFree / slots;
}

/** Load of one minute for each core; unknown counts as fully loaded. */
function loadOf({ load1, cpuCores }: Beacon): number {
  return load1 === null ? 1 : load1 / Math.max(cpuCores, 0.1);
}

function distanceOf({ roundTripMs }: Peer): number {
  return roundTripMs ?? Number.MAX_VALUE;
}

/** Nothing changed that decides what a node is asked for; load and free memory change all the time. */
function isSameOffer(a: Beacon, b: Beacon): boolean {
  return a.slotsFree === b.slotsFree && a.slots === b.slots && a.draining === b.draining && a.peerPort === b.peerPort;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
