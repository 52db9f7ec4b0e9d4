/**
 * Tries multicast as discovery uses it: sends by every usable interface to the groups of Multicast DNS and of beacons, and
 * listens whether that comes back (the system hands a copy to its own members, through the rules for incoming packets)
 * and whether anybody else is heard.
 *
 * What goes to the group of Multicast DNS is a one-shot query (RFC 6762 section 5.1) for all types of services, which
 * every responder answers; what goes to the group of beacons is no beacon, and ignored by all.
 */

import { mdnsPort } from '../discovery/finding.ts';
import { encodeMessage } from '../discovery/mdns/packet.ts';
import { message } from '../discovery/mdns/records.ts';
import type { MulticastFacts } from '../discovery/network-facts.ts';
import { beaconGroups } from './beacons.ts';
import { systemClock } from './clock.ts';
import { type Multicast, openMulticast } from './multicast.ts';
import { zoned } from './networks.ts';

/** Others that are told of, for each interface. */
const othersMax = 64;

export interface ProbeOptions {
  /** Only these interfaces; none = all usable ones. */
  readonly interfaces: readonly string[];
  readonly beaconPort: number;
  /** How long to listen, ms. */
  readonly listenMs: number;
}

const groups = {
  mdns: { group4: '224.0.0.251', group6: 'ff02::fb' },
  beacons: beaconGroups,
} as const;

/** A packet on a busy network may be lost: each is sent at these times, ms from the beginning. */
const sendAtMs = [0, 300, 900];

/** What became of it, for each link and group. Takes `listenMs`; never rejects. */
export async function probeMulticast(options: ProbeOptions): Promise<MulticastFacts[]> {
  const { beaconPort } = options;
  const [mdns, beacons] = await Promise.all([
    probeGroup({ ...options, group: 'mdns', port: mdnsPort, payload: allServices() }),
    probeGroup({
      ...options,
      group: 'beacons',
      port: beaconPort,
      payload: new TextEncoder().encode('octaskly doctor'),
    }),
  ]);
  return [...mdns, ...beacons];
}

/** A query for the types of all services (RFC 6763 section 9). */
function allServices(): Uint8Array {
  const question = { name: '_services._dns-sd._udp.local', type: 'PTR', unicast: false };
  return encodeMessage(message({ id: 1, questions: [question] }));
}

interface GroupOptions extends ProbeOptions {
  readonly group: MulticastFacts['group'];
  readonly port: number;
  readonly payload: Uint8Array;
}

async function probeGroup({ group, port, payload, interfaces, listenMs }: GroupOptions): Promise<MulticastFacts[]> {
  const heard = new Map<string, { own: boolean; readonly others: Set<string> }>();
  const ofLink = (id: string) => heard.getOrInsertComputed(id, () => ({ own: false, others: new Set<string>() }));
  const multicast = openMulticast({
    ...groups[group],
    ...{ port, sendFrom: 'free-port', join: true, hops: 1, interfaces, clock: systemClock },
    onPacket: ({ link, from }) => {
      if (link === null) return;
      const { address } = zoned(from.address);
      const known = ofLink(link.id);
      if (address === link.source.address && from.port === link.source.port) known.own = true;
      else if (!isOwn(multicast, address) && known.others.size < othersMax) known.others.add(address);
    },
    onLinkUp: () => {},
    onLinkDown: () => {},
  });
  await multicast.ready;
  await Promise.all([
    Bun.sleep(listenMs),
    ...sendAtMs.map(async (atMs) => {
      await Bun.sleep(Math.min(atMs, listenMs));
      for (const { id } of multicast.links) multicast.toGroup(id, payload);
    }),
  ]);
  const facts = multicast.links.map(({ id, on, family, source }): MulticastFacts => {
    const { own, others } = ofLink(id);
    const failure = own ? null : troubleOf(multicast, id);
    const { address } = source;
    return { interfaceName: on.name, address, family, group, failure, heardOwn: own, heardOthers: [...others] };
  });
  await multicast.close();
  return facts;
}

/** Why nothing came back by this link; null = what did not work was another one's, or all did. */
function troubleOf({ trouble }: Multicast, linkId: string): string | null {
  const elsewhere = /\b(\S+\/[46])\b/.exec(trouble ?? '')?.[1] ?? linkId;
  return elsewhere === linkId ? trouble : null;
}

function isOwn({ links }: Multicast, address: string): boolean {
  return links.some(({ on }) => on.addresses.some((each) => each.address === address));
}
