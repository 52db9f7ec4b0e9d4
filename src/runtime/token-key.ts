/** The key that signs API tokens, derived from the cluster secret with a label of its own (RFC 5869). */

import { createHash, createHmac, hkdfSync, randomUUID } from 'node:crypto';
import type { HmacSha256 } from '../api/token.ts';

const label = 'octaskly api token v1';

/** HMAC-SHA256 under the token key of a cluster secret. */
export function tokenHmac(secret: string): HmacSha256 {
  const key = new Uint8Array(hkdfSync('sha256', secret, new Uint8Array(0), label, 32));
  return (data) => new Uint8Array(createHmac('sha256', key).update(data).digest());
}

/** SHA-256 of bytes or of a text, lower-case hex. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** An id no other token has. */
export function tokenId(): string {
  return randomUUID();
}
