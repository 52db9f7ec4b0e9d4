/**
 * In a worker's folder, the cluster that let it in last: its beacon key and its dispatcher's public key. By it commands
 * in this data directory speak to peers, whatever the worker joined by; the cluster secret itself is never kept here.
 *
 * Deliberately not what a worker joins by: that is its credential or the secret. Replaced whenever it is let in by other
 * keys, as after the secret was replaced. Invariant: the file is private and whole; nothing of it appears in an error.
 */

import { join } from 'node:path';
import { readPrivate, writePrivate } from './data-dir.ts';

/** The cluster a worker belongs to. */
export interface KeptCluster {
  /** 32 bytes. */
  readonly beaconKey: Uint8Array;
  /** Hex. */
  readonly dispatcherKey: string;
}

/** Form of the file. */
const formVersion = 1;

/** Where it is kept in the folder `directory`. */
export function clusterPath(directory: string): string {
  return join(directory, 'cluster.json');
}

/** The cluster kept in a worker's folder; null where there is none, or the file says nothing that can be used. Errors: `io`, `forbidden`. */
export function keptCluster(directory: string): KeptCluster | null {
  const { version, beaconKey, dispatcherKey } = fieldsOf(readPrivate(clusterPath(directory)) ?? '');
  if (version !== formVersion || !isKey(beaconKey) || !isKey(dispatcherKey)) return null;
  return { beaconKey: Uint8Array.fromHex(beaconKey), dispatcherKey };
}

/** Keeps the cluster in place of the one before; writes nothing where it is the same. Errors: `io`, `forbidden`. */
export function keepCluster(directory: string, { beaconKey, dispatcherKey }: KeptCluster): void {
  const before = keptCluster(directory);
  const key = beaconKey.toHex();
  if (before?.beaconKey.toHex() === key && before.dispatcherKey === dispatcherKey) return;
  const fields = { version: formVersion, beaconKey: key, dispatcherKey };
  writePrivate(clusterPath(directory), JSON.stringify(fields, null, 2));
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** 32 bytes in lower-case hex. */
function isKey(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}
