/**
 * Machines of Multicast DNS joined by a wire in memory, under one clock: what one sends to the group of a link every
 * machine on the wire of that link hears, itself included; what goes to one host only that host hears.
 */

import { expect } from 'bun:test';
import type { Mdns, MdnsDeparture, MdnsFound, MdnsLink, MdnsNews } from '../../../../src/discovery/mdns/contract.ts';
import { createMdns, type MdnsOptions } from '../../../../src/discovery/mdns/mdns.ts';
import { decodeMessage, encodeMessage } from '../../../../src/discovery/mdns/packet.ts';
import { type Message, message } from '../../../../src/discovery/mdns/records.ts';
import { seeded } from '../../core/seeded.ts';

export interface Sent {
  readonly at: number;
  readonly by: string;
  readonly link: string;
  readonly to: MdnsDeparture['to'];
  readonly message: Message;
}

interface Station {
  readonly name: string;
  readonly mdns: Mdns;
  /** Wire of each link that is up. */
  readonly wires: Map<string, string>;
  readonly addresses: Map<string, string>;
  readonly news: MdnsNews[];
}

export const service = {
  instance: 'pi',
  type: '_octaskly._tcp',
  host: 'octaskly-1f2e',
  port: 7878,
  txt: { txtvers: '1', id: 'a' },
};

/** A link of the family of its address, called `lan`. */
export function link(address: string, id = 'lan'): MdnsLink {
  return { id, interfaceName: id, family: address.includes(':') ? 6 : 4, addresses: [address] };
}

export class Wire {
  now = 0;
  readonly sent: Sent[] = [];
  readonly #stations = new Map<string, Station>();
  readonly #draw = seeded(7);

  /** A machine of that name on the wire `lan`, with that address; without one it has no link yet. */
  join(name: string, address: string | null, options: Partial<MdnsOptions> = {}): Mdns {
    const mdns = createMdns({ chance: () => this.#draw(1000) / 1000, ...options });
    this.#stations.set(name, { name, mdns, wires: new Map(), addresses: new Map(), news: [] });
    if (address !== null) this.up(name, link(address));
    return mdns;
  }

  up(name: string, each: MdnsLink, wire = each.id): void {
    const station = this.#station(name);
    station.wires.set(each.id, wire);
    station.addresses.set(each.id, each.addresses[0] ?? '');
    station.mdns.linkUp(each, this.now);
    this.settle();
  }

  down(name: string, id: string): void {
    const station = this.#station(name);
    station.wires.delete(id);
    station.mdns.linkDown(id, this.now);
    this.settle();
  }

  /** Lets `ms` pass, every deadline kept. */
  pass(ms: number): void {
    const end = this.now + ms;
    this.settle();
    for (;;) {
      const next = Math.min(...[...this.#stations.values()].map(({ mdns }) => mdns.nextAt ?? Number.POSITIVE_INFINITY));
      if (next > end) break;
      this.now = Math.max(this.now, next);
      for (const { mdns } of this.#stations.values()) if ((mdns.nextAt ?? end + 1) <= this.now) mdns.passed(this.now);
      this.settle();
    }
    this.now = end;
  }

  /** Delivers what has been sent until nobody sends any more. */
  settle(): void {
    for (let quiet = false; !quiet; ) {
      quiet = true;
      for (const station of this.#stations.values()) {
        const { departures, news } = station.mdns.take();
        station.news.push(...news);
        for (const departure of departures) this.#deliver(station, departure);
        quiet &&= departures.length === 0;
      }
    }
  }

  #deliver(by: Station, { link: id, to, bytes }: MdnsDeparture): void {
    const heard = decodeMessage(bytes);
    expect(heard).not.toBeNull();
    if (heard !== null) this.sent.push({ at: this.now, by: by.name, link: id, to, message: heard });
    const wire = by.wires.get(id);
    if (wire === undefined) return;
    const from = { address: by.addresses.get(id) ?? '', port: 5353 };
    for (const station of this.#stations.values()) {
      for (const [link, other] of station.wires) {
        if (other !== wire || (to !== 'group' && to.address !== station.addresses.get(link))) continue;
        station.mdns.received({ link, from, bytes }, this.now);
      }
    }
  }

  /** Hands a packet of somebody who is no machine to all on the wire `lan`. */
  inject(parts: Partial<Message> | Uint8Array, from = { address: '10.0.0.99', port: 5353 }): void {
    const bytes = parts instanceof Uint8Array ? parts : encodeMessage(message(parts));
    for (const { mdns, wires } of this.#stations.values())
      for (const [id, wire] of wires) if (wire === 'lan') mdns.received({ link: id, from, bytes }, this.now);
    this.settle();
  }

  /** What a machine told since it was asked last. */
  news(name: string): MdnsNews[] {
    return this.#station(name).news.splice(0);
  }

  found(name: string): MdnsFound[] {
    return this.news(name).flatMap((each) => (each.kind === 'found' ? [each.service] : []));
  }

  /** Packets sent since this was asked last. */
  packets(): Sent[] {
    return this.sent.splice(0);
  }

  #station(name: string): Station {
    const station = this.#stations.get(name);
    if (station === undefined) throw new Error(`no machine is called ${name}`);
    return station;
  }
}

/** A wire with `d`, whose service is established, and nothing said yet for a while. */
export function established(): { wire: Wire; d: Mdns } {
  const wire = new Wire();
  const d = wire.join('d', '10.0.0.1');
  d.publish(service, 0);
  wire.pass(10_000);
  wire.packets();
  wire.news('d');
  return { wire, d };
}
