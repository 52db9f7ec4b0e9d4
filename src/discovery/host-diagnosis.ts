/**
 * What stands between this machine and one other host, from the name down to the handshake. Pure; a part of `diagnosis.ts`.
 *
 * Invariant: the walk ends at the first thing that keeps all later ones from being known: a name that is not resolved, an
 * address that does not answer, a port that is closed.
 */

import { clockDifferenceMsMax, type Finding } from './finding.ts';
import { familyOf, isLinkLocal6, withoutZone } from './mdns/networks.ts';
import type { HandshakeFacts, HostFacts, NetworkFacts, Port } from './network-facts.ts';
import * as remedies from './remedies.ts';

/** What is to be said of `host`. */
export function diagnoseHost(facts: NetworkFacts, host: HostFacts): Finding[] {
  if (host.unresolved !== null) return [notResolved(facts, host, host.unresolved)];
  const blocked = withPortMeant(facts, host, reachFinding(facts, host));
  const aboveTcp = [...apiFinding(host), ...clockFinding(facts, host)];
  if (blocked !== null) return [blocked, ...(host.apiReach === 'open' ? aboveTcp : [])];
  return [
    ...(host.handshake === null ? [] : handshakeFindings(facts, host, host.handshake)),
    ...announcementFindings(facts, host),
    ...beaconsFiltered(facts, host),
    ...aboveTcp,
  ];
}

/** Whether one of these addresses, as others tell them, is that one. */
function holds(addresses: readonly string[], address: string): boolean {
  return addresses.includes(withoutZone(address));
}

/** With its address, where that is not how it was given. */
function named({ host, address }: HostFacts): string {
  return address === null || address === host ? host : `${host} (${address})`;
}

function notResolved({ platform }: NetworkFacts, { host }: HostFacts, reason: string): Finding {
  const isLocal = /\.local\.?$/i.test(host);
  const hint = isLocal
    ? ' Names that end in .local are resolved by Multicast DNS: the system needs support for it (on Linux nss-mdns), and the host has to be on the same network.'
    : ' Its address does as well.';
  const help = [
    ...(isLocal ? remedies.here(remedies.resolveLocalNames(platform)) : []),
    ...remedies.here(remedies.lookUp(platform, host)),
    remedies.at('here, with its address', 'octaskly doctor net ADDRESS'),
  ];
  const sentence = `The name "${host}" is not resolved: ${reason}.${hint}`;
  return { name: 'name_not_resolved', severity: 'failure', about: host, sentence, remedies: help };
}

/** Nothing of it answers, neither at its ports nor for its hardware address, or that is not known. */
export function isWithoutAnswer({ reach, apiReach, neighbour, isSelf, beaconAnswered }: HostFacts): boolean {
  if (isSelf || beaconAnswered === true) return false;
  if (neighbour === false) return reach !== 'open' && reach !== 'unreachable';
  return neighbour === null && reach === 'filtered' && apiReach === 'filtered';
}

/** Why no connection comes about; null when one does, or it was not tried. */
function reachFinding(facts: NetworkFacts, given: HostFacts): Finding | null {
  const { host, address, port, reach, isSelf, neighbour, peerOf } = given;
  const about = `${host}:${port}`;
  // Bun tells of a host without a hardware address as if it had refused.
  if (neighbour === false && isWithoutAnswer(given)) return hostSilent(facts, given);
  const ports: readonly Port[] = [{ protocol: 'tcp', number: port, purpose: peerOf === null ? 'workers' : 'peers' }];
  switch (reach) {
    case 'unreachable': {
      const zoned = isLinkLocal6(host) ? ofNoInterface(facts, about, host) : null;
      if (zoned !== null) return zoned;
      const sentence = `This machine has no route to ${named(given)}: it is in none of its networks, and no router is known that leads there. Nothing was sent.`;
      const help = [
        ...remedies.here(remedies.showRoute(facts.platform, address ?? host)),
        ...remedies.here(remedies.listInterfaces(facts.platform)),
      ];
      return { name: 'no_route', severity: 'failure', about, sentence, remedies: help };
    }
    case 'filtered': {
      const off = neighbour === true ? '.' : ', or the host is off.';
      const sentence = `TCP port ${port} of ${named(given)} does not answer at all: a firewall drops what is sent to it, there or on the way${off}`;
      return { name: 'port_filtered', severity: 'failure', about, sentence, remedies: remedies.openThere(host, ports) };
    }
    case 'refused': {
      const why =
        peerOf === null
          ? 'no dispatcher listens there, or its firewall rejects. Where the dispatcher was started with --bind 127.0.0.1, it is for its own machine only.'
          : `worker "${peerOf}" says that it takes peers there, so its firewall rejects.`;
      const sentence = `${named(given)} answers, but TCP port ${port} is closed: ${why}`;
      const start = port === 7878 ? 'octaskly dispatcher' : `octaskly dispatcher --port ${port}`;
      const help = [
        ...(peerOf === null ? [remedies.at(`on ${host}`, start)] : []),
        ...(isSelf ? [] : remedies.openThere(host, ports)),
      ];
      return { name: 'port_closed', severity: 'failure', about, sentence, remedies: help };
    }
    default:
      return null;
  }
}

/** An address of every link at once, or of one that is not there, leads nowhere (RFC 4007 section 6). */
function ofNoInterface({ interfaces }: NetworkFacts, about: string, host: string): Finding | null {
  const address = withoutZone(host);
  const zone = host.slice(address.length + 1);
  // Windows tells interfaces by numbers, Android of none.
  if (/^\d+$/.test(zone) || (zone !== '' && interfaces.some(({ name }) => name === zone))) return null;
  if (zone !== '' && interfaces.length === 0) return null;
  const used = interfaces.filter(({ leftOut }) => leftOut === null).map(({ name }) => name);
  const sentence =
    zone === ''
      ? `${host} is an address of one link alone, and does not say of which: the interface that leads there goes behind it.`
      : `This machine has no interface "${zone}": behind the address goes the one that leads there from here; there is: ${interfaces.map(({ name }) => name).join(', ')}.`;
  const help = used.flatMap((name) => remedies.here(`octaskly doctor net '${address}%${name}'`));
  return { name: 'no_route', severity: 'failure', about, sentence, remedies: help };
}

/** `fd00::1:7878` is an address; who typed it may have meant a port. */
function withPortMeant({ peerPort }: NetworkFacts, target: HostFacts, finding: Finding | null): Finding | null {
  const { host } = target;
  const typed = /^(.*[^:]):(\d+)$/.exec(host);
  if (finding === null || familyOf(host) === 4 || typed === null) return finding;
  const [, address, port] = typed;
  if (![target.port, target.apiPort, peerPort].includes(Number(port))) return finding;
  const meant = remedies.at('here, if that is a port', `octaskly doctor net '[${address}]:${port}'`);
  return { ...finding, remedies: [meant, ...finding.remedies] };
}

/** Nothing of the other side is there, not even below IP: off, elsewhere, or kept apart from us. */
function hostSilent({ neighbours, platform }: NetworkFacts, given: HostFacts): Finding {
  const { host, address, sameNetwork } = given;
  const others = neighbours.filter((each) => each.answers === true && each.address !== address);
  const because =
    others.length === 0
      ? 'and no other host of this network was seen to answer just now'
      : `while ${others
          .slice(0, 3)
          .map((each) => each.address)
          .join(', ')} ${others.length === 1 ? 'does' : 'do'}`;
  const sentence = `${named(given)} belongs to the network of ${sameNetwork ?? 'this machine'} and does not answer when it is asked for its hardware address (${familyOf(address ?? host) === 6 ? 'neighbour discovery' : 'ARP'}), ${because}: it is off, has another address, or the access point keeps its devices apart (client isolation, AP isolation, guest network). Client isolation is switched off in the access point; no firewall rule helps against it.`;
  const look = remedies.showNeighbour(platform, address ?? host);
  return { name: 'host_silent', severity: 'failure', about: host, sentence, remedies: remedies.here(look) };
}

// ----------------------------------------------------------------------------------------------------- handshake

function handshakeFindings(facts: NetworkFacts, given: HostFacts, handshake: HandshakeFacts): Finding[] {
  const { host, port } = given;
  const { outcome, detail } = handshake;
  const about = `${host}:${port}`;
  if (given.peerOf !== null && ['refused', 'wrong_secret'].includes(outcome)) return notOfRoster(facts, given);
  switch (outcome) {
    case 'open':
      return [];
    case 'version_mismatch': {
      const help = remedies.onEach('both', () => 'octaskly version').slice(0, 1);
      return [{ name: 'version_differs', severity: 'failure', about, sentence: detail, remedies: help }];
    }
    case 'wrong_key':
    case 'wrong_secret': {
      const sentence = `${about} is of another cluster than this data directory, or this node was removed from it. ${detail}`;
      const help = remedies.joining(host);
      return [{ name: 'other_cluster', severity: 'failure', about, sentence, remedies: help }];
    }
    case 'revoked': {
      const sentence = `${about} is the dispatcher of this data directory, and does not take this node any more. ${detail}.`;
      return [{ name: 'not_admitted', severity: 'failure', about, sentence, remedies: remedies.joining(host) }];
    }
    case 'refused': {
      if (isOfWrongClock(facts, given)) {
        const sentence = `A node of octaskly listens at ${about}, and it is not known whose port that is: its beacons say so, and are not believed while its clock or this machine's is wrong.`;
        return [{ name: 'not_admitted', severity: 'note', about, sentence, remedies: [] }];
      }
      // Without anything to show that is what a careful dispatcher answers.
      const severity = facts.belonging === null ? 'note' : 'failure';
      const sentence = `A node of octaskly listens at ${about}. ${detail}`;
      return [{ name: 'not_admitted', severity, about, sentence, remedies: remedies.joining(host) }];
    }
    default: {
      const sentence = `${about} takes connections, but does not speak octaskly's protocol: ${detail} The dispatcher's port for workers is 7878 unless it was given another; the port of its API is not meant here.`;
      const help = [remedies.at('here, with the port of its workers', `octaskly doctor net ${host}:PORT`)];
      return [{ name: 'not_octaskly', severity: 'failure', about, sentence, remedies: help }];
    }
  }
}

/** A worker takes in those alone that its dispatcher has told it of: whoever is none of these learns no more. */
function notOfRoster({ belonging }: NetworkFacts, { host, port, peerOf }: HostFacts): Finding[] {
  if (belonging?.by !== 'credential') return [];
  const about = `${host}:${port}`;
  const sentence = `${about} is the port of worker "${peerOf}" for its peers. It does not take in the worker of this data directory: the dispatcher has not told it of that one, because it does not run, or has just joined. Until then files come from the dispatcher.`;
  return [{ name: 'not_admitted', severity: 'note', about, sentence, remedies: remedies.here('octaskly workers') }];
}

function announcementFindings(facts: NetworkFacts, given: HostFacts): Finding[] {
  const { host, address, port, isSelf, sameNetwork, handshake } = given;
  const { discovery, found, platform, peerPort } = facts;
  const isDispatcher =
    handshake !== null && ['open', 'wrong_key', 'wrong_secret', 'refused', 'revoked'].includes(handshake.outcome);
  // To whom has nothing to show, a worker's port for peers looks the same.
  const isPeers = given.peerOf !== null || port === peerPort;
  if (!discovery || isSelf || !isDispatcher || address === null || isPeers) return [];
  if (found.some((each) => holds(each.addresses, address) && each.port === port)) return [];
  const dial = `octaskly worker --dispatcher ${port === 7878 ? host : `${host}:${port}`}`;
  if (sameNetwork === null) {
    const sentence = `${named(given)} is not in a network of this machine: Multicast DNS does not pass routers, so it is found only when it is named.`;
    return [{ name: 'other_network', severity: 'note', about: host, sentence, remedies: remedies.here(dial) }];
  }
  const sentence = `A dispatcher listens at ${host}:${port}, but its announcement was not heard on ${sameNetwork}: multicast does not pass between the two (client isolation, IGMP snooping, a firewall that drops UDP 5353 there), or it was started with --discovery false.`;
  const mdns: Port = { protocol: 'udp', number: 5353, purpose: 'Multicast DNS' };
  const severity = platform === 'termux' ? 'note' : 'warning';
  const help = [...remedies.here(dial), ...remedies.openThere(host, [mdns])];
  return [{ name: 'not_announced', severity, about: host, sentence, remedies: help }];
}

/** Its beacons were heard and not believed, as ours are there. */
function isOfWrongClock({ beacons }: NetworkFacts, { address }: HostFacts): boolean {
  return (
    address !== null && (beacons?.skews.some((skew) => withoutZone(skew.address) === withoutZone(address)) ?? false)
  );
}

/** A member of our cluster does not hear what is sent to its port of beacons. */
function beaconsFiltered(facts: NetworkFacts, given: HostFacts): Finding[] {
  const { beaconPort, beacons, belonging } = facts;
  const { host, address, isSelf, beaconAnswered, handshake } = given;
  if (beaconAnswered !== false || isSelf || beacons === null || address === null) return [];
  // It does not believe the question, and that is said of its clock.
  if (isOfWrongClock(facts, given)) return [];
  const heard = beacons.heard.find(({ addresses }) => holds(addresses, address));
  const isOurs = belonging !== null && handshake?.outcome === 'open' && handshake.fingerprint === belonging.fingerprint;
  if (heard === undefined && !isOurs) return [];
  const said =
    heard === undefined
      ? 'and no beacon of it was heard: a firewall there drops UDP, or the node was started with --discovery false or another --discovery-port.'
      : `although beacons of "${heard.name}" are heard from there: a firewall there drops what comes in by UDP ${beaconPort}, so it hears nobody.`;
  const sentence = `${named(given)} was asked at UDP port ${beaconPort} and did not answer, ${said}`;
  const port: Port = { protocol: 'udp', number: beaconPort, purpose: 'beacons' };
  return [
    {
      name: 'beacons_filtered',
      severity: 'warning',
      about: host,
      sentence,
      remedies: remedies.openThere(host, [port]),
    },
  ];
}

// --------------------------------------------------------------------------------------------------- API and clock

function apiFinding({ host, address, apiPort, apiReach, reach }: HostFacts): Finding[] {
  if (apiReach === null || apiReach === 'open') return [];
  const about = `${host}:${apiPort}`;
  // `::` takes those of IPv4 as well, `0.0.0.0` none of IPv6.
  const every = familyOf(address ?? host) === 6 ? '::' : '0.0.0.0';
  const bind = remedies.at(`on ${host}`, `octaskly dispatcher --api-bind ${every} --require-auth true`);
  // A port nobody listens at refuses: where the host answers otherwise, silence is a firewall's.
  const isDropped = apiReach === 'filtered' && (reach === 'open' || reach === 'refused');
  const how = isDropped
    ? 'does not answer at all: a firewall drops what is sent to it, there or on the way.'
    : `${apiReach === 'refused' ? 'is closed' : 'does not answer'} from here.`;
  const sentence = `The API at ${about} ${how} Workers do not need it; it is for its own machine only unless the dispatcher was told otherwise.`;
  const api: Port = { protocol: 'tcp', number: apiPort, purpose: 'the API' };
  const help = isDropped ? [...remedies.openThere(host, [api]), bind] : [bind];
  return [{ name: 'api_not_reached', severity: 'note', about, sentence, remedies: help }];
}

function clockFinding({ platform }: NetworkFacts, { host, clockAheadMs }: HostFacts): Finding[] {
  if (clockAheadMs === null || Math.abs(clockAheadMs) <= clockDifferenceMsMax) return [];
  const side = clockAheadMs > 0 ? 'ahead of' : 'behind';
  const seconds = Math.round(Math.abs(clockAheadMs) / 1000);
  const sentence = `The clock of ${host} is ${seconds} s ${side} that of this machine; they may differ by ${clockDifferenceMsMax / 1000} s at most, or tokens and beacons are taken for old.`;
  const help = [...remedies.here(remedies.setClock(platform)), ...remedies.onEach(host, remedies.setClock)];
  return [{ name: 'clock_differs', severity: 'warning', about: host, sentence, remedies: help }];
}
