/** How nodes find each other: by Multicast DNS, and by beacons. */

import type { WakeAddress } from '../core/worker.ts';
import type { ClockSkew } from '../discovery/beacon-ear.ts';
import type { MdnsFound, MdnsNews, MdnsService } from '../discovery/mdns/contract.ts';
import type { PeerAddress, PeerTableView } from '../discovery/peer-table.ts';

/** An interface of this machine. */
export interface NetworkInterface {
  readonly name: string;
  /** The system's number of it. */
  readonly index: number;
  readonly addresses: readonly {
    readonly family: 4 | 6;
    readonly address: string;
    /** Bits of the network part. */
    readonly prefix: number;
    /** Directed broadcast address; null for IPv6 and networks without one. */
    readonly broadcast: string | null;
  }[];
}

/** Announcing and finding by Multicast DNS while it is open. Network trouble is counted and tried again, never thrown. */
export interface MdnsNode {
  publish(service: MdnsService): void;
  browse(type: string): void;
  /** What is known just now. */
  readonly found: readonly MdnsFound[];
  /** Datagrams by what became of them, and interfaces in use. */
  readonly counts: Readonly<Record<string, number>>;
  readonly interfaces: readonly string[];
  /** Says goodbye, then closes. Idempotent. */
  close(): Promise<void>;
}

/** Opens Multicast DNS. Never rejects: without a usable interface it waits for one. */
export type OpenMdns = (options: {
  /** Only these interfaces; none = all but bridges, virtual ones, tunnels and loopback. */
  readonly interfaces: readonly string[];
  readonly onNews: (news: MdnsNews) => void;
}) => Promise<MdnsNode>;

/** Sending and hearing beacons while it is open. Network trouble is counted and tried again, never thrown. */
export interface BeaconNode {
  /** Sockets are open and the first question was asked, if there is a key. Never rejects. */
  readonly opened: Promise<void>;
  /** Who is there just now. */
  readonly peers: PeerTableView;
  /** Datagrams by what became of them (`beaconCounts`), and what was sent: `sent`, `send_failed`, `open_failed`, `answered`. */
  readonly counts: Readonly<Record<string, number>>;
  /** Nodes that are not believed because their clocks are too far off, as their answers have shown. */
  readonly skews: readonly ClockSkew[];
  /** Names of the interfaces in use. */
  readonly interfaces: readonly string[];
  /** Where this node alone is asked: its own ports, one for each interface and family. */
  readonly places: readonly PeerAddress[];
  /** Asks whoever is there to send one now, and those at `addresses` besides, of whom no group need be heard. */
  ask(addresses?: readonly PeerAddress[]): void;
  /** Something changed that others wait for: tells them as soon as the pace allows. */
  announce(): void;
  /** Says goodbye, then closes. Idempotent. */
  close(): Promise<void>;
}

/** Sends the packets that wake the machines with these network cards; resolves with how many left, and never rejects. */
export type Waker = (by: readonly WakeAddress[]) => Promise<number>;
