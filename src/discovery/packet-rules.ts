/**
 * What becomes of a packet that comes in, by rules as nftables and iptables have them: a walk through chains, with what is
 * not understood told rather than guessed. Pure; the rules themselves are read in `nftables.ts` and `iptables.ts`.
 *
 * The packet is the first of a connection, or a datagram, that some other host of our own network sends us, by IPv4 or by
 * IPv6: each family is asked about by itself. So a condition is true or false of it, or true of `some` such packets only (a sender's address, a rate), or not understood.
 * A rule that lets in some packets is taken for one that lets them in; one that keeps out some is passed over; one that
 * is not understood and might decide otherwise is noted.
 * Not a model of: address translation, marks, rules of bridges and devices.
 * Bounded: the depth of jumps and the number of rules looked at; beyond them nothing is understood.
 */

import { familyOf, inNetwork } from './mdns/networks.ts';
import type { IpFamily, Port } from './network-facts.ts';

/** Whether a condition holds for the packet. */
export type Truth = boolean | 'some' | 'unknown';

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly target: string }
  /** It goes on to the next rule: counters, logs. */
  | { readonly kind: 'none' }
  | { readonly kind: 'unknown' };

export interface Rule {
  readonly truth: (packet: Packet) => Truth;
  /** A map of verdicts gives one by the packet. */
  readonly verdict: (packet: Packet) => Verdict;
  /** As the tool writes it. */
  readonly text: string;
}

/** A chain where packets come in. */
export interface BaseChain {
  /** `inet filter input`. */
  readonly name: string;
  /** Whose packets come by here. */
  readonly families: readonly IpFamily[];
  readonly policy: 'accept' | 'drop';
  readonly rules: readonly Rule[];
  /** Chains that may be jumped to, by their names. */
  readonly chains: ReadonlyMap<string, readonly Rule[]>;
}

/** Where our own packets would come in, and from where. */
export interface Surroundings {
  /** Interfaces that are used. */
  readonly interfaceNames: readonly string[];
  /** Our own addresses with the bits of the network part; of a packet, those of its family. */
  readonly networks: readonly string[];
}

export interface Packet extends Surroundings {
  readonly family: IpFamily;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

/** What becomes of it: `unclear` = that depends on what is not understood. */
export interface Outcome {
  readonly verdict: 'accept' | 'drop' | 'unclear';
  /** The chain that drops it. */
  readonly by: string | null;
  readonly notUnderstood: readonly string[];
}

const depthMax = 16;
const rulesMax = 20_000;
/** Groups that our datagrams go to: of Multicast DNS, of beacons. */
const groups = { 4: ['224.0.0.251', '239.255.55.55'], 6: ['ff02::fb', 'ff02::6f63:7461'] } as const;

/** Families in which others of our networks can send us anything; that of IPv4 where no network is known. */
export function familiesOf({ networks }: Surroundings): readonly IpFamily[] {
  const families = [4, 6] as const;
  const used = families.filter((family) => networks.some((network) => familyOf(network) === family));
  return used.length === 0 ? [4] : used;
}

/** A packet to one of our ports. */
export function packetTo(port: Port, family: IpFamily, { interfaceNames, networks }: Surroundings): Packet {
  const own = networks.filter((network) => familyOf(network) === family);
  return { family, interfaceNames, networks: own, protocol: port.protocol, port: port.number };
}

/** What becomes of a packet: every chain of its family has to let it in. */
export function outcomeOf(chains: readonly BaseChain[], packet: Packet): Outcome {
  const doubts: string[] = [];
  for (const chain of chains) {
    if (!chain.families.includes(packet.family)) continue;
    const walk: Walk = { chain, packet, doubts: [], left: rulesMax };
    const end = walked(walk, chain.rules, 0) ?? chain.policy;
    // Who would decide the same need not be understood.
    const serious = walk.doubts.filter(({ leadsTo }) => leadsTo !== end).map(({ text }) => text);
    if (end === 'drop' && serious.length === 0) return { verdict: 'drop', by: chain.name, notUnderstood: [] };
    doubts.push(...serious);
  }
  const notUnderstood = [...new Set(doubts)];
  return { verdict: notUnderstood.length === 0 ? 'accept' : 'unclear', by: null, notUnderstood };
}

interface Doubt {
  readonly text: string;
  /** What it decides, if it does; null = either. */
  readonly leadsTo: 'accept' | 'drop' | null;
}

interface Walk {
  readonly chain: BaseChain;
  readonly packet: Packet;
  /** Rules that were passed over and might have decided. */
  readonly doubts: Doubt[];
  left: number;
}

/** How it ends by these rules; null = they do not say. */
function walked(walk: Walk, rules: readonly Rule[], depth: number): 'accept' | 'drop' | null {
  for (const rule of rules) {
    walk.left -= 1;
    if (walk.left < 0 || depth > depthMax) {
      walk.doubts.push({ text: 'more rules than are looked at', leadsTo: null });
      return null;
    }
    const truth = rule.truth(walk.packet);
    const verdict = truth === false ? null : rule.verdict(walk.packet);
    if (verdict === null || verdict.kind === 'none') continue;
    if (truth === 'unknown' || verdict.kind === 'unknown') {
      const { kind } = verdict;
      walk.doubts.push({ text: rule.text, leadsTo: kind === 'accept' || kind === 'drop' ? kind : null });
      continue;
    }
    if (verdict.kind === 'return') {
      if (truth === true) return null;
      continue;
    }
    if (verdict.kind === 'drop' && truth === 'some') continue;
    if (!('target' in verdict)) return verdict.kind;
    const end = walked(walk, walk.chain.chains.get(verdict.target) ?? [], depth + 1);
    if (end === 'accept' || (end === 'drop' && truth === true)) return end;
    if (verdict.kind === 'goto' && truth === true) return null;
  }
  return null;
}

// -------------------------------------------------------------------------------------- conditions both tools know

/** All of these conditions at once. */
export function allOf(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  if (truths.includes('unknown')) return 'unknown';
  return truths.includes('some') ? 'some' : true;
}

/** One of these at least. */
export function anyOf(truths: readonly Truth[]): Truth {
  if (truths.includes(true)) return true;
  if (truths.includes('unknown')) return 'unknown';
  return truths.includes('some') ? 'some' : false;
}

export function not(truth: Truth): Truth {
  return typeof truth === 'boolean' ? !truth : truth;
}

/** By the interface it comes in by, which may end in `*` or `+` for all of that beginning. */
export function comesBy({ interfaceNames }: Packet, pattern: string): Truth {
  const isSuch = (name: string): boolean =>
    /[*+]$/.test(pattern) ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  const such = interfaceNames.filter(isSuch).length;
  return such === 0 ? false : such === interfaceNames.length || 'some';
}

/** An address alone is a network of one. */
function asNetwork(text: string): string {
  return text.includes('/') ? text : `${text}/${familyOf(text) === 4 ? 32 : 128}`;
}

/** From an address of this network, `10.0.0.0/8` or `fd00::7`. */
export function comesFrom({ networks }: Packet, network: string): Truth {
  const wanted = asNetwork(network);
  const bits = Number(wanted.split('/')[1]);
  return anyOf(
    networks.map((own): Truth => {
      const [address = '', ownBits = ''] = own.split('/');
      if (Number(ownBits) >= bits) return inNetwork(address, wanted);
      return inNetwork(wanted.split('/')[0] ?? '', own) ? 'some' : false;
    }),
  );
}

/** To an address of this network: ours, or for datagrams a group of ours. */
export function goesTo({ family, protocol, port, networks }: Packet, network: string): Truth {
  const wanted = asNetwork(network);
  const group = protocol === 'udp' ? groups[family][port === 5353 ? 0 : 1] : undefined;
  const places = [...networks.map((own) => own.split('/')[0] ?? ''), ...(group === undefined ? [] : [group])];
  const such = places.filter((address) => inNetwork(address, wanted)).length;
  return such === 0 ? false : such === places.length || 'some';
}

/** By what kind of address it goes to. Datagrams of discovery go to groups, by broadcast, and to us. */
export function isSentTo({ protocol }: Packet, kind: string): Truth {
  const kinds =
    protocol === 'tcp' ? ['local', 'unicast', 'host'] : ['local', 'unicast', 'host', 'multicast', 'broadcast'];
  if (!kinds.includes(kind)) return false;
  return protocol === 'tcp' || 'some';
}

/** It begins something: nothing is known of it yet. */
export function hasState(state: string): Truth {
  if (state === 'new' || state === 'untracked') return state === 'new';
  return ['established', 'related', 'invalid'].includes(state) ? false : 'unknown';
}
