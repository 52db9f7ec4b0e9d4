/** Beacons as tests need them. */

import type { Beacon } from '../../../src/discovery/beacon.ts';
import type { BeaconHead, BeaconMessage } from '../../../src/discovery/beacon-messages.ts';
import { encodeBeaconMessage } from '../../../src/discovery/beacon-messages.ts';
import { type BeaconKey, bodyBytesMax, sealBeacon, type Way } from '../../../src/discovery/beacon-seal.ts';
import { createPortableCrypto } from '../../../src/wire/crypto-portable.ts';

export const portableCrypto = createPortableCrypto((count) => crypto.getRandomValues(new Uint8Array(count)));
export const wallMs = Date.UTC(2026, 10, 21, 12);

export function sampleBeacon(changes: Partial<Beacon> = {}): Beacon {
  return {
    id: '00112233aabbccdd',
    publicKey: 'ab'.repeat(32),
    name: 'attic-pi',
    role: 'worker',
    version: '1.2.3',
    protocol: 4,
    addresses: ['192.168.1.20', 'fd79::20'],
    peerPort: 7879,
    slots: 4,
    slotsFree: 3,
    waiting: 2,
    cpuCores: 3.5,
    memoryMb: 8192,
    memoryFreeMb: 4096,
    gpu: 1,
    load1: 0.25,
    labels: { zone: 'attic' },
    platform: 'linux',
    arch: 'arm64',
    draining: false,
    blobs: new Uint8Array(0),
    ...changes,
  };
}

export function sampleHead(changes: Partial<BeaconHead> = {}): BeaconHead {
  return { id: '00112233aabbccdd', startedAt: wallMs - 60_000, sequence: 7, sentAt: wallMs, ...changes };
}

export function beaconMessage(head: Partial<BeaconHead> = {}, beacon: Partial<Beacon> = {}): BeaconMessage {
  const full = sampleHead(head);
  return { kind: 'beacon', head: full, answers: null, beacon: sampleBeacon({ id: full.id, ...beacon }) };
}

/** A key of a cluster; another number, another cluster. */
export function sampleKey(number: number): BeaconKey {
  return { id: new Uint8Array(4).fill(number), key: new Uint8Array(32).fill(number) };
}

/** A datagram as it would arrive. */
export function sampleDatagram(message: BeaconMessage, key = sampleKey(1), way: Way = 'multicast'): Uint8Array {
  return sealBeacon(portableCrypto, key, way, encodeBeaconMessage(message, bodyBytesMax));
}

/** The name of a blob. */
export function blobNamed(number: number): string {
  return `sha256:${new Bun.CryptoHasher('sha256').update(String(number)).digest('hex')}`;
}
