/**
 * A worker's own credential in its folder, by which it comes back without the cluster secret; and the whole of its
 * identity (id, key, credential), which can be set aside for a new one.
 * Invariants: the file is private, whole, and on disk before it is relied upon; nothing of it appears in an error.
 */

import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { Credential } from '../core/trust.ts';
import { clusterPath } from './cluster-file.ts';
import { readPrivate, writePrivate } from './data-dir.ts';
import { syncDirectory } from './store-files.ts';

export interface KeptCredential {
  readonly credential: Credential;
  /** What the dispatcher calls this worker unless it is told otherwise; null = as it likes. */
  readonly name: string | null;
  /** Where the dispatcher was when this was got, `host:port`; none = where workers look without being told. */
  readonly addresses: readonly string[];
  /** Of the join token it was got with; null when it was got otherwise. */
  readonly inviteId: string | null;
}

/** Form of the file. */
const formVersion = 1;

const fileOf = (directory: string): string => join(directory, 'credential.json');

/** The credential kept in a worker's folder, null when there is none. Errors: `io` when it is damaged, `forbidden`. */
export function keptCredential(directory: string): KeptCredential | null {
  const path = fileOf(directory);
  const text = readPrivate(path);
  if (text === null) return null;
  const fields = fieldsOf(text);
  if (typeof fields.version === 'number' && fields.version > formVersion) {
    throw new OctasklyError('io', `"${path}" was written by a newer octaskly than this one. Update octaskly here.`);
  }
  const kept = keptIn(fields);
  if (kept !== null) return kept;
  throw new OctasklyError(
    'io',
    `"${path}" is damaged: it does not hold this worker's credential. Move it away and join anew, with --join TOKEN from "octaskly invite" on the dispatcher's machine.`,
  );
}

/** Keeps a credential in place of the one before. Error: `io`. */
export function keepCredential(directory: string, { credential, name, addresses, inviteId }: KeptCredential): void {
  const { keyId, psk, beaconKey, dispatcherKey } = credential;
  const fields = {
    version: formVersion,
    keyId,
    psk: psk.toHex(),
    beaconKey: beaconKey.toHex(),
    dispatcherKey,
    name,
    addresses,
    inviteId,
  };
  writePrivate(fileOf(directory), JSON.stringify(fields, null, 2));
}

/** Moves id, key, credential and cluster of a worker aside (`….replaced-TIME`), so that new ones are made. Error: `io`. */
export function setIdentityAside(directory: string, at: Date): void {
  const suffix = `.replaced-${at.toISOString().replaceAll(':', '')}`;
  try {
    const paths = [join(directory, 'id'), join(directory, 'node.key'), fileOf(directory), clusterPath(directory)];
    for (const path of paths) {
      if (existsSync(path)) renameSync(path, `${path}${suffix}`);
    }
    syncDirectory(directory);
  } catch (cause) {
    throw new OctasklyError('io', `Cannot set the identity in "${directory}" aside: ${reasonOf(cause)}.`, { cause });
  }
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Null when something is missing or is not what it should be. */
function keptIn(fields: Readonly<Record<string, unknown>>): KeptCredential | null {
  const { version, keyId, dispatcherKey, name, addresses, inviteId } = fields;
  const [psk, beaconKey] = [fields.psk, fields.beaconKey].map(keyIn);
  if (version !== formVersion || !psk || !beaconKey || keyIn(dispatcherKey) === null) return null;
  if (typeof keyId !== 'string' || typeof dispatcherKey !== 'string') return null;
  if (!Array.isArray(addresses) || !addresses.every((address) => typeof address === 'string')) return null;
  if (!isTextOrNull(name) || !isTextOrNull(inviteId)) return null;
  return { credential: { keyId, psk, beaconKey, dispatcherKey }, name, addresses, inviteId };
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

/** 32 bytes in lower-case hex; null for anything else. */
function keyIn(value: unknown): Uint8Array | null {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? Uint8Array.fromHex(value) : null;
}
