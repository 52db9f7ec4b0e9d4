/** Addresses and networks as arithmetic. */

import { describe, expect, test } from 'bun:test';
import { broadcastOf, isLoopback, zoned } from '../../../src/runtime/networks.ts';

describe('broadcastOf()', () => {
  test.each([
    ['192.168.1.20', 24, '192.168.1.255'],
    ['10.1.2.3', 8, '10.255.255.255'],
    ['172.16.5.4', 20, '172.16.15.255'],
    ['192.168.1.5', 30, '192.168.1.7'],
  ])('%s/%d has %s', (address, prefix, broadcast) => {
    expect(broadcastOf(address, prefix)).toBe(broadcast);
  });

  test.each([
    ['10.0.0.1', 31],
    ['10.0.0.1', 32],
    ['10.0.0.1', 0],
    ['fe80::1', 64],
  ])('%s/%d has none', (address, prefix) => {
    expect(broadcastOf(address, prefix)).toBeNull();
  });
});

describe('zoned()', () => {
  test('takes the zone off', () => {
    expect(zoned('fe80::1%eth0')).toEqual({ address: 'fe80::1', zone: 'eth0' });
    expect(zoned('10.0.0.1')).toEqual({ address: '10.0.0.1', zone: '' });
  });
});

test('isLoopback() knows this machine alone', () => {
  expect(['127.0.0.1', '127.9.9.9', '::1'].map(isLoopback)).toEqual([true, true, true]);
  expect(['128.0.0.1', '::2', 'fe80::1'].map(isLoopback)).toEqual([false, false, false]);
});
