/**
 * The Ed25519 key a release is signed with. It lives outside the repository and is read here alone; the programs get its
 * public half, and trust updates that it signed.
 *
 * References: RFC 8032 (Ed25519), RFC 8410 (its keys as PKCS #8 and SPKI).
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { reasonOf } from '../../src/base/errors.ts';
import { root } from '../steps.ts';

export interface ReleaseKey {
  /** SPKI in base64, one line: what is built into the programs. */
  readonly publicKey: string;
  /** SPKI as PEM, for people and for `openssl`. */
  readonly publicPem: string;
  /** The signature of these bytes, as text of `manifest.json.sig`; `null` when only the public half is there. */
  sign(bytes: Uint8Array): string | null;
}

export interface KeyPlace {
  /** Absolute. */
  readonly file: string;
  /** Who named it, for people; `null`: nobody, it is the user's own. */
  readonly namedBy: string | null;
  /** Whether a key is made in it: always, where none is, or never. One that was named wrongly must not become another key. */
  readonly make: 'always' | 'if-missing' | 'never';
}

interface GivenKey {
  readonly key?: string | undefined;
  readonly newKey?: string | undefined;
}

/** Where the key is: what --new-key or --key named, else OCTASKLY_RELEASE_KEY_FILE, else the user's own. Throws for no name. */
export function keyPlace({ key, newKey }: GivenKey): KeyPlace {
  if (key !== undefined && newKey !== undefined) throw new Error('--key and --new-key should not be given both');
  const variable = 'OCTASKLY_RELEASE_KEY_FILE';
  const given = [
    ['--new-key', newKey, 'always'],
    ['--key', key, 'never'],
    [variable, process.env[variable], 'never'],
  ] as const;
  for (const [namedBy, name, make] of given) {
    if (name === undefined) continue;
    if (name === '') throw new Error(`${namedBy} is empty: it should be the file of the release key`);
    return { file: resolve(name), namedBy, make };
  }
  return { file: join(homedir(), '.config', 'octaskly', 'release.pem'), namedBy: null, make: 'if-missing' };
}

/** The key in its place, where it is made if it should be, and `say` tells so. Throws when it is none, or in the repository. */
export function openKey({ file, namedBy, make }: KeyPlace, say: (line: string) => void): ReleaseKey {
  refuseWithin(root, file);
  const isThere = existsSync(file);
  if (isThere && make === 'always') {
    throw new Error(`${file} is there already, and is not replaced: name it by --key if it is the key`);
  }
  if (!isThere) {
    if (make === 'never') throw new Error(missingKey(file, namedBy));
    makeKey(file, say);
  }
  refuseWithin(realpathSync(root), realpathSync(file));
  try {
    const pem = readFileSync(file, 'utf8');
    if (pem.includes('BEGIN PUBLIC KEY')) return keyOf(createPublicKey(pem), null);
    const privateKey = createPrivateKey(pem);
    warnOfReaders(file, say);
    return keyOf(createPublicKey(privateKey), privateKey);
  } catch (cause) {
    const should = 'it should be what this makes: openssl genpkey -algorithm ed25519 -out FILE';
    throw new Error(`${file} is no key to sign a release with (${reasonOf(cause)}); ${should}`, { cause });
  }
}

function missingKey(file: string, namedBy: string | null): string {
  const why = 'programs take updates signed by the key they were built with alone, so none is made in its place';
  return `there is no release key ${file}, which ${namedBy} names: ${why}. Is the name right? A new key: --new-key FILE`;
}

/** Windows has other rights than these. */
function warnOfReaders(file: string, say: (line: string) => void): void {
  if (process.platform === 'win32' || (statSync(file).mode & 0o077) === 0) return;
  say(`Careful: others on this machine may read or change ${file}, by which programs take updates: chmod 600 it.`);
}

function keyOf(publicKey: KeyObject, privateKey: KeyObject | null): ReleaseKey {
  const kind = publicKey.asymmetricKeyType;
  if (kind !== 'ed25519') throw new Error(`its kind is ${kind ?? 'none'}, not ed25519`);
  return {
    publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    sign: (bytes) => (privateKey === null ? null : `${sign(null, bytes, privateKey).toString('base64')}\n`),
  };
}

function refuseWithin(repository: string, file: string): void {
  const [first] = relative(repository, file).split(sep);
  if (first === '..') return;
  throw new Error(`the release key is ${file}: it should lie outside the repository, where nobody commits it`);
}

function makeKey(file: string, say: (line: string) => void): void {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, pem, { mode: 0o600, flag: 'wx' });
  say(
    `There was no release key: made ${file}. Keep it safe and secret; programs built with it take updates signed by it alone.`,
  );
}
