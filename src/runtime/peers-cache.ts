/**
 * Whom a node heard last, in `peers.json` of its folder: asked first after a restart, before any group was heard. Only
 * where they were is kept; who they are they have to prove anew, so a file that is damaged or old costs nothing.
 */

import { join } from 'node:path';
import type { Peer, PeerAddress } from '../discovery/peer-table.ts';
import { readPrivate, writePrivate } from './data-dir.ts';

/** Most nodes kept: enough to find one that is still there. */
export const cachedPeersMax = 64;

/** A node as it was heard last. */
export interface CachedPeer extends PeerAddress {
  readonly id: string;
  readonly name: string;
}

const fileOf = (directory: string): string => join(directory, 'peers.json');

/** Those kept in a folder; none when there are none, or the file says nothing that can be used. */
export function readCachedPeers(directory: string): readonly CachedPeer[] {
  try {
    const value: unknown = JSON.parse(readPrivate(fileOf(directory)) ?? '{}');
    const peers = typeof value === 'object' && value !== null && 'peers' in value ? value.peers : [];
    return Array.isArray(peers) ? peers.filter(isCachedPeer).slice(0, cachedPeersMax) : [];
  } catch {
    return [];
  }
}

/** Keeps those heard now, and of those kept before as many as there is room for. Error: `io`. */
export function writeCachedPeers(directory: string, peers: readonly Peer[], before: readonly CachedPeer[]): void {
  const merged = mergedPeers(peers, before);
  writePrivate(fileOf(directory), JSON.stringify({ version: 1, peers: merged }, null, 2));
}

/** The most recently heard first, then those of `before` that were not heard. */
export function mergedPeers(peers: readonly Peer[], before: readonly CachedPeer[]): readonly CachedPeer[] {
  const heard = peers.toSorted((a, b) => b.heardAt - a.heardAt);
  const now = heard.map(({ id, beacon, from }) => ({ id, name: beacon.name, ...from }));
  const ids = new Set(now.map(({ id }) => id));
  return [...now, ...before.filter(({ id }) => !ids.has(id))].slice(0, cachedPeersMax);
}

/** Where these are to be asked: at the port they had, and at that of beacons, should they have been started anew. */
export function placesOf(peers: readonly CachedPeer[], discoveryPort: number): readonly PeerAddress[] {
  const places = peers.flatMap(({ address, port }) => [
    { address, port },
    { address, port: discoveryPort },
  ]);
  return [...new Map(places.map((place) => [`${place.address} ${place.port}`, place])).values()];
}

function isCachedPeer(value: unknown): value is CachedPeer {
  if (typeof value !== 'object' || value === null) return false;
  const { id, name, address, port } = value as Partial<Record<keyof CachedPeer, unknown>>;
  if (typeof id !== 'string' || typeof name !== 'string') return false;
  if (typeof address !== 'string' || !/^[0-9a-fA-F.:]+(?:%[A-Za-z0-9._-]+)?$/.test(address)) return false;
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536;
}
