/**
 * Multicast on every usable interface, both families, while interfaces and addresses come and go: what Multicast DNS and
 * beacons share. Knows nothing of what is sent, and does not judge it.
 *
 * For each interface and family there is one sender, bound to an address of that interface, so that packets leave there
 * with the right source, and what is sent to this address alone arrives there. For each family there is one receiver,
 * bound to all addresses and member of the group on every interface. It does not tell by which interface a packet came
 * (no runtime offers `IP_PKTINFO`): the source's zone says it, or else in which interface's network the source lies.
 *
 * Invariants: a link that is told of has a sender, and its group has been joined if the system allows it; nothing here
 * throws or rejects; every failure is counted, and what failed is tried again with the next scan.
 */

import { isLinkLocal6 } from '../discovery/mdns/networks.ts';
import type { NetworkInterface } from '../ports/discovery.ts';
import type { Clock } from '../ports/time.ts';
import { followInterfaces, unnamedInterface, usableInterfaces } from './interfaces.ts';
import { linkOf, type MulticastLink, sameAddresses, type WantedLink, wantedLinks, zoneOf } from './multicast-links.ts';
import { zoned } from './networks.ts';
import { openUdp, type UdpSocket } from './udp.ts';

/** A datagram that was heard. */
export interface MulticastPacket {
  /** By which link it came; null = its source is on no network of ours: routed, or forged. */
  readonly link: MulticastLink | null;
  /** Sent to the address of one of our senders, rather than to the group. */
  readonly direct: boolean;
  /** Of IPv6 with its zone, as it can be answered to. */
  readonly from: { readonly address: string; readonly port: number };
  readonly bytes: Uint8Array;
}

/** Datagrams, and what failed, since it was opened. */
export interface MulticastCounts {
  readonly received: number;
  readonly sent: number;
  readonly sendFailed: number;
  /** Sockets that could not be opened, groups that could not be joined. */
  readonly openFailed: number;
}

/** What is spoken, where, and who is told. */
export interface MulticastOptions {
  readonly group4: string;
  readonly group6: string;
  /** The groups' UDP port. */
  readonly port: number;
  /** What senders are bound to: the groups' port, which others of this host share, or a free one each. */
  readonly sendFrom: 'group-port' | 'free-port';
  /** False: only what is sent to the senders is heard, and `port` need not be free. */
  readonly join: boolean;
  /** How many routers multicast passes at most (TTL), 1 to 255. */
  readonly hops: number;
  /** Only these interfaces; none = all that lead to other devices. */
  readonly interfaces: readonly string[];
  readonly clock: Clock;
  /** From inside a socket's callback. */
  readonly onPacket: (packet: MulticastPacket) => void;
  /** A link is there, or has other addresses than before. */
  readonly onLinkUp: (link: MulticastLink) => void;
  /** A link goes; what is sent by it from inside this call still leaves, if the interface is there. */
  readonly onLinkDown: (link: MulticastLink) => void;
}

/** Multicast while it is open. No call throws; an unknown link is none to send by. */
export interface Multicast {
  /** Resolves when what is there at first is open, and told by `onLinkUp`. */
  readonly ready: Promise<void>;
  readonly links: readonly MulticastLink[];
  readonly counts: MulticastCounts;
  /** What did not work last, in words; null = everything did. */
  readonly trouble: string | null;
  toGroup(linkId: string, bytes: Uint8Array): void;
  /** To every directed broadcast address of an IPv4 link, at the groups' port. */
  toBroadcast(linkId: string, bytes: Uint8Array): void;
  /** By the link given, or (null) by the one in whose network the address is, or else by any of its family. */
  toHost(linkId: string | null, to: { readonly address: string; readonly port: number }, bytes: Uint8Array): void;
  /** Closes everything once what was sent has left. Idempotent. */
  close(): Promise<void>;
}

interface OpenLink extends MulticastLink {
  readonly sender: UdpSocket;
  /** Changes when the sender must be opened anew. */
  readonly key: string;
}

interface Receiver {
  readonly socket: UdpSocket;
  /** Keys of the links it was opened for. */
  readonly key: string;
  /** Links whose group it could not join yet. */
  readonly unjoined: Set<WantedLink>;
}

class OpenMulticast implements Multicast {
  private readonly open = new Map<string, OpenLink>();
  private readonly receivers = new Map<4 | 6, Receiver>();
  private readonly tally = { received: 0, sent: 0, sendFailed: 0, openFailed: 0 };
  private lastTrouble: string | null = null;
  private closed: Promise<void> | null = null;
  private following: { stop(): void } | null = null;
  private readonly options: MulticastOptions;
  readonly ready: Promise<void>;
  /** The turn of `reconcile` that is under way, or was last. */
  private turn: Promise<void>;

  constructor(options: MulticastOptions) {
    this.options = options;
    this.ready = this.start();
    this.turn = this.ready;
  }

  get links(): readonly MulticastLink[] {
    return [...this.open.values()];
  }

  get counts(): MulticastCounts {
    return this.tally;
  }

  get trouble(): string | null {
    return this.lastTrouble;
  }

  private async start(): Promise<void> {
    const { clock, interfaces: named } = this.options;
    await this.reconcile(await usableInterfaces(named));
    if (this.closed !== null) return;
    this.following = followInterfaces({ clock, named }, (interfaces) => {
      this.turn = this.reconcile(interfaces);
      return this.turn;
    });
  }

  /** Makes the links what the interfaces are. Never runs twice at once. */
  private async reconcile(interfaces: readonly NetworkInterface[]): Promise<void> {
    const wanted = wantedLinks(interfaces);
    this.lastTrouble = null;
    for (const link of this.links) {
      if (!wanted.some(({ id }) => id === link.id)) this.shut(link.id);
    }
    const changed: MulticastLink[] = [];
    for (const link of wanted) {
      const up = await this.raise(link);
      if (up !== null) changed.push(up);
    }
    // Receivers before anything is asked, or the answers would be missed.
    for (const family of [4, 6] as const)
      await this.receive(
        family,
        wanted.filter((each) => each.family === family),
      );
    if (this.closed !== null) return;
    for (const link of changed) this.options.onLinkUp(link);
  }

  /** The link as it is now, if it is new or has changed. */
  private async raise(wanted: WantedLink): Promise<MulticastLink | null> {
    const before = this.open.get(wanted.id);
    const { id, family, on, key, address } = wanted;
    if (before?.key === key) {
      if (sameAddresses(before.on, on)) return null;
      const link = { ...before, on };
      this.open.set(id, link);
      return link;
    }
    const sender = await this.openSender(wanted);
    void before?.sender.close();
    if (sender === null) {
      if (before !== undefined) this.forget(before);
      return null;
    }
    const link = { id, family, on, key, sender, source: { address, port: sender.port } };
    this.open.set(id, link);
    return link;
  }

  private async openSender({ id, family, on, address }: WantedLink): Promise<UdpSocket | null> {
    const { port, sendFrom, hops } = this.options;
    const zone = zoneOf(on);
    const socket = await openUdp({
      family,
      address: isLinkLocal6(address) ? `${address}%${zone}` : address,
      port: sendFrom === 'group-port' ? port : 0,
      onPacket: (bytes, from) => this.deliver({ family, from, bytes, sender: id }),
      onTrouble: this.onOpenTrouble,
    });
    socket?.attempt(`leave by ${id}`, (each) => {
      each.setMulticastInterface(family === 6 ? `::%${zone}` : address);
      each.setMulticastTTL(hops);
      each.setTTL(255);
      each.setMulticastLoopback(true);
      if (family === 4) each.setBroadcast(true);
    });
    return socket;
  }

  /** A receiver that is a member on all these links: the one there is, or, when they changed, a new one. */
  private async receive(family: 4 | 6, wanted: readonly WantedLink[]): Promise<void> {
    if (!this.options.join) return;
    const key = wanted.map((link) => link.key).join(' ');
    const before = this.receivers.get(family);
    if (before?.key === key) return this.join(before);
    // A new socket rather than leaving and joining: memberships of interfaces that are gone cannot be given up, and
    // the system allows only so many. The old one is closed afterwards, so that nothing is missed.
    this.receivers.delete(family);
    if (wanted.length > 0) {
      const socket = await openUdp({
        family,
        address: family === 6 ? '::' : '0.0.0.0',
        port: this.options.port,
        onPacket: (bytes, from) => this.deliver({ family, from, bytes, sender: null }),
        onTrouble: this.onOpenTrouble,
      });
      if (socket !== null) {
        const receiver = { socket, key, unjoined: new Set(wanted) };
        this.receivers.set(family, receiver);
        this.join(receiver);
      }
    }
    void before?.socket.close();
  }

  private join({ socket, unjoined }: Receiver): void {
    const { group4, group6 } = this.options;
    for (const link of unjoined) {
      const group = link.family === 4 ? group4 : group6;
      const by = link.family === 4 ? link.address : `::%${zoneOf(link.on)}`;
      const joined = socket.attempt(`join ${group} on ${link.id}`, (each) => {
        if (link.on.name === unnamedInterface) each.addMembership(group);
        else each.addMembership(group, by);
      });
      if (joined) unjoined.delete(link);
    }
  }

  private readonly onOpenTrouble = (what: string): void => {
    this.tally.openFailed += 1;
    this.lastTrouble = what;
  };

  private deliver(arrived: {
    readonly family: 4 | 6;
    readonly from: { readonly address: string; readonly port: number };
    readonly bytes: Uint8Array;
    readonly sender: string | null;
  }): void {
    if (this.closed !== null) return;
    this.tally.received += 1;
    const { family, bytes, sender } = arrived;
    const { address, port } = arrived.from;
    const candidates = sender === null ? this.links : this.links.filter(({ id }) => id === sender);
    const link = linkOf(candidates, family, address);
    this.options.onPacket({ link, direct: sender !== null, from: { address, port }, bytes });
  }

  toGroup(linkId: string, bytes: Uint8Array): void {
    const link = this.open.get(linkId);
    if (link === undefined) return;
    const { group4, group6, port } = this.options;
    this.send(link, { address: link.family === 4 ? group4 : `${group6}%${zoneOf(link.on)}`, port }, bytes);
  }

  toBroadcast(linkId: string, bytes: Uint8Array): void {
    const link = this.open.get(linkId);
    if (link === undefined || link.family === 6) return;
    for (const address of new Set(link.on.addresses.map((each) => each.broadcast))) {
      if (address !== null) this.send(link, { address, port: this.options.port }, bytes);
    }
  }

  toHost(linkId: string | null, to: { readonly address: string; readonly port: number }, bytes: Uint8Array): void {
    const family = to.address.includes(':') ? 6 : 4;
    const id =
      linkId ?? linkOf(this.links, family, to.address)?.id ?? this.links.find((each) => each.family === family)?.id;
    const link = this.open.get(id ?? '');
    if (link === undefined) return;
    const needsZone = isLinkLocal6(to.address) && zoned(to.address).zone === '';
    this.send(link, { ...to, address: needsZone ? `${to.address}%${zoneOf(link.on)}` : to.address }, bytes);
  }

  private send(
    { id, sender }: OpenLink,
    to: { readonly address: string; readonly port: number },
    bytes: Uint8Array,
  ): void {
    sender.send(bytes, to, (failure) => {
      if (failure === null) this.tally.sent += 1;
      else {
        this.tally.sendFailed += 1;
        this.lastTrouble = `send to ${to.address} by ${id}: ${failure}`;
      }
    });
  }

  private shut(id: string): void {
    const link = this.open.get(id);
    if (link === undefined) return;
    this.forget(link);
    void link.sender.close();
  }

  private forget(link: OpenLink): void {
    this.options.onLinkDown(link);
    this.open.delete(link.id);
  }

  private async shutAll(): Promise<void> {
    const sockets = [...this.open.values()].map(({ sender }) => sender);
    const receivers = [...this.receivers.values()].map(({ socket }) => socket);
    this.open.clear();
    this.receivers.clear();
    await Promise.all([...sockets, ...receivers].map((socket) => socket.close()));
  }

  close(): Promise<void> {
    this.following?.stop();
    this.closed ??= this.turn.then(() => this.shutAll());
    return this.closed;
  }
}

/** Opens multicast on what is there, and follows what comes and goes. Without an interface it waits for one. */
export function openMulticast(options: MulticastOptions): Multicast {
  return new OpenMulticast(options);
}
