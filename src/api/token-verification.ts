/**
 * Whether an access token is to be believed. Pure: the keyed hash and the time are handed in. Revocation is not known here;
 * `jti` is what the list of tokens given out names.
 *
 * Verification is strict (RFC 8725): the algorithm is fixed and not taken from the token, type, audience, expiry and role
 * must be there, the encoding must be canonical, unknown critical headers cannot occur, and length is bounded.
 */

import { z } from 'zod';
import { roles } from '../core/trust.ts';
import { type HmacSha256, ownTokenSecondsMax, type TokenClaims, tokenAudience } from './token.ts';

/** Characters of a token. */
export const tokenLengthMax = 4096;
/** Clocks may differ by this much for a token that is not valid yet. */
const notBeforeLeewaySeconds = 30;

const instant = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const headerSchema = z.strictObject({ alg: z.literal('HS256'), typ: z.literal('JWT') });
/** Claims beside these are ignored. */
const claimsSchema: z.ZodType<TokenClaims> = z.object({
  sub: z.string().min(1).max(200),
  role: z.enum(roles),
  aud: z.literal(tokenAudience),
  exp: instant,
  nbf: instant.optional(),
  iat: instant.optional(),
  jti: z.string().min(1).max(64).optional(),
  iss: z.enum(['dispatcher', 'owner']).optional(),
});

export type Verified =
  | { readonly ok: true; readonly claims: TokenClaims }
  /** `reason`: a whole sentence that says nothing of the token's content. */
  | { readonly ok: false; readonly reason: string };

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Bytes of canonical base64url without padding; null for anything else. */
function decodePart(text: string): Uint8Array | null {
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet: 'base64url' });
    return bytes.toBase64({ alphabet: 'base64url', omitPadding: true }) === text ? bytes : null;
  } catch {
    return null;
  }
}

function decodeJson(text: string): unknown {
  const bytes = decodePart(text);
  if (bytes === null) return null;
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return null;
  }
}

/** Compares in a time that depends on the lengths only. */
function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let at = 0; at < left.length; at++) difference |= (left[at] ?? 0) ^ (right[at] ?? 0);
  return difference === 0;
}

/** The claims of a token that is genuine, for this API and valid at `nowSeconds` (since 1970). Never throws. */
export function verifyToken(token: string, judge: { nowSeconds: number; hmacSha256: HmacSha256 }): Verified {
  const invalid = { ok: false, reason: 'The token is not valid: it is malformed or of another cluster.' } as const;
  if (token.length > tokenLengthMax) return invalid;
  const [header, payload, signature, ...rest] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) return invalid;
  // The signature first: nothing an unknown author wrote is parsed.
  const given = decodePart(signature);
  const expected = judge.hmacSha256(encoder.encode(`${header}.${payload}`));
  if (given === null || !equalBytes(given, expected)) return invalid;
  if (!headerSchema.safeParse(decodeJson(header)).success) return invalid;
  const claims = claimsSchema.safeParse(decodeJson(payload));
  if (!claims.success) return invalid;
  if (judge.nowSeconds >= claims.data.exp) return { ok: false, reason: 'The token has expired.' };
  if ((claims.data.nbf ?? 0) > judge.nowSeconds + notBeforeLeewaySeconds) {
    return { ok: false, reason: 'The token is not valid yet; the clocks of both machines may differ.' };
  }
  if (claims.data.iss === 'owner' && !isShortLived(claims.data, judge.nowSeconds)) {
    const hours = ownTokenSecondsMax / 3600;
    return { ok: false, reason: `The token is not valid: one that its owner signs lives for ${hours} hours at most.` };
  }
  return { ok: true, claims: claims.data };
}

/** An instant of issue in the future would make a short life a long one. */
function isShortLived({ iat, exp }: TokenClaims, nowSeconds: number): boolean {
  return iat !== undefined && iat <= nowSeconds + notBeforeLeewaySeconds && exp - iat <= ownTokenSecondsMax;
}
