/**
 * A service as it is reached, put together from what was heard of it on each interface (RFC 6763 sections 4 to 6). Of its
 * addresses those that can lead to it are given; whoever dials them finds out whether they do.
 */

import type { CachedRecord, MdnsCache } from './cache.ts';
import type { FoundAddress, MdnsFound, MdnsLink } from './contract.ts';
import { canonical, labelDot, typeName } from './names.ts';
import { familyOf, inNetwork, isBroadcastOf, isNobodys, isPrivate } from './networks.ts';
import type { RecordBody } from './records.ts';

/** An instance that somebody points to. */
export interface Instance {
  readonly name: string;
  readonly instance: string;
  readonly type: string;
}

type Of<Type extends RecordBody['type']> = Extract<RecordBody, { type: Type }>;

/** Of the newest record of its type at that name. */
export function newest<Type extends RecordBody['type']>(
  cache: MdnsCache,
  at: { readonly on: string; readonly name: string },
  type: Type,
): { readonly body: Of<Type>; readonly heardAt: number } | null {
  const last = cache.at(at.on, at.name, type).at(-1);
  return last === undefined ? null : { body: last.record.body as Of<Type>, heardAt: last.heardAt };
}

/** Addresses heard on an interface for a host, also those that were taken back within the last second. */
export function addressesAt(cache: MdnsCache, on: string, host: string): CachedRecord[] {
  return [...cache.at(on, host, 'A'), ...cache.at(on, host, 'AAAA')];
}

interface Heard {
  readonly link: MdnsLink;
  readonly srv: Of<'SRV'>;
  readonly txt: Of<'TXT'>;
  readonly heardAt: number;
}

/** Null while something is missing: a pointer, host and port, text, or any address that may lead there. */
export function serviceOf(cache: MdnsCache, links: Iterable<MdnsLink>, instance: Instance): MdnsFound | null {
  const heard = [...links].flatMap((link) => heardOn(cache, link, instance) ?? []);
  const [latest] = heard.toSorted((a, b) => b.heardAt - a.heardAt);
  if (latest === undefined) return null;
  const host = canonical(latest.srv.target);
  const places = heard.filter(({ srv }) => canonical(srv.target) === host);
  const addresses = places.flatMap(({ link }) => reachedBy(cache, link, latest.srv.target));
  const distinct = [...new Map(addresses.map((each) => [`${each.address} ${each.interfaceName}`, each])).values()];
  if (distinct.length === 0) return null;
  return {
    instance: instance.instance,
    type: instance.type,
    host: latest.srv.target.replaceAll(labelDot, '.'),
    port: latest.srv.port,
    txt: textOf(latest.txt),
    addresses: distinct
      .sort((a, b) => a.rank - b.rank || compareText(a.address, b.address))
      .map(({ address, interfaceName, onLink }) => ({ address, interfaceName, onLink })),
  };
}

function heardOn(cache: MdnsCache, link: MdnsLink, { name, type }: Instance): Heard | null {
  const on = link.interfaceName;
  if (!cache.points(on, typeName(type), name)) return null;
  const srv = newest(cache, { on, name }, 'SRV');
  const txt = newest(cache, { on, name }, 'TXT');
  if (srv === null || txt === null || addressesAt(cache, on, srv.body.target).length === 0) return null;
  return { link, srv: srv.body, txt: txt.body, heardAt: srv.heardAt };
}

/**
 * Addresses with the order in which to try them: the interface's own network first, then IPv4 before IPv6. Of those in
 * no network of ours only private ones are taken, which a router in the house may lead to: anybody can announce anything,
 * and nobody on the internet is to be dialled for it.
 */
function reachedBy(cache: MdnsCache, link: MdnsLink, host: string): (FoundAddress & { readonly rank: number })[] {
  const { interfaceName, networks = [] } = link;
  return addressesAt(cache, interfaceName, host).flatMap(({ leaving, record: { body } }) => {
    if (leaving || (body.type !== 'A' && body.type !== 'AAAA')) return [];
    const { address } = body;
    const zoned = inNetwork(address, 'fe80::/10');
    const onLink = zoned || networks.some((network) => inNetwork(address, network));
    if (isNobodys(address) || networks.some((network) => isBroadcastOf(address, network))) return [];
    if (!onLink && !isPrivate(address)) return [];
    const rank = (onLink ? 0 : 4) + (familyOf(address) === 4 ? 0 : 1) + (zoned ? 1 : 0);
    return [{ address, interfaceName, onLink, rank }];
  });
}

/** RFC 6763 section 6.4: the first of equal keys counts, case aside; a key without value has an empty one. */
function textOf({ strings }: Of<'TXT'>): Record<string, string> {
  const seen = new Set<string>();
  const entries: [string, string][] = [];
  for (const string of strings) {
    const [key = ''] = string.split('=', 1);
    if (!/^[\x20-\x7e]+$/.test(key) || seen.has(canonical(key))) continue;
    seen.add(canonical(key));
    const value = Uint8Array.from(string.slice(key.length + 1), (character) => character.charCodeAt(0));
    entries.push([key, new TextDecoder().decode(value)]);
  }
  return Object.fromEntries(entries);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
