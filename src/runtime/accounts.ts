/**
 * The accounts of this machine, and the directories they can get to. Reads /etc/passwd and /etc/group alone: an account
 * that exists only in a directory service is not found, and is not trusted to be there when the network is not.
 */

import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Account } from '../core/host-isolation.ts';

/** Name of the account this process runs as; its number where the system has no name for it. */
export function ownAccountName(): string {
  const uid = process.getuid?.();
  if (uid === undefined) return process.env.USERNAME ?? 'this account';
  return accounts().find((account) => account.uid === uid)?.name ?? `uid ${uid}`;
}

/** The account of that name in /etc/passwd; null where there is none. */
export function accountNamed(name: string): Account | null {
  return accounts().find((account) => account.name === name) ?? null;
}

function accounts(): Account[] {
  return linesOf('/etc/passwd').flatMap((line) => {
    const [name = '', , uid = '', gid = ''] = line.split(':');
    return /^\d+$/.test(uid) && /^\d+$/.test(gid) ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}

/** The account to whom `path` belongs, of a number without a name with the group of `path`. Throws where nothing is. */
export function ownerOf(path: string): Account {
  const { uid, gid } = statSync(path);
  return accounts().find((account) => account.uid === uid) ?? { name: `uid ${uid}`, uid, gid };
}

/** The groups the account is in by /etc/group, its own first. */
export function groupsOf({ name, gid }: Account): number[] {
  const others = linesOf('/etc/group').flatMap((line) => {
    const [, , id = '', members = ''] = line.split(':');
    return /^\d+$/.test(id) && members.split(',').includes(name) ? [Number(id)] : [];
  });
  return [...new Set([gid, ...others])];
}

/** There is a group of that name in /etc/group. */
export function hasGroup(name: string): boolean {
  return linesOf('/etc/group').some((line) => line.startsWith(`${name}:`));
}

/** None where there is no such file: such a system has no accounts and groups by name here. */
function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}

/** `account` may pass through every directory above `path` that exists already; by modes, not by access lists. */
export function canReach(account: Account, path: string): boolean {
  return barriersTo(account, path).length === 0;
}

/** The directories above `path` that `account` may not pass through, as `canReach` sees it; the uppermost first. */
export function barriersTo(account: Account, path: string): string[] {
  const barriers: string[] = [];
  for (let dir = dirname(path); ; dir = dirname(dir)) {
    const facts = statSync(dir, { throwIfNoEntry: false });
    if (facts !== undefined) {
      const bit = facts.uid === account.uid ? 0o100 : facts.gid === account.gid ? 0o010 : 0o001;
      if ((facts.mode & bit) === 0) barriers.unshift(dir);
    }
    if (dir === dirname(dir)) return barriers;
  }
}
