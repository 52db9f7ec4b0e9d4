/** Beacons on the loopback interface alone, for tests: nodes of one port, and datagrams of strangers to it. */

import { createSocket, type Socket } from 'node:dgram';
import type { Beacon } from '../../src/discovery/beacon.ts';
import type { BeaconKey } from '../../src/discovery/beacon-seal.ts';
import type { PeerAddress } from '../../src/discovery/peer-table.ts';
import type { BeaconNode } from '../../src/ports/discovery.ts';
import type { Clock } from '../../src/ports/time.ts';
import { openBeacons } from '../../src/runtime/beacons.ts';
import { systemClock, systemRandom } from '../../src/runtime/clock.ts';
import { sampleBeacon, sampleKey } from '../unit/discovery/beacon-samples.ts';

/** A UDP port nobody uses just now. */
export async function freeUdpPort(): Promise<number> {
  const socket = await boundSocket();
  const { port } = socket.address();
  socket.close();
  return port;
}

/** A socket on a free port of the loopback interface. */
export async function boundSocket(): Promise<Socket> {
  const socket = createSocket('udp4');
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.bind(0, '127.0.0.1', resolve);
  await promise;
  return socket;
}

/** What a node of a test may be told. */
export interface NodeWish {
  readonly id: string;
  readonly port: number;
  readonly keys?: () => readonly BeaconKey[];
  readonly beacon?: () => Partial<Beacon> | null;
  readonly known?: readonly PeerAddress[];
  readonly clock?: Clock;
}

const open: BeaconNode[] = [];

/** A node that hears and sends by `lo` alone. */
export async function openNode({ id, port, keys, beacon, known, clock }: NodeWish): Promise<BeaconNode> {
  const node = openBeacons({
    ...{ id, port, interfaces: ['lo'], known: known ?? [], clock: clock ?? systemClock, random: systemRandom },
    keys: keys ?? (() => [sampleKey(1)]),
    self: () => {
      const own = beacon === undefined ? {} : beacon();
      return own === null ? null : { ...sampleBeacon({ id, name: id }), ...own };
    },
    onChange: () => {},
  });
  open.push(node);
  await node.opened;
  return node;
}

/** For `afterEach`. */
export async function closeNodes(): Promise<void> {
  await Promise.all(open.splice(0).map((node) => node.close()));
}

/** Ids of those a node knows, in order. */
export function idsOf(node: BeaconNode): string[] {
  return node.peers.all().map(({ id }) => id);
}
