import { describe, expect, test } from 'bun:test';
import { arpNeighbours, ipNeighbours, procGateway, procNeighbours } from '../../../src/runtime/neighbours.ts';

describe('ipNeighbours()', () => {
  test('tells who answered lately, who does not, and of whom nobody knows', () => {
    const text = [
      '10.0.0.1 dev eth0 lladdr 02:fc:00:00:00:05 ref 1 used 3/2/2probes 1 router REACHABLE ',
      '10.0.0.2 dev eth0 lladdr 02:fc:00:00:00:07  used 3/21/2probes 1 REACHABLE ',
      '10.0.0.7 dev eth0  used 443/503/440probes 6 FAILED ',
      '10.0.0.8 dev wlan0  used 0/0/0probes 2 INCOMPLETE',
      '10.0.0.9 dev eth0 lladdr 02:fc:00:00:00:06  used 0/0/0probes 1 PROBE',
      'fe80::1 dev eth0 lladdr 02:fc:00:00:00:06 STALE',
    ].join('\n');
    expect(ipNeighbours(text, 5000).map(({ address, answers }) => [address, answers])).toEqual([
      ['10.0.0.1', true],
      ['10.0.0.2', null],
      ['10.0.0.7', false],
      ['10.0.0.8', false],
      ['10.0.0.9', null],
      ['fe80::1', null],
    ]);
    expect(ipNeighbours(text, 5000)[3]?.interfaceName).toBe('wlan0');
  });
});

test('procNeighbours() reads the complete flag', () => {
  const text = `IP address       HW type     Flags       HW address            Mask     Device
10.0.0.1         0x1         0x2         02:fc:00:00:00:05     *        eth0
10.0.0.7         0x1         0x0         00:00:00:00:00:00     *        eth0
`;
  expect(procNeighbours(text).map(({ address, answers }) => [address, answers])).toEqual([
    ['10.0.0.1', null],
    ['10.0.0.7', false],
  ]);
});

test('arpNeighbours() reads what macOS writes', () => {
  const text = '? (10.0.0.1) at 2:fc:0:0:0:5 on en0 ifscope [ethernet]\n? (10.0.0.7) at (incomplete) on en0\n';
  expect(arpNeighbours(text).map(({ address, answers }) => [address, answers])).toEqual([
    ['10.0.0.1', null],
    ['10.0.0.7', false],
  ]);
});

test('procGateway() reads the default route', () => {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n';
  const local = 'eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n';
  expect(procGateway(`${head}eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\n${local}`)).toBe('192.0.2.1');
  expect(procGateway(head + local)).toBeNull();
});
