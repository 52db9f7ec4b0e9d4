/**
 * The network interfaces of this machine that lead to other devices, and how they come and go. Found by asking again
 * twice a second: that takes 0.06 ms, works everywhere, and also notices addresses that changed while the interface stayed.
 *
 * Where the system keeps the list to itself (Android gives it to no app), the address from which a packet to a group
 * would leave stands in for it, as an interface named `default`.
 */

import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import type { NetworkInterface } from '../ports/discovery.ts';
import type { Clock, Timer } from '../ports/time.ts';
import { leftOut } from './interface-kinds.ts';
import { broadcastOf, isLoopback, zoned } from './networks.ts';
import { numberOf } from './small-files.ts';

/** How often the interfaces are read again, ms. */
const scanIntervalMs = 500;

/** Most interfaces that are used; a machine with more has them from software, and lists them in no useful order. */
const interfacesMax = 16;

/** Name of the interface that stands for all when the system names none. */
export const unnamedInterface = 'default';

/** Bits of the network when only an address is known: what nearly every home network has. */
const guessedPrefix = 24;

/** An interface that is up, and whether it is used. */
export interface SurveyedInterface extends NetworkInterface {
  /** Why it is left out, in words; null = it is used. */
  readonly leftOut: string | null;
}

const pointToPointFlag = 0x10;

function sysfs(name: string, file: string): number | null {
  return numberOf(`/sys/class/net/${name}/${file}`);
}

/** Linux shows so that an interface is a port of a bridge, or one of the lines of a bond. */
function isMember(name: string): boolean {
  return ['brport', 'bonding_slave'].some((sign) => existsSync(`/sys/class/net/${name}/${sign}`));
}

function prefixOf({ cidr }: NetworkInterfaceInfo): number {
  return Number(cidr?.split('/')[1] ?? guessedPrefix);
}

function surveyed(name: string, entries: readonly NetworkInterfaceInfo[], named: readonly string[]): SurveyedInterface {
  const scope = entries.find((entry) => entry.family === 'IPv6' && entry.scopeid > 0);
  const flags = process.platform === 'linux' || process.platform === 'android' ? sysfs(name, 'flags') : null;
  return {
    name,
    index: sysfs(name, 'ifindex') ?? (scope?.family === 'IPv6' ? scope.scopeid : 0),
    addresses: entries.map((entry) => ({
      family: entry.family === 'IPv4' ? 4 : 6,
      address: zoned(entry.address).address,
      prefix: prefixOf(entry),
      broadcast: broadcastOf(entry.address, prefixOf(entry)),
    })),
    leftOut: leftOut(
      {
        name,
        loopback: entries.some(({ internal }) => internal),
        pointToPoint: flags === null ? null : (flags & pointToPointFlag) !== 0,
        member: isMember(name),
      },
      named,
    ),
  };
}

function listed(): Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>> {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}

/** From which address a packet to `target` would leave; null = there is no way to it. Nothing is sent. */
async function ownAddressTowards(target: string): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const socket = createSocket('udp4');
  socket.on('error', () => resolve(null));
  try {
    socket.connect(9, target, () => resolve(socket.address().address));
    return await promise;
  } catch {
    return null;
  } finally {
    socket.close();
  }
}

/** The one interface that can be told without a list, by its address; none when there is no network. */
export async function unlisted(): Promise<readonly SurveyedInterface[]> {
  // A group first: that is where the packets are to go. The others stand for the networks of homes.
  for (const target of ['224.0.0.251', '192.168.255.254', '10.255.255.254']) {
    const address = await ownAddressTowards(target);
    if (address === null || address === '0.0.0.0' || isLoopback(address)) continue;
    const broadcast = broadcastOf(address, guessedPrefix);
    const addresses = [{ family: 4 as const, address, prefix: guessedPrefix, broadcast }];
    return [{ name: unnamedInterface, index: 0, addresses, leftOut: null }];
  }
  return [];
}

/** Every interface that is up and has an address, in the order of names; `named`: see `leftOut`. Never rejects. */
export async function surveyInterfaces(named: readonly string[]): Promise<readonly SurveyedInterface[]> {
  const found = Object.entries(listed()).map(([name, entries]) => surveyed(name, entries ?? [], named));
  // Android's list is empty, or holds this machine alone.
  if (!found.some(({ addresses }) => addresses.some(({ address }) => !isLoopback(address)))) {
    return [...found, ...(await unlisted())];
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The interfaces that are used. Never rejects. */
export async function usableInterfaces(named: readonly string[]): Promise<readonly NetworkInterface[]> {
  const all = await surveyInterfaces(named);
  return all.filter((each) => each.leftOut === null && each.addresses.length > 0).slice(0, interfacesMax);
}

/** Calls `onScan` half a second after it came back with the interfaces that are used then, until it is stopped. */
export function followInterfaces(
  { clock, named }: { readonly clock: Clock; readonly named: readonly string[] },
  onScan: (interfaces: readonly NetworkInterface[]) => Promise<void>,
): { stop(): void } {
  let stopped = false;
  let timer: Timer;
  const scan = async (): Promise<void> => {
    const interfaces = await usableInterfaces(named);
    if (stopped) return;
    await onScan(interfaces);
    if (stopped) return;
    timer = clock.after(scanIntervalMs, () => void scan());
  };
  timer = clock.after(scanIntervalMs, () => void scan());
  return {
    stop: () => {
      stopped = true;
      timer.cancel();
    },
  };
}
