import { describe, expect, test } from 'bun:test';
import { magicPacket, wakePackets } from '../../../src/discovery/magic-packet.ts';

const home = { address: '192.168.1.10', broadcast: '192.168.1.255' };
const lab = { address: '10.0.0.10', broadcast: '10.0.0.255' };
const card = { mac: '00:1a:2b:3c:4d:5e', armed: true };

test('magicPacket() is six bytes of ones, then sixteen times the address', () => {
  expect(magicPacket(card.mac).toHex()).toBe(`ffffffffffff${'001a2b3c4d5e'.repeat(16)}`);
});

describe('wakePackets()', () => {
  const networks = (broadcast: string | null) =>
    wakePackets([{ ...card, broadcast }], [home, lab]).map(({ network }) => network);

  test('go to the network both are in', () => {
    expect(networks('10.0.0.255')).toEqual([lab]);
  });

  test('go to all own networks where none is shared, and never to what a worker names', () => {
    expect(networks('203.0.113.255')).toEqual([home, lab]);
    expect(networks(null)).toEqual([home, lab]);
  });
});
