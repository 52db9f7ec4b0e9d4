/**
 * Access tokens: JSON Web Tokens (RFC 7519) in compact form (RFC 7515), signed with HMAC-SHA-256 and nothing else. What
 * they say, and how they are signed; `token-verification.ts` judges them, and is not loaded by those who only sign.
 *
 * Two kinds, told apart by `iss`: a dispatcher's tokens may live for long and are on its list, where they can be revoked.
 * Who holds the secret signs its own, which are on no list and therefore live for `ownTokenSecondsMax` at most.
 */

import type { Role } from '../core/trust.ts';

/** HMAC-SHA-256 under the key of the cluster; 32 bytes. */
export type HmacSha256 = (data: Uint8Array) => Uint8Array;

export const tokenAudience = 'octaskly-api';
/** Longest life of a token that the owner signs itself, from `iat` to `exp`. */
export const ownTokenSecondsMax = 24 * 3600;

/** RFC 7519 section 4. Times are seconds since 1970. */
export interface TokenClaims {
  readonly sub: string;
  readonly role: Role;
  readonly aud: typeof tokenAudience;
  readonly exp: number;
  readonly nbf?: number | undefined;
  readonly iat?: number | undefined;
  readonly jti?: string | undefined;
  readonly iss?: 'dispatcher' | 'owner' | undefined;
}

const encoder = new TextEncoder();

const base64url = { alphabet: 'base64url', omitPadding: true } as const;

/** A token with these claims; the audience is added. */
export function signToken(claims: Omit<TokenClaims, 'aud'>, hmacSha256: HmacSha256): string {
  const part = (value: object): string => encoder.encode(JSON.stringify(value)).toBase64(base64url);
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ ...claims, aud: tokenAudience })}`;
  return `${signed}.${hmacSha256(encoder.encode(signed)).toBase64(base64url)}`;
}
