/**
 * Whom a node heard last, in `peers.json` of its folder: asked first after a restart, before any group was heard. With it
 * stands where the node itself is asked: a command of the same data directory finds it so where no group and no broadcast
 * passes. Only where they were is kept; who they are they have to prove anew, so a file that is damaged or old costs
 * nothing.
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
  return listIn(directory, 'peers').filter(isCachedPeer).slice(0, cachedPeersMax);
}

/** Where the node of a folder is asked itself, if it runs; none when that is not known. */
function readOwnPlaces(directory: string): readonly PeerAddress[] {
  return listIn(directory, 'self').filter(isPlace).slice(0, cachedPeersMax);
}

function listIn(directory: string, field: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(readPrivate(fileOf(directory)) ?? '{}');
    const list = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    const found: unknown = list.find(([name]) => name === field)?.[1];
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

/** What is kept in a folder. */
export interface PeersCache {
  readonly peers: readonly CachedPeer[];
  /** Where the node itself is asked. */
  readonly self: readonly PeerAddress[];
}

/** Keeps them. Error: `io`. */
export function writeCachedPeers(directory: string, { peers, self }: PeersCache): void {
  writePrivate(fileOf(directory), JSON.stringify({ version: 1, self, peers }, null, 2));
}

/** The most recently heard first, then those of `before` that were not heard. */
export function mergedPeers(peers: readonly Peer[], before: readonly CachedPeer[]): readonly CachedPeer[] {
  const heard = peers.toSorted((a, b) => b.heardAt - a.heardAt);
  const now = heard.map(({ id, beacon, from }) => ({ id, name: beacon.name, ...from }));
  const ids = new Set(now.map(({ id }) => id));
  return [...now, ...before.filter(({ id }) => !ids.has(id))].slice(0, cachedPeersMax);
}

/** Where those known in these folders are to be asked: their own nodes, and whom these heard. */
export function knownPlaces(folders: readonly string[], discoveryPort: number): readonly PeerAddress[] {
  return [...folders.flatMap(readOwnPlaces), ...placesOf(folders.flatMap(readCachedPeers), discoveryPort)];
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
  if (!isPlace(value)) return false;
  const { id, name } = value as Partial<Record<keyof CachedPeer, unknown>>;
  return typeof id === 'string' && typeof name === 'string';
}

function isPlace(value: unknown): value is PeerAddress {
  if (typeof value !== 'object' || value === null) return false;
  const { address, port } = value as Partial<Record<keyof PeerAddress, unknown>>;
  if (typeof address !== 'string' || !/^[0-9a-fA-F.:]+(?:%[A-Za-z0-9._-]+)?$/.test(address)) return false;
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536;
}
