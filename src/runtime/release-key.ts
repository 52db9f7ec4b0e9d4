/**
 * The key whose releases this file trusts: it is built into the file, so that an update is as trustworthy as the file it
 * replaces. A file of a plain build, and the sources, have none and trust no release.
 *
 * Deliberately not here: signing, and where the private key is (`scripts/release/key.ts`); what a manifest says
 * (`core/release-manifest.ts`).
 * References: RFC 8032 (Ed25519), RFC 8410 (its key as SPKI).
 */

import { createHash, createPublicKey, verify } from 'node:crypto';
import { build } from '../version.ts';

/** 64 bytes. */
const signatureForm = /^[0-9A-Za-z+/]{86}==\r?\n?$/;

/** The key this file was built with: SPKI in base64, one line; `null` when it was built without one. */
export const releaseKey: string | null = build.releaseKey;

/**
 * What people compare keys by: SHA-256 of the key's SPKI form in hexadecimal, as
 * `openssl pkey -pubin -in release.pub.pem -outform DER | sha256sum` prints it.
 */
export function releaseKeyFingerprint(key: string): string {
  return createHash('sha256').update(Buffer.from(key, 'base64')).digest('hex');
}

/**
 * Whether `signature`, the text of `manifest.json.sig`, is that of exactly these bytes by `key`. Never throws: what is no
 * signature, or no key, has signed nothing.
 */
export function isSignedBy(key: string, bytes: Uint8Array, signature: string): boolean {
  if (!signatureForm.test(signature)) return false;
  try {
    const publicKey = createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' });
    if (publicKey.asymmetricKeyType !== 'ed25519') return false;
    return verify(null, bytes, publicKey, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}
