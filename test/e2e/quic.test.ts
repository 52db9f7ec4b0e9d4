/** QUIC on loopback, by the compiled file: everything a worker does goes by it, and what stands in its way is said. */

import { afterEach, expect, test } from 'bun:test';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSites, openSite } from './site.ts';

afterEach(closeSites);

const overQuic = ['--transport', 'quic', '--p2p-enabled', 'false'];

test('a worker over QUIC takes input, standard input and cancellation, and gives output and files back', async () => {
  const site = openSite();
  await site.dispatcher(['--quic']);
  const pi = await site.worker('pi', overQuic);
  expect(pi.log()).toContain('QUIC is used');
  expect(pi.log()).not.toContain('Experimental');
  const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)))
    .toString('hex')
    .repeat(50);
  await Bun.write(site.path('in.txt'), bytes);
  const ran = await site.run(
    ['run', '--in', 'in.txt', '--out', 'out.txt', 'cat in.txt >out.txt; cat; echo oops >&2; exit 3'],
    {
      stdin: 'typed',
    },
  );
  expect([ran.status, ran.stdout.toString(), ran.stderr]).toEqual([3, 'typed', expect.stringContaining('oops')]);
  expect(await Bun.file(site.path('out.txt')).text()).toBe(bytes);
  const id = await site.text(['submit', 'sleep 60']);
  await site.until('it runs', async () => (await site.task(id)).status === 'running');
  await site.text(['cancel', id]);
  await site.until('it is cancelled', async () => (await site.task(id)).status === 'cancelled');
}, 40_000);

test('a join token, a new secret and a kick reach a worker over QUIC', async () => {
  const site = openSite();
  await site.dispatcher(['--quic']);
  const token = await site.text(['invite', '-o', 'quiet']);
  const pi = await site.start(['worker', '--name', 'pi', '--join', token, '--data-dir', site.path('pi'), ...overQuic]);
  await site.until('it has joined', () => pi.log().includes('Joined the dispatcher'));
  expect(pi.log()).toContain('QUIC is used');
  await site.text(['secret', 'rotate']);
  await site.until('it has the new one', () => pi.log().includes('this device has a new credential'));
  await site.text(['kick', 'pi']);
  expect((await pi.ended).status).toBe(1);
}, 30_000);

test('a dispatcher without --quic is joined by TCP, and the worker says why', async () => {
  const site = openSite();
  await site.dispatcher();
  const startedAt = performance.now();
  const pi = await site.worker('pi', overQuic);
  expect(performance.now() - startedAt).toBeLessThan(6000);
  expect(pi.log()).toMatch(/QUIC does not get through .*TCP is used instead .*no answer by UDP/);
}, 30_000);

test('a UDP port that is in use is named', async () => {
  const site = openSite();
  const socket = createSocket('udp4').bind(site.port, '127.0.0.1');
  await once(socket, 'listening');
  try {
    const ports = ['--port', `${site.port}`, '--api-port', `${site.apiPort}`];
    const { status, stderr } = await site.run(['dispatcher', '--quic', '--bind', '127.0.0.1', ...ports]);
    expect(status).toBe(1);
    expect(stderr).toContain(`UDP port ${site.port} is already in use`);
  } finally {
    socket.close();
  }
}, 30_000);
