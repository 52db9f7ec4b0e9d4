/**
 * Which network interfaces lead to other devices of the local network, judged by name and flags. Bridges of container
 * engines, cables of virtual machines, tunnels and lines with one other end lead elsewhere: whoever asks there finds
 * nobody, and whoever is announced there is given addresses that nobody reaches.
 *
 * Pure: what the system says is handed in. Names are those of Linux, Android, macOS and Windows.
 */

/** What is known of an interface; null = the system does not tell. */
export interface InterfaceFacts {
  readonly name: string;
  readonly loopback: boolean;
  /** It has exactly one other end (`IFF_POINTOPOINT`). */
  readonly pointToPoint: boolean | null;
  /** It is part of a bridge or a bond: what it carries belongs to that one. */
  readonly member: boolean;
}

interface Kind {
  readonly name: RegExp;
  readonly reason: string;
}

/** Why a modem's interface is left out. */
export const providerLine = 'a line to a provider';

// A bridge somebody set up by himself (`br0`, `bridge0`, `vmbr0`) carries the home network, and is used.
const kinds: readonly Kind[] = [
  {
    name: /^(?:docker|br-|podman|cni|flannel|cali|cilium|kube-|nerdctl|weave|vEthernet \((?:WSL|nat|Docker))/i,
    reason: 'a network of containers',
  },
  { name: /^(?:veth|lxc|lxdbr|incusbr|waydroid)/, reason: 'a network of containers' },
  {
    name: /^(?:virbr|vnet\d|vmnet|vmenet|vboxnet|vmware|virtualbox|bridge1\d\d$|mpqemubr|vEthernet \(Default)/i,
    reason: 'a network of virtual machines',
  },
  {
    name: /^(?:tun|tap|wg|utun|ipsec|gif|stf|sit\d|gre|ip6tnl|nordlynx|proton|teredo|isatap|6to4)/i,
    reason: 'a tunnel',
  },
  {
    name: /^(?:tailscale|zt|zerotier|netbird|nebula|hamachi|wireguard|openvpn|cloudflarewarp|cloudflare warp)/i,
    reason: 'a VPN',
  },
  { name: /^(?:ppp|wwan|wwp|rmnet|v4-rmnet|ccmni|pdp_ip|slip|cellular)/i, reason: providerLine },
  {
    name: /^(?:awdl|llw|anpi|p2p|bluetooth network|local area connection\*)/i,
    reason: 'a link between two devices alone',
  },
  { name: /^(?:dummy|ifb|nlmon|bonding_masters)/, reason: 'an interface without a network' },
];

/** Why an interface is left out, judged by its name alone, in words; null = the name does not speak against it. */
export function leftOutByName(name: string): string | null {
  return kinds.find((kind) => kind.name.test(name))?.reason ?? null;
}

/** Why an interface is left out, in words; null = it is used. Those in `named` are used whatever they are, and only they. */
export function leftOut(facts: InterfaceFacts, named: readonly string[]): string | null {
  if (named.length > 0) return named.includes(facts.name) ? null : 'not among those named';
  if (facts.loopback || /^(?:lo\d*$|loopback)/i.test(facts.name)) return 'this machine alone';
  const reason = leftOutByName(facts.name);
  if (reason !== null) return reason;
  if (facts.member) return 'a part of a bridge or of a bond';
  return facts.pointToPoint === true ? 'a line with one other end' : null;
}
