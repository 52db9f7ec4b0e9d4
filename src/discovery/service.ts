/**
 * A dispatcher as a DNS-SD service (RFC 6763): what its TXT record says, how one that was found is read, and which of
 * those found concern a node. The record is for everybody on the network: nothing in it is secret, and nothing in it is
 * believed before the handshake has shown it to be true.
 *
 * It opens no connection. Everything found is bounded here once more, whatever the network shows.
 */

import type { MdnsFound, MdnsService } from './mdns/contract.ts';

export const serviceType = '_octaskly._tcp';

/** Version of the TXT record's layout (RFC 6763 section 6.7). */
const txtVersion = '1';
/** Most dispatchers that are looked at, and most addresses of one: more are no home network, but somebody's flood. */
export const foundMax = 64;
const addressesMax = 8;

export type Scheme = 'http' | 'https';

/** What a dispatcher says of itself. */
export interface DispatcherFacts {
  /** Protocol version of the links. */
  readonly protocol: number;
  /** Node id. */
  readonly id: string;
  readonly apiPort: number;
  readonly scheme: Scheme;
  /** Of its key: `SHA256:` and base64 without padding. */
  readonly fingerprint: string;
  /** 16 hex digits. */
  readonly clusterId: string;
}

/** Where something listens. A link-local address has its interface behind it: `fe80::1%eth0`. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** A dispatcher that was found. Its fingerprint is what it claims. */
export interface FoundDispatcher extends DispatcherFacts {
  /** Name of the instance, for people. */
  readonly name: string;
  /** Where it takes workers, the likeliest to work first; at least one. */
  readonly places: readonly Place[];
}

/** What a node knows of the dispatcher it looks for: its key, or a secret that only the handshake can compare. */
export type Sought =
  | { readonly by: 'fingerprint'; readonly fingerprint: string }
  /** All of them may be it. */
  | { readonly by: 'secret' };

/** The service of a dispatcher that takes workers at `port`. */
export function serviceOf(facts: DispatcherFacts, port: number): MdnsService {
  const host = `octaskly-${shortId(facts.id)}`;
  return {
    instance: host,
    type: serviceType,
    host,
    port,
    txt: {
      txtvers: txtVersion,
      protocol: String(facts.protocol),
      id: facts.id,
      role: 'dispatcher',
      api: String(facts.apiPort),
      scheme: facts.scheme,
      fp: facts.fingerprint,
      cluster: facts.clusterId,
    },
  };
}

/** Ids that are no hex digits come from people; a host's label takes letters, digits and hyphens. */
function shortId(id: string): string {
  return (
    id
      .toLowerCase()
      .replace(/[^a-z0-9]/g, '')
      .slice(0, 8) || '0'
  );
}

/** The dispatcher that a service is; null when it is none, or says what cannot be. */
export function dispatcherOf({ instance, type, port, txt, addresses }: MdnsFound): FoundDispatcher | null {
  if (type !== serviceType || txt.txtvers !== txtVersion || txt.role !== 'dispatcher') return null;
  const { id = '', scheme, fp = '', cluster = '' } = txt;
  const [protocol, apiPort] = [wholeNumber(txt.protocol), wholeNumber(txt.api)];
  if (protocol === null || apiPort === null || !isPort(apiPort) || !isPort(port)) return null;
  if (scheme !== 'http' && scheme !== 'https') return null;
  if (!/^[\w.-]{1,64}$/.test(id) || !/^SHA256:[A-Za-z0-9+/]{43}$/.test(fp) || !/^[0-9a-f]{16}$/.test(cluster))
    return null;
  const places = placesOf(addresses, port);
  if (places.length === 0) return null;
  return { name: printable(instance), id, protocol, apiPort, scheme, fingerprint: fp, clusterId: cluster, places };
}

/** The dispatchers among services, by name, at most `foundMax`; those with the fingerprint `first` come first. */
export function dispatchersIn(services: readonly MdnsFound[], first: string | null = null): readonly FoundDispatcher[] {
  const rank = ({ fingerprint }: FoundDispatcher): number => (fingerprint === first ? 0 : 1);
  return services
    .map(dispatcherOf)
    .filter((one) => one !== null)
    .toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
    .slice(0, foundMax);
}

/** Where to dial for the dispatcher sought: in turn an address of each that may be it, then their further ones. */
export function placesToDial(found: readonly FoundDispatcher[], sought: Sought): readonly Place[] {
  const candidates = found.filter(({ fingerprint }) => sought.by === 'secret' || fingerprint === sought.fingerprint);
  const deepest = Math.max(0, ...candidates.map(({ places }) => places.length));
  const rounds = Array.from({ length: deepest }, (_, depth) => candidates.map(({ places }) => places[depth]));
  return rounds
    .flat()
    .filter((place) => place !== undefined)
    .slice(0, foundMax);
}

/**
 * The one dispatcher a node with nothing to show may turn to: there is no other. `several` when it is not for us to
 * choose; a dispatcher that is seen twice is one.
 */
export function onlyOne(found: readonly FoundDispatcher[]): FoundDispatcher | 'several' | null {
  const [first] = found;
  if (first === undefined) return null;
  return found.every(({ fingerprint }) => fingerprint === first.fingerprint) ? first : 'several';
}

/** `host:port`, with brackets around IPv6. */
export function placeText({ host, port }: Place): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Addresses on a network of this machine first, and of those IPv4, which every dispatcher listens on; those that hold on
 * one cable alone after the others.
 */
function placesOf(addresses: MdnsFound['addresses'], port: number): readonly Place[] {
  const far = 4;
  const ranks = new Map<string, number>();
  for (const { address, interfaceName, onLink } of addresses) {
    const zoned = isLinkLocal(address);
    const host = zoned && !address.includes('%') ? `${address}%${interfaceName}` : address;
    const rank = (onLink ? 0 : far) + (!address.includes(':') ? 0 : zoned ? 2 : 1);
    ranks.set(host, Math.min(rank, ranks.get(host) ?? rank));
  }
  return [...ranks]
    .toSorted(([, a], [, b]) => a - b)
    .slice(0, addressesMax)
    .map(([host]) => ({ host, port }));
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(address);
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : null;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

/** A name anybody may have chosen, for logs and terminals. */
function printable(name: string): string {
  return name.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?').slice(0, 63);
}
