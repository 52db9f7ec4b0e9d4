/**
 * What the machine of Multicast DNS (RFC 6762) takes and gives: plain data. Instants are steady milliseconds given by
 * whoever drives it; it reads no clock, opens no socket and draws no chance.
 */

/** One family on one interface: what a packet leaves by and arrives at. A link is known by its `id`. */
export interface MdnsLink {
  /** `eth0/4`, `eth0/6`. */
  readonly id: string;
  readonly interfaceName: string;
  readonly family: 4 | 6;
  /** Every address of the interface, both families: what is announced there, and nothing else is. */
  readonly addresses: readonly string[];
  /**
   * Networks of the interface, both families: `192.168.1.0/24`, `fe80::1/64`. A packet from outside of those of its family
   * is ignored, unless it came to the group; where none of its family is known, none is ignored.
   */
  readonly networks?: readonly string[];
}

/** A datagram that arrived at port 5353 of a link. */
export interface MdnsArrival {
  readonly link: string;
  readonly from: { readonly address: string; readonly port: number };
  readonly bytes: Uint8Array;
  /** It is known to have come to the group, not to our own address: from the link, whatever the sender's address. */
  readonly toGroup?: boolean;
}

/** A datagram to be sent by a link: to the group of its family, or to one host. */
export interface MdnsDeparture {
  readonly link: string;
  readonly to: 'group' | { readonly address: string; readonly port: number };
  readonly bytes: Uint8Array;
}

/** A service to be announced (RFC 6763). */
export interface MdnsService {
  /** Wanted name, up to 63 bytes of UTF-8; another one is taken when it is in use: `pi`, `pi (2)`, `pi (3)` … */
  readonly instance: string;
  /** `_octaskly._tcp`. */
  readonly type: string;
  /** Wanted host label without `.local`; made unique likewise: `octaskly-1f2e`, `octaskly-1f2e-2` … */
  readonly host: string;
  readonly port: number;
  readonly txt: Readonly<Record<string, string>>;
}

/** Where a service is reached, as it claims. Never what can be nobody else's: loopback, groups, broadcast. */
export interface FoundAddress {
  readonly address: string;
  /** By which it was heard. */
  readonly interfaceName: string;
  /** It lies in a network of that interface; false also where those are not known. */
  readonly onLink: boolean;
}

/** A service that was found, with everything needed to reach it. */
export interface MdnsFound {
  readonly instance: string;
  readonly type: string;
  /** `octaskly-1f2e.local`. */
  readonly host: string;
  readonly port: number;
  readonly txt: Readonly<Record<string, string>>;
  /** Where it is reached, the likeliest to work first; at least one. */
  readonly addresses: readonly FoundAddress[];
}

/** What happened, beside packets. */
export type MdnsNews =
  /** The service is announced, under this name. */
  | { readonly kind: 'established'; readonly instance: string; readonly host: string }
  /** Somebody else has the name: another one is probed. */
  | { readonly kind: 'renamed'; readonly from: string; readonly to: string }
  /** New, or changed. */
  | { readonly kind: 'found'; readonly service: MdnsFound }
  | { readonly kind: 'lost'; readonly instance: string };

/** Counted, never an error. */
export interface MdnsCounts {
  received: number;
  /** No DNS packet, or one with loops, bad lengths, or too many records. */
  malformed: number;
  /** Not from the link (RFC 6762 section 11), or not ours to answer. */
  ignored: number;
  /** Beyond the rate of its sender. */
  limited: number;
  sent: number;
}

/** The machine. After any call, `take` gives what is to be sent and told, and `nextAt` when `passed` is to be called. */
export interface Mdns {
  readonly counts: Readonly<MdnsCounts>;
  /** A link is usable, or has other addresses than before: probes and asks there anew. */
  linkUp(link: MdnsLink, at: number): void;
  linkDown(id: string, at: number): void;
  /** Announces a service on every link once its name is found to be free; replaces the one before (new TXT, new port). */
  publish(service: MdnsService, at: number): void;
  /** Says goodbye for what is announced. */
  withdraw(at: number): void;
  /** Asks for services of a type from now on: at once, then ever more seldom, and before answers expire. */
  browse(type: string, at: number): void;
  received(arrival: MdnsArrival, at: number): void;
  /** Time has passed. */
  passed(at: number): void;
  /** Instant of the next `passed`; null = never. */
  readonly nextAt: number | null;
  /** What came of the calls so far, in order; each given once. */
  take(): { readonly departures: readonly MdnsDeparture[]; readonly news: readonly MdnsNews[] };
}

/** Numbers from 0 to below 1, for the delays the RFC wants drawn by chance. */
export type Chance = () => number;
