/**
 * The account that runs tasks for a worker started as root: who it is, and whether it can get to a directory. Reads
 * /etc/passwd and /etc/group alone: an account that exists only in a directory service is not found, and is not trusted to
 * be there when the network is not.
 */

import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { Account } from '../core/host-isolation.ts';

/** The account made for this, used when none is named. */
const taskUserDefault = 'octaskly-task';

/**
 * The account named, or `octaskly-task` where it exists. Null when the worker is not root (it runs tasks as itself), or
 * nobody is named and that account does not exist. Error: `usage` when the named one does not exist or is root.
 */
export function findTaskUser(name: string | undefined): Account | null {
  if (process.getuid?.() !== 0) return null;
  const account = accountNamed(name ?? taskUserDefault);
  if (name === undefined) return account;
  if (account === null) {
    throw new OctasklyError(
      'usage',
      `There is no account "${name}" for --task-user in /etc/passwd; make it with: useradd --system ${name}`,
    );
  }
  if (account.uid === 0) {
    throw new OctasklyError('usage', `--task-user "${name}" is root; tasks are to run as an account without rights.`);
  }
  return account;
}

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

/** The groups the account is in by /etc/group, its own first. */
export function groupsOf({ name, gid }: Account): number[] {
  const others = linesOf('/etc/group').flatMap((line) => {
    const [, , id = '', members = ''] = line.split(':');
    return /^\d+$/.test(id) && members.split(',').includes(name) ? [Number(id)] : [];
  });
  return [...new Set([gid, ...others])];
}

/** None where there is no such file: such a system has no accounts by name here. */
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
