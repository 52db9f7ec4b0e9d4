import { expect, test } from 'bun:test';
import type { Beacon } from '../../../src/discovery/beacon.ts';
import { PeerTable } from '../../../src/discovery/peer-table.ts';
import { peersTable } from '../../../src/roles/peers-view.ts';

const beacon: Beacon = {
  ...{ id: '0123456789abcdef', name: 'attic', publicKey: 'a', version: '0', protocol: 1, role: 'worker' },
  ...{ addresses: [], peerPort: 7879, slots: 4, slotsFree: 4, waiting: 0, draining: false, cpuCores: 4 },
  ...{ memoryMb: 24_103, gpu: 0, labels: { zone: 'attic' }, load1: 1.5, memoryFreeMb: 20_000, platform: 'linux' },
  ...{ arch: 'x64', blobs: new Uint8Array(0) },
};

function table(width: number | null, name = 'attic'): string {
  const peers = new PeerTable();
  peers.heard({ ...beacon, name }, { address: '192.168.178.101', port: 5555 }, 0);
  return peersTable(peers.all(), { steady: 1000, wall: 0 }, width);
}

test('peersTable() says on a narrow terminal who is there, where, and whether it takes work', () => {
  expect(table(40)).toBe('NAME   STATE  ADDRESS\nattic  ready  192.168.178.101:7879\n');
  for (const width of [40, 60, 80, 120]) {
    const lines = table(width, 'a-name-that-is-longer-than-most-names-are').split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(lines[1]).toContain('192.168.178.101:7879');
  }
  expect(table(80)).toContain('4/4');
});

test('peersTable() leaves nothing out where nobody looks', () => {
  expect(table(null)).toMatch(/LABELS\n.*0123456789abcdef {2}zone=attic\n$/);
});
