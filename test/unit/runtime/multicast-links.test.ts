/** Which links a list of interfaces makes, and by which of them a packet came. */

import { describe, expect, test } from 'bun:test';
import type { NetworkInterface } from '../../../src/ports/discovery.ts';
import { linkOf, wantedLinks } from '../../../src/runtime/multicast-links.ts';

function on(name: string, index: number, ...addresses: readonly string[]): NetworkInterface {
  return {
    name,
    index,
    addresses: addresses.map((each) => {
      const [address = '', prefix = ''] = each.split('/');
      return { family: address.includes(':') ? 6 : 4, address, prefix: Number(prefix), broadcast: null };
    }),
  };
}

const eth0 = on('eth0', 2, '192.168.1.5/24', 'fd00::5/64', 'fe80::5/64');
const wlan0 = on('wlan0', 3, '10.0.0.5/8', 'fe80::6/64');

describe('wantedLinks()', () => {
  test('makes one link for each family an interface has', () => {
    const links = wantedLinks([eth0, on('usb0', 4, '192.168.42.2/24')]);
    expect(links.map(({ id }) => id)).toEqual(['eth0/4', 'eth0/6', 'usb0/4']);
  });

  test('sends IPv6 from the address of the link, and IPv4 from one that was given', () => {
    const [four, six] = wantedLinks([on('eth0', 2, '169.254.7.7/16', '192.168.1.5/24', 'fd00::5/64', 'fe80::5/64')]);
    expect([four?.address, six?.address]).toEqual(['192.168.1.5', 'fe80::5']);
    expect(wantedLinks([on('eth0', 2, '169.254.7.7/16')]).map(({ address }) => address)).toEqual(['169.254.7.7']);
  });

  test('opens anew for another source or another interface of the same name, not for further addresses', () => {
    const keyOf = (each: NetworkInterface): string | undefined => wantedLinks([each])[0]?.key;
    const key = keyOf(on('eth0', 2, '10.0.0.1/24'));
    expect(keyOf(on('eth0', 2, '10.0.0.1/24', '10.0.1.1/24'))).toBe(key);
    expect(keyOf(on('eth0', 2, '10.0.0.2/24'))).not.toBe(key);
    expect(keyOf(on('eth0', 9, '10.0.0.1/24'))).not.toBe(key);
  });
});

describe('linkOf()', () => {
  const links = wantedLinks([eth0, wlan0]);
  const idOf = (family: 4 | 6, from: string): string | undefined => linkOf(links, family, from)?.id;

  test('goes by the network of the source', () => {
    expect(idOf(4, '192.168.1.77')).toBe('eth0/4');
    expect(idOf(4, '10.200.3.4')).toBe('wlan0/4');
    expect(idOf(6, 'fd00::77')).toBe('eth0/6');
  });

  test('goes by the zone of an address that every link has', () => {
    expect(idOf(6, 'fe80::77%wlan0')).toBe('wlan0/6');
    expect(idOf(6, 'fe80::77%3')).toBe('wlan0/6');
    expect(idOf(6, 'fe80::77%docker0')).toBeUndefined();
  });

  test('knows no link for a source of another network', () => {
    expect(idOf(4, '192.168.2.1')).toBeUndefined();
    expect(idOf(6, '2001:db8::1')).toBeUndefined();
    expect(idOf(4, 'not an address')).toBeUndefined();
  });
});
