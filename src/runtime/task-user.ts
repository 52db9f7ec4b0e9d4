/** The account that runs tasks for a worker started as root. */

import { OctasklyError } from '../base/errors.ts';
import type { Account } from '../core/host-isolation.ts';
import { accountNamed } from './accounts.ts';

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
