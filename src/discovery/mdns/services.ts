/**
 * A service as it is reached, put together from what was heard of it on each link (RFC 6763 sections 4 to 6).
 */

import type { CachedRecord, MdnsCache } from './cache.ts';
import type { MdnsFound, MdnsLink } from './contract.ts';
import { canonical, labelDot, typeName } from './names.ts';
import { familyOf, inNetwork } from './networks.ts';
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
  at: { readonly link: string; readonly name: string },
  type: Type,
): { readonly body: Of<Type>; readonly heardAt: number } | null {
  const last = cache.at(at.link, at.name, type).at(-1);
  return last === undefined ? null : { body: last.record.body as Of<Type>, heardAt: last.heardAt };
}

/** Addresses heard on a link for a host. */
export function addressesAt(cache: MdnsCache, link: string, host: string): CachedRecord[] {
  return [...cache.at(link, host, 'A'), ...cache.at(link, host, 'AAAA')];
}

interface Heard {
  readonly link: MdnsLink;
  readonly srv: Of<'SRV'>;
  readonly txt: Of<'TXT'>;
  readonly heardAt: number;
}

/** Null while something is missing: a pointer, host and port, text, or any address. */
export function serviceOf(cache: MdnsCache, links: Iterable<MdnsLink>, instance: Instance): MdnsFound | null {
  const heard = [...links].flatMap((link) => heardOn(cache, link, instance) ?? []);
  const [latest] = heard.toSorted((a, b) => b.heardAt - a.heardAt);
  if (latest === undefined) return null;
  const host = canonical(latest.srv.target);
  const places = heard.filter(({ srv }) => canonical(srv.target) === host);
  const addresses = places.flatMap(({ link }) => reachedBy(cache, link, latest.srv.target));
  const distinct = [...new Map(addresses.map((each) => [`${each.address} ${each.interfaceName}`, each])).values()];
  return {
    instance: instance.instance,
    type: instance.type,
    host: latest.srv.target.replaceAll(labelDot, '.'),
    port: latest.srv.port,
    txt: textOf(latest.txt),
    addresses: distinct
      .sort((a, b) => a.rank - b.rank || compareText(a.address, b.address))
      .map(({ address, interfaceName }) => ({ address, interfaceName })),
  };
}

function heardOn(cache: MdnsCache, link: MdnsLink, { name, type }: Instance): Heard | null {
  if (!cache.points(link.id, typeName(type), name)) return null;
  const srv = newest(cache, { link: link.id, name }, 'SRV');
  const txt = newest(cache, { link: link.id, name }, 'TXT');
  if (srv === null || txt === null || addressesAt(cache, link.id, srv.body.target).length === 0) return null;
  return { link, srv: srv.body, txt: txt.body, heardAt: srv.heardAt };
}

/** Addresses with the order in which to try them: the interface's own network first, then IPv4 before IPv6. */
function reachedBy(cache: MdnsCache, link: MdnsLink, host: string) {
  return addressesAt(cache, link.id, host).flatMap(({ record: { body } }) => {
    if (body.type !== 'A' && body.type !== 'AAAA') return [];
    const { address } = body;
    const near = (link.networks ?? []).some((network) => inNetwork(address, network));
    const zoned = /^fe[89ab]/i.test(address);
    const rank = (near ? 0 : 4) + (familyOf(address) === 4 ? 0 : 1) + (zoned ? 1 : 0);
    return [{ address, interfaceName: link.interfaceName, rank }];
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
