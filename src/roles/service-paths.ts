/**
 * Whether a service finds what its options name, looked at with the rights of the account that it will run as, and as it
 * will see the machine: before anything is installed, since a service tells nobody but its log. Likewise whether it may use
 * a data directory that is there already, such as one that root has restored a backup into.
 *
 * Deliberately not here: whether what is in those files is right. The role finds that out when it starts (`service-start.ts`).
 */

import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { OctasklyError } from '../base/errors.ts';
import type { InstallRequest } from '../cli/service.ts';
import type { Account } from '../core/host-isolation.ts';
import { type InitName, type ServiceDefinition, shellQuoted } from '../core/service/definition.ts';
import { hasOwnTmp } from '../core/service/systemd.ts';
import { type ReadRefusal, realPathOf, refusalToRead, refusalToUse } from '../runtime/account-reading.ts';
import { barriersTo } from '../runtime/accounts.ts';
import { databaseEntry, stateEntries } from '../runtime/backup-archive.ts';
import { accountToBe, asAccount } from '../runtime/service-host.ts';
import { absolute } from './common.ts';

/** What a dispatcher or worker opens in its data directory when it starts. */
const ownFiles: readonly string[] = [databaseEntry, ...stateEntries, 'dispatcher.lock', 'files.lock'];

type Paths = Pick<InstallRequest, 'options' | 'configured'>;

/** Errors: `usage` for what is not there, or out of the service's sight; `forbidden` for what its account may not read. */
export async function checkPaths(
  paths: Paths,
  { account, program, dataDir, ...service }: ServiceDefinition,
  init: InitName,
): Promise<void> {
  const named = [...namedBy(paths), ...namedInConfig(paths, { account, dataDir })];
  if (init === 'systemd' && hasOwnTmp(service)) {
    refuseTmp(`The program "${program[0]}"`, program[0]);
    refuseTmp(`--data-dir "${dataDir}"`, dataDir);
    for (const { what, path } of named) refuseTmp(what, path);
  }
  const reader = account === null ? null : accountToBe(account);
  if (reader !== null) requireWayTo(dataDir, reader);
  for (const { what, path, isRead } of named) {
    const refusal = await asAccount(reader, async () => refusalToRead(path));
    if (refusal === null || (refusal.isMissing && !isRead)) continue;
    throw refusalError(what, refusal, reader);
  }
}

/** Error: `forbidden` for a data directory that is there already, and in which the service could not read and write. */
export async function checkData(dataDir: string, account: Account | null): Promise<void> {
  if (account === null || !existsSync(dataDir)) return;
  const refusal = await asAccount(account, async () => refusalToUse(dataDir, ownFiles));
  if (refusal === null) return;
  const { name } = account;
  const mend = `chown -R ${name}: ${shellQuoted(dataDir)}`;
  throw new OctasklyError(
    'forbidden',
    `The data directory "${dataDir}" is there already, and ${name}, the account that the service is to run as, cannot use it: ${refusal.why} (${refusal.at}). Give it to that account and try again: ${mend}`,
  );
}

interface NamedPath {
  readonly path: string;
  /** It has to be there. */
  readonly isRead: boolean;
  /** The path with who names it, to begin a sentence with. */
  readonly what: string;
}

function namedBy({ options }: Paths): NamedPath[] {
  return options
    .filter(({ isPath, flag }) => isPath && flag !== 'data-dir')
    .map(({ flag, text, isRead }) => ({ path: absolute(text), isRead, what: `--${flag} "${absolute(text)}"` }));
}

/** Those of the config file, if it is the one that the service will read. Error: `usage` for a path without a beginning. */
function namedInConfig(
  { options, configured }: Paths,
  { account, dataDir }: Pick<ServiceDefinition, 'account' | 'dataDir'>,
): NamedPath[] {
  const named = options.findLast(({ flag }) => flag === 'config')?.text ?? join(dataDir, 'config.toml');
  if (configured === null || absolute(configured.file) !== absolute(named)) return [];
  // A path below ~ is below the home of the service's account, which is another.
  const found = configured.options.filter(({ text }) => account === null || !text.startsWith('~'));
  return found.map(({ flag, text, isRead }) => {
    const path = absolute(text);
    const what = `"${path}" (${flag} in ${absolute(named)})`;
    if (isAbsolute(text) || text.startsWith('~')) return { path, isRead, what };
    throw new OctasklyError(
      'usage',
      `"${text}" (${flag} in ${absolute(named)}) is relative, and a service starts elsewhere: write the whole path, such as ${path}.`,
    );
  });
}

/** What is below the machine's /tmp is not below the service's. */
function refuseTmp(what: string, path: string): void {
  const [, tmp] = /^((?:\/var)?\/tmp)(?:\/|$)/.exec(realPathOf(path)) ?? [];
  if (tmp === undefined) return;
  throw new OctasklyError(
    'usage',
    `${what} is below ${tmp}, and this service sees a ${tmp} of its own (PrivateTmp), which is empty: put it elsewhere, such as below /srv, /opt or /usr/local.`,
  );
}

/** Root passes everywhere. */
function requireWayTo(dataDir: string, reader: Account): void {
  const [barrier] = reader.uid === 0 ? [] : barriersTo(reader, dataDir);
  if (barrier === undefined) return;
  throw new OctasklyError(
    'forbidden',
    `--data-dir "${dataDir}" is out of reach for ${reader.name}, the account that the service is to run as, since it may not enter ${barrier}: put it elsewhere, such as below /srv or /var/lib.`,
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
