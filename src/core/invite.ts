/**
 * The join token that `octaskly invite` prints, as text: what a device needs to reach one dispatcher, to know it when it
 * answers, and to be let in. Short, because people copy it by hand and it must fit into a QR code.
 *
 *   octa1 + base64url of:  invite id (8)  secret (16)  dispatcher's public key (32)  expiry, wall ms (6, big-endian)
 *                          number of addresses (1), each: length (1), host:port in UTF-8      checksum (4)
 *   octa2 + base64url of:  SHA-256 of the sums of the programs the dispatcher hands out (32), then as octa1
 *
 * The checksum (the beginning of SHA-256 over all before it) finds typing errors; it authenticates nothing, and whether
 * an invite is still good only its dispatcher says. The sums are part of what the secret is derived from: with others in
 * their place the token lets nobody in. The install script reads a token by itself (`scripts/install.sh`, `install.ps1`):
 * what changes here changes there. The whole is secret: it never appears in an error.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { assert } from '../base/assert.ts';

export interface Invite {
  /** 16 hex digits; public. */
  readonly inviteId: string;
  /** 16 bytes; whoever has them may join once for each use. */
  readonly secret: Uint8Array;
  /** X25519, 64 hex digits: the one dispatcher that is meant. */
  readonly dispatcherKey: string;
  /** Wall-clock ms, below 2^48. */
  readonly expiresAt: number;
  /** Where the dispatcher may be reached, `host:port` or `[v6]:port`; up to `inviteAddressesMax`, each up to 255 bytes. */
  readonly addresses: readonly string[];
  /** SHA-256 of the text of `/download/SHA256SUMS`, 64 hex digits; null where the dispatcher hands out no programs. */
  readonly sums: string | null;
}

/** Most addresses in one join token. */
export const inviteAddressesMax = 8;
/** Longest text that is looked at, in characters. */
const textMax = 4096;

const prefixes = { plain: 'octa1', withSums: 'octa2' } as const;
type Prefix = (typeof prefixes)[keyof typeof prefixes];
const bytesOf = { sums: 32, id: 8, secret: 16, key: 32, expiry: 6, checksum: 4 } as const;
const base64url = { alphabet: 'base64url', omitPadding: true } as const;

const checksum = (prefix: Prefix, body: Uint8Array): Uint8Array =>
  sha256(concatBytes(utf8ToBytes(prefix), body)).subarray(0, bytesOf.checksum);

/** The token's text. What it is made of must keep the limits of `Invite`. */
export function encodeInvite({ inviteId, secret, dispatcherKey, expiresAt, addresses, sums }: Invite): string {
  assert(/^[0-9a-f]{16}$/.test(inviteId) && /^[0-9a-f]{64}$/.test(dispatcherKey), 'id and key of an invite are hex');
  assert(sums === null || /^[0-9a-f]{64}$/.test(sums), 'the sums of an invite are hex');
  assert(secret.length === bytesOf.secret, 'the secret of an invite has 16 bytes');
  assert(Number.isInteger(expiresAt) && expiresAt >= 0 && expiresAt < 2 ** 48, 'the expiry of an invite fits 48 bits');
  assert(addresses.length <= inviteAddressesMax, 'an invite has few addresses');
  const expiry = hexToBytes(expiresAt.toString(16).padStart(2 * bytesOf.expiry, '0'));
  const places = addresses.map((address) => {
    const text = utf8ToBytes(address);
    assert(text.length > 0 && text.length <= 255, 'an address of an invite has 1 to 255 bytes');
    return concatBytes(Uint8Array.of(text.length), text);
  });
  const head = concatBytes(hexToBytes(sums ?? ''), hexToBytes(inviteId), secret, hexToBytes(dispatcherKey), expiry);
  const body = concatBytes(head, Uint8Array.of(places.length), ...places);
  const prefix = sums === null ? prefixes.plain : prefixes.withSums;
  return prefix + concatBytes(body, checksum(prefix, body)).toBase64(base64url);
}

export type DecodedInvite =
  | { readonly ok: true; readonly invite: Invite }
  /** `detail`: whole sentences for people, without any of the text. */
  | { readonly ok: false; readonly detail: string };

/** What a join token says. White space anywhere in it is ignored: long lines get broken when they are copied. */
export function decodeInvite(text: string): DecodedInvite {
  const packed = text.slice(0, textMax).replace(/\s+/g, '');
  if (!/^octa[0-9]/.test(packed)) {
    const kind = /^eyJ/.test(packed) ? 'an access token (of "octaskly token create")' : 'something else';
    return refused(
      `This is not a join token but ${kind}: join tokens begin with "${prefixes.withSums}", as "octaskly invite" prints them.`,
    );
  }
  const prefix = Object.values(prefixes).find((each) => packed.startsWith(each));
  if (prefix === undefined) {
    return refused('This join token was made by a newer octaskly than this one. Update octaskly on this device.');
  }
  const bytes = bytesIn(packed.slice(prefix.length));
  const body = bytes?.subarray(0, -bytesOf.checksum);
  if (bytes === null || body === undefined || !equal(checksum(prefix, body), bytes.subarray(body.length)))
    return damaged;
  const invite = fieldsOf(prefix, body);
  return invite === null ? damaged : { ok: true, invite };
}

const refused = (detail: string): DecodedInvite => ({ ok: false, detail });

const damaged = refused(
  'This join token is damaged: something in it is mistyped or missing. Copy it again, the whole of it, or make a new one with "octaskly invite".',
);

function bytesIn(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text, { alphabet: 'base64url' });
  } catch {
    return null;
  }
}

/** Not in constant time: it compares nothing secret. */
const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** Null when the lengths do not add up, which the checksum makes a mistake of the maker. */
function fieldsOf(prefix: Prefix, body: Uint8Array): Invite | null {
  let at = 0;
  const take = (length: number): Uint8Array => {
    at += length;
    return body.subarray(at - length, at);
  };
  const sums = prefix === prefixes.plain ? null : bytesToHex(take(bytesOf.sums));
  const inviteId = bytesToHex(take(bytesOf.id));
  const secret = take(bytesOf.secret).slice();
  const dispatcherKey = bytesToHex(take(bytesOf.key));
  const expiresAt = Number.parseInt(bytesToHex(take(bytesOf.expiry)), 16);
  const count = take(1)[0];
  if (count === undefined || count > inviteAddressesMax) return null;
  const addresses: string[] = [];
  for (let n = 0; n < count; n++) addresses.push(new TextDecoder().decode(take(take(1)[0] ?? 0)));
  if (at !== body.length) return null;
  return { inviteId, secret, dispatcherKey, expiresAt, addresses, sums };
}
