/** Addresses of one link: which they are, and without the interface behind them. */

import { expect, test } from 'bun:test';
import { isLinkLocal6, withoutZone } from '../../../../src/discovery/mdns/networks.ts';

test('isLinkLocal6() knows fe80::/10 and nothing else', () => {
  expect(['fe80::1', 'febf::1%eth0'].map(isLinkLocal6)).toEqual([true, true]);
  expect(['fec0::1', 'fd00::1', '::1', '169.254.1.1'].map(isLinkLocal6)).toEqual([false, false, false, false]);
});

test('withoutZone() takes off the zone alone', () => {
  expect(['fe80::1%eth0', 'fe80::1%25', 'fe80::1', '10.0.0.1'].map(withoutZone)).toEqual([
    ...['fe80::1', 'fe80::1', 'fe80::1', '10.0.0.1'],
  ]);
});
