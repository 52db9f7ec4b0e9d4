/**
 * Under which addresses other devices of the network may reach this machine. Bridges of container engines, virtual
 * machines and VPNs are left out: whoever is on those is not the one who reads a join token.
 */

import { hostname, networkInterfaces } from 'node:os';
import { leftOutByName } from './interface-kinds.ts';

export interface InterfaceAddress {
  readonly name: string;
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
}

function rank({ address, family }: InterfaceAddress): number {
  // Homes and offices number their devices by private IPv4 (RFC 1918); then what is public, then IPv6.
  if (family === 'IPv4') return /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(address) ? 0 : 1;
  return 2;
}

/** The likeliest first. Pure, for tests: which of these addresses to name. */
export function reachable(addresses: readonly InterfaceAddress[]): readonly string[] {
  const usable = addresses.filter(({ name, address }) => leftOutByName(name) === null && !/^fe80:/i.test(address));
  return usable.toSorted((a, b) => rank(a) - rank(b)).map(({ address }) => address);
}

/** Hosts under which a server bound to `bind` can be reached; this machine's own name on the network (`.local`) last. */
export function hostsOf(bind: string): readonly string[] {
  if (bind !== '0.0.0.0' && bind !== '::') return [bind];
  const all: InterfaceAddress[] = [];
  for (const [name, entries] of Object.entries(networkInterfaces())) {
    for (const { address, family, internal } of entries ?? []) {
      if (!internal && (bind === '::' || family === 'IPv4')) all.push({ name, address, family });
    }
  }
  const found = reachable(all);
  return found.length === 0 ? ['127.0.0.1'] : [...found, `${hostname().split('.')[0]?.toLowerCase()}.local`];
}

/** `host:port`, with brackets around IPv6. */
export function placeOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
