/**
 * `doctor net`: looks at this machine's network, and at one other host when it is named, as discovery and links do; what
 * follows from it is decided in `discovery/diagnosis.ts`. Everything is asked at once and ends within six seconds.
 *
 * With `--discovery false` nothing is sent to a group and nobody is listened to.
 */

import { randomBytes } from 'node:crypto';
import { OctasklyError } from '../base/errors.ts';
import { parseAddress } from '../cli/option.ts';
import type { DoctorValues } from '../cli/options.ts';
import { mdnsPort } from '../discovery/finding.ts';
import type { MdnsFound } from '../discovery/mdns/contract.ts';
import type {
  BeaconFacts,
  FoundDispatcher,
  ListedInterface,
  NetworkFacts,
  Platform,
  Port,
} from '../discovery/network-facts.ts';
import { openBeacons } from '../runtime/beacons.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { readFirewalls } from '../runtime/firewall.ts';
import { isAndroid } from '../runtime/host.ts';
import { surveyInterfaces } from '../runtime/interfaces.ts';
import { beaconSealKey } from '../runtime/keys.ts';
import { openMdns } from '../runtime/mdns.ts';
import { probeMulticast } from '../runtime/multicast-probe.ts';
import { readGateway, readNeighbours } from '../runtime/neighbours.ts';
import { reachOf } from '../runtime/net-probe.ts';
import { protocolVersion } from '../wire/messages.ts';
import { absolute } from './common.ts';
import { type Membership, membershipIn } from './doctor-belonging.ts';
import { examineHost, type Target } from './doctor-host.ts';

/** How long discovery listens: two beacons, and the second question of Multicast DNS. */
const listenMs = 2500;
const toolMsMax = 2000;
/** What a home's router answers, if anything; only to learn whether it is there. */
const routerPort = 53;
const routerMsMax = 500;

/** The host named on the command line. Error: `usage` when it is none. */
export function targetIn(text: string, values: DoctorValues): Target {
  const parsed = parseAddress(text);
  if ('expected' in parsed)
    throw new OctasklyError('usage', `"${text}" is no host to look at; doctor net takes ${parsed.expected}.`);
  return { host: parsed.value.host, port: parsed.value.port ?? values.port, apiPort: values.apiPort };
}

/** Everything that can be found out. Errors: `io`, `forbidden`, for what is kept in the data directory. */
export async function examineNetwork(values: DoctorValues, target: Target | null): Promise<NetworkFacts> {
  const { discovery, discoveryPort } = values;
  const membership = membershipIn(absolute(values.dataDir));
  const interfaces = await listedInterfaces(values.interfaces);
  const [heard, firewalls, host, gateway] = await Promise.all([
    discovery ? listen(values, membership) : { multicast: [], found: [], beacons: null },
    readFirewalls(process.execPath, toolMsMax),
    target === null ? null : examineHost(target, { membership, interfaces }),
    touchedGateway(discovery || target !== null),
  ]);
  return {
    platform: platformOf(),
    program: process.execPath,
    protocolVersion,
    ...{ discovery, interfaces, gateway, firewalls, host, ...heard },
    wantedInterfaces: values.interfaces,
    beaconPort: discoveryPort,
    ports: portsOf(values, membership),
    // After the rest: only what somebody wanted to reach is known.
    neighbours: await readNeighbours(toolMsMax),
    belonging: membership.belonging,
  };
}

function platformOf(): Platform {
  if (isAndroid()) return 'termux';
  const platforms: Readonly<Record<string, Platform>> = { darwin: 'macos', win32: 'windows' };
  return platforms[process.platform] ?? 'linux';
}

async function listedInterfaces(named: readonly string[]): Promise<ListedInterface[]> {
  return (await surveyInterfaces(named)).map(({ name, addresses, leftOut }) => {
    return { name, addresses: addresses.map(({ address, prefix }) => `${address}/${prefix}`), leftOut };
  });
}

/** Ports others must reach here: a worker with a credential needs none for workers, and who does not work with peers none for them. */
function portsOf(values: DoctorValues, { belonging }: Membership): Port[] {
  const { port, peerPort, discoveryPort, discovery, p2pEnabled } = values;
  const ports: Port[] = [
    { protocol: 'tcp', number: port, purpose: 'workers' },
    { protocol: 'tcp', number: peerPort, purpose: 'peers' },
    { protocol: 'udp', number: mdnsPort, purpose: 'Multicast DNS' },
    { protocol: 'udp', number: discoveryPort, purpose: 'beacons' },
  ];
  return ports.filter(({ protocol, purpose }) => {
    if (protocol === 'udp') return discovery;
    return purpose === 'peers' ? p2pEnabled && belonging?.by !== 'secret' : belonging?.by !== 'credential';
  });
}

/** The default router, asked for something so that its entry among the neighbours is new. */
async function touchedGateway(touch: boolean): Promise<string | null> {
  const gateway = await readGateway(toolMsMax);
  if (gateway !== null && touch) await reachOf({ host: gateway, port: routerPort }, routerMsMax);
  return gateway;
}

// ------------------------------------------------------------------------------------------------- listening

async function listen(values: DoctorValues, membership: Membership) {
  const { interfaces, discoveryPort: beaconPort } = values;
  const [multicast, found, beacons] = await Promise.all([
    probeMulticast({ interfaces, beaconPort, listenMs }),
    browse(interfaces),
    hearBeacons(values, membership),
  ]);
  return { multicast, found, beacons };
}

async function browse(interfaces: readonly string[]): Promise<FoundDispatcher[]> {
  const mdns = await openMdns({ interfaces, onNews: () => {} });
  mdns.browse('_octaskly._tcp');
  await Bun.sleep(listenMs);
  const found = mdns.found.map(foundDispatcher);
  await mdns.close();
  return found;
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

async function hearBeacons(values: DoctorValues, { beaconKey }: Membership): Promise<BeaconFacts | null> {
  if (beaconKey === null) return null;
  const keys = [beaconSealKey(beaconKey)];
  const node = openBeacons({
    id: randomBytes(8).toString('hex'),
    port: values.discoveryPort,
    interfaces: values.interfaces,
    keys: () => keys,
    self: () => null,
    known: [],
    clock: systemClock,
    random: systemRandom,
    onChange: () => {},
  });
  await node.opened;
  await Bun.sleep(listenMs);
  const { peers, skews, counts } = node;
  const facts = {
    heard: peers.all().map(({ beacon }) => beacon.name),
    skews: skews.map(({ name, from, differenceMs }) => ({ node: name ?? from.address, aheadMs: differenceMs })),
    foreign: counts.other_cluster ?? 0,
  };
  await node.close();
  return facts;
}
