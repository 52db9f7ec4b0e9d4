import { expect, test } from 'bun:test';
import { noDemand } from '../../../src/core/isolation.ts';
import type { Beacon } from '../../../src/discovery/beacon.ts';
import { PeerTable } from '../../../src/discovery/peer-table.ts';
import { whyNobody } from '../../../src/roles/p2p-refusal.ts';

const beacon = (name: string, differs: Partial<Beacon> = {}): Beacon => ({
  ...{ id: name, name, publicKey: name, version: '0', protocol: 1, role: 'worker', addresses: [], peerPort: 7879 },
  ...{ slots: 2, slotsFree: 2, waiting: 0, draining: false, cpuCores: 4, memoryMb: 4096, gpu: 0, labels: {} },
  ...{ load1: null, memoryFreeMb: null, platform: 'linux', arch: 'x64', blobs: new Uint8Array(0), ...differs },
});

interface How {
  /** All, where none are named. */
  readonly members?: readonly string[];
  /** A label is asked for. */
  readonly label?: boolean;
}

function why(beacons: readonly Beacon[], { members, label = false }: How = {}): string {
  const table = new PeerTable();
  for (const each of beacons) table.heard(each, { address: '192.0.2.1', port: 5555 }, 0);
  const labels = label ? { on: 'x' } : {};
  const amounts = { cpuCores: 0, memoryMb: 0, gpu: 0, platform: null, arch: null };
  return whyNobody(table, { ...amounts, labels, isolation: noDemand }, ({ id }) => members?.includes(id) ?? true);
}

const x = { labels: { on: 'x' } };

test.each([
  ['nobody is there', [], {}, 'No worker of the cluster was heard'],
  ['all want no peers', [beacon('a', { peerPort: null })], {}, 'The one worker heard takes no tasks of peers'],
  ['nobody is made for it', [beacon('a'), beacon('b')], { label: true }, 'None of the 2 workers heard is made'],
  [
    'the suited one wants no peers',
    [beacon('a'), beacon('b', { ...x, peerPort: null })],
    { label: true },
    'The one worker that could run it takes no tasks of peers (b): --p2p-enabled false holds there',
  ],
  [
    'the suited one is shut out',
    [beacon('a'), beacon('b', x)],
    { label: true, members: ['a'] },
    'The one worker that could run it is no member of the cluster, as far as this data directory knows: b.',
  ],
  [
    'all suited ones are shut out',
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => beacon(name)),
    { members: [] },
    'All 7 workers that could run it are no member of the cluster, as far as this data directory knows: a, b, c, d, e and 2 more.',
  ],
  ['it drains', [beacon('a', { draining: true })], {}, 'The one worker that could run it takes no new work just now'],
  [
    'all are busy',
    [beacon('a', { slotsFree: 0 }), beacon('b', { slotsFree: 0 })],
    {},
    'All 2 workers that could run it are busy',
  ],
] as const)('whyNobody() says so when %s', (_when, beacons, how, sentence) => {
  expect(why(beacons, how)).toStartWith(sentence);
});
