/**
 * The fingerprint of a certificate: SHA-256 of its DER form (what `openssl x509 -fingerprint -sha256` prints), written
 * `SHA256:` and 32 bytes in upper case hexadecimal with colons between them.
 */

import type { X509Certificate } from 'node:crypto';
import { OctasklyError } from '../base/errors.ts';

/** The fingerprint in the one form that is printed, kept and compared. */
export function fingerprintOf(certificate: X509Certificate): string {
  return `SHA256:${certificate.fingerprint256}`;
}

/**
 * The fingerprint a person gave, in that form: with or without the prefix, the colons and capitals; openssl's line too.
 * Error: `usage`.
 */
export function parseFingerprint(text: string): string {
  const hex = text
    .trim()
    .replace(/^sha-?256(?: fingerprint)?[:=]/i, '')
    .replaceAll(':', '')
    .toUpperCase();
  if (!/^[0-9A-F]{64}$/.test(hex)) {
    throw new OctasklyError(
      'usage',
      `"${text}" is no fingerprint of a certificate: it should be SHA256: and 64 hexadecimal digits, as the dispatcher prints it at its start.`,
    );
  }
  return `SHA256:${hex.match(/../g)?.join(':')}`;
}
