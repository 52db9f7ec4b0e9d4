import { describe, expect, test } from 'bun:test';
import { firewallsIn } from '../../../src/discovery/firewall.ts';

const nft = `table inet filter {
	set trusted {
		type ipv4_addr
	}
	chain services {
		udp dport { 5353, 5555-5556 } accept
	}
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		tcp dport 7878 counter packets 0 bytes 0 accept
		jump services
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
`;

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

  test('reads chains of nftables that hang at input, and what they let in', () => {
    expect(firewallsIn([{ tool: 'nftables', status: 0, texts: [nft] }])).toEqual([
      {
        tool: 'nftables',
        state: 'active',
        opens: ['udp 5353', 'udp 5555', 'udp 5556', 'tcp 7878'],
        chain: 'inet filter input',
      },
    ]);
  });

  test('takes chains that only forward for no firewall of this machine', () => {
    const text = nft.replace('hook input', 'hook output');
    expect(firewallsIn([{ tool: 'nftables', status: 0, texts: [text] }])[0]?.state).toBe('inactive');
  });

  test('reads a last rule of iptables as a policy', () => {
    const text = '-P INPUT ACCEPT\n-A INPUT -p tcp -m multiport --dports 22,7878 -j ACCEPT\n-A INPUT -j DROP\n';
    const [found] = firewallsIn([{ tool: 'iptables', status: 0, texts: [text] }]);
    expect(found).toMatchObject({ state: 'active', opens: ['tcp 22', 'tcp 7878'] });
  });

  test('reads firewalld, which hides the tables below it', () => {
    const answers = [
      { tool: 'firewalld', status: 0, texts: ['running\n', 'public\n  services: mdns ssh\n  ports: 7878/tcp\n'] },
      { tool: 'nftables', status: 0, texts: [nft] },
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
