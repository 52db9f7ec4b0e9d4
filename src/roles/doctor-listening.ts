/**
 * What `doctor net` hears while it looks: its own multicast, dispatchers by Multicast DNS, nodes by beacons; and what it
 * asks others there. Says nothing of itself.
 */

import { randomBytes } from 'node:crypto';
import type { DoctorValues } from '../cli/options.ts';
import type { MdnsFound } from '../discovery/mdns/contract.ts';
import { isLinkLocal6, withoutZone } from '../discovery/mdns/networks.ts';
import type { BeaconFacts, FoundDispatcher, HeardNode, MulticastFacts } from '../discovery/network-facts.ts';
import type { Peer } from '../discovery/peer-table.ts';
import type { BeaconNode, MdnsNode } from '../ports/discovery.ts';
import { openBeacons } from '../runtime/beacons.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { sealKeys } from '../runtime/cluster-keys.ts';
import { openMdns } from '../runtime/mdns.ts';
import { probeMulticast } from '../runtime/multicast-probe.ts';

/** How long it listens: two beacons, and the second question of Multicast DNS. */
const listenMs = 2500;
/** A question may be lost: it is asked so often, at these intervals. */
const questions = 3;
const questionMs = 300;
const lookMs = 25;

/** What was heard in all. */
export interface HeardFacts {
  readonly multicast: readonly MulticastFacts[];
  readonly found: readonly FoundDispatcher[];
  /** Null = there is no key to hear them with. */
  readonly beacons: BeaconFacts | null;
}

export interface Listening {
  /** Resolves when it has listened long enough. */
  readonly enough: Promise<void>;
  /** The nodes heard so far; none without a key. */
  readonly nodes: readonly HeardNode[];
  /** Addresses of `box.local` by our own Multicast DNS, of dispatchers alone; none within `timeoutMs` = []. */
  resolve(name: string, timeoutMs: number): Promise<readonly string[]>;
  /**
   * Asks the node at an address for its beacon: whether it answered; null without a key, and where an answer would not
   * show whose it is: beacons tell no link-local address. Takes 1.2 s at most.
   */
  ask(address: string): Promise<boolean | null>;
  /** Ends it, once it was long enough. */
  end(): Promise<HeardFacts>;
}

/** Listens on the network of these options. `keys`: of the cluster, 32 bytes each. */
export async function openListening(
  values: Pick<DoctorValues, 'interfaces' | 'discoveryPort'>,
  keys: readonly Uint8Array[],
): Promise<Listening> {
  const { interfaces, discoveryPort: beaconPort } = values;
  const probing = probeMulticast({ interfaces, beaconPort, listenMs });
  const mdns = await openMdns({ interfaces, onNews: () => {} });
  mdns.browse('_octaskly._tcp');
  const beacons = keys.length === 0 ? null : await hearing(values, keys);
  const enough = Bun.sleep(listenMs);
  return {
    enough,
    get nodes() {
      return beacons === null ? [] : beacons.peers.all().map(heardNode);
    },
    resolve: (name, timeoutMs) => resolved(mdns, name, timeoutMs),
    ask: async (address) => (beacons === null ? null : answered(beacons, { address, port: beaconPort })),
    end: async () => {
      await enough;
      const multicast = await probing;
      const heard = { multicast, found: mdns.found.map(foundDispatcher), beacons: beacons && beaconFacts(beacons) };
      await Promise.all([mdns.close(), beacons?.close()]);
      return heard;
    },
  };
}

async function hearing(
  { interfaces, discoveryPort }: Pick<DoctorValues, 'interfaces' | 'discoveryPort'>,
  keys: readonly Uint8Array[],
): Promise<BeaconNode> {
  const node = openBeacons({
    id: `asking-${randomBytes(8).toString('hex')}`,
    ...{ port: discoveryPort, interfaces, known: [], clock: systemClock, random: systemRandom },
    keys: sealKeys(() => keys),
    self: () => null,
    onChange: () => {},
  });
  await node.opened;
  return node;
}

async function resolved(mdns: MdnsNode, name: string, timeoutMs: number): Promise<readonly string[]> {
  const wanted = name.toLowerCase().replace(/\.$/, '');
  for (const until = performance.now() + timeoutMs; performance.now() < until; await Bun.sleep(lookMs)) {
    const service = mdns.found.find(({ host }) => host.toLowerCase() === wanted);
    if (service !== undefined) return [...new Set(service.addresses.map(({ address }) => address))];
  }
  return [];
}

async function answered(
  beacons: BeaconNode,
  to: { readonly address: string; readonly port: number },
): Promise<boolean | null> {
  const address = withoutZone(to.address);
  const has = (): boolean =>
    beacons.peers.all().some((peer) => peer.roundTripMs !== null && placesOf(peer).includes(address));
  for (let asked = 0; asked < questions && !has(); asked += 1) {
    beacons.ask([to]);
    for (const until = performance.now() + questionMs; performance.now() < until && !has(); ) await Bun.sleep(lookMs);
  }
  return has() || (isLinkLocal6(address) ? null : false);
}

function placesOf({ from, beacon }: Peer): readonly string[] {
  return [...new Set([withoutZone(from.address), ...beacon.addresses])];
}

function heardNode(peer: Peer): HeardNode {
  const { name, role, peerPort, publicKey } = peer.beacon;
  return { name, role, addresses: placesOf(peer), peerPort, publicKey, answered: peer.roundTripMs !== null };
}

function beaconFacts({ peers, skews, counts }: BeaconNode): BeaconFacts {
  return {
    heard: peers.all().map(heardNode),
    skews: skews.map(({ name, from, differenceMs }) => ({ node: name, address: from.address, aheadMs: differenceMs })),
    foreign: counts.other_cluster ?? 0,
  };
}

function foundDispatcher({ instance, host, port, txt, addresses }: MdnsFound): FoundDispatcher {
  const protocol = Number(txt.protocol);
  return {
    ...{ instance, host, port },
    addresses: addresses.map(({ address }) => address),
    interfaces: [...new Set(addresses.map(({ interfaceName }) => interfaceName))],
    fingerprint: txt.fp ?? null,
    cluster: txt.cluster ?? null,
    protocol: Number.isSafeInteger(protocol) ? protocol : null,
  };
}
