/**
 * Why two nodes do not see each other: facts in, findings out. Pure.
 *
 * Read as a walk from the wire upwards: is there an interface; does multicast leave by it and come back through our own
 * firewall; is anybody else heard; is what is found of our cluster, version and time. What concerns one other host is in
 * `host-diagnosis.ts`.
 *
 * Invariants: a fact that is not known accuses nobody; of several findings with one cause the lowest is given, not the
 * ones that follow from it; every finding that is trouble has a remedy, also where that is to go around it
 * (`--dispatcher`).
 */

import { type Finding, mdnsPort, type Severity } from './finding.ts';
import { diagnoseHost, isWithoutAnswer } from './host-diagnosis.ts';
import type {
  Belonging,
  FirewallFacts,
  FoundDispatcher,
  IpFamily,
  MulticastFacts,
  NetworkFacts,
  Port,
} from './network-facts.ts';
import * as remedies from './remedies.ts';

const aroundMulticast = remedies.at('on the worker', 'octaskly worker --dispatcher HOST');

/** All that is to be said about these facts, the cause before what follows from it. */
export function diagnose(facts: NetworkFacts): Finding[] {
  return [
    ...interfaceFindings(facts),
    ...discoveryOff(facts),
    ...multicastLock(facts),
    ...multicastFindings(facts),
    ...silenceFindings(facts),
    ...firewallFindings(facts),
    ...foundFindings(facts),
    ...beaconFindings(facts),
    ...(facts.host === null ? [] : diagnoseHost(facts, facts.host)),
  ];
}

// ---------------------------------------------------------------------------------------------------- interfaces

function interfaceFindings(facts: NetworkFacts): Finding[] {
  const { interfaces, wantedInterfaces, platform } = facts;
  const missing = wantedInterfaces.filter((name) => !interfaces.some((each) => each.name === name));
  const findings = missing.map((name): Finding => {
    const there = interfaces.map((each) => each.name).join(', ') || 'none';
    const sentence = `There is no network interface "${name}", which --interface names; there is: ${there}.`;
    const list = remedies.here(remedies.listInterfaces(platform));
    return { name: 'interface_missing', severity: 'failure', about: name, sentence, remedies: list };
  });
  const used = interfaces.filter(({ leftOut }) => leftOut === null);
  if (used.length === 0 && missing.length === 0) findings.push(noInterface(facts));
  for (const { name, addresses } of used) {
    const ipv4 = addresses.filter((address) => address.includes('.'));
    if (ipv4.length === 0 || !ipv4.every((address) => address.startsWith('169.254.'))) continue;
    findings.push({
      name: 'self_assigned_address',
      severity: 'warning',
      about: name,
      sentence: `${name} has given itself the address ${ipv4[0]}: no DHCP server answered, so it is alone or behind a bad cable.`,
      remedies: remedies.here(remedies.renewAddress(platform, name)),
    });
  }
  return findings;
}

function noInterface({ interfaces, platform }: NetworkFacts): Finding {
  const about = '';
  if (platform === 'termux' && interfaces.length === 0) {
    const sentence =
      'Android does not tell its network interfaces to programs, so discovery goes by what its sockets tell. Name the dispatcher where that is not enough.';
    return { name: 'no_interface', severity: 'note', about, sentence, remedies: [aroundMulticast] };
  }
  const leftOut = interfaces.filter(({ addresses }) => addresses.length > 0);
  const named = leftOut.find(({ name }) => !/^lo/.test(name));
  const sentence =
    named === undefined
      ? 'This machine has no network interface with an address but loopback: it is not connected.'
      : `All network interfaces are left out of discovery (${leftOut.map(({ name, leftOut: why }) => `${name}: ${why}`).join('; ')}). One that leads to the other nodes can be named.`;
  const command =
    named === undefined ? remedies.listInterfaces(platform) : `octaskly dispatcher --interface ${named.name}`;
  return { name: 'no_interface', severity: 'failure', about, sentence, remedies: remedies.here(command) };
}

// ----------------------------------------------------------------------------------------------------- multicast

function discoveryOff({ discovery }: NetworkFacts): Finding[] {
  if (discovery) return [];
  const sentence =
    'Discovery is switched off (--discovery false): nothing was sent or listened for, and nodes find each other by --dispatcher and join tokens only.';
  return [{ name: 'discovery_off', severity: 'note', about: '', sentence, remedies: [aroundMulticast] }];
}

function multicastLock({ platform, discovery }: NetworkFacts): Finding[] {
  if (platform !== 'termux' || !discovery) return [];
  const sentence =
    'Android drops multicast for programs without a multicast lock, which Termux cannot take: this device may be found by nobody and hear nobody. A dispatcher that is named, or a join token, needs no multicast.';
  return [{ name: 'multicast_lock', severity: 'note', about: '', sentence, remedies: [aroundMulticast] }];
}

/** The port of a group, here. */
function portOf({ beaconPort }: NetworkFacts, group: MulticastFacts['group']): Port {
  if (group === 'mdns') return { protocol: 'udp', number: mdnsPort, purpose: 'Multicast DNS' };
  return { protocol: 'udp', number: beaconPort, purpose: 'beacons' };
}

/** One for each interface and group: where one family gets through, two nodes find each other. */
function multicastFindings(facts: NetworkFacts): Finding[] {
  const byPlace = Map.groupBy(facts.multicast, ({ interfaceName, group }) => `${interfaceName} ${group}`);
  return [...byPlace.values()].flatMap((probes) => {
    const deaf = probes.filter(({ failure, heardOwn }) => failure !== null || !heardOwn);
    const severity = deaf.length < probes.length ? 'note' : 'failure';
    return deaf[0] === undefined ? [] : multicastFinding(facts, deaf[0], severity);
  });
}

function multicastFinding(facts: NetworkFacts, probe: MulticastFacts, severity: Severity): Finding[] {
  const { platform } = facts;
  const { interfaceName: about, address, failure } = probe;
  const port = portOf(facts, probe.group);
  if (failure === null) {
    // There `multicast_lock` says it.
    if (platform === 'termux') return [];
    const sentence = `What was sent to the group of ${port.purpose} by ${about} (${address}) did not come back to UDP port ${port.number} of this machine: its own firewall most likely drops it.`;
    const help = [...remedies.openHere(facts, [port]), aroundMulticast];
    return [{ name: 'multicast_not_heard', severity, about, sentence, remedies: help }];
  }
  const isTaken = /in use|EADDRINUSE/i.test(failure);
  const why = isTaken ? `another program holds UDP port ${port.number} for itself alone (${failure})` : failure;
  const sentence = `${port.purpose} cannot use ${about} (${address}): ${why}.`;
  const help = isTaken ? remedies.whoListens(platform, port.number) : remedies.routeMulticast(platform, about);
  return [
    { name: 'multicast_not_sent', severity, about, sentence, remedies: [...remedies.here(help), aroundMulticast] },
  ];
}

/** Silence proves nothing: those who answer otherwise may have nothing to say by multicast. So it is a note. */
function silenceFindings(facts: NetworkFacts): Finding[] {
  const { multicast, neighbours, gateway, platform, host, beacons } = facts;
  if (platform === 'termux' || (beacons?.heard.length ?? 0) > 0) return [];
  return facts.interfaces.flatMap((each): Finding[] => {
    const probes = multicast.filter(({ interfaceName }) => interfaceName === each.name);
    const sound = probes.filter(({ failure, heardOwn }) => failure === null && heardOwn);
    if (sound.length === 0 || probes.some(({ heardOthers }) => heardOthers.length > 0)) return [];
    const around = neighbours.filter(({ interfaceName }) => interfaceName === each.name);
    const there = around.filter(({ answers }) => answers === true).map(({ address }) => address);
    const others = there.filter((address) => address !== gateway);
    const about = each.name;
    if (others.length > 0) {
      const sentence = `On ${about} other hosts answer (${some(others)}), but none was heard by multicast: the access point or switch may keep it back (IGMP snooping, multicast filtering), or these hosts do not use it.`;
      return [{ name: 'nobody_heard', severity: 'note', about, sentence, remedies: [aroundMulticast] }];
    }
    const known = around.filter(({ address, answers }) => address !== gateway && answers === null);
    const silent = [...known.map(({ address }) => address), ...silentHost(host, each.name)];
    if (silent.length > 0) return [isolated(facts, { about, silent, there })];
    const sentence = `Nobody else was heard by multicast on ${about}. That is right where no other device of this network uses it.`;
    return [{ name: 'nobody_heard', severity: 'note', about, sentence, remedies: [] }];
  });
}

/** The host asked about, where it is of that interface's network and nothing of it answers. */
function silentHost(host: NetworkFacts['host'], interfaceName: string): string[] {
  const isSilent = host !== null && host.sameNetwork === interfaceName && isWithoutAnswer(host);
  return isSilent && host.address !== null ? [host.address] : [];
}

function isolated(
  { platform }: NetworkFacts,
  given: { readonly about: string; readonly silent: readonly string[]; readonly there: readonly string[] },
): Finding {
  const { about, silent, there } = given;
  const who = there.length === 0 ? 'nobody answers' : `only ${some(there)}, the router, answers`;
  const sentence = `On ${about} ${who}: hosts of the same network (${some(silent)}) do not, and nobody was heard by multicast. Unless they are off, the access point keeps its devices apart (client isolation, AP isolation, guest network). That is switched off in the access point or its router; no firewall rule and no --dispatcher helps against it. A cable, or another network that both are in, does.`;
  const help = remedies.here(remedies.showNeighbour(platform, silent[0] ?? 'HOST'));
  return { name: 'client_isolation_suspected', severity: 'warning', about, sentence, remedies: help };
}

function some(addresses: readonly string[]): string {
  return [...new Set(addresses)].slice(0, 3).join(', ');
}

// ----------------------------------------------------------------------------------------------------- firewall

function firewallFindings(facts: NetworkFacts): Finding[] {
  const { firewalls, ports } = facts;
  const active = firewalls.filter(({ state }) => state === 'active');
  const about = '';
  const unreadable = firewalls.filter(({ state }) => state === 'unreadable').map(({ tool }) => tool);
  if (active.length === 0 && unreadable.length > 0) {
    const sentence = `This account may not read the firewall of this machine (${unreadable.join(', ')}), or its tool does not tell, so nothing is known of it.`;
    const help = remedies.here('sudo octaskly doctor net');
    return [{ name: 'firewall_unreadable', severity: 'note', about, sentence, remedies: help }];
  }
  const closedBy = (family: IpFamily): Port[] =>
    ports.filter((port) => active.some((each) => each.families.includes(family) && isClosed(each, port)));
  const closed = closedBy(4);
  const closed6 = closedBy(6).filter((port) => !closed.includes(port));
  const isKnown = [...closed, ...closed6];
  const unclear = ports.filter(
    (port) => !isKnown.includes(port) && active.some((each) => each.unclear.includes(portName(port))),
  );
  return [
    ...closedFirewall(facts, active, { closed, by: null }),
    ...closedFirewall(facts, active, { closed: closed6, by: 6 }),
    ...(unclear.length === 0 ? [] : [unclearFirewall(active, unclear)]),
  ];
}

function isClosed({ opens, unclear }: FirewallFacts, port: Port): boolean {
  const name = portName(port);
  return !opens.includes(name) && !unclear.includes(name);
}

/** Where IPv4 gets through, what is closed by IPv6 alone keeps nobody apart who has both. `by`: null = not by that alone. */
function closedFirewall(
  facts: NetworkFacts,
  active: readonly FirewallFacts[],
  { closed, by }: { readonly closed: readonly Port[]; readonly by: 6 | null },
): Finding[] {
  if (closed.length === 0) return [];
  const closing = active.filter(
    (each) => (by === null || each.families.includes(by)) && closed.some((port) => isClosed(each, port)),
  );
  const tools = [...new Set(closing.map(({ tool }) => tool))].join(' and ');
  const used = facts.interfaces.filter(({ leftOut }) => leftOut === null);
  const hasOther = used.some(({ addresses }) => addresses.some((address) => !address.includes(':')));
  const severity = by === 6 && hasOther ? 'note' : 'warning';
  const how = by === 6 ? ' by IPv6' : '';
  const sentence = `The firewall of this machine (${tools}) is active, and does not let in ${listed(closed)}${how}.`;
  const help = remedies.openHere({ ...facts, firewalls: closing }, closed);
  return [{ name: 'firewall_closed', severity, about: '', sentence, remedies: help }];
}

function unclearFirewall(active: readonly FirewallFacts[], ports: readonly Port[]): Finding {
  const doubtful = active.filter(({ unclear }) => unclear.length > 0);
  const rules = [...new Set(doubtful.flatMap(({ notUnderstood }) => notUnderstood))];
  const tools = [...new Set(doubtful.map(({ tool }) => tool))];
  const sentence = `Whether the firewall of this machine (${tools.join(' and ')}) lets in ${listed(ports)} is not known: it has rules that this does not understand: ${rules.join('; ')}.`;
  const help = tools.flatMap((tool) => remedies.here(remedies.showRules(tool)));
  return { name: 'firewall_unclear', severity: 'note', about: '', sentence, remedies: help };
}

function portName({ protocol, number }: Port): string {
  return `${protocol} ${number}`;
}

function listed(ports: readonly Port[]): string {
  return ports.map(({ protocol, number, purpose }) => `${protocol.toUpperCase()} ${number} for ${purpose}`).join(', ');
}

// ------------------------------------------------------------------------------------- what was found and heard

function foundFindings(facts: NetworkFacts): Finding[] {
  const { found, belonging, protocolVersion } = facts;
  const findings = found
    .filter(({ protocol }) => protocol !== null && protocol !== protocolVersion)
    .map((dispatcher): Finding => {
      const sentence = `The dispatcher ${placeOf(dispatcher)} speaks protocol ${dispatcher.protocol}, and this program ${protocolVersion}: the older of the two has to be updated.`;
      const help = remedies.onEach('both', () => 'octaskly version');
      return { name: 'version_differs', severity: 'warning', about: dispatcher.instance, sentence, remedies: help };
    });
  const others = found.filter(({ fingerprint }) => fingerprint !== null);
  if (belonging === null) return findings;
  if (others.length === 0) return [...findings, ...dispatcherNotHeard(facts, belonging)];
  if (others.some(({ fingerprint }) => fingerprint === belonging.fingerprint)) return findings;
  const list = others.map((each) => `${placeOf(each)} with ${each.fingerprint}`).join('; ');
  const sentence = `No dispatcher that was found is the one this data directory belongs to (${belonging.fingerprint}): ${list}. Either that one is not running or not heard, or this node has to join another cluster.`;
  const help = remedies.joining('the machine of that dispatcher');
  return [...findings, { name: 'other_cluster', severity: 'warning', about: '', sentence, remedies: help }];
}

/** A worker's own dispatcher is not there. Whoever has the cluster secret is a dispatcher, and need not be running. */
function dispatcherNotHeard(facts: NetworkFacts, { by, fingerprint }: Belonging): Finding[] {
  const { multicast, host } = facts;
  if (by === 'secret' || host !== null || !multicast.some(({ heardOwn }) => heardOwn)) return [];
  const sentence = `The dispatcher this data directory belongs to (${fingerprint}) was not found: it is not running, it was started with --discovery false, or multicast does not pass between the two (client isolation, IGMP snooping, a firewall there).`;
  const help = [
    remedies.at('here, with the name or address of its machine', 'octaskly doctor net HOST'),
    aroundMulticast,
  ];
  return [{ name: 'dispatcher_not_heard', severity: 'warning', about: '', sentence, remedies: help }];
}

function placeOf({ instance, addresses, port }: FoundDispatcher): string {
  return addresses[0] === undefined ? instance : `${instance} (${addresses[0]}, port ${port})`;
}

function beaconFindings({ beacons, platform, found }: NetworkFacts): Finding[] {
  if (beacons === null) return [];
  const findings: Finding[] = [];
  for (const { node, aheadMs } of beacons.skews) {
    const side = aheadMs > 0 ? 'ahead of' : 'behind';
    const sentence = `The clock of ${node} is ${Math.round(Math.abs(aheadMs) / 1000)} s ${side} that of this machine, so that its beacons are not believed here.`;
    const help = [...remedies.here(remedies.setClock(platform)), ...remedies.onEach(node, remedies.setClock)];
    findings.push({ name: 'clock_differs', severity: 'warning', about: node, sentence, remedies: help });
  }
  if (beacons.foreign > 0 && beacons.heard.length === 0 && found.length === 0) {
    const sentence = `${beacons.foreign} beacons were heard that the key of this data directory does not open: they are of another cluster, or the cluster secret was changed.`;
    const help = remedies.joining("the dispatcher's machine");
    findings.push({ name: 'beacons_foreign', severity: 'warning', about: '', sentence, remedies: help });
  }
  return findings;
}
