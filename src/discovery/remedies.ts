/**
 * The commands that help, for each system: opening ports, getting multicast through, resolving `.local`, setting the
 * clock. Pure text; nothing here is ever run by Octaskly.
 *
 * Invariant: a command can be pasted as it stands into the shell named with it.
 */

import type { FirewallTool, NetworkFacts, Platform, Port } from './network-facts.ts';

/** A command, and where it is typed: `here (ufw)`, `on 10.0.0.1 (Windows, PowerShell as administrator)`. */
export interface Remedy {
  readonly where: string;
  readonly command: string;
}

const names: Readonly<Record<Platform, string>> = {
  linux: 'Linux',
  macos: 'macOS',
  windows: 'Windows, PowerShell as administrator',
  termux: 'Termux',
};

const toolNames: Readonly<Record<FirewallTool, string>> = {
  ufw: 'Linux, ufw',
  firewalld: 'Linux, firewalld',
  nftables: 'Linux, nftables',
  iptables: 'Linux, iptables',
  ip6tables: 'Linux, ip6tables',
  macos: 'macOS',
  windows: names.windows,
};

const platforms: readonly Platform[] = ['linux', 'macos', 'windows', 'termux'];
const macosFirewall = '/usr/libexec/ApplicationFirewall/socketfilterfw';
/** Android has no firewall its user could open, but lets a device that sleeps answer nobody. */
const stayAwake = 'termux-wake-lock';
/** Where the rules for incoming packets are on most systems. */
const usualChain = 'inet filter input';

/** Lets `ports` in by one firewall. `program`: its path, for the firewall of macOS. */
function letIn(
  tool: FirewallTool,
  given: { readonly ports: readonly Port[]; readonly program: string; readonly chain: string | null },
): string[] {
  const { ports, program, chain } = given;
  const byProtocol = [...Map.groupBy(ports, ({ protocol }) => protocol)].map(
    ([protocol, of]) => [protocol, of.map(({ number }) => number)] as const,
  );
  switch (tool) {
    case 'ufw':
      return ports.map(({ number, protocol }) => `sudo ufw allow ${number}/${protocol}`);
    case 'firewalld': {
      const added = ports.map(({ number, protocol }) => `--add-port=${number}/${protocol}`).join(' ');
      return [`sudo firewall-cmd --permanent ${added}`, 'sudo firewall-cmd --reload'];
    }
    case 'nftables':
      return byProtocol.map(
        ([protocol, numbers]) =>
          `sudo nft insert rule ${chain ?? usualChain} ${protocol} dport '{ ${numbers.join(', ')} }' accept`,
      );
    case 'iptables':
    case 'ip6tables':
      return byProtocol.map(
        ([protocol, numbers]) =>
          `sudo ${tool} -I INPUT -p ${protocol} -m multiport --dports ${numbers.join(',')} -j ACCEPT`,
      );
    case 'macos':
      return [`sudo ${macosFirewall} --add "${program}"`, `sudo ${macosFirewall} --unblockapp "${program}"`];
    default:
      // Incoming and allowed is what a new rule is unless told otherwise.
      return byProtocol.map(
        ([protocol, numbers]) =>
          `New-NetFirewallRule -DisplayName "Octaskly ${protocol}" -Protocol ${protocol.toUpperCase()} -LocalPort ${numbers.join(',')}`,
      );
  }
}

/** Opens `ports` of this machine: by the firewalls that are active here, or by all its system may have. */
export function openHere(facts: NetworkFacts, ports: readonly Port[]): Remedy[] {
  const { platform, program, firewalls } = facts;
  if (platform === 'termux') return [{ where: 'here (Termux)', command: stayAwake }];
  const readable = firewalls.filter(({ state }) => state === 'active');
  const active = readable.length > 0 ? readable : firewalls.filter(({ state }) => state === 'unreadable');
  const tools = active.length > 0 ? active : toolsOf(platform).map((tool) => ({ tool, chain: null }));
  const all = tools.flatMap(({ tool, chain }) =>
    letIn(tool, { ports, program, chain }).map((command) => ({ where: `here (${toolNames[tool]})`, command })),
  );
  // A chain for both families is told of once for each.
  return [...new Map(all.map((remedy) => [remedy.command, remedy])).values()];
}

function toolsOf(platform: Platform): readonly FirewallTool[] {
  if (platform === 'linux') return ['ufw', 'firewalld', 'nftables'];
  return platform === 'macos' ? ['macos'] : ['windows'];
}

/** Opens `ports` of another host, whose system is not known. */
export function openThere(host: string, ports: readonly Port[]): Remedy[] {
  const tools: readonly FirewallTool[] = ['ufw', 'firewalld', 'nftables', 'macos', 'windows'];
  const rules = tools.flatMap((tool) =>
    letIn(tool, { ports, program: '/usr/local/bin/octaskly', chain: null }).map((command) => ({
      where: `on ${host} (${toolNames[tool]})`,
      command,
    })),
  );
  return [...rules, { where: `on ${host} (Termux)`, command: stayAwake }];
}

/** One command for each system, typed at another host. */
export function onEach(host: string, commandOf: (platform: Platform) => string | null): Remedy[] {
  return platforms.flatMap((platform) => {
    const command = commandOf(platform);
    return command === null ? [] : [{ where: `on ${host} (${names[platform]})`, command }];
  });
}

/** One command, typed here. */
export function here(command: string | null): Remedy[] {
  return command === null ? [] : [{ where: 'here', command }];
}

/** One command, typed where something else is. */
export function at(where: string, command: string): Remedy {
  return { where, command };
}

/** Shows the interfaces and their addresses. */
export function listInterfaces(platform: Platform): string {
  const commands = {
    linux: 'ip -brief address',
    macos: 'ifconfig',
    windows: 'Get-NetIPAddress | Format-Table',
    termux: 'ifconfig',
  };
  return commands[platform];
}

/** Shows by which way packets to an address leave. */
export function showRoute(platform: Platform, address: string): string {
  const commands = {
    linux: `ip route get ${address}`,
    macos: `route -n get ${address}`,
    windows: `Find-NetRoute -RemoteIPAddress ${address}`,
    termux: `ip route get ${address}`,
  };
  return commands[platform];
}

/** Shows whether a host of our own network answers for its hardware address. */
export function showNeighbour(platform: Platform, address: string): string {
  const commands = {
    linux: `ping -c 1 ${address}; ip neigh show ${address}`,
    macos: `ping -c 1 ${address}; arp -n ${address}`,
    windows: `ping -n 1 ${address}; arp -a ${address}`,
    termux: `ping -c 1 ${address}`,
  };
  return commands[platform];
}

/** Shows the rules of a firewall of Linux. */
export function showRules(tool: FirewallTool): string {
  return tool === 'iptables' || tool === 'ip6tables' ? `sudo ${tool} -S` : 'sudo nft -a list ruleset';
}

/** Sends multicast by an interface; null where that is not for a command to change. */
export function routeMulticast(platform: Platform, interfaceName: string): string | null {
  const commands = {
    linux: `sudo ip link set ${interfaceName} multicast on && sudo ip route replace 224.0.0.0/4 dev ${interfaceName}`,
    macos: `sudo route -n add -net 224.0.0.0/4 -interface ${interfaceName}`,
    windows: `Set-NetIPInterface -InterfaceAlias "${interfaceName}" -AddressFamily IPv4 -InterfaceMetric 10`,
    termux: null,
  };
  return commands[platform];
}

/** Asks for an address anew. */
export function renewAddress(platform: Platform, interfaceName: string): string {
  const commands = {
    linux: `sudo ip link set ${interfaceName} down && sudo ip link set ${interfaceName} up`,
    macos: `sudo ipconfig set ${interfaceName} DHCP`,
    windows: `ipconfig /renew "${interfaceName}"`,
    termux: 'termux-wifi-enable false && termux-wifi-enable true',
  };
  return commands[platform];
}

/** Makes a system resolve names that end in `.local` (RFC 6762 section 3). */
export function resolveLocalNames(platform: Platform): string | null {
  const commands = {
    linux: 'sudo apt install libnss-mdns    # Debian, Ubuntu; on Fedora: sudo dnf install nss-mdns',
    macos: 'sudo killall -HUP mDNSResponder',
    windows: 'Set-NetConnectionProfile -NetworkCategory Private',
    termux: null,
  };
  return commands[platform];
}

/** Tries a name by the system's own means. */
export function lookUp(platform: Platform, host: string): string {
  const commands = {
    linux: `getent hosts ${host}`,
    macos: `dscacheutil -q host -a name ${host}`,
    windows: `Resolve-DnsName ${host}`,
    termux: `ping -c 1 ${host}`,
  };
  return commands[platform];
}

/** Shows who holds UDP port `number`. */
export function whoListens(platform: Platform, number: number): string {
  const commands = {
    linux: `sudo ss -ulnp 'sport = :${number}'`,
    macos: `sudo lsof -nP -iUDP:${number}`,
    windows: `Get-NetUDPEndpoint -LocalPort ${number} | Select-Object OwningProcess`,
    termux: `ss -uln`,
  };
  return commands[platform];
}

/** Sets the clock by the network; null where only the settings do that. */
export function setClock(platform: Platform): string | null {
  const commands = {
    linux: 'sudo timedatectl set-ntp true',
    macos: 'sudo sntp -sS time.apple.com',
    windows: 'Start-Service w32time; w32tm /resync',
    termux: null,
  };
  return commands[platform];
}

/** Becomes a member of a cluster. */
export function joining(dispatcherMachine: string): Remedy[] {
  return [
    at(`on ${dispatcherMachine}`, 'octaskly invite'),
    at('here, with the token it prints', 'octaskly worker --join TOKEN'),
  ];
}
