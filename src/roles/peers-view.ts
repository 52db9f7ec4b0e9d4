/** What `peers` shows: a table for people, JSON as other commands give it, ids alone, and lines of what changed. */

import { formatDuration } from '../base/duration.ts';
import { type Column, renderTable } from '../cli/table.ts';
import { type ClockSkew, clockToleranceMs } from '../discovery/beacon-ear.ts';
import type { Peer } from '../discovery/peer-table.ts';
import type { BeaconNode } from '../ports/discovery.ts';
import { placeOf } from '../runtime/addresses.ts';

/** An address is of little use when its port is cut off. */
const addressLeast = '255.255.255.255:65535'.length;

/** On a narrow terminal those go first that are not needed to reach and to tell apart who is there. */
const columns: readonly Column[] = [
  { title: 'NAME', flexible: true, least: 8 },
  { title: 'ROLE', spare: 1 },
  { title: 'STATE' },
  { title: 'ADDRESS', flexible: true, least: addressLeast },
  { title: 'SLOTS FREE', align: 'right', spare: 2 },
  { title: 'WAITING', align: 'right', spare: 9 },
  { title: 'CPUS', align: 'right', spare: 3 },
  { title: 'MEMORY MB FREE', align: 'right', spare: 4 },
  { title: 'GPUS', align: 'right', spare: 8 },
  { title: 'LOAD', align: 'right', spare: 6 },
  { title: 'HEARD', align: 'right', spare: 7 },
  { title: 'ID', flexible: true, spare: 10 },
  { title: 'LABELS', flexible: true, spare: 5 },
];

/** Instants at the moment of showing: steady and wall ms. */
export interface Now {
  readonly steady: number;
  readonly wall: number;
}

/** `host:port` where it takes peers or workers, the bare address where it takes none. */
function addressOf({ beacon, from }: Peer): string {
  return beacon.peerPort === null ? from.address : placeOf(from.address, beacon.peerPort);
}

/** A worker takes work (`ready`), has no room (`busy`), or takes none (`draining`); a dispatcher is just there. */
export function stateOf({ beacon }: Peer): 'ready' | 'busy' | 'draining' {
  if (beacon.draining) return 'draining';
  return beacon.role === 'worker' && beacon.slotsFree === 0 ? 'busy' : 'ready';
}

/** The table, `width` cells wide; null = as wide as it needs. */
export function peersTable(peers: readonly Peer[], now: Now, width: number | null): string {
  const rows = peers.map((peer) => {
    const { beacon } = peer;
    const free = beacon.memoryFreeMb === null ? '?' : String(beacon.memoryFreeMb);
    return [
      beacon.name,
      beacon.role,
      stateOf(peer),
      addressOf(peer),
      beacon.role === 'dispatcher' ? '' : `${beacon.slotsFree}/${beacon.slots}`,
      String(beacon.waiting),
      String(beacon.cpuCores),
      `${free}/${beacon.memoryMb}`,
      String(beacon.gpu),
      beacon.load1 === null ? '' : beacon.load1.toFixed(2),
      formatDuration(now.steady - peer.heardAt),
      peer.id,
      Object.entries(beacon.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ];
  });
  return renderTable(columns, rows, { width, textWidth: (text) => Bun.stringWidth(text) });
}

/** A peer in JSON: snake_case, units last, times in ISO 8601. */
export function peerJson(peer: Peer, now: Now): Readonly<Record<string, unknown>> {
  const { beacon, from } = peer;
  return {
    id: peer.id,
    name: beacon.name,
    role: beacon.role,
    status: stateOf(peer),
    address: from.address,
    peer_port: beacon.peerPort,
    addresses: beacon.addresses,
    public_key: beacon.publicKey,
    version: beacon.version,
    protocol: beacon.protocol,
    slots: beacon.slots,
    slots_free: beacon.slotsFree,
    waiting: beacon.waiting,
    draining: beacon.draining,
    cpu_cores: beacon.cpuCores,
    memory_mb: beacon.memoryMb,
    memory_free_mb: beacon.memoryFreeMb,
    gpu: beacon.gpu,
    load1: beacon.load1,
    labels: beacon.labels,
    platform: beacon.platform,
    arch: beacon.arch,
    round_trip_ms: peer.roundTripMs === null ? null : Math.round(peer.roundTripMs * 10) / 10,
    heard_at: new Date(now.wall - (now.steady - peer.heardAt)).toISOString(),
  };
}

/** Everything that was found out, in JSON. */
export function peersJson(node: Pick<BeaconNode, 'peers' | 'skews' | 'interfaces' | 'counts'>, now: Now): string {
  const value = {
    peers: node.peers.all().map((peer) => peerJson(peer, now)),
    clock_skews: node.skews.map(({ id, name, from, differenceMs }) => ({
      ...{ id, name, address: from.address },
      difference_ms: differenceMs,
    })),
    interfaces: node.interfaces,
    datagrams: node.counts,
    problems: hindrances(node),
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** What stood in the way. */
export interface Hindrance {
  readonly name:
    | 'clock_differs'
    | 'no_interface'
    | 'other_cluster'
    | 'version_differs'
    | 'socket_not_opened'
    | 'nobody_heard';
  /** With what helps. */
  readonly sentence: string;
}

/** Everything that stood in the way of hearing others. */
export function hindrances(node: Pick<BeaconNode, 'peers' | 'skews' | 'interfaces' | 'counts'>): readonly Hindrance[] {
  const { counts, interfaces, peers, skews } = node;
  const { other_cluster: foreign = 0, version = 0, open_failed: openFailed = 0 } = counts;
  const all: readonly (Hindrance & { readonly holds: boolean })[] = [
    ...skews.map((skew) => ({ name: 'clock_differs', sentence: skewSentence(skew), holds: true }) as const),
    {
      name: 'no_interface',
      holds: interfaces.length === 0,
      sentence:
        'There is no network interface to listen on: none that --interface names is there, or none leads to other devices. "octaskly doctor net" lists them.',
    },
    {
      name: 'other_cluster',
      holds: foreign > 0,
      sentence: 'Nodes of another cluster were heard, whose secret is not the one in this data directory.',
    },
    {
      name: 'version_differs',
      holds: version > 0,
      sentence: 'Datagrams of another version of Octaskly were heard; update the older one.',
    },
    {
      name: 'socket_not_opened',
      holds: openFailed > 0 && peers.size === 0,
      sentence: 'Not every socket could be opened; "octaskly doctor net" says what is in the way.',
    },
    {
      name: 'nobody_heard',
      holds: peers.size === 0,
      sentence: 'Nobody was heard. "octaskly doctor net" says what may be in the way.',
    },
  ];
  return all.filter(({ holds }) => holds).map(({ name, sentence }) => ({ name, sentence }));
}

function skewSentence({ id, name, from, differenceMs }: ClockSkew): string {
  const side = differenceMs > 0 ? 'ahead of' : 'behind';
  return `"${name}" (${id}) at ${from.address} is not believed: its clock is ${formatDuration(Math.abs(differenceMs))} ${side} this machine's, and they may differ by ${formatDuration(clockToleranceMs)}. Set both right.`;
}

/** One line on a peer that came or changed, for `--watch` where nothing can be redrawn. */
export function changeLine(peer: Peer, what: 'new' | 'changed' | 'gone', now: Now): string {
  const { beacon } = peer;
  const slots = beacon.role === 'worker' && what !== 'gone' ? `  ${beacon.slotsFree}/${beacon.slots} slots free` : '';
  const state = what === 'gone' ? '' : `  ${stateOf(peer)}`;
  return `${new Date(now.wall).toISOString()}  ${what.padEnd(7)}  ${beacon.name}  ${beacon.role}  ${addressOf(peer)}${state}${slots}\n`;
}
