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

/** Where the key is: what `--key` named, else OCTASKLY_RELEASE_KEY_FILE, else the user's own. */
export function keyFile(given: string | undefined): string {
  return resolve(
    given ?? process.env.OCTASKLY_RELEASE_KEY_FILE ?? join(homedir(), '.config', 'octaskly', 'release.pem'),
  );
}

/** The key in a file, which is made when missing, and `say` tells so. Throws when it is none, or lies in the repository. */
export function openKey(file: string, say: (line: string) => void): ReleaseKey {
  refuseWithin(root, file);
  if (!existsSync(file)) makeKey(file, say);
  refuseWithin(realpathSync(root), realpathSync(file));
  const pem = readFileSync(file, 'utf8');
  try {
    if (pem.includes('BEGIN PUBLIC KEY')) return keyOf(createPublicKey(pem), null);
    const privateKey = createPrivateKey(pem);
    warnOfReaders(file, say);
    return keyOf(createPublicKey(privateKey), privateKey);
  } catch (cause) {
    const should = 'it should be what this makes: openssl genpkey -algorithm ed25519 -out FILE';
    throw new Error(`${file} is no key to sign a release with (${reasonOf(cause)}); ${should}`, { cause });
  }
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
