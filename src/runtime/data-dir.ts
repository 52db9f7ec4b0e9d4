/**
 * The data directory: where a node keeps its secret, its key and its identity. Everything in it is private to its owner;
 * a secret that others can read is refused, with the command that mends it.
 *
 *   secret                 cluster secret          node.key           this node's X25519 key (hex)
 *   octaskly.db, blobs/ …  the dispatcher's        workers/NAME/      one folder for each worker run from here, with its
 *                                                                     id, node.key and what it keeps of its cluster
 *                                                                     (`credential.ts`, `cluster-file.ts`)
 */

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import { othersMay } from '../core/platform/files.ts';
import type { Log } from '../ports/time.ts';
import type { KeyPair } from '../wire/noise.ts';
import { ownerOf } from './accounts.ts';
import { nativeCrypto } from './crypto.ts';
import { acquireLock, type Lock, lockHolder } from './lock.ts';
import { storeFiles, syncDirectory } from './store-files.ts';
import { closeToOthers } from './windows-rights.ts';

/** Makes the directory, private to its owner, with those above it. Error: `io`. */
export function ensureDir(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new OctasklyError('io', `Cannot make the directory "${path}": ${reasonOf(cause)}.`, { cause });
  }
}

/**
 * As `ensureDir`, and private to its owner: one that others may look into is closed to them, and that is said; one in which
 * others may change something (`secret`, `node.key` and `config.toml` are there) is refused. Errors: `io`, `forbidden`.
 */
export function ensurePrivateDir(path: string, log: Log): void {
  const isNew = !existsSync(path);
  ensureDir(path);
  if (process.platform === 'win32') {
    if (isNew) closeToOthers(path);
    return;
  }
  const { mode: bits, uid } = statSync(path);
  if (uid !== 0 && process.geteuid?.() === 0) {
    const why = 'the data directory belongs to another account, which cannot read what root makes in it';
    log.warn(`${why}: run this as that account (sudo -u)`, { directory: path, account: ownerOf(path).name });
  }
  const mode = bits & 0o777;
  const others = othersMay(process.platform, mode);
  if (others === 'nothing') return;
  const shown = mode.toString(8).padStart(3, '0');
  if (others === 'change') {
    throw new OctasklyError(
      'forbidden',
      `Others can change what is in the data directory "${path}" (mode ${shown}); mend it with: chmod 700 ${path}`,
    );
  }
  try {
    // Root may change what is somebody else's, and should not.
    if (uid !== process.geteuid?.()) throw new Error('it belongs to another account');
    chmodSync(path, 0o700);
    log.warn('the data directory was open to others, and is private now', { directory: path, mode: shown });
  } catch (error) {
    const facts = { directory: path, mode: shown, reason: reasonOf(error), mend: `chmod 700 ${path}` };
    log.warn('others can look into the data directory', facts);
  }
}

/** A private file's text without the white space around it, null when there is none. Errors: `io`, `forbidden`. */
export function readPrivate(path: string): string | null {
  try {
    const mode = statSync(path).mode & 0o777;
    if (othersMay(process.platform, mode) !== 'nothing') {
      const shown = mode.toString(8).padStart(3, '0');
      throw new OctasklyError(
        'forbidden',
        `"${path}" can be read by others (mode ${shown}); mend it with: chmod 600 ${path}`,
      );
    }
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    if (cause instanceof OctasklyError) throw cause;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw new OctasklyError('io', `Cannot read "${path}": ${reasonOf(cause)}.`, { cause });
  }
}

/** Writes a private file, whole or not at all; it is on disk when this returns. Error: `io`. */
export function writePrivate(path: string, text: string): void {
  try {
    ensureDir(dirname(path));
    const draft = `${path}.${process.pid}.new`;
    writeFileSync(draft, `${text}\n`, { mode: 0o600 });
    chmodSync(draft, 0o600);
    storeFiles.sync(draft);
    renameSync(draft, path);
    syncDirectory(dirname(path));
  } catch (cause) {
    if (cause instanceof OctasklyError) throw cause;
    throw new OctasklyError('io', `Cannot write "${path}": ${reasonOf(cause)}.`, { cause });
  }
}

/** What is kept at `path`, made by `create` when there is nothing yet. */
function keep(path: string, create: () => string): string {
  const kept = readPrivate(path);
  if (kept === '') {
    throw new OctasklyError('io', `"${path}" is empty: put back what was in it, or remove it to get a new one.`);
  }
  if (kept !== null) return kept;
  const made = create();
  writePrivate(path, made);
  return made;
}

/** Where the cluster secret is kept. */
export function secretPath(dataDir: string): string {
  return join(dataDir, 'secret');
}

/** The cluster secret kept here, null when there is none. */
export function storedSecret(dataDir: string): string | null {
  return readPrivate(secretPath(dataDir));
}

/** A cluster secret of 256 bits. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** A secret shorter than this can be guessed by whoever watches one connection being made. */
const secretLengthMin = 16;

/**
 * The cluster secret of a dispatcher: `given` (and kept from now on), else the kept one, else a new one of 256 bits.
 * One that is replaced stays beside the new one: workers elsewhere still have it.
 */
export function dispatcherSecret(dataDir: string, given: string | null, log: Log): string {
  const path = secretPath(dataDir);
  if (given === null) return keep(path, newSecret);
  if (given.length < secretLengthMin) {
    log.warn('the cluster secret is short and can be guessed; better let the dispatcher make one', {
      characters: given.length,
    });
  }
  const kept = storedSecret(dataDir);
  if (kept === given) return given;
  if (kept !== null) {
    const aside = `${path}.replaced-${new Date().toISOString().replaceAll(':', '')}`;
    writePrivate(aside, kept);
    log.warn('the cluster secret is another one now; workers need the new one', { before: aside });
  }
  writePrivate(path, given);
  return given;
}

/** This node's long-lived key, made on first use. Error: `io` when the file holds something else. */
export function nodeKey(directory: string): KeyPair {
  const path = join(directory, 'node.key');
  const hex = keep(path, () => Buffer.from(nativeCrypto.generateKeypair().privateKey).toString('hex'));
  if (!/^[0-9a-f]{64}$/.test(hex)) {
    throw new OctasklyError(
      'io',
      `"${path}" does not hold a node key (64 hexadecimal digits); move it away to get a new one.`,
    );
  }
  return nativeCrypto.keypairOf(new Uint8Array(Buffer.from(hex, 'hex')));
}

/** This worker's long-lived id, made on first use: 16 hexadecimal digits, or what somebody wrote there. Error: `io`. */
export function nodeId(directory: string): string {
  return keep(join(directory, 'id'), () => randomBytes(8).toString('hex'));
}

/** Where a worker keeps what is its own, locked by this process. */
export interface WorkerHome {
  readonly directory: string;
  readonly id: string;
  readonly lock: Lock;
}

/** Workers without a name that may run from one data directory at once. */
const unnamedWorkersMax = 64;

/**
 * The folder of the worker called `name`, or of the first unnamed one that does not run already.
 * Error: `in_use` when the named one runs already.
 */
export function workerHome(dataDir: string, name: string | null): WorkerHome {
  const candidates =
    name === null ? Array.from({ length: unnamedWorkersMax }, (_, n) => String(n + 1)) : [`name-${name}`];
  for (const candidate of candidates) {
    const directory = join(dataDir, 'workers', candidate);
    ensureDir(directory);
    const lock = acquireLock(join(directory, 'lock'));
    if (lock === null) continue;
    return { directory, lock, id: nodeId(directory) };
  }
  const holder = lockHolder(join(dataDir, 'workers', candidates[0] ?? '', 'lock'));
  throw new OctasklyError(
    'in_use',
    name === null
      ? `${unnamedWorkersMax} workers run from "${dataDir}" already; give this one its own --data-dir.`
      : `A worker named "${name}" runs from "${dataDir}" already${holder === null ? '' : ` (process ${holder})`}; give this one another --name or --data-dir.`,
  );
}

/** The lock of the one dispatcher of a data directory. Error: `in_use`. */
export function lockDispatcher(dataDir: string): Lock {
  const file = join(dataDir, 'dispatcher.lock');
  const lock = acquireLock(file);
  if (lock !== null) return lock;
  const holder = lockHolder(file);
  throw new OctasklyError(
    'in_use',
    `Another dispatcher${holder === null ? '' : ` (process ${holder})`} uses the data directory "${dataDir}"; stop it, or give this one another --data-dir.`,
  );
}
