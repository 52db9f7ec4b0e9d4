/**
 * `doctor net`: looks at this machine's network, and at one other host when it is named, as discovery and links do; what
 * follows from it is decided in `discovery/diagnosis.ts`. Everything is asked at once and ends within six seconds.
 *
 * With `--discovery false` nothing is sent to a group and nobody is listened to.
 */

import { isIP } from 'node:net';
import { OctasklyError } from '../base/errors.ts';
import { parseAddress } from '../cli/option.ts';
import type { DoctorValues } from '../cli/options.ts';
import { mdnsPort } from '../discovery/finding.ts';
import { isLinkLocal6, isNobodys, withoutZone } from '../discovery/mdns/networks.ts';
import type { ListedInterface, NeighbourFacts, NetworkFacts, Platform, Port } from '../discovery/network-facts.ts';
import { isAndroid } from '../runtime/android.ts';
import { systemClock } from '../runtime/clock.ts';
import { keysInDirectory } from '../runtime/cluster-keys.ts';
import { readFirewalls } from '../runtime/firewall.ts';
import { surveyInterfaces } from '../runtime/interfaces.ts';
import { neighbourAnswers, readGateway, readNeighbours } from '../runtime/neighbours.ts';
import { isListenedAt, isUdpTaken, reachOf } from '../runtime/net-probe.ts';
import { isLoopback } from '../runtime/networks.ts';
import { givenEnvironment } from '../runtime/own-secrets.ts';
import { protocolVersion } from '../wire/messages.ts';
import { absolute } from './common.ts';
import { type Membership, membershipIn } from './doctor-belonging.ts';
import { examineHost, type Target } from './doctor-host.ts';
import { type HeardFacts, openListening } from './doctor-listening.ts';

const toolMsMax = 2000;
/** What a home's router answers, if anything; others refuse, which is an answer as well. */
const touchedPort = 53;
const touchMsMax = 500;
/** Most hosts besides the router that are touched. */
const touchedMax = 4;

/** The host named on the command line. Error: `usage` when it is none. */
export function targetIn(text: string, values: DoctorValues): Target {
  const parsed = parseAddress(text);
  if ('expected' in parsed)
    throw new OctasklyError('usage', `"${text}" is no host to look at; doctor net takes ${parsed.expected}.`);
  // An IPv4 address in the notation of IPv6 is reached by IPv4 (RFC 4291, 2.5.5.2).
  const host = parsed.value.host.replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIP(withoutZone(host)) !== 0 && isNobodys(host) && !isLoopback(host)) {
    throw new OctasklyError(
      'usage',
      `${host} is no address of a host: it stands for all addresses of a machine, or for many hosts at once. Name one: octaskly doctor net HOST[:PORT].`,
    );
  }
  return { host, port: parsed.value.port ?? values.port, apiPort: values.apiPort };
}

/** Everything that can be found out. Errors: `io`, `forbidden`, for what is kept in the data directory. */
export async function examineNetwork(values: DoctorValues, target: Target | null): Promise<NetworkFacts> {
  const { discovery, discoveryPort } = values;
  const since = performance.now();
  const dataDir = absolute(values.dataDir);
  const given = givenEnvironment().OCTASKLY_SECRET || null;
  const membership = membershipIn(dataDir, given);
  const keys = keysInDirectory(dataDir, given, systemClock.wall());
  const interfaces = await listedInterfaces(values.interfaces);
  const ports = [...portsOf(values, membership), ...(await dispatcherPorts(values, membership, interfaces))];
  const listening = discovery ? await openListening(values, keys) : null;
  const [firewalls, host, around] = await Promise.all([
    readFirewalls(process.execPath, { ports, ...surroundingsOf(interfaces) }, toolMsMax),
    target === null ? null : examineHost(target, { membership, interfaces, listening }),
    touched(discovery || target !== null),
  ]);
  const heard: HeardFacts = (await listening?.end()) ?? { multicast: [], found: [], beacons: null };
  // After the rest: only what somebody wanted to reach is known, and only what was heard of since counts.
  const neighbours = await readNeighbours(performance.now() - since, toolMsMax);
  return {
    platform: platformOf(),
    program: process.execPath,
    protocolVersion,
    ...{ discovery, interfaces, firewalls, host, ...heard },
    wantedInterfaces: values.interfaces,
    beaconPort: discoveryPort,
    peerPort: values.peerPort,
    ports,
    gateway: around.gateway,
    neighbours: withAnswers(neighbours, [...around.answering, ...answeringHost(host)]),
    belonging: membership.belonging,
  };
}

/** Where packets of others come in, and from where. */
function surroundingsOf(interfaces: readonly ListedInterface[]) {
  const used = interfaces.filter(({ leftOut }) => leftOut === null);
  return { interfaceNames: used.map(({ name }) => name), networks: used.flatMap(({ addresses }) => addresses) };
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

/** Ports others must reach here: a worker needs none for workers, and who does not work with peers none for them. */
function portsOf(values: DoctorValues, { role }: Membership): Port[] {
  const { port, peerPort, discoveryPort, discovery, p2pEnabled } = values;
  const ports: Port[] = [
    { protocol: 'tcp', number: port, purpose: 'workers' },
    { protocol: 'tcp', number: peerPort, purpose: 'peers' },
    { protocol: 'udp', number: mdnsPort, purpose: 'Multicast DNS' },
    { protocol: 'udp', number: discoveryPort, purpose: 'beacons' },
  ];
  return ports.filter(({ protocol, purpose }) => {
    if (protocol === 'udp') return discovery;
    return purpose === 'peers' ? p2pEnabled && role !== 'dispatcher' : role !== 'worker';
  });
}

/** Further ports of this data directory's dispatcher: of QUIC, where it is asked for or listened at, and of the API, where that is for others. */
async function dispatcherPorts(
  { port, apiPort, quic }: DoctorValues,
  { role }: Membership,
  interfaces: readonly ListedInterface[],
): Promise<Port[]> {
  if (role !== 'dispatcher') return [];
  const hosts = interfaces
    .filter(({ leftOut }) => leftOut === null)
    .flatMap((each) => each.addresses.map((address) => address.split('/')[0] ?? ''))
    .filter((address) => !isLinkLocal6(address));
  const taken = await Promise.all(hosts.map((host) => isUdpTaken({ host, port })));
  const ports: Port[] = [];
  if (quic || taken.includes(true)) ports.push({ protocol: 'udp', number: port, purpose: 'QUIC' });
  if (hosts.some((host) => isListenedAt({ host, port: apiPort })))
    ports.push({ protocol: 'tcp', number: apiPort, purpose: 'the API' });
  return ports;
}

/**
 * The default router, and a few of the hosts that are known from earlier, asked for something so that what is known of
 * them is new.
 */
async function touched(touch: boolean): Promise<{ gateway: string | null; answering: readonly string[] }> {
  const [gateway, neighbours] = await Promise.all([readGateway(toolMsMax), readNeighbours(0, toolMsMax)]);
  if (!touch) return { gateway, answering: [] };
  const known = neighbours.filter(({ answers, address }) => answers !== false && !address.includes(':'));
  const others = known.filter(({ address }) => address !== gateway).slice(0, touchedMax);
  const router = known.find(({ address }) => address === gateway) ?? (gateway === null ? null : { address: gateway });
  const asked = [...(router === null ? [] : [router]), ...others];
  const answers = await Promise.all(asked.map(answersNow));
  return { gateway, answering: asked.filter((_, i) => answers[i]).map(({ address }) => address) };
}

/** A host that is asked for something; the interface is not known of one that nobody wanted to reach yet. */
type Touched = Pick<NeighbourFacts, 'address'> & Partial<Pick<NeighbourFacts, 'interfaceName'>>;

/** Whether a neighbour answers a connection, or else for its hardware address, where that can be asked for. */
async function answersNow({ address, interfaceName }: Touched): Promise<boolean> {
  const reach = await reachOf({ host: address, port: touchedPort }, touchMsMax);
  if (reach === 'open' || interfaceName === undefined) return reach === 'open' || reach === 'refused';
  // A connection also ends as if refused when nobody tells a hardware address.
  const answers = await neighbourAnswers({ address, interfaceName }, touchMsMax);
  return answers ?? reach === 'refused';
}

function answeringHost(host: NetworkFacts['host']): string[] {
  const answers = host?.reach === 'open' || host?.apiReach === 'open' || host?.neighbour === true;
  return answers && host.address !== null ? [host.address] : [];
}

/** Who has answered by other means answers. */
function withAnswers(neighbours: readonly NeighbourFacts[], answering: readonly string[]): NeighbourFacts[] {
  return neighbours.map((each) => {
    return each.answers === null && answering.includes(each.address) ? { ...each, answers: true } : each;
  });
}
