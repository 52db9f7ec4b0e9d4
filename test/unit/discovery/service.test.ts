import { describe, expect, test } from 'bun:test';
import type { MdnsFound } from '../../../src/discovery/mdns/contract.ts';
import {
  type DispatcherFacts,
  dispatcherOf,
  dispatchersIn,
  foundMax,
  onlyOne,
  placesToDial,
  serviceOf,
} from '../../../src/discovery/service.ts';

const fingerprint = (letter: string): string => `SHA256:${letter.repeat(43)}`;
const facts: DispatcherFacts = {
  ...{ protocol: 4, id: '1f2e3d4c5b6a7988', apiPort: 3000, scheme: 'https' },
  ...{ fingerprint: fingerprint('a'), clusterId: '00112233445566ff' },
};

function found(more: Partial<MdnsFound> = {}, of: Partial<DispatcherFacts> = {}): MdnsFound {
  const { instance, type, host, port, txt } = serviceOf({ ...facts, ...of }, 7878);
  const addresses = [{ address: '192.168.1.5', interfaceName: 'eth0', onLink: true }];
  return { instance, type, host: `${host}.local`, port, txt, addresses, ...more };
}

test('serviceOf() tells what is agreed on, under a name of its own', () => {
  const { instance, host, type, txt } = serviceOf(facts, 7878);
  expect([instance, host, type]).toEqual(['octaskly-1f2e3d4c', 'octaskly-1f2e3d4c', '_octaskly._tcp']);
  expect(txt).toEqual({
    ...{ txtvers: '1', protocol: '4', id: '1f2e3d4c5b6a7988', role: 'dispatcher', api: '3000', scheme: 'https' },
    ...{ fp: fingerprint('a'), cluster: '00112233445566ff' },
  });
});

describe('dispatcherOf()', () => {
  test('reads what serviceOf() wrote', () => {
    expect(dispatcherOf(found())).toEqual({
      ...facts,
      name: 'octaskly-1f2e3d4c',
      places: [{ host: '192.168.1.5', port: 7878 }],
    });
  });

  test('takes nothing for a dispatcher that says what cannot be', () => {
    const wrong: Readonly<Record<string, string>>[] = [
      ...[{ txtvers: '2' }, { role: 'worker' }, { protocol: 'x' }, { api: '0' }, { api: '70000' }, { scheme: 'ftp' }],
      ...[{ fp: 'SHA256:short' }, { cluster: 'ABC' }, { id: 'a b' }, { id: '' }],
    ];
    for (const txt of wrong)
      expect(dispatcherOf(found({ txt: { ...found().txt, ...txt } })), Bun.inspect(txt)).toBeNull();
    expect(dispatcherOf(found({ type: '_http._tcp' }))).toBeNull();
    expect(dispatcherOf(found({ port: 0 }))).toBeNull();
    expect(dispatcherOf(found({ addresses: [] }))).toBeNull();
  });

  test('puts IPv4 first, addresses of one cable after, with their interface, and those of other networks last', () => {
    const addresses = ['fe80::1', 'fd00::1', '10.0.0.1', '10.0.0.1', '10.9.9.9'].map((address) => ({
      address,
      interfaceName: 'eth0',
      onLink: address !== '10.9.9.9',
    }));
    const hosts = dispatcherOf(found({ addresses }))?.places.map(({ host }) => host);
    expect(hosts).toEqual(['10.0.0.1', 'fd00::1', 'fe80::1%eth0', '10.9.9.9']);
  });

  test('makes a name printable that somebody chose to confuse a terminal', () => {
    expect(dispatcherOf(found({ instance: 'pi\u001b[2J\n' }))?.name).toBe('pi?[2J?');
  });
});

test('dispatchersIn() is bounded, with the fingerprint that is looked for first', () => {
  const flood = Array.from({ length: 500 }, (_, n) => found({ instance: `a${n}` }));
  const own = found({ instance: 'zzz' }, { fingerprint: fingerprint('z') });
  const all = dispatchersIn([...flood, own], fingerprint('z'));
  expect([all.length, all[0]?.name]).toEqual([foundMax, 'zzz']);
});

test('placesToDial() gives those of the dispatcher sought, with a secret those of all, each first by its first address', () => {
  const addresses = [
    { address: '10.0.0.1', interfaceName: 'eth0', onLink: true },
    { address: '10.0.1.1', interfaceName: 'eth1', onLink: true },
  ];
  const all = dispatchersIn([
    found({ instance: 'a', addresses }),
    found({ instance: 'b' }, { fingerprint: fingerprint('b') }),
  ]);
  const hosts = (sought: Parameters<typeof placesToDial>[1]): string[] =>
    placesToDial(all, sought).map(({ host }) => host);
  expect(hosts({ by: 'fingerprint', fingerprint: fingerprint('b') })).toEqual(['192.168.1.5']);
  expect(hosts({ by: 'fingerprint', fingerprint: fingerprint('c') })).toEqual([]);
  expect(hosts({ by: 'secret' })).toEqual(['10.0.0.1', '192.168.1.5', '10.0.1.1']);
});

test('onlyOne() chooses where there is no choice', () => {
  const [one, same, other] = [found(), found({ instance: 'again' }), found({}, { fingerprint: fingerprint('b') })];
  expect(onlyOne([])).toBeNull();
  expect(onlyOne(dispatchersIn([one, same]))).toMatchObject({ fingerprint: fingerprint('a') });
  expect(onlyOne(dispatchersIn([one, other]))).toBe('several');
});
