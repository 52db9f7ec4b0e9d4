/** Following the addresses of a machine, whose places are told apart by what was opened and stopped. */

import { afterEach, expect, test } from 'bun:test';
import { OctasklyError } from '../../src/base/errors.ts';
import type { TransportListener } from '../../src/ports/transport.ts';
import type { Endpoint } from '../../src/runtime/endpoints.ts';
import { listenAtEveryAddress, ownAddresses } from '../../src/runtime/every-address.ts';
import { until } from '../e2e/site.ts';

let own: string[] | null = [];
/** Why an address cannot be had. */
let trouble = new Map<string, OctasklyError['code']>();
let opened: string[] = [];
let stopped: string[] = [];
let listener: TransportListener | null = null;

afterEach(() => {
  listener?.stop();
  [own, trouble, opened, stopped, listener] = [[], new Map(), [], [], null];
});

async function open({ host, port }: Endpoint): Promise<TransportListener> {
  const code = trouble.get(host);
  if (code !== undefined) throw new OctasklyError(code, `Not at ${host}.`);
  const given = port === 0 ? 40_000 + opened.length : port;
  opened.push(`${host} ${given}`);
  return { port: given, stop: () => stopped.push(host) };
}

const listening = async (port: number): Promise<TransportListener | null> => {
  listener = await listenAtEveryAddress({ port, open, addresses: async () => own });
  return listener;
};

test('listenAtEveryAddress() has one port at all of them, and follows those that come', async () => {
  own = ['127.0.0.1', '10.0.0.1'];
  expect((await listening(0))?.port).toBe(40_000);
  expect(opened).toEqual(['127.0.0.1 40000', '10.0.0.1 40000']);
  own = ['127.0.0.1', '10.0.0.2'];
  await until('the new one is there', () => opened.includes('10.0.0.2 40000'));
  // It may come back, with the connections it had.
  expect(stopped).toEqual([]);
  listener?.stop();
  expect(stopped).toEqual(['127.0.0.1', '10.0.0.1', '10.0.0.2']);
});

test('listenAtEveryAddress() goes without an address that is not ready yet, and not without a port that is taken', async () => {
  own = ['10.0.0.1', 'fd00::1'];
  trouble.set('fd00::1', 'io');
  await listening(7878);
  expect(opened).toEqual(['10.0.0.1 7878']);
  trouble.clear();
  await until('it is tried again', () => opened.includes('fd00::1 7878'));
  trouble.set('fd00::1', 'in_use');
  await expect(listening(7878)).rejects.toMatchObject({ code: 'in_use' });
  expect(stopped).toContain('10.0.0.1');
});

test('listenAtEveryAddress() takes another of any port, when the first is taken at one address', async () => {
  own = ['10.0.0.1', '10.0.0.2'];
  trouble.set('10.0.0.2', 'in_use');
  const once = async (address: Endpoint): Promise<TransportListener> => {
    try {
      return await open(address);
    } finally {
      if (address.host === '10.0.0.2') trouble.clear();
    }
  };
  listener = await listenAtEveryAddress({ port: 0, open: once, addresses: async () => own });
  expect(opened).toEqual(['10.0.0.1 40000', '10.0.0.1 40001', '10.0.0.2 40001']);
  expect(stopped).toEqual(['10.0.0.1']);
});

test('listenAtEveryAddress() is of no use where the addresses cannot be told', async () => {
  own = null;
  expect(await listening(0)).toBeNull();
});

test('ownAddresses() has this machine itself, and no address that holds on one link alone', async () => {
  const addresses = await ownAddresses();
  if (addresses === null) return;
  expect(addresses).toContain('127.0.0.1');
  expect(addresses.filter((address) => address.startsWith('fe80:'))).toEqual([]);
});
