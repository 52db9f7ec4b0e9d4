/**
 * Whether a service finds what its options name, looked at with the rights of the account that it will run as, and as it
 * will see the machine: before anything is installed, since a service tells nobody but its log.
 *
 * Deliberately not here: whether what is in those files is right. The role finds that out when it starts (`service-start.ts`).
 */

import { OctasklyError } from '../base/errors.ts';
import type { KeptOption } from '../cli/service.ts';
import type { Account } from '../core/host-isolation.ts';
import type { InitName, ServiceDefinition } from '../core/service/definition.ts';
import { hasOwnTmp } from '../core/service/systemd.ts';
import { type ReadRefusal, realPathOf, refusalToRead } from '../runtime/account-reading.ts';
import { accountToBe, asAccount } from '../runtime/service-host.ts';
import { barriersTo } from '../runtime/task-user.ts';
import { absolute } from './common.ts';

/** Errors: `usage` for what is not there, or out of the service's sight; `forbidden` for what its account may not read. */
export async function checkPaths(
  options: readonly KeptOption[],
  { account, program, dataDir, ...service }: ServiceDefinition,
  init: InitName,
): Promise<void> {
  const named = options
    .filter(({ isPath, flag }) => isPath && flag !== 'data-dir')
    .map((option) => ({ ...option, path: absolute(option.text) }));
  if (init === 'systemd' && hasOwnTmp(service)) {
    refuseTmp('The program', program[0]);
    refuseTmp('--data-dir', dataDir);
    for (const { flag, path } of named) refuseTmp(`--${flag}`, path);
  }
  const reader = account === null ? null : accountToBe(account);
  for (const { flag, path, isRead } of named) {
    const refusal = await asAccount(reader, async () => refusalToRead(path));
    if (refusal === null || (refusal.isMissing && !isRead)) continue;
    throw refusalError(`--${flag} "${path}"`, refusal, reader);
  }
}

/** What is below the machine's /tmp is not below the service's. */
function refuseTmp(what: string, path: string): void {
  const [, tmp] = /^((?:\/var)?\/tmp)(?:\/|$)/.exec(realPathOf(path)) ?? [];
  if (tmp === undefined) return;
  throw new OctasklyError(
    'usage',
    `${what} "${path}" is below ${tmp}, and this service sees a ${tmp} of its own (PrivateTmp), which is empty: put it elsewhere, such as below /srv, /opt or /usr/local.`,
  );
}

function refusalError(what: string, { at, isMissing, why }: ReadRefusal, reader: Account | null): OctasklyError {
  if (isMissing) return new OctasklyError('usage', `${what}: there is no such file or directory.`);
  if (reader === null) return new OctasklyError('forbidden', `${what} cannot be read: ${why} (${at}).`);
  const [barrier] = barriersTo(reader, at);
  const where = barrier === undefined ? at : `${at}, since it may not enter ${barrier}`;
  return new OctasklyError(
    'forbidden',
    `${what} cannot be read by ${reader.name}, the account that the service is to run as: ${why} (${where}). Put it where that account may read it, or give it the right to (chgrp, setfacl).`,
  );
}
