/**
 * Who may look into a directory on Windows, where modes mean nothing: access lists, set by `icacls`.
 *
 * Below a profile (`C:\Users\NAME`) a new directory is private already; elsewhere it has the rights of what it lies in, and
 * below `C:\` that is everybody's. So one that is made is closed, once; what its owner changes afterwards stays.
 * References: icacls (Windows commands); well-known security identifiers [MS-DTYP] 2.4.2.4.
 */

import { userInfo } from 'node:os';
import { OctasklyError, reasonOf } from '../base/errors.ts';

/** The system and the administrators, who can do everything anyway, by numbers that no language translates. */
const alwaysAllowed = ['*S-1-5-18', '*S-1-5-32-544'];

/** Words of `icacls` that leave a directory, and all that will be in it, to `account` (`DOMAIN\name`). Pure. */
export function privateWords(path: string, account: string): readonly string[] {
  const rights = [account, ...alwaysAllowed].flatMap((who) => ['/grant:r', `${who}:(OI)(CI)F`]);
  return [path, '/inheritance:r', ...rights, '/q'];
}

/** Leaves a directory to this account alone. Error: `io`, with what icacls said, when that cannot be. */
export function closeToOthers(path: string, env: Readonly<Record<string, string | undefined>> = process.env): void {
  const { USERDOMAIN, SystemRoot = 'C:\\Windows' } = env;
  const { username } = userInfo();
  const account = USERDOMAIN === undefined ? username : `${USERDOMAIN}\\${username}`;
  try {
    const icacls = Bun.spawnSync([`${SystemRoot}\\System32\\icacls.exe`, ...privateWords(path, account)], {
      ...{ env: { SystemRoot }, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', windowsHide: true, timeout: 10_000 },
    });
    if (icacls.exitCode === 0) return;
    throw new Error(`${icacls.stderr}`.trim() || `icacls ended with ${icacls.exitCode}`);
  } catch (cause) {
    const mend = `icacls "${path}" ${privateWords('', account).slice(1).join(' ')}`;
    throw new OctasklyError('io', `Cannot close "${path}" to others: ${reasonOf(cause)}. Do it by hand: ${mend}`, {
      cause,
    });
  }
}
