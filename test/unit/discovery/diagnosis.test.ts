import { describe, expect, test } from 'bun:test';
import { diagnose } from '../../../src/discovery/diagnosis.ts';
import { type Finding, type FindingName, findingNames, isTrouble } from '../../../src/discovery/finding.ts';
import type { HeardNode, NetworkFacts, Platform } from '../../../src/discovery/network-facts.ts';
import { announced, healthy, ownFingerprint, probe, reached } from './facts.ts';

const platforms: readonly Platform[] = ['linux', 'macos', 'windows', 'termux'];

const belonging = { by: 'credential', fingerprint: ownFingerprint } as const;
const beacons = { heard: [], skews: [], foreign: 0 };
const told = { unclear: [], notUnderstood: [] };
const firewall = {
  tool: 'nftables',
  families: [4, 6],
  state: 'active',
  opens: [],
  ...told,
  chain: 'inet f in',
} as const;
const known = { address: '10.0.0.8', interfaceName: 'eth0', answers: null };
const heardBox: HeardNode = {
  ...{ name: 'box', role: 'worker', addresses: ['10.0.0.7'] },
  ...{ peerPort: 7879, publicKey: 'ab', answered: false },
};
const handshake = (outcome: string) => ({ outcome, detail: `Said ${outcome}.`, fingerprint: null });
const host = (changed: Parameters<typeof reached>[0]) => healthy({ found: [announced], host: reached(changed) });

/** One way to each finding, and how bad it is there. */
const cases: Readonly<Record<FindingName, readonly [Finding['severity'], NetworkFacts]>> = {
  no_interface: ['failure', healthy({ interfaces: healthy().interfaces.slice(1), multicast: [] })],
  interface_missing: ['failure', healthy({ wantedInterfaces: ['eth7'] })],
  self_assigned_address: [
    'warning',
    healthy({ interfaces: [{ name: 'eth0', addresses: ['169.254.3.4/16'], leftOut: null }] }),
  ],
  discovery_off: ['note', healthy({ discovery: false, multicast: [] })],
  multicast_not_sent: ['failure', healthy({ multicast: [probe({ failure: 'send: ENETUNREACH', heardOwn: false })] })],
  multicast_not_heard: ['failure', healthy({ multicast: [probe({ heardOwn: false, heardOthers: [] })] })],
  nobody_heard: ['note', healthy({ multicast: [probe({ heardOthers: [] })] })],
  client_isolation_suspected: ['warning', healthy({ neighbours: [known], multicast: [probe({ heardOthers: [] })] })],
  multicast_lock: ['note', healthy({ platform: 'termux' })],
  firewall_closed: ['warning', healthy({ firewalls: [firewall] })],
  firewall_unreadable: ['note', healthy({ firewalls: [{ ...firewall, state: 'unreadable' }] })],
  firewall_unclear: [
    'note',
    healthy({
      firewalls: [{ ...firewall, opens: ['udp 5353'], unclear: ['tcp 7878'], notUnderstood: ['inet f in, handle 4'] }],
    }),
  ],
  other_cluster: ['warning', healthy({ belonging, found: [{ ...announced, fingerprint: 'SHA256:other' }] })],
  dispatcher_not_heard: ['warning', healthy({ belonging })],
  beacons_foreign: ['warning', healthy({ beacons: { ...beacons, foreign: 3 } })],
  clock_differs: ['warning', host({ clockAheadMs: -61_000 })],
  version_differs: ['warning', healthy({ found: [{ ...announced, protocol: 3 }] })],
  name_not_resolved: ['failure', host({ addresses: [], address: null, unresolved: 'no such name', reach: null })],
  no_route: ['failure', host({ reach: 'unreachable', handshake: null })],
  host_silent: ['failure', host({ reach: 'filtered', apiReach: null, handshake: null, neighbour: false })],
  port_filtered: ['failure', host({ reach: 'filtered', handshake: null, neighbour: true })],
  port_closed: ['failure', host({ reach: 'refused', handshake: null })],
  not_octaskly: ['failure', host({ handshake: handshake('malformed') })],
  not_admitted: ['note', host({ handshake: handshake('refused') })],
  not_announced: ['warning', healthy({ host: reached() })],
  beacons_filtered: ['warning', { ...host({ beaconAnswered: false }), beacons: { ...beacons, heard: [heardBox] } }],
  other_network: ['note', healthy({ host: reached({ sameNetwork: null }) })],
  api_not_reached: ['note', host({ apiReach: 'refused' })],
};

const named = (facts: NetworkFacts, name: FindingName) => diagnose(facts).filter((finding) => finding.name === name);

describe('diagnose()', () => {
  test('finds nothing on a healthy network, nor with a healthy host', () => {
    expect(diagnose(healthy())).toEqual([]);
    expect(diagnose(host({}))).toEqual([]);
    expect(diagnose({ ...host({}), belonging, beacons: { ...beacons, heard: [heardBox] } })).toEqual([]);
  });

  test.each(findingNames)('finds %s alone', (name) => {
    const [severity, facts] = cases[name];
    const findings = diagnose(facts);
    expect(findings.map((finding) => finding.name)).toEqual([name]);
    expect(findings[0]?.severity).toBe(severity);
    expect(findings[0]?.sentence).toMatch(/\.$/);
  });

  for (const platform of platforms) {
    test.each(findingNames)(`gives a command against %s on ${platform}, whole and on one line`, (name) => {
      for (const finding of named({ ...cases[name][1], platform }, name)) {
        if (isTrouble(finding)) expect(finding.remedies).not.toEqual([]);
        for (const { where, command } of finding.remedies) {
          expect(where).not.toBe('');
          expect(command).toMatch(/^\S[^\n]*$/);
          expect(command).not.toMatch(/undefined|null|NaN/);
        }
      }
    });
  }
});

describe('diagnose() of this machine', () => {
  test.each([
    ['linux', 'sudo ip link set eth0 multicast on && sudo ip route replace 224.0.0.0/4 dev eth0'],
    ['macos', 'sudo route -n add -net 224.0.0.0/4 -interface eth0'],
    ['windows', 'Set-NetIPInterface -InterfaceAlias "eth0" -AddressFamily IPv4 -InterfaceMetric 10'],
    ['termux', 'octaskly worker --dispatcher HOST'],
  ] as const)('sends multicast on %s by a command of that system', (platform, command) => {
    const [finding] = named({ ...cases.multicast_not_sent[1], platform }, 'multicast_not_sent');
    expect(finding?.remedies[0]?.command).toBe(command);
  });

  test('says who holds a port that is taken', () => {
    const failure = '0.0.0.0 port 5353: bind EADDRINUSE';
    const [finding] = named(healthy({ multicast: [probe({ failure, heardOwn: false })] }), 'multicast_not_sent');
    expect(finding?.remedies[0]?.command).toBe("sudo ss -ulnp 'sport = :5353'");
  });

  test('takes one family of addresses for enough', () => {
    const deaf = probe({ family: 6, address: 'fe80::1', heardOwn: false, heardOthers: [] });
    const [finding] = diagnose(healthy({ multicast: [probe(), deaf] }));
    expect(finding).toMatchObject({ name: 'multicast_not_heard', severity: 'note' });
  });

  test.each([
    ['ufw', null, ['sudo ufw allow 7878/tcp', 'sudo ufw allow 5353/udp']],
    [
      'firewalld',
      null,
      ['sudo firewall-cmd --permanent --add-port=7878/tcp --add-port=5353/udp', 'sudo firewall-cmd --reload'],
    ],
    [
      'nftables',
      'inet f in',
      [
        "sudo nft insert rule inet f in tcp dport '{ 7878 }' accept",
        "sudo nft insert rule inet f in udp dport '{ 5353 }' accept",
      ],
    ],
    [
      'windows',
      null,
      [
        'New-NetFirewallRule -DisplayName "Octaskly tcp" -Protocol TCP -LocalPort 7878',
        'New-NetFirewallRule -DisplayName "Octaskly udp" -Protocol UDP -LocalPort 5353',
      ],
    ],
  ] as const)('opens the ports of %s by its own commands', (tool, chain, commands) => {
    const platform = tool === 'windows' ? 'windows' : 'linux';
    const [finding] = diagnose(
      healthy({ platform, firewalls: [{ tool, families: [4, 6], state: 'active', opens: [], ...told, chain }] }),
    );
    expect(finding?.name).toBe('firewall_closed');
    expect(finding?.remedies.map(({ command }) => command)).toEqual([...commands]);
  });

  test('is content with a firewall that lets its ports in', () => {
    expect(diagnose(healthy({ firewalls: [{ ...firewall, opens: ['tcp 7878', 'udp 5353'] }] }))).toEqual([]);
  });

  test('tells what is closed by IPv6 alone, which is worse where there is nothing else', () => {
    const closed = { ...firewall, tool: 'ip6tables', families: [6], opens: ['udp 5353'] } as const;
    const [finding, ...others] = diagnose(healthy({ firewalls: [closed] }));
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ name: 'firewall_closed', severity: 'note' });
    expect(finding?.sentence).toContain('(ip6tables) is active, and does not let in TCP 7878 for workers by IPv6.');
    expect(finding?.remedies.map(({ command }) => command)).toEqual([
      'sudo ip6tables -I INPUT -p tcp -m multiport --dports 7878 -j ACCEPT',
    ]);
    const interfaces = [{ name: 'eth0', addresses: ['fe80::5/64'], leftOut: null }];
    expect(diagnose(healthy({ firewalls: [closed], interfaces }))[0]?.severity).toBe('warning');
  });

  test('tells each port and each command once where both families are closed by one chain', () => {
    const by4 = { ...firewall, families: [4] } as const;
    const by6 = { ...firewall, families: [6], opens: ['udp 5353'] } as const;
    const [finding, ...others] = diagnose(healthy({ firewalls: [by4, by6] }));
    expect(others).toEqual([]);
    expect(finding?.sentence).toContain('(nftables) is active, and does not let in TCP 7878 for workers, UDP 5353');
    expect(finding?.remedies).toHaveLength(2);
  });

  test('knows a host by its link-local address, with a zone, as it is announced', () => {
    const address = 'fe80::7%eth0';
    const found = [{ ...announced, addresses: ['fe80::7'] }];
    expect(diagnose(healthy({ found, host: reached({ host: address, address, addresses: [address] }) }))).toEqual([]);
  });

  test('says that a link-local address without a zone needs one', () => {
    const [finding] = diagnose(host({ host: 'fe80::7', address: 'fe80::7', reach: 'unreachable', handshake: null }));
    expect(finding).toMatchObject({ name: 'no_route', severity: 'failure' });
    expect(finding?.remedies.map(({ command }) => command)).toEqual(["octaskly doctor net 'fe80::7%eth0'"]);
  });

  test('says that the interface of a link-local address is none of this machine', () => {
    const named = (address: string) => host({ host: address, address, reach: 'unreachable', handshake: null });
    const [finding] = diagnose(named('fe80::7%wlan9'));
    expect(finding?.sentence).toContain('no interface "wlan9"');
    expect(finding?.sentence).toContain('there is: eth0, docker0');
    expect(finding?.remedies.map(({ command }) => command)).toEqual(["octaskly doctor net 'fe80::7%eth0'"]);
    for (const there of ['fe80::7%eth0', 'fe80::7%3'])
      expect(diagnose(named(there))[0]?.sentence).toContain('no route to');
  });

  test('asks whether a port was meant where an IPv6 address ends as one', () => {
    const first = (address: string) =>
      diagnose(host({ host: address, address, reach: 'filtered', handshake: null, neighbour: false }))[0];
    expect(first('fd00::1:7878')?.remedies[0]?.command).toBe("octaskly doctor net '[fd00::1]:7878'");
    expect(first('fd00::1:7878')?.sentence).toContain('(neighbour discovery)');
    expect(first('fd00::1:1234')?.remedies[0]?.command).not.toContain('[fd00');
  });

  test('blames a clock, and neither a firewall nor a missing invitation, where beacons are not believed for it', () => {
    const skews = [{ node: 'box', address: '10.0.0.7', aheadMs: 600_000 }];
    const wrong = (changed: Parameters<typeof reached>[0]) =>
      diagnose(healthy({ belonging, found: [announced], beacons: { ...beacons, skews }, host: reached(changed) }));
    expect(wrong({ beaconAnswered: false }).map(({ name }) => name)).toEqual(['clock_differs']);
    const [peers] = wrong({ port: 7879, handshake: handshake('refused') }).filter(
      ({ name }) => name === 'not_admitted',
    );
    expect(peers).toMatchObject({ severity: 'note', remedies: [] });
  });

  test('tells an API that a firewall keeps back from one that nobody may reach', () => {
    const commandsOf = (changed: Parameters<typeof reached>[0]) => {
      const finding = diagnose(host(changed)).find(({ name }) => name === 'api_not_reached');
      return finding?.remedies.map(({ command }) => command) ?? [];
    };
    const bind = 'octaskly dispatcher --api-bind 0.0.0.0 --require-auth true';
    expect(commandsOf({ apiReach: 'refused' })).toEqual([bind]);
    const commands = commandsOf({ apiReach: 'filtered' });
    expect(commands[0]).toBe('sudo ufw allow 3000/tcp');
    expect(commands.at(-1)).toBe(bind);
    const [bind6] = commandsOf({ host: 'fd00::7', address: 'fd00::7', apiReach: 'refused' });
    expect(bind6).toContain('--api-bind :: ');
  });

  test('tells of hosts that answer when nobody is heard', () => {
    const neighbours = [{ address: '10.0.0.8', interfaceName: 'eth0', answers: true }];
    const [finding] = diagnose(healthy({ neighbours, multicast: [probe({ heardOthers: [] })] }));
    expect(finding).toMatchObject({ name: 'nobody_heard', severity: 'note' });
    expect(finding?.sentence).toContain('10.0.0.8');
  });

  test('tells each clock of the cluster that is off', () => {
    const skews = [{ node: 'pi', address: '10.0.0.8', aheadMs: -300_000 }];
    const [finding] = diagnose(healthy({ beacons: { ...beacons, skews } }));
    expect(finding).toMatchObject({ name: 'clock_differs', about: 'pi' });
    expect(finding?.sentence).toContain('300 s behind');
    expect(finding?.remedies.map(({ where }) => where)).toContain('on pi (macOS)');
  });
});

describe('diagnose() of a host', () => {
  test('opens its port on every system it may have', () => {
    const [finding] = named(cases.port_filtered[1], 'port_filtered');
    const places = finding?.remedies.map(({ where }) => where).join('; ');
    for (const part of ['ufw', 'firewalld', 'nftables', 'macOS', 'Windows', 'Termux']) expect(places).toContain(part);
  });

  test('suspects client isolation of a silent neighbour, and names those who answer', () => {
    const facts = cases.host_silent[1];
    const gateway = { address: '10.0.0.1', interfaceName: 'eth0', answers: true };
    const [finding] = diagnose({ ...facts, neighbours: [known, gateway] });
    expect(finding?.sentence).toContain('client isolation');
    expect(finding?.sentence).toContain('while 10.0.0.1 does');
    const isolated = diagnose({ ...facts, neighbours: [gateway], multicast: [probe({ heardOthers: [] })] });
    expect(isolated.map(({ name }) => name)).toEqual(['client_isolation_suspected', 'host_silent']);
    expect(isolated[0]?.sentence).toContain('only 10.0.0.1, the router, answers');
  });

  test('finds a silent neighbour also where its connection seems to be refused, and none that answers', () => {
    expect(diagnose(host({ reach: 'refused', apiReach: 'refused', handshake: null, neighbour: false }))[0]?.name).toBe(
      'host_silent',
    );
    const answering = host({ reach: 'filtered', apiReach: 'filtered', handshake: null, neighbour: true });
    expect(diagnose({ ...answering, multicast: [probe({ heardOthers: [] })] }).map(({ name }) => name)).toEqual([
      'nobody_heard',
      'port_filtered',
    ]);
  });

  test('knows the port of a worker for its peers, and that it takes in those it was told of alone', () => {
    const refusing = host({ port: 7879, peerOf: 'three', handshake: handshake('wrong_secret') });
    expect(diagnose(refusing)).toEqual([]);
    const [untold] = named({ ...refusing, belonging }, 'not_admitted');
    expect(untold).toMatchObject({ severity: 'note', about: 'box:7879' });
    const closed = host({ port: 7879, peerOf: 'three', reach: 'refused', handshake: null });
    expect(diagnose(closed)[0]?.sentence).toContain('worker "three" says that it takes peers there');
    const stranger = healthy({ host: reached({ port: 7879, handshake: handshake('refused') }) });
    expect(diagnose(stranger).map(({ name }) => name)).toEqual(['not_admitted']);
    const [finding] = diagnose(host({ port: 7879, peerOf: 'three', handshake: handshake('wrong_key') }));
    expect(finding?.name).toBe('other_cluster');
  });

  test('tells a worker that was removed from its cluster', () => {
    const [finding, ...others] = diagnose({ ...host({ handshake: handshake('revoked') }), belonging });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ name: 'not_admitted', severity: 'failure', about: 'box:7878' });
    expect(finding?.sentence).toContain('Said revoked');
    expect(finding?.remedies.map(({ command }) => command)).toEqual([
      'octaskly invite',
      'octaskly worker --join TOKEN',
    ]);
  });

  test('says of a member that does not answer at its port of beacons what to open there', () => {
    const [finding] = named(cases.beacons_filtered[1], 'beacons_filtered');
    expect(finding?.remedies[0]).toEqual({ where: 'on box (Linux, ufw)', command: 'sudo ufw allow 5555/udp' });
    expect(named({ ...host({ beaconAnswered: false }), beacons }, 'beacons_filtered')).toEqual([]);
    expect(named({ ...host({ beaconAnswered: false }), beacons, belonging }, 'beacons_filtered')).toHaveLength(1);
  });

  test.each(['wrong_key', 'wrong_secret'])('says of %s that it is another cluster, and how to join that', (outcome) => {
    const [finding] = diagnose(host({ handshake: handshake(outcome) }));
    expect(finding).toMatchObject({ name: 'other_cluster', severity: 'failure', about: 'box:7878' });
    expect(finding?.remedies.map(({ command }) => command)).toEqual([
      'octaskly invite',
      'octaskly worker --join TOKEN',
    ]);
  });

  test('says both versions of a mismatch', () => {
    const detail = 'Cannot talk to an older octaskly: this side speaks protocol 4, the other 3.';
    const [finding] = diagnose(host({ handshake: { outcome: 'version_mismatch', detail, fingerprint: null } }));
    expect(finding).toMatchObject({ name: 'version_differs', severity: 'failure', sentence: detail });
  });

  test('finds a member that is refused worse than a stranger that is', () => {
    const facts = host({ handshake: handshake('refused') });
    expect(diagnose({ ...facts, belonging })[0]).toMatchObject({ name: 'not_admitted', severity: 'failure' });
  });

  test.each(platforms)('helps to resolve .local names on %s', (platform) => {
    const unresolved = { host: 'box.local', addresses: [], address: null, unresolved: 'no such name', reach: null };
    const [finding] = named({ ...host(unresolved), platform }, 'name_not_resolved');
    expect(finding?.sentence).toContain('nss-mdns');
    expect(finding?.remedies.at(-1)?.command).toBe('octaskly doctor net ADDRESS');
  });
});
