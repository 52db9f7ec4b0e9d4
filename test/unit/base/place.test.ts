import { expect, test } from 'bun:test';
import { isLoopbackHost } from '../../../src/base/place.ts';

test('isLoopbackHost() knows the names and addresses of this machine, and takes no name that only begins like one', () => {
  for (const host of ['localhost', '::1', '127.0.0.1', '127.1', '127.255.255.254'])
    expect([host, isLoopbackHost(host)]).toEqual([host, true]);
  for (const host of [
    '127.example.com',
    '127.0.0.1.example.com',
    '127.',
    '128.0.0.1',
    'localhost.example.com',
    '::',
    '0.0.0.0',
  ]) {
    expect([host, isLoopbackHost(host)]).toEqual([host, false]);
  }
});
