/** Multicast DNS beside Avahi: each finds what the other announces, from another host and from the same one. */

import { afterEach, describe, expect, test } from 'bun:test';
import { until } from '../e2e/site.ts';
import { Avahi, avahiPrograms, type Browsed } from './avahi.ts';
import { addressesOf, MdnsPeer, serviceOf } from './mdns-peer.ts';
import { cannotNetwork, closeLans, openLan } from './namespaces.ts';

afterEach(closeLans);

const skipped = cannotNetwork('Multicast DNS beside Avahi', avahiPrograms) !== null;

/** Browses until the service is seen in both families; all that was seen of it. */
async function browsed(avahi: Avahi, instance: string): Promise<readonly Browsed[]> {
  let seen: readonly Browsed[] = [];
  await until(
    'avahi-browse resolves the service in both families',
    () => {
      seen = avahi.browse().filter((each) => each.instance === instance);
      return ['IPv4', 'IPv6'].every((family) => seen.some((each) => each.family === family));
    },
    { details: () => `: ${JSON.stringify(seen)}` },
  );
  return seen;
}

describe.skipIf(skipped)('openMdns() and Avahi', () => {
  test('avahi-browse sees a service from another host and from the same one, with TXT, addresses and port', async () => {
    const [one, two] = openLan(2).hosts;
    if (one === undefined || two === undefined) throw new Error('no hosts');
    const [beside, elsewhere] = await Promise.all([Avahi.start(one, 'one'), Avahi.start(two, 'two')]);
    const peer = new MdnsPeer(one, { publish: serviceOf('octaskly-1f2e', 7171) });
    await peer.tells('established');
    for (const avahi of [elsewhere, beside]) {
      const seen = await browsed(avahi, 'octaskly-1f2e');
      for (const each of seen) {
        expect(each).toMatchObject({ host: 'octaskly-1f2e.local', port: 7171, interfaceName: 'eth0' });
        expect(each.txt.split(' ').sort()).toEqual(['"id=octaskly-1f2e"', '"role=dispatcher"', '"txtvers=1"']);
        expect(each.address).toMatch(/^(10\.79\.0\.1|fd79::1|fe80::[\da-f:]+)$/);
      }
    }
    expect((await peer.counts()).malformed).toBe(0);
    await peer.process.end();
    await until('avahi-browse sees it no more', () => elsewhere.browse().length === 0);
  }, 60_000);

  test('a service of avahi-publish is found from another host and beside it, and lost when it ends', async () => {
    const [one, two] = openLan(2).hosts;
    if (one === undefined || two === undefined) throw new Error('no hosts');
    const avahi = await Avahi.start(two, 'two');
    const publisher = await avahi.publish('from avahi', 1234, 'id=7', 'role=dispatcher');
    const elsewhere = new MdnsPeer(one, { browse: true });
    const beside = new MdnsPeer(two, { browse: true });
    for (const [where, peer] of Object.entries({ elsewhere, beside })) {
      const { service, tookMs } = await peer.finds('from avahi', (each) => addressesOf(each).includes(two.address()));
      console.log(`a service of avahi-publish, found from ${where}: ${tookMs.toFixed(0)} ms after the start`);
      expect(service).toMatchObject({ host: 'two.local', port: 1234, txt: { id: '7', role: 'dispatcher' } });
    }
    const since = performance.now();
    await publisher.end();
    for (const peer of [elsewhere, beside]) {
      await peer.tells('lost', ({ instance }) => instance === 'from avahi', { since });
    }
  }, 60_000);
});
