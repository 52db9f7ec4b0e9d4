/**
 * Sends the packets that wake sleeping machines, from each of this machine's networks; and tells how this machine itself
 * can be woken. Never rejects: what could not leave is said in the log, and not counted.
 *
 * Linux tells whether a card is set to listen (`power/wakeup`, as `ethtool -s … wol g` sets it); others do not.
 */

import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { hostOf, isLoopbackHost } from '../base/place.ts';
import { type WakeAddress, wakeAddressesMax } from '../core/worker.ts';
import { type OwnNetwork, wakePackets, wakePort } from '../discovery/magic-packet.ts';
import type { Clock, Log } from '../ports/time.ts';
import { usableInterfaces } from './interfaces.ts';
import { textOf } from './small-files.ts';
import { openUdp, type UdpSocket } from './udp.ts';

/** How often each packet is sent, and how far apart: any one may be lost. */
const copies = 3;
const apartMs = 100;

/** Sends to the networks of the interfaces in `named`, or of all that lead to others; gives the packets that left. */
export function createWaker({ clock, log, named }: { clock: Clock; log: Log; named: readonly string[] }) {
  return async (by: readonly WakeAddress[]): Promise<number> => {
    const packets = wakePackets(by, await ownNetworks(named));
    const sockets = new Map<string, UdpSocket | null>();
    for (const { network } of packets) {
      if (!sockets.has(network.address)) sockets.set(network.address, await openSender(network, log));
    }
    let left = 0;
    for (let copy = 0; copy < copies; copy++) {
      if (copy > 0) await new Promise<void>((resolve) => void clock.after(apartMs, resolve));
      for (const { network, bytes } of packets) {
        const failure = await sent(sockets.get(network.address) ?? null, bytes, network.broadcast);
        if (failure === null) left += 1;
        else log.warn('a packet to wake a worker could not leave', { from: network.address, reason: failure });
      }
    }
    await Promise.all([...sockets.values()].map((socket) => socket?.close()));
    return left;
  };
}

async function ownNetworks(named: readonly string[]): Promise<OwnNetwork[]> {
  const interfaces = await usableInterfaces(named);
  return interfaces.flatMap(({ addresses }) =>
    addresses.flatMap(({ address, broadcast }) => (broadcast === null ? [] : [{ address, broadcast }])),
  );
}

async function openSender({ address }: OwnNetwork, log: Log): Promise<UdpSocket | null> {
  const onTrouble = (what: string): void => log.debug('waking', { trouble: what });
  const socket = await openUdp({ family: 4, address, port: 0, onPacket: () => undefined, onTrouble });
  socket?.attempt('to allow broadcasts', (each) => each.setBroadcast(true));
  return socket;
}

function sent(socket: UdpSocket | null, bytes: Uint8Array, address: string): Promise<string | null> {
  if (socket === null) return Promise.resolve('no socket could be opened there');
  return new Promise((resolve) => socket.send(bytes, { address, port: wakePort }, resolve));
}

/**
 * The cards by which whoever is at `remote` (`host:port`) can wake this machine: those that lead to others; none where that
 * is this machine itself. `sysfs` is where /sys is mounted.
 */
export async function ownWakeAddresses(
  named: readonly string[],
  remote: string,
  sysfs = '/sys',
): Promise<readonly WakeAddress[]> {
  const used = await usableInterfaces(named);
  const host = hostOf(remote);
  const isHere = used.some(({ addresses }) => addresses.some(({ address }) => address === host));
  if (isHere || isLoopbackHost(host)) return [];
  const cards = readCards();
  const found = used.flatMap(({ name, addresses }) => {
    const mac = cards.get(name);
    if (mac === undefined) return [];
    const broadcast = addresses.find((each) => each.broadcast !== null)?.broadcast ?? null;
    return [{ mac, broadcast, armed: isArmed(join(sysfs, 'class/net', name)) }];
  });
  return found.slice(0, wakeAddressesMax);
}

/** Addresses of cards by the names of their interfaces. */
function readCards(): ReadonlyMap<string, string> {
  try {
    const entries = Object.entries(networkInterfaces()).flatMap(([name, list]) => {
      const mac = list?.[0]?.mac.toLowerCase();
      return mac === undefined || !/[1-9a-f]/.test(mac) ? [] : [[name, mac] as const];
    });
    return new Map(entries);
  } catch {
    return new Map();
  }
}

function isArmed(folder: string): boolean | null {
  const said = textOf(join(folder, 'device/power/wakeup'));
  return said === 'enabled' ? true : said === 'disabled' ? false : null;
}
