import { describe, expect, test } from 'bun:test';
import { iptablesChain } from '../../../src/discovery/iptables.ts';
import type { Port } from '../../../src/discovery/network-facts.ts';
import { nftChains } from '../../../src/discovery/nftables.ts';
import { familiesOf, outcomeOf, packetTo } from '../../../src/discovery/packet-rules.ts';

const surroundings = { interfaceNames: ['eth0'], networks: ['192.168.1.5/24', 'fd00::5/64', 'fe80::5/64'] };
const port = (name: string): Port => {
  const [protocol, number] = name.split(' ');
  return { protocol: protocol === 'tcp' ? 'tcp' : 'udp', number: Number(number), purpose: '' };
};

/** A rule of `inet f in`, or of another chain of that table, as `nft -j` writes it. */
function rule(expr: readonly unknown[], chain = 'in', handle = 7) {
  return { rule: { family: 'inet', table: 'f', chain, handle, expr } };
}

function match(left: unknown, right: unknown, op = '==') {
  return { match: { op, left, right } };
}

const dport = (protocol: string) => ({ payload: { protocol, field: 'dport' } });
const source = { payload: { protocol: 'ip', field: 'saddr' } };
const meta = (key: string) => ({ meta: { key } });
const state = { ct: { key: 'state' } };
const prefix = (addr: string, len: number) => ({ prefix: { addr, len } });
const [accept, drop, reject] = [{ accept: null }, { drop: null }, { reject: null }];
const tcpDrop = (right: unknown, op = '==') => rule([match(dport('tcp'), right, op), drop]);

/** What becomes of a packet, of IPv4 unless told otherwise, to a port of a host with these rules. */
function nft(items: readonly unknown[], to: string, policy = 'accept', family: 4 | 6 = 4): string {
  const chain = { family: 'inet', table: 'f', name: 'in', type: 'filter', hook: 'input', policy };
  const chains = nftChains(JSON.stringify({ nftables: [{ chain }, ...items] })) ?? [];
  return outcomeOf(chains, packetTo(port(to), family, surroundings)).verdict;
}

function iptables(rules: readonly string[], to: string, policy = 'ACCEPT', family: 4 | 6 = 4): string {
  const listing = `-P INPUT ${policy}\n-P FORWARD DROP\n${rules.join('\n')}\n`;
  const chain = iptablesChain(listing, family === 4 ? 'iptables' : 'ip6tables');
  return outcomeOf(chain === null ? [] : [chain], packetTo(port(to), family, surroundings)).verdict;
}

describe('outcomeOf() by nftables', () => {
  test.each([
    ['no rule', [], 'accept'],
    ['a port that is dropped', [tcpDrop(7878)], 'drop'],
    ['a port that is rejected', [rule([match(dport('tcp'), 7878), { counter: {} }, reject])], 'drop'],
    ['another port', [tcpDrop(22)], 'accept'],
    ['all but another port', [tcpDrop(22, '!=')], 'drop'],
    ['a set', [tcpDrop({ set: [22, { range: [7000, 8000] }] })], 'drop'],
    ['a range', [tcpDrop({ range: [7879, 8000] })], 'accept'],
    ['the other protocol', [rule([match(dport('udp'), 7878), drop])], 'accept'],
    ['transport of both', [rule([match(meta('l4proto'), 'tcp'), match(dport('th'), 7878), drop])], 'drop'],
    ['an accept before', [rule([match(dport('tcp'), 7878), accept]), rule([drop])], 'accept'],
    ['a state it is not in', [rule([match(state, ['established', 'related'], 'in'), accept]), rule([drop])], 'drop'],
    ['the state it is in', [rule([match(state, 'new', 'in'), drop])], 'drop'],
    ['loopback alone let in', [rule([match(meta('iifname'), 'lo'), accept]), rule([drop])], 'drop'],
    ['our interface', [rule([match(meta('iifname'), 'eth*'), drop])], 'drop'],
    ['our network', [rule([match(source, prefix('192.168.0.0', 16)), drop])], 'drop'],
    ['another network', [rule([match(source, prefix('10.0.0.0', 8)), drop])], 'accept'],
    ['one of our network kept out', [rule([match(source, '192.168.1.9'), drop])], 'accept'],
    ['one of our network let in', [rule([match(source, '192.168.1.9'), accept]), rule([drop])], 'accept'],
    ['a rate that is let in', [rule([match(dport('tcp'), 7878), { limit: {} }, accept]), rule([drop])], 'accept'],
    ['IPv6', [rule([match({ payload: { protocol: 'ip6', field: 'saddr' } }, 'fe80::1'), drop])], 'accept'],
    ['first packets', [rule([match({ payload: { protocol: 'tcp', field: 'flags' } }, 'syn', 'in'), drop])], 'drop'],
    ['something unheard of', [rule([match({ socket: { key: 'mark' } }, 1), drop])], 'unclear'],
    ['that, and a drop anyway', [rule([{ xt: { type: 'match' } }, drop]), tcpDrop(7878)], 'drop'],
    ['that, and let in anyway', [rule([{ xt: { type: 'match' } }, accept])], 'accept'],
    ['a target unheard of', [rule([match(dport('tcp'), 7878), { xt: { type: 'target', name: 'REJECT' } }])], 'unclear'],
  ] as const)('%s', (_, rules, verdict) => {
    expect(nft(rules, 'tcp 7878')).toBe(verdict);
  });

  test('a policy holds where no rule decides', () => {
    expect(nft([], 'tcp 7878', 'drop')).toBe('drop');
    expect(nft([rule([match(dport('udp'), 5555), accept])], 'udp 5555', 'drop')).toBe('accept');
  });

  test('chains are jumped to, returned from, and gone to for good', () => {
    const jump = (kind: 'jump' | 'goto') => rule([{ [kind]: { target: 'more' } }]);
    expect(nft([jump('jump'), rule([match(dport('tcp'), 7878), drop], 'more')], 'tcp 7878')).toBe('drop');
    const back = rule([match(dport('tcp'), 7878), { return: null }], 'more');
    expect(nft([jump('jump'), back, rule([drop], 'more')], 'tcp 7878')).toBe('accept');
    expect(nft([jump('goto'), tcpDrop(7878), back], 'tcp 7878')).toBe('accept');
  });

  test('named sets and maps of verdicts are looked up, and a circle of jumps ends', () => {
    const set = { set: { family: 'inet', table: 'f', name: 's', elem: [{ elem: { val: 7878 } }] } };
    expect(nft([set, tcpDrop('@s')], 'tcp 7878')).toBe('drop');
    expect(nft([tcpDrop('@missing')], 'tcp 7878')).toBe('unclear');
    const data = {
      set: [
        [1, accept],
        [7878, { jump: { target: 'more' } }],
      ],
    };
    expect(nft([rule([{ vmap: { key: dport('tcp'), data } }]), rule([drop], 'more')], 'tcp 7878')).toBe('drop');
    expect(nft([rule([{ vmap: { key: dport('tcp'), data } }]), rule([drop], 'more')], 'tcp 22')).toBe('accept');
    expect(nft([rule([{ jump: { target: 'in' } }])], 'tcp 7878')).toBe('unclear');
  });

  test('what goes to a group is told from what goes to all groups', () => {
    const to = (address: string) => rule([match({ payload: { protocol: 'ip', field: 'daddr' } }, address), accept]);
    expect(nft([to('224.0.0.251')], 'udp 5353', 'drop')).toBe('accept');
    expect(nft([to('224.0.0.251')], 'udp 5555', 'drop')).toBe('drop');
    expect(nft([to('224.0.0.251')], 'tcp 7878', 'drop')).toBe('drop');
  });

  test('anything may stand in it', () => {
    for (const expr of [
      [null],
      [7],
      [{ match: null }],
      [{ match: { op: '<', left: {}, right: 1 } }, drop],
      [{ vmap: {} }],
    ])
      expect(['accept', 'unclear']).toContain(nft([rule(expr)], 'tcp 7878'));
  });
});

describe('outcomeOf() of packets of IPv6', () => {
  const source6 = { payload: { protocol: 'ip6', field: 'saddr' } };

  test.each([
    ['a port of both families', [tcpDrop(7878)], 'drop'],
    ['that port of IPv6', [rule([match(meta('nfproto'), 'ipv6'), match(dport('tcp'), 7878), drop])], 'drop'],
    ['that port of IPv4', [rule([match(meta('nfproto'), 'ipv4'), match(dport('tcp'), 7878), drop])], 'accept'],
    ['our network', [rule([match(source6, prefix('fd00::', 16)), reject])], 'drop'],
    ['another network', [rule([match(source6, prefix('2001:db8::', 32)), reject])], 'accept'],
    ['a network of IPv4', [rule([match(source, prefix('192.168.0.0', 16)), drop])], 'accept'],
    ['one of our network', [rule([match(source6, 'fd00::9'), drop])], 'accept'],
    ['neighbours alone let in', [rule([match(source6, prefix('fe80::', 10)), accept]), rule([drop])], 'accept'],
    ['ICMP alone let in', [rule([match(meta('l4proto'), 'ipv6-icmp'), accept]), rule([drop])], 'drop'],
    [
      'TCP by the next header',
      [rule([match({ payload: { protocol: 'ip6', field: 'nexthdr' } }, 'tcp'), drop])],
      'drop',
    ],
  ] as const)('nftables: %s', (_, rules, verdict) => {
    expect(nft(rules, 'tcp 7878', 'accept', 6)).toBe(verdict);
  });

  test('nftables: what goes to a group is told by its own address', () => {
    const to = { payload: { protocol: 'ip6', field: 'daddr' } };
    const rules = [rule([match(to, 'ff02::fb'), accept])];
    expect(['udp 5353', 'udp 5555'].map((name) => nft(rules, name, 'drop', 6))).toEqual(['accept', 'drop']);
    expect(nft(rules, 'udp 5353', 'drop', 4)).toBe('drop');
  });

  test.each([
    ['-A INPUT -p tcp -m tcp --dport 7878 -j DROP', 'drop'],
    ['-A INPUT -s fd00::9/128 -j DROP', 'accept'],
    ['-A INPUT ! -s 2001:db8::/32 -p tcp -j REJECT --reject-with icmp6-port-unreachable', 'drop'],
    ['-A INPUT -p ipv6-icmp -j DROP', 'accept'],
  ])('ip6tables: %s', (rules, verdict) => {
    expect(iptables([rules], 'tcp 7878', 'ACCEPT', 6)).toBe(verdict);
  });

  test('familiesOf() names those a network of ours is of', () => {
    const of = (...networks: readonly string[]) => familiesOf({ interfaceNames: ['eth0'], networks });
    expect([of('10.0.0.5/8', 'fe80::5/64'), of('10.0.0.5/8'), of('fe80::5/64'), of()]).toEqual([[4, 6], [4], [6], [4]]);
  });
});

describe('outcomeOf() by iptables', () => {
  test.each([
    ['-A INPUT -p tcp -m tcp --dport 7878 -j DROP', 'drop'],
    ['-A INPUT -p tcp -m multiport --dports 22,7000:8000 -j REJECT --reject-with icmp-port-unreachable', 'drop'],
    ['-A INPUT -p tcp -m tcp --dport 22 -j DROP', 'accept'],
    ['-A INPUT -p tcp ! --dport 22 -m comment --comment "all but \\"ssh\\" -j ACCEPT" -j DROP', 'drop'],
    ['-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j DROP', 'accept'],
    ['-A INPUT -m state --state NEW -j DROP', 'drop'],
    ['-A INPUT ! -i lo -j DROP', 'drop'],
    ['-A INPUT -s 192.168.1.9/32 -j DROP', 'accept'],
    ['-A INPUT -m string --algo bm --string x -j DROP', 'unclear'],
    ['-A INPUT -j LOG --log-prefix "seen "', 'accept'],
    ['-A INPUT -j MORE\n-A MORE -p udp -j RETURN\n-A MORE -j DROP', 'drop'],
    ['-A FORWARD -j DROP', 'accept'],
  ])('%s', (rules, verdict) => {
    expect(iptables([rules], 'tcp 7878')).toBe(verdict);
  });

  test('a policy holds where no rule decides', () => {
    expect(iptables([], 'tcp 7878', 'DROP')).toBe('drop');
    expect(iptables(['-A INPUT -p tcp -m tcp --dport 7878 -j ACCEPT'], 'tcp 7878', 'DROP')).toBe('accept');
  });
});
