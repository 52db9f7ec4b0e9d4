/** Which links a list of interfaces makes, and which of them a packet came by. Pure. */

import { inNetwork, isLinkLocal6 } from '../discovery/mdns/networks.ts';
import type { NetworkInterface } from '../ports/discovery.ts';
import { zoned } from './networks.ts';

/** One family on one interface. */
export interface MulticastLink {
  /** `eth0/4`. */
  readonly id: string;
  readonly family: 4 | 6;
  readonly on: NetworkInterface;
  /** What packets leave from. */
  readonly source: { readonly address: string; readonly port: number };
}

/** A link as it should be. */
export interface WantedLink extends Pick<MulticastLink, 'id' | 'family' | 'on'> {
  /** What its packets are to leave from. */
  readonly address: string;
  /** Changes when its sockets must be opened anew. */
  readonly key: string;
}

/** What the system calls an interface in the zone of an address. */
export function zoneOf({ name, index }: NetworkInterface): string {
  return process.platform === 'win32' ? String(index) : name;
}

/** The address packets of a family leave from; undefined = the interface has none of it. */
function sourceOf(on: NetworkInterface, family: 4 | 6): string | undefined {
  const all = on.addresses.filter((each) => each.family === family).map(({ address }) => address);
  if (family === 6) return all.find(isLinkLocal6) ?? all[0];
  return all.find((address) => !address.startsWith('169.254.')) ?? all[0];
}

/** The links a list of interfaces makes. */
export function wantedLinks(interfaces: readonly NetworkInterface[]): readonly WantedLink[] {
  return interfaces.flatMap((on) =>
    ([4, 6] as const).flatMap((family) => {
      const address = sourceOf(on, family);
      if (address === undefined) return [];
      return [{ id: `${on.name}/${family}`, family, on, address, key: `${on.name}/${on.index}/${address}` }];
    }),
  );
}

/** Which of the links a packet from this address came by. `from` may have a zone. */
export function linkOf<Link extends Pick<MulticastLink, 'family' | 'on'>>(
  links: readonly Link[],
  family: 4 | 6,
  from: string,
): Link | null {
  const { address, zone } = zoned(from);
  const ofFamily = links.filter((link) => link.family === family);
  const onNetwork = ({ on }: Link): boolean =>
    on.addresses.some((own) => inNetwork(address, `${own.address}/${own.prefix}`));
  const found =
    zone === ''
      ? ofFamily.find(onNetwork)
      : ofFamily.find(({ on }) => on.name === zone || (on.index > 0 && String(on.index) === zone));
  return found ?? null;
}

/** True when nothing changed that others are told of. */
export function sameAddresses(one: NetworkInterface, other: NetworkInterface): boolean {
  return JSON.stringify(one.addresses) === JSON.stringify(other.addresses);
}
