/** Multicast DNS between hosts of a network: finding, leaving, equal names, interfaces and addresses that change. */

import { afterEach, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { addressesOf, MdnsPeer, serviceOf } from './mdns-peer.ts';
import { cannotNetwork, closeLans, type Host, openLan } from './namespaces.ts';

afterEach(closeLans);

const skipped = cannotNetwork('Multicast DNS between hosts') !== null;

function lanOf(count: number): { lan: ReturnType<typeof openLan>; host: (number: number) => Host } {
  const lan = openLan(count);
  const host = (number: number): Host => {
    const found = lan.hosts[number - 1];
    if (found === undefined) throw new Error(`no host ${number}`);
    return found;
  };
  return { lan, host };
}

describe.skipIf(skipped)('openMdns() on a network', () => {
  test('three hosts find each other, and see at once that one says goodbye', async () => {
    const { host } = lanOf(3);
    const names = ['alpha', 'beta', 'gamma'];
    const peers = names.map((name, index) => new MdnsPeer(host(index + 1), { publish: serviceOf(name), browse: true }));
    const [alpha, beta, gamma] = peers;
    if (alpha === undefined || beta === undefined || gamma === undefined) throw new Error('no peers');
    for (const peer of peers) {
      for (const [index, name] of names.entries()) {
        if (peer === peers[index]) continue;
        const { service, tookMs } = await peer.finds(name, (each) =>
          addressesOf(each).includes(`10.79.0.${index + 1}`),
        );
        console.log(`found ${name}: ${tookMs.toFixed(0)} ms after the start`);
        expect(service).toMatchObject({ host: `${name}.local`, port: 7070, txt: { id: name } });
      }
    }
    const since = performance.now();
    const ended = gamma.process.end();
    for (const peer of [alpha, beta]) {
      const { at } = await peer.tells('lost', ({ instance }) => instance === 'gamma', { since });
      console.log(`goodbye seen after ${(at - since).toFixed(0)} ms`);
      expect(at - since).toBeLessThan(2000);
    }
    expect(await ended).toBe(0);
  }, 60_000);

  test('one that starts late finds what is long there', async () => {
    const { host } = lanOf(2);
    const there = new MdnsPeer(host(1), { publish: serviceOf('alpha') });
    await there.tells('established');
    const late = new MdnsPeer(host(2), { browse: true });
    const { tookMs } = await late.finds('alpha');
    console.log(`found what is long there: ${tookMs.toFixed(0)} ms after the start`);
    expect(tookMs).toBeLessThan(5000);
  }, 60_000);

  test('of two with the same name one takes another, and both are found', async () => {
    const { host } = lanOf(3);
    const first = new MdnsPeer(host(1), { publish: serviceOf('pi', 7001) });
    await first.tells('established', ({ instance }) => instance === 'pi');
    const second = new MdnsPeer(host(2), { publish: serviceOf('pi', 7002) });
    const { instance, host: label } = await second.tells('established');
    expect(instance).not.toBe('pi');
    expect(label).not.toStartWith('pi.');
    const browsing = new MdnsPeer(host(3), { browse: true });
    expect((await browsing.finds('pi', ({ port }) => port === 7001)).service.host).toBe('pi.local');
    await browsing.finds(instance, (each) => each.port === 7002 && addressesOf(each).includes('10.79.0.2'));
  }, 60_000);

  test('is found by an interface that appears, and no longer by one that goes', async () => {
    const { lan, host } = lanOf(2);
    lan.addBridge(1);
    const there = new MdnsPeer(host(1), { publish: serviceOf('alpha') });
    const browsing = new MdnsPeer(host(2), { browse: true });
    await browsing.finds('alpha', (each) => addressesOf(each).includes('10.79.0.1'));
    const plugged = performance.now();
    for (const each of lan.hosts) each.plug('eth1', 1);
    const { tookMs } = await browsing.finds('alpha', (each) => addressesOf(each).includes('10.79.1.1'), plugged);
    console.log(`found by a second interface: ${tookMs.toFixed(0)} ms after it appeared`);
    const unplugged = performance.now();
    host(2).unplug('eth0');
    await browsing.finds('alpha', (each) => !addressesOf(each).includes('10.79.0.1'), unplugged);
    host(2).unplug('eth1');
    await browsing.tells('lost', ({ instance }) => instance === 'alpha', { since: unplugged });
    host(2).plug('eth0');
    await browsing.finds('alpha', (each) => addressesOf(each).includes('10.79.0.1'), performance.now());
    await there.process.end();
  }, 60_000);

  test('is found under the address it has now', async () => {
    const { host } = lanOf(2);
    const moving = new MdnsPeer(host(1), { publish: serviceOf('alpha') });
    const browsing = new MdnsPeer(host(2), { browse: true });
    await browsing.finds('alpha', (each) => addressesOf(each).includes('10.79.0.1'));
    await moving.tells('established');
    const moved = performance.now();
    host(1).ip('addr', 'del', '10.79.0.1/24', 'dev', 'eth0');
    host(1).ip('addr', 'add', '10.79.0.101/24', 'dev', 'eth0');
    const isNew = (addresses: readonly string[]): boolean =>
      addresses.includes('10.79.0.101') && !addresses.includes('10.79.0.1');
    const { tookMs } = await browsing.finds('alpha', (each) => isNew(addressesOf(each)), moved);
    console.log(`found under its new address alone: ${tookMs.toFixed(0)} ms after it moved`);
  }, 60_000);

  test('leaves out networks of containers and tunnels, unless they are named', async () => {
    const { lan, host } = lanOf(1);
    const others = ['docker0', 'br-1f2e3d4c5b6a', 'veth12ab34c', 'virbr0', 'wg0'];
    for (const [index, name] of others.entries()) {
      lan.addBridge(index + 1);
      host(1).plug(name, index + 1);
    }
    host(1).ip('tuntap', 'add', 'home', 'mode', 'tun');
    host(1).ip('addr', 'add', '10.80.0.1/24', 'dev', 'home');
    host(1).ip('link', 'set', 'home', 'up');
    expect((await new MdnsPeer(host(1)).tells('open')).interfaces).toEqual(['eth0']);
    const named = new MdnsPeer(host(1), { interfaces: ['wg0', 'docker0'] });
    expect((await named.tells('open')).interfaces).toEqual(['docker0', 'wg0']);
  }, 60_000);

  test('where the system does not list interfaces, works by the address packets leave from', async () => {
    const { host } = lanOf(2);
    host(1).ip('route', 'add', 'default', 'via', '10.79.0.254');
    const phone = new MdnsPeer(host(1), {
      publish: serviceOf('phone'),
      browse: true,
      preload: ['no-interface-list.ts'],
    });
    expect((await phone.tells('open')).interfaces).toEqual(['default']);
    const other = new MdnsPeer(host(2), { publish: serviceOf('alpha'), browse: true });
    await other.finds('phone', (each) => addressesOf(each).includes('10.79.0.1'));
    await phone.finds('alpha', (each) => addressesOf(each).includes('10.79.0.2'));
  }, 60_000);

  test('packets that are none, floods, and packets from outside of the network do no harm', async () => {
    const { host } = lanOf(3);
    const target = new MdnsPeer(host(1), { publish: serviceOf('alpha') });
    await target.tells('established');
    const flood = (...args: readonly string[]): Promise<number | null> =>
      host(3)
        .start([process.execPath, join(import.meta.dir, 'mdns-flood.ts'), ...args])
        .ended();
    expect(await flood('10.79.0.3', '2000')).toBe(0);
    // A source on no network of the others.
    host(3).ip('addr', 'del', '10.79.0.3/24', 'dev', 'eth0');
    host(3).ip('addr', 'add', '10.99.0.3/8', 'dev', 'eth0');
    expect(await flood('10.99.0.3', '10')).toBe(0);
    const browsing = new MdnsPeer(host(2), { browse: true });
    const { tookMs } = await browsing.finds('alpha');
    console.log(`found after the flood: ${tookMs.toFixed(0)} ms after the start`);
    const counts = await target.counts();
    console.log(`counts after the flood: ${JSON.stringify(counts)}`);
    expect(counts.malformed).toBeGreaterThan(0);
    expect(counts.offLink).toBeGreaterThan(0);
  }, 60_000);
});
