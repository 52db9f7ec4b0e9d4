import { describe, expect, test } from 'bun:test';
import {
  type BeaconMessage,
  decodeBeaconMessage,
  encodeBeaconMessage,
} from '../../../src/discovery/beacon-messages.ts';
import { bodyBytesMax } from '../../../src/discovery/beacon-seal.ts';
import { bloomCapacity, bloomHas, bloomOf } from '../../../src/discovery/bloom.ts';
import { decodeCbor, encodeCbor } from '../../../src/wire/cbor.ts';
import { beaconMessage, blobNamed, sampleHead } from './beacon-samples.ts';

const roundTrip = (message: BeaconMessage): BeaconMessage | null =>
  decodeBeaconMessage(encodeBeaconMessage(message, bodyBytesMax));

describe('decodeBeaconMessage()', () => {
  test('reads back what was encoded', () => {
    const beacon = beaconMessage(
      {},
      { blobs: bloomOf([blobNamed(1)]), peerPort: null, load1: null, memoryFreeMb: null },
    );
    const answer: BeaconMessage = {
      ...beaconMessage(),
      answers: { id: 'asking-1', sequence: 3, delayMs: 12 },
    } as BeaconMessage;
    const messages: BeaconMessage[] = [
      beacon,
      answer,
      { kind: 'ask', head: sampleHead() },
      { kind: 'goodbye', head: sampleHead() },
    ];
    for (const message of messages) expect(roundTrip(message)).toEqual(message);
  });

  const wrong: [string, number, unknown][] = [
    ['a kind that is none', 0, 'hello'],
    ['an id with a slash', 1, '../x'],
    ['a sequence below 0', 3, -1],
    ['an instant that is text', 4, 'now'],
    ['an answer to nobody', 5, []],
    ['a short key', 6, new Uint8Array(31)],
    ['a name with a line break', 7, 'a\nb'],
    ['a role that is none', 8, 'admin'],
    ['an address that is a name', 11, ['evil.example']],
    ['too many addresses', 11, Array(9).fill('10.0.0.1')],
    ['port 0', 12, 0],
    ['more slots free than there are', 14, 5],
    ['a load below 0', 20, -1],
    ['labels that are text', 21, 'zone=attic'],
    ['draining that is a number', 24, 1],
    ['a filter of 17 bytes', 25, new Uint8Array(17)],
    ['a filter of 1024 bytes', 25, new Uint8Array(1024)],
  ];

  test.each(wrong)('takes no message with %s', (_, at, value) => {
    const row = decodeCbor(encodeBeaconMessage(beaconMessage(), bodyBytesMax)) as unknown[];
    expect(decodeBeaconMessage(encodeCbor(row))).not.toBeNull();
    expect(decodeBeaconMessage(encodeCbor(row.with(at, value)))).toBeNull();
  });

  test('takes nothing that is cut short, longer, or no CBOR', () => {
    const bytes = encodeBeaconMessage(beaconMessage(), bodyBytesMax);
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeBeaconMessage(bytes.slice(0, length))).toBeNull();
    }
    expect(decodeBeaconMessage(new Uint8Array([...bytes, 0]))).toBeNull();
    expect(decodeBeaconMessage(new Uint8Array(64).fill(0xff))).toBeNull();
  });
});

describe('encodeBeaconMessage()', () => {
  test('folds the filter when it does not fit, and the half still affirms every blob', () => {
    const blobs = Array.from({ length: bloomCapacity(512) }, (_, n) => blobNamed(n));
    const message = beaconMessage({}, { blobs: bloomOf(blobs) });
    const decoded = decodeBeaconMessage(encodeBeaconMessage(message, 500));
    if (decoded?.kind !== 'beacon') throw new Error('no beacon came back');
    expect(decoded.beacon.blobs.length).toBe(256);
    expect(blobs.every((blob) => bloomHas(decoded.beacon.blobs, blob))).toBe(true);
  });

  test('cuts the largest beacon there can be until it fits', () => {
    const labels = Object.fromEntries(
      Array.from({ length: 500 }, (_, n) => [`label-${String(n).padStart(3, '0')}`, 'é'.repeat(255)]),
    );
    const bytes = encodeBeaconMessage(
      beaconMessage({}, { labels, name: 'n'.repeat(64), addresses: Array(8).fill(`fd79:${'1234:'.repeat(6)}1`) }),
      bodyBytesMax,
    );
    expect(bytes.length).toBeLessThanOrEqual(bodyBytesMax);
    const decoded = decodeBeaconMessage(bytes);
    expect(decoded?.kind === 'beacon' && Object.keys(decoded.beacon.labels)[0]).toBe('label-000');
  });
});
