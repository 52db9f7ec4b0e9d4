/** The interfaces of this machine, as they are. Loopback alone is named; nothing is sent. */

import { describe, expect, test } from 'bun:test';
import { networkInterfaces } from 'node:os';
import { surveyInterfaces, unlisted, usableInterfaces } from '../../src/runtime/interfaces.ts';

const loopback =
  Object.entries(networkInterfaces()).find(([, all]) => all?.some(({ internal }) => internal))?.[0] ?? 'lo';

describe('surveyInterfaces()', () => {
  test('tells of every interface with an address, and why one is left out', async () => {
    const all = await surveyInterfaces([]);
    expect(all.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(networkInterfaces())));
    expect(all.find(({ name }) => name === loopback)?.leftOut).toBe('this machine alone');
    for (const { index } of all) expect(index).toBeGreaterThanOrEqual(0);
  });
});

describe('usableInterfaces()', () => {
  test('gives what is named, with its networks, and nothing else', async () => {
    const [only, ...others] = await usableInterfaces([loopback]);
    expect(others).toEqual([]);
    expect(only?.name).toBe(loopback);
    expect(only?.addresses).toContainEqual({
      family: 4,
      address: '127.0.0.1',
      prefix: 8,
      broadcast: '127.255.255.255',
    });
  });

  test('leaves loopback out, and gives nothing for a name nobody has', async () => {
    expect((await usableInterfaces([])).map(({ name }) => name)).not.toContain(loopback);
    expect(await usableInterfaces(['no-such-interface'])).toEqual([]);
  });
});

describe('unlisted()', () => {
  test('gives the address packets leave from, if there is a network', async () => {
    const found = await unlisted();
    expect(found.length).toBeLessThanOrEqual(1);
    const own = Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []);
    for (const { address } of found.flatMap(({ addresses }) => addresses)) expect(own).toContain(address);
  });
});
