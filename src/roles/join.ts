/** `octaskly join TOKEN`: gets a credential for the worker that is started from the same data directory later. */

import { hostname } from 'node:os';
import { OctasklyError } from '../base/errors.ts';
import type { JoinValues } from '../cli/options.ts';
import type { Log } from '../ports/time.ts';
import { nativeCrypto } from '../runtime/crypto.ts';
import { ensurePrivateDir, nodeKey, workerHome } from '../runtime/data-dir.ts';
import { createLinks } from '../runtime/links.ts';
import { asOwnerOf } from '../runtime/service-host.ts';
import { absolute, checkName, logOf, nameFromHost } from './common.ts';
import { enrollBy, inviteIn } from './membership.ts';

/** How long a dispatcher that cannot be reached is tried. */
const patienceMs = 30_000;

/**
 * Joins with a token and keeps the credential. Exit status 0. Errors: `usage` for what is no token, `refused` by the
 * dispatcher, `timeout` when it is not reached, `in_use`, `io`.
 */
export async function runJoin(values: JoinValues, token: string): Promise<number> {
  const name = values.name === undefined ? '' : ` --name ${values.name}`;
  const dataDir = absolute(values.dataDir);
  const log = logOf(values);
  await asOwnerOf(dataDir, () => joinHere(values, token, log));
  const place = dataDir === absolute('~/.octaskly') ? '' : ` --data-dir ${dataDir}`;
  process.stdout.write(`This device may join now. Start its worker with:\n\n    octaskly worker${name}${place}\n`);
  return 0;
}

/** Joins with a token and keeps the credential in the data directory. Errors: as `runJoin`. */
export async function joinHere(
  values: Pick<JoinValues, 'name' | 'port' | 'dataDir' | 'logFile' | 'logFormat'>,
  token: string,
  log: Log,
): Promise<void> {
  const invite = inviteIn(token);
  if (values.name !== undefined) checkName('--name', values.name);
  const dataDir = absolute(values.dataDir);
  ensurePrivateDir(dataDir, log);
  const { directory, lock } = workerHome(dataDir, values.name ?? null);
  try {
    const key = nodeKey(directory);
    const enrolled = await enrollBy(
      {
        values: { ...values, join: token, dispatcher: [] },
        secret: null,
        dataDir,
        directory,
        known: [],
        name: values.name ?? nameFromHost(hostname()),
        publicKey: key.publicKey.toHex(),
        links: createLinks({ crypto: nativeCrypto, staticKeypair: key, log }),
        finder: null,
        log,
        signal: AbortSignal.timeout(patienceMs),
      },
      invite,
    );
    if (!enrolled.ok) {
      throw new OctasklyError(enrolled.lasting ? 'refused' : 'timeout', `Cannot join: ${enrolled.detail}`);
    }
  } finally {
    lock.release();
  }
}
