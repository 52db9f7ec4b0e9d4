import { describe, expect, test } from 'bun:test';
import { noRequirement } from '../../../src/core/task.ts';
import { type Beacon, beaconExpiryMs } from '../../../src/discovery/beacon.ts';
import { bloomOf } from '../../../src/discovery/bloom.ts';
import { PeerTable, peersMax } from '../../../src/discovery/peer-table.ts';
import { blobNamed, sampleBeacon } from './beacon-samples.ts';

const from = { address: '192.168.1.20', port: 40_000 };

function tableOf(...beacons: Partial<Beacon>[]): PeerTable {
  const table = new PeerTable();
  for (const beacon of beacons) table.heard(sampleBeacon(beacon), from, 0);
  return table;
}

describe('PeerTable.heard()', () => {
  test('tells a new node from one whose offer changed and one whose load did', () => {
    const table = new PeerTable();
    expect(table.heard(sampleBeacon(), from, 0)).toBe('new');
    expect(table.heard(sampleBeacon({ load1: 3 }), from, 1)).toBe('same');
    expect(table.heard(sampleBeacon({ slotsFree: 0 }), from, 2)).toBe('changed');
    expect(table.heard(sampleBeacon({ slotsFree: 0, draining: true }), from, 3)).toBe('changed');
    expect(table.size).toBe(1);
  });

  test('keeps the round trip that was measured last', () => {
    const table = new PeerTable();
    table.heard(sampleBeacon(), from, 0, 1.5);
    table.heard(sampleBeacon(), from, 1);
    expect(table.get(sampleBeacon().id)?.roundTripMs).toBe(1.5);
  });

  test('drops who was heard longest ago when the table is full', () => {
    const table = new PeerTable();
    for (let n = 0; n < peersMax; n++) table.heard(sampleBeacon({ id: `node-${n}` }), from, n);
    table.heard(sampleBeacon({ id: 'node-0' }), from, peersMax);
    table.heard(sampleBeacon({ id: 'one-more' }), from, peersMax + 1);
    expect(table.size).toBe(peersMax);
    expect(table.get('node-0')).toBeDefined();
    expect(table.get('node-1')).toBeUndefined();
  });
});

describe('PeerTable', () => {
  test('expire() drops who was silent for 15 seconds, and tells who', () => {
    const table = tableOf({ id: 'old' });
    table.heard(sampleBeacon({ id: 'young' }), from, 10);
    expect(table.expire(beaconExpiryMs - 1)).toEqual([]);
    expect(table.expire(beaconExpiryMs).map(({ id }) => id)).toEqual(['old']);
    expect(table.all().map(({ id }) => id)).toEqual(['young']);
  });

  test('left() drops a node at once', () => {
    const table = tableOf({ id: 'a' });
    expect(table.left('a')?.id).toBe('a');
    expect(table.left('a')).toBeUndefined();
    expect(table.size).toBe(0);
  });

  test('all() is in the order of names, then ids', () => {
    const table = tableOf({ id: '2', name: 'b' }, { id: '3', name: 'a' }, { id: '1', name: 'b' });
    expect(table.all().map(({ id }) => id)).toEqual(['3', '1', '2']);
  });
});

describe('PeerTable.ranked()', () => {
  test('puts the largest share of free slots first, then the lowest load a core, then the id', () => {
    const table = tableOf(
      { id: 'half', slots: 4, slotsFree: 2 },
      { id: 'loaded', slots: 2, slotsFree: 2, load1: 4, cpuCores: 2 },
      { id: 'unknown', slots: 2, slotsFree: 2, load1: null, cpuCores: 2 },
      { id: 'z-idle', slots: 1, slotsFree: 1, load1: 0 },
      { id: 'a-idle', slots: 1, slotsFree: 1, load1: 0 },
    );
    expect(table.ranked(noRequirement).map(({ id }) => id)).toEqual(['a-idle', 'z-idle', 'unknown', 'loaded', 'half']);
    expect(table.best(noRequirement)?.id).toBe('a-idle');
  });

  const unfit: [string, Partial<Beacon>][] = [
    ['a dispatcher', { role: 'dispatcher' }],
    ['one that takes no peers', { peerPort: null }],
    ['one that drains', { draining: true }],
    ['one without a free slot', { slotsFree: 0 }],
    ['one with too few cores', { cpuCores: 1 }],
    ['one with too little memory', { memoryMb: 512 }],
    ['one without a GPU', { gpu: 0 }],
    ['one of another platform', { platform: 'darwin' }],
    ['one of another architecture', { arch: 'x64' }],
    ['one without the label', { labels: {} }],
  ];
  const requires = {
    ...noRequirement,
    ...{ cpuCores: 2, memoryMb: 1024, gpu: 1, platform: 'linux', arch: 'arm64', labels: { zone: 'attic' } },
  };

  test.each(unfit)('leaves out %s', (_, beacon) => {
    expect(tableOf({}).best(requires)).not.toBeNull();
    expect(tableOf(beacon).best(requires)).toBeNull();
  });
});

describe('PeerTable.holdersOf()', () => {
  test('names workers whose filter affirms the blob, the nearest first', () => {
    const blob = blobNamed(1);
    const blobs = bloomOf([blob]);
    const table = tableOf({ id: 'far', blobs }, { id: 'without' }, { id: 'closed', blobs, peerPort: null });
    table.heard(sampleBeacon({ id: 'near', blobs }), from, 0, 0.4);
    expect(table.holdersOf(blob).map(({ id }) => id)).toEqual(['near', 'far']);
  });
});
