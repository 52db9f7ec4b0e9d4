import { describe, expect, test } from 'bun:test';
import { encodeBeaconMessage } from '../../../src/discovery/beacon-messages.ts';
import {
  beaconVersion,
  bodyBytesMax,
  datagramBytesMax,
  openBeacon,
  sealBeacon,
} from '../../../src/discovery/beacon-seal.ts';
import { nativeCrypto } from '../../../src/runtime/crypto.ts';
import { beaconMessage, portableCrypto, sampleDatagram, sampleKey } from './beacon-samples.ts';

const keys = [sampleKey(1), sampleKey(2)];

describe('openBeacon()', () => {
  test('gives back what was sealed, the way it was sent, and the key', () => {
    const body = encodeBeaconMessage(beaconMessage(), bodyBytesMax);
    const datagram = sealBeacon(nativeCrypto, sampleKey(2), 'calling', body);
    expect(openBeacon(portableCrypto, keys, datagram)).toEqual({ ok: true, way: 'calling', key: sampleKey(2), body });
  });

  test('finds every changed byte', () => {
    const datagram = sampleDatagram(beaconMessage());
    for (let at = 0; at < datagram.length; at++) {
      const changed = datagram.with(at, (datagram[at] ?? 0) ^ 1);
      expect(openBeacon(nativeCrypto, keys, changed).ok).toBe(false);
    }
  });

  test('tells another cluster, another version and no datagram apart', () => {
    const reason = (bytes: Uint8Array): unknown => {
      const opened = openBeacon(nativeCrypto, keys, bytes);
      return opened.ok || opened.reason;
    };
    const datagram = sampleDatagram(beaconMessage());
    expect(reason(sampleDatagram(beaconMessage(), sampleKey(3)))).toBe('other_cluster');
    expect(reason(sampleDatagram(beaconMessage(), { ...sampleKey(3), id: sampleKey(1).id }))).toBe('forged');
    expect(reason(datagram.with(0, beaconVersion + 1))).toBe('version');
    expect(reason(datagram.with(1, 9))).toBe('malformed');
    expect(reason(datagram.slice(0, 33))).toBe('malformed');
    expect(reason(new Uint8Array(datagramBytesMax + 1).fill(1))).toBe('malformed');
    expect(reason(new Uint8Array(0))).toBe('malformed');
  });
});

describe('sealBeacon()', () => {
  test('makes the largest body a datagram of 1200 bytes, and never the same twice', () => {
    const body = new Uint8Array(bodyBytesMax);
    const one = sealBeacon(nativeCrypto, sampleKey(1), 'multicast', body);
    expect(one).toHaveLength(datagramBytesMax);
    expect(sealBeacon(nativeCrypto, sampleKey(1), 'multicast', body)).not.toEqual(one);
  });
});
