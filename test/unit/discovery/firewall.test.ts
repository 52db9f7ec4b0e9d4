import { describe, expect, test } from 'bun:test';
import { firewallsIn as allFirewallsIn, type ToolAnswer, type Wanted } from '../../../src/discovery/firewall.ts';

/** A host of 192.168.1.0/24 whose workers, peers and discovery are to come in. */
const wanted: Wanted = {
  ports: [
    { protocol: 'tcp', number: 7878, purpose: 'workers' },
    { protocol: 'udp', number: 5353, purpose: 'Multicast DNS' },
    { protocol: 'udp', number: 5555, purpose: 'beacons' },
  ],
  interfaceNames: ['eth0'],
  networks: ['192.168.1.5/24'],
};

const firewallsIn = (answers: readonly ToolAnswer[]) => allFirewallsIn(answers, wanted);

describe('firewallsIn()', () => {
  test('reads what ufw lets in', () => {
    const text =
      'Status: active\n\nTo      Action  From\n--      ------  ----\n7878/tcp  ALLOW  Anywhere\n5555:5556/udp ALLOW Anywhere\n22  LIMIT Anywhere\n';
    const [found] = firewallsIn([{ tool: 'ufw', status: 0, texts: [text] }]);
    expect(found?.state).toBe('active');
    expect(found?.opens).toEqual(['udp 5353', 'tcp 7878', 'udp 5555', 'udp 5556', 'tcp 22', 'udp 22']);
  });

  test.each([
    ['Status: inactive', 'inactive'],
    ['ERROR: You need to be root\nENABLED=no\n', 'inactive'],
    ['ERROR: You need to be root\nENABLED=yes\n', 'unreadable'],
  ] as const)('reads of ufw %j that it is %s', (text, state) => {
    expect(firewallsIn([{ tool: 'ufw', status: 1, texts: [text] }])[0]?.state).toBe(state);
  });

  test('reads of nftables which of our ports it lets in, and leaves chains of iptables to that', () => {
    const chain = { family: 'ip', table: 'filter', name: 'INPUT', type: 'filter', hook: 'input', policy: 'drop' };
    const text = JSON.stringify({ nftables: [{ metainfo: {} }, { chain }] });
    const nftables = { tool: 'nftables', status: 0, texts: [text] } as const;
    expect(firewallsIn([nftables])).toEqual([
      {
        ...{ tool: 'nftables', families: [4], state: 'active', opens: [], unclear: [], notUnderstood: [] },
        chain: 'ip filter INPUT',
      },
    ]);
    const iptables = { tool: 'iptables', status: 0, texts: ['-P INPUT ACCEPT\n'] } as const;
    expect(firewallsIn([nftables, iptables]).map(({ state }) => state)).toEqual(['inactive', 'inactive']);
  });

  test('tells the families apart where they fare differently, and only then', () => {
    const both = { ...wanted, networks: ['192.168.1.5/24', 'fe80::5/64'] };
    const read = (...chains: readonly object[]) => {
      const text = JSON.stringify({ nftables: chains.map((chain) => ({ chain })) });
      return allFirewallsIn([{ tool: 'nftables', status: 0, texts: [text] }], both).map((each) => [
        each.families,
        each.state,
        each.chain,
      ]);
    };
    const base = { table: 'f', name: 'in', type: 'filter', hook: 'input', policy: 'drop' };
    expect(read()).toEqual([[[4, 6], 'inactive', null]]);
    expect(read({ ...base, family: 'inet' })).toEqual([[[4, 6], 'active', 'inet f in']]);
    expect(read({ ...base, family: 'ip6' })).toEqual([[[6], 'active', 'ip6 f in']]);
    expect(read({ ...base, family: 'ip' }, { ...base, family: 'inet', policy: 'accept' })).toEqual([
      [[4], 'active', 'ip f in'],
    ]);
    expect(read({ ...base, family: 'bridge' })).toEqual([[[4, 6], 'inactive', null]]);
  });

  test('reads ip6tables beside iptables, where there is IPv6', () => {
    const iptables = { tool: 'iptables', status: 0, texts: ['-P INPUT ACCEPT\n'] } as const;
    const listed = { tool: 'ip6tables', status: 0, texts: ['-P INPUT DROP\n'] } as const;
    const both = { ...wanted, networks: ['192.168.1.5/24', 'fe80::5/64'] };
    expect(allFirewallsIn([iptables, listed], both)).toMatchObject([
      { tool: 'ip6tables', families: [6], state: 'active', opens: [], chain: 'ip6tables INPUT' },
    ]);
    const without = { tool: 'ip6tables', status: 3, texts: ["can't initialize ip6tables table `filter'"] } as const;
    expect(firewallsIn([iptables, without]).map(({ tool, state }) => [tool, state])).toEqual([
      ['iptables', 'inactive'],
    ]);
  });

  test('takes what is no listing of rules for unreadable', () => {
    for (const text of ['', 'Operation not permitted', '[]', '{"nftables":7}'])
      expect(firewallsIn([{ tool: 'nftables', status: 0, texts: [text] }])[0]?.state).toBe('unreadable');
  });

  test('reads a last rule of iptables as a policy', () => {
    const text = '-P INPUT ACCEPT\n-A INPUT -p tcp -m multiport --dports 22,7878 -j ACCEPT\n-A INPUT -j DROP\n';
    const [found] = firewallsIn([{ tool: 'iptables', status: 0, texts: [text] }]);
    expect(found).toMatchObject({ state: 'active', opens: ['tcp 7878'] });
  });

  test('reads firewalld, which hides the tables below it', () => {
    const answers = [
      { tool: 'firewalld', status: 0, texts: ['running\n', 'public\n  services: mdns ssh\n  ports: 7878/tcp\n'] },
      { tool: 'nftables', status: 0, texts: ['{"nftables":[]}'] },
    ] as const;
    expect(firewallsIn(answers).map(({ tool, opens }) => [tool, opens])).toEqual([
      ['firewalld', ['udp 5353', 'tcp 7878']],
    ]);
  });

  test.each([
    ['Firewall is enabled. (State = 1)', 'active'],
    ['Firewall is enabled. (State = 1)\nIncoming connection to the application is permitted', 'inactive'],
    ['Firewall is blocking all. (State = 2)\nis permitted', 'active'],
    ['Firewall is disabled. (State = 0)', 'inactive'],
    ['not allowed', 'unreadable'],
  ] as const)('reads of macOS %j that it is %s', (text, state) => {
    expect(firewallsIn([{ tool: 'macos', status: 0, texts: [text] }])[0]?.state).toBe(state);
  });

  test('reads Windows, and the rules that doctor proposes', () => {
    const profile = 'Private Profile Settings:\r\n-----\r\nState                                 ON\r\nOk.\r\n';
    const rule = 'Rule Name: Octaskly tcp\r\nProtocol: TCP\r\nLocalPort:                            7878,7879\r\n';
    const answer = { tool: 'windows', status: 0, texts: [profile, rule, 'No rules match'] } as const;
    expect(firewallsIn([answer])[0]).toMatchObject({ state: 'active', opens: ['tcp 7878', 'tcp 7879'] });
  });
});
