/**
 * The packet that wakes a sleeping machine, and where it has to go: six bytes of ones, then sixteen times the address of
 * the network card, which looks for that in any frame that reaches it. By UDP to port 9 (discard), as broadcast, since a
 * machine that sleeps answers no ARP.
 *
 * Pure. A worker tells its own network, but nobody sends where a worker says: only to broadcast addresses of this machine's
 * own networks. Deliberately not here: passwords (SecureOn). Reference: AMD, Magic Packet Technology (white paper 20213).
 */

import type { WakeAddress } from '../core/worker.ts';

export const wakePort = 9;
const repeats = 16;

/** An IPv4 network of this machine. */
export interface OwnNetwork {
  /** This machine's address in it. */
  readonly address: string;
  readonly broadcast: string;
}

/** A packet to be sent from `network.address` to `network.broadcast`. */
export interface WakePacket {
  readonly network: OwnNetwork;
  readonly bytes: Uint8Array;
}

/** 102 bytes. `mac` is `aa:bb:cc:dd:ee:ff`. */
export function magicPacket(mac: string): Uint8Array {
  const card = Uint8Array.fromHex(mac.replaceAll(':', ''));
  const packet = new Uint8Array(6 + repeats * card.length).fill(0xff, 0, 6);
  for (let i = 0; i < repeats; i++) packet.set(card, 6 + i * card.length);
  return packet;
}

/** The packets that call these cards: each in its own network where this machine is in it too, else in all. */
export function wakePackets(by: readonly WakeAddress[], networks: readonly OwnNetwork[]): WakePacket[] {
  return by.flatMap(({ mac, broadcast }) => {
    const shared = networks.filter((network) => network.broadcast === broadcast);
    const bytes = magicPacket(mac);
    return (shared.length > 0 ? shared : networks).map((network) => ({ network, bytes }));
  });
}
