/**
 * The roster of a node's cluster in its folder: ids, names and public keys, nothing secret; private all the same, since
 * who is on it is let in, and handed tasks. Names of nodes are checked again when they are read: the file may be damaged.
 */

import { join } from 'node:path';
import { reasonOf } from '../base/errors.ts';
import type { KeptRoster } from '../ports/peers.ts';
import type { Log } from '../ports/time.ts';
import { type RosterEntry, rosterMax } from '../wire/messages.ts';
import { readPrivate, writePrivate } from './data-dir.ts';

/** The roster kept in the folder `directory`. */
export function rosterFile(directory: string, log: Log): KeptRoster {
  const path = join(directory, 'roster.json');
  const orWarn = <T>(action: () => T, otherwise: T): T => {
    try {
      return action();
    } catch (error) {
      log.warn('the roster of peers cannot be kept', { file: path, reason: reasonOf(error) });
      return otherwise;
    }
  };
  return {
    load: () => orWarn(() => membersIn(readPrivate(path)), []),
    save: (members) => orWarn(() => writePrivate(path, JSON.stringify({ version: 1, members }, null, 1)), undefined),
  };
}

function membersIn(text: string | null): readonly RosterEntry[] {
  if (text === null) return [];
  const value: unknown = JSON.parse(text);
  const members = typeof value === 'object' && value !== null && 'members' in value ? value.members : null;
  return Array.isArray(members) ? members.filter(isEntry).slice(0, rosterMax) : [];
}

function isEntry(value: unknown): value is RosterEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { id, name, publicKey }: Record<string, unknown> = { ...value };
  return [id, name].every(isNodeName) && typeof publicKey === 'string' && /^[0-9a-f]{64}$/.test(publicKey);
}

function isNodeName(value: unknown): boolean {
  return typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value);
}
