/**
 * Multicast DNS on the real network: ties the machine of `discovery/mdns` to sockets, the clock and one timer. What
 * packets mean is the machine's alone.
 *
 * Packets are taken in by turns, outside of sockets' callbacks, and at most `inboxMax` of them wait: a flood costs what
 * it costs to count it. Those whose source lies on no network of ours are dropped (RFC 6762 section 11).
 */

import type { Mdns, MdnsArrival, MdnsFound, MdnsLink, MdnsNews, MdnsService } from '../discovery/mdns/contract.ts';
import { createMdns } from '../discovery/mdns/mdns.ts';
import type { MdnsNode, OpenMdns } from '../ports/discovery.ts';
import type { Clock, Timer } from '../ports/time.ts';
import { systemClock } from './clock.ts';
import { type Multicast, type MulticastPacket, openMulticast } from './multicast.ts';
import type { MulticastLink } from './multicast-links.ts';

/** UDP port and groups of Multicast DNS (RFC 6762 section 3). */
const mdnsPort = 5353;
const group4 = '224.0.0.251';
const group6 = 'ff02::fb';

/** Packets that wait for their turn; a household's burst is some dozens. */
const inboxMax = 512;

function described({ id, family, on }: MulticastLink): MdnsLink {
  return {
    id,
    interfaceName: on.name,
    family,
    addresses: on.addresses.map(({ address }) => address),
    networks: on.addresses.map(({ address, prefix }) => `${address}/${prefix}`),
  };
}

class OpenMdnsNode implements MdnsNode {
  private readonly machine: Mdns = createMdns({ chance: Math.random });
  private readonly known = new Map<string, MdnsFound>();
  private readonly inbox: MdnsArrival[] = [];
  private readonly tally = { offLink: 0, dropped: 0 };
  private readonly clock: Clock;
  private readonly onNews: (news: MdnsNews) => void;
  private readonly multicast: Multicast;
  private timer: Timer | null = null;
  private closed: Promise<void> | null = null;

  constructor(clock: Clock, { interfaces, onNews }: Parameters<OpenMdns>[0]) {
    this.clock = clock;
    this.onNews = onNews;
    this.multicast = openMulticast({
      group4,
      group6,
      port: mdnsPort,
      sendFrom: 'group-port',
      join: true,
      hops: 255,
      interfaces,
      clock,
      onPacket: (packet) => this.take(packet),
      onLinkUp: (link) => this.act((at) => this.machine.linkUp(described(link), at)),
      onLinkDown: (link) => this.act((at) => this.machine.linkDown(link.id, at)),
    });
  }

  get ready(): Promise<void> {
    return this.multicast.ready;
  }

  get found(): readonly MdnsFound[] {
    return [...this.known.values()];
  }

  get interfaces(): readonly string[] {
    return [...new Set(this.multicast.links.map(({ on }) => on.name))];
  }

  get counts(): Readonly<Record<string, number>> {
    const { sendFailed, openFailed } = this.multicast.counts;
    return { ...this.machine.counts, ...this.tally, sendFailed, openFailed, interfaces: this.interfaces.length };
  }

  publish(service: MdnsService): void {
    this.act((at) => this.machine.publish(service, at));
  }

  browse(type: string): void {
    this.act((at) => this.machine.browse(type, at));
  }

  private take({ link, from, bytes }: MulticastPacket): void {
    if (link === null) this.tally.offLink += 1;
    else if (this.inbox.length >= inboxMax) this.tally.dropped += 1;
    else if (this.inbox.push({ link: link.id, from, bytes }) === 1) this.clock.soon(() => this.drain());
  }

  private drain(): void {
    this.act((at) => {
      for (const arrival of this.inbox.splice(0)) this.machine.received(arrival, at);
    });
  }

  /** Has the machine do something, and does what comes of it. */
  private act(order: (at: number) => void): void {
    if (this.closed !== null) return;
    order(this.clock.steady());
    this.follow();
  }

  private follow(): void {
    const { departures, news } = this.machine.take();
    for (const { link, to, bytes } of departures) {
      if (to === 'group') this.multicast.toGroup(link, bytes);
      else this.multicast.toHost(link, to, bytes);
    }
    this.timer?.cancel();
    const { nextAt } = this.machine;
    this.timer =
      nextAt === null
        ? null
        : this.clock.after(nextAt - this.clock.steady(), () => this.act((at) => this.machine.passed(at)));
    for (const each of news) this.tell(each);
  }

  private tell(news: MdnsNews): void {
    if (news.kind === 'found') this.known.set(news.service.instance, news.service);
    if (news.kind === 'lost') this.known.delete(news.instance);
    this.onNews(news);
  }

  close(): Promise<void> {
    if (this.closed === null) {
      this.act((at) => this.machine.withdraw(at));
      this.timer?.cancel();
      this.closed = this.multicast.close();
    }
    return this.closed;
  }
}

/** Multicast DNS by the system's sockets, clock and randomness; open on every interface there is when it resolves. */
export const openMdns: OpenMdns = async (options) => {
  const node = new OpenMdnsNode(systemClock, options);
  await node.ready;
  return node;
};
