/** Multicast on loopback alone: nothing leaves this machine. Networks with several hosts are in `test/network`. */

import { afterEach, describe, expect, test } from 'bun:test';
import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { systemClock } from '../../src/runtime/clock.ts';
import {
  type Multicast,
  type MulticastOptions,
  type MulticastPacket,
  openMulticast,
} from '../../src/runtime/multicast.ts';
import { until } from '../e2e/site.ts';

const loopback =
  Object.entries(networkInterfaces()).find(([, all]) => all?.some(({ internal }) => internal))?.[0] ?? 'lo';
const open: Multicast[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

/** A port no socket has just now. */
async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  socket.close();
  return port;
}

async function opened(options: Partial<MulticastOptions>): Promise<{ node: Multicast; heard: MulticastPacket[] }> {
  const heard: MulticastPacket[] = [];
  const node = openMulticast({
    group4: '239.255.77.77',
    group6: 'ff02::4f4f',
    port: 0,
    sendFrom: 'free-port',
    join: true,
    hops: 1,
    interfaces: [loopback],
    clock: systemClock,
    onPacket: (packet) => heard.push(packet),
    onLinkUp: () => undefined,
    onLinkDown: () => undefined,
    ...options,
  });
  open.push(node);
  await node.ready;
  return { node, heard };
}

const textOf = ({ bytes }: MulticastPacket): string => Buffer.from(bytes).toString();
const link = `${loopback}/4`;

describe('openMulticast()', () => {
  test('carries packets to the group, between several of one host and one port', async () => {
    const port = await freeUdpPort();
    const one = await opened({ port });
    const other = await opened({ port });
    one.node.toGroup(link, Buffer.from('to all'));
    for (const { heard } of [one, other]) await until('it is heard', () => heard.map(textOf).includes('to all'));
    expect(other.heard[0]).toMatchObject({ direct: false, link: { id: link }, from: { address: '127.0.0.1' } });
  });

  test('is answered at its sender, by one that was asked, without the port', async () => {
    const port = await freeUdpPort();
    const asked = await opened({ port });
    const asking = await opened({ port, join: false });
    asking.node.toGroup(link, Buffer.from('who is there'));
    await until('the question is heard', () => asked.heard.length > 0);
    const from = asked.heard[0]?.from ?? { address: '', port: 0 };
    expect(from.port).toBe(asking.node.links.find(({ id }) => id === link)?.source.port ?? -1);
    asked.node.toHost(null, from, Buffer.from('me'));
    await until('the answer is heard', () => asking.heard.length > 0);
    expect(asking.heard.map(textOf)).toEqual(['me']);
    expect(asking.heard[0]?.direct).toBe(true);
  });

  test('reaches a host right after another has turned a packet away', async () => {
    const [nobody, port] = [await freeUdpPort(), await freeUdpPort()];
    const there = await opened({ port });
    const asking = await opened({ port, join: false });
    for (let count = 0; count < 5; count += 1) {
      asking.node.toHost(null, { address: '127.0.0.1', port: nobody }, new Uint8Array([0]));
      asking.node.toHost(null, { address: '127.0.0.1', port }, new Uint8Array([count]));
    }
    await until('all have come', () => there.heard.length === 5);
  });

  test('closes once what was sent has left, and hears nothing any more', async () => {
    const port = await freeUdpPort();
    const listening = await opened({ port });
    const leaving = await opened({ port });
    for (let count = 0; count < 20; count += 1) leaving.node.toGroup(link, Buffer.from('bye'));
    await leaving.node.close();
    await until('all of it is heard', () => listening.heard.length === 20);
    const before = leaving.heard.length;
    listening.node.toGroup(link, Buffer.from('too late'));
    await until('the others hear it', () => listening.heard.map(textOf).includes('too late'));
    expect(leaving.heard.length).toBe(before);
    leaving.node.toGroup(link, Buffer.from('nor does it send'));
    await leaving.node.close();
  });

  test('waits without an interface, and says what did not work where a port is taken', async () => {
    const nowhere = await opened({ interfaces: ['no-such-interface'] });
    nowhere.node.toGroup('no-such-interface/4', Buffer.from('unheard'));
    nowhere.node.toHost(null, { address: '127.0.0.1', port: 9 }, Buffer.from('unheard'));
    expect(nowhere.node.links).toEqual([]);
    const taken = createSocket('udp4');
    await new Promise<void>((resolve) => taken.bind(0, '0.0.0.0', resolve));
    const { node } = await opened({ port: taken.address().port });
    expect(node.counts.openFailed).toBeGreaterThan(0);
    expect(node.trouble).toContain('EADDRINUSE');
    taken.close();
  });
});
