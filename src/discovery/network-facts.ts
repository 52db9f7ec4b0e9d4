/**
 * What `doctor net` finds out before anything is concluded: plain facts about this machine's network and about one other
 * host. Filled in by `roles/doctor-net.ts`, read by `diagnosis.ts`.
 *
 * Deliberately not here: how a fact is found out, and what follows from it. Invariant: what could not be found out is
 * null or an empty list, never a guess.
 */

/** For whom the commands are meant. `termux`: Android. */
export type Platform = 'linux' | 'macos' | 'windows' | 'termux';

/** A port that others must be able to reach. */
export interface Port {
  readonly protocol: 'tcp' | 'udp';
  readonly number: number;
  /** What it is there for, in a few words: `peers`. */
  readonly purpose: string;
}

export interface ListedInterface {
  readonly name: string;
  /** With the bits of the network part: `192.168.1.5/24`. */
  readonly addresses: readonly string[];
  /** Why it is left out of discovery; null = it is used. */
  readonly leftOut: string | null;
}

/** What became of our own datagrams to one group, sent by one address of an interface. */
export interface MulticastFacts {
  readonly interfaceName: string;
  /** Source address of what was sent. */
  readonly address: string;
  readonly group: 'mdns' | 'beacons';
  readonly family: 4 | 6;
  /** Why nothing could be sent or received there; null = it was sent. */
  readonly failure: string | null;
  /** The kernel's copy of what was sent came back through the rules for incoming packets. */
  readonly heardOwn: boolean;
  /** Addresses of others of whom anything was heard, at the group or in answer. */
  readonly heardOthers: readonly string[];
}

/** A host of one of our own networks, as the kernel's table of neighbours has it (ARP, RFC 826; IPv6, RFC 4861). */
export interface NeighbourFacts {
  readonly address: string;
  readonly interfaceName: string;
  /** It answered just now, or was asked and did not; null = it answered at some time, and nobody knows about now. */
  readonly answers: boolean | null;
}

export type FirewallTool = 'ufw' | 'firewalld' | 'nftables' | 'iptables' | 'ip6tables' | 'macos' | 'windows';

/** Of the Internet Protocol. */
export type IpFamily = 4 | 6;

/** One for each family where a tool has different rules for them. */
export interface FirewallFacts {
  readonly tool: FirewallTool;
  /** Whose packets all of this is about. */
  readonly families: readonly IpFamily[];
  /** `unreadable`: the tool is there, and does not tell this account. */
  readonly state: 'active' | 'inactive' | 'unreadable';
  /** Ports it evidently lets in, `tcp 7878`. */
  readonly opens: readonly string[];
  /** Ports of which it cannot be told, since it depends on the rules in `notUnderstood`. */
  readonly unclear: readonly string[];
  /** Rules that are not understood and may matter, as the tool writes them; at most 8. */
  readonly notUnderstood: readonly string[];
  /** nftables: family, table and chain that keeps something out, `inet filter input`. */
  readonly chain: string | null;
}

/** A dispatcher that was found by Multicast DNS. */
export interface FoundDispatcher {
  readonly instance: string;
  readonly host: string;
  readonly port: number;
  readonly addresses: readonly string[];
  readonly interfaces: readonly string[];
  /** As it says of itself, and nothing of it is proved; null = it does not say. */
  readonly fingerprint: string | null;
  readonly cluster: string | null;
  readonly protocol: number | null;
}

/** A node of the cluster, by its beacon. */
export interface HeardNode {
  readonly name: string;
  readonly role: 'dispatcher' | 'worker';
  /** Where it was heard from, and what it lists. */
  readonly addresses: readonly string[];
  /** TCP port for peers; of a dispatcher, for workers. Null = it takes none. */
  readonly peerPort: number | null;
  /** In hex. */
  readonly publicKey: string;
  /** It heard a question of ours. */
  readonly answered: boolean;
}

/** Beacons while we listened. */
export interface BeaconFacts {
  /** The nodes heard. */
  readonly heard: readonly HeardNode[];
  /** Nodes of the cluster whose clocks are too far off for their beacons to be believed; ms ahead of ours. */
  readonly skews: readonly { readonly node: string; readonly address: string; readonly aheadMs: number }[];
  /** Datagrams that no key of this data directory opens. */
  readonly foreign: number;
}

/** By what this data directory can speak to a cluster. */
export interface Belonging {
  readonly by: 'secret' | 'credential';
  /** Fingerprint of the dispatcher's key. */
  readonly fingerprint: string;
}

/** What became of a TCP connection: `filtered` = no answer at all; `unreachable` = the system knows no way there. */
export type Reach = 'open' | 'refused' | 'filtered' | 'unreachable';

export interface HandshakeFacts {
  /** `open`: both sides are authenticated, or the other takes strangers; else the code a link ends with. */
  readonly outcome: string;
  /** A sentence for people; '' when open. */
  readonly detail: string;
  /** Of the key the other side has shown to hold; null = it has shown none. */
  readonly fingerprint: string | null;
}

export interface HostFacts {
  /** As it was given. */
  readonly host: string;
  readonly port: number;
  readonly apiPort: number;
  /** Its addresses; none = the name is not known. */
  readonly addresses: readonly string[];
  /** Why the name was not resolved; null = it was, or is an address. */
  readonly unresolved: string | null;
  /** The address all the rest is about. */
  readonly address: string | null;
  /** It is an address of this machine. */
  readonly isSelf: boolean;
  /** Whether it answers for its hardware address, once nothing else of it did; null = not known, or not asked. */
  readonly neighbour: boolean | null;
  /** The worker whose port of peers was asked about, by its beacon; null = it is none that was heard. */
  readonly peerOf: string | null;
  /** Whether it answered a question at its port of beacons; null = it was not asked: no key, or discovery is off. */
  readonly beaconAnswered: boolean | null;
  /** The interface of ours in whose network it is; null = behind a router, or not known. */
  readonly sameNetwork: string | null;
  readonly reach: Reach | null;
  readonly apiReach: Reach | null;
  readonly handshake: HandshakeFacts | null;
  /** Its clock minus ours, ms, by its API; null = not told. */
  readonly clockAheadMs: number | null;
}

export interface NetworkFacts {
  readonly platform: Platform;
  /** Full path of this program, for firewalls that go by programs. */
  readonly program: string;
  readonly protocolVersion: number;
  readonly discovery: boolean;
  /** Interfaces asked for by `--interface`; none = all usable ones. */
  readonly wantedInterfaces: readonly string[];
  /** UDP port of beacons. */
  readonly beaconPort: number;
  /** TCP port at which workers take their peers, here and elsewhere. */
  readonly peerPort: number;
  /** Ports of this machine that others must reach. */
  readonly ports: readonly Port[];
  readonly interfaces: readonly ListedInterface[];
  readonly multicast: readonly MulticastFacts[];
  readonly neighbours: readonly NeighbourFacts[];
  /** Address of the default router; null = none, or not known. */
  readonly gateway: string | null;
  /** Those that rule over others only: ufw and firewalld keep their rules in nftables or iptables. */
  readonly firewalls: readonly FirewallFacts[];
  readonly found: readonly FoundDispatcher[];
  readonly belonging: Belonging | null;
  /** Null = not listened: no key, or discovery is off. */
  readonly beacons: BeaconFacts | null;
  /** The host asked about; null = only this machine was. */
  readonly host: HostFacts | null;
}
