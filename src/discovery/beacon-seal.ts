/**
 * A datagram of discovery on the network: sealed with a key every member of the cluster derives from the beacon key, so
 * that nobody else reads who is there, or makes something up.
 *
 *   0   version     1
 *   1   way         how it was sent: to one, to the group, by broadcast …  (`ways` below)
 *   2   key id      4 bytes, names the key without telling it
 *   6   nonce       12 bytes, random
 *   18  body        AES-256-GCM (RFC 5116), the first 6 bytes as associated data; tag at the end
 *
 * Never larger than 1200 bytes, which pass every network without being cut into fragments (RFC 8085 section 3.2, RFC 9000
 * section 14). Random nonces under one key are safe for 2^32 datagrams (NIST SP 800-38D section 8.3): a cluster of 200
 * nodes needs a year for as many, and a rotation of the secret begins anew.
 * A member may claim to be another: this keeps out strangers, not members. What matters more is decided by static keys.
 */

import { concat, type NoiseCrypto, tagBytes } from '../wire/noise.ts';

/** Largest datagram, bytes. */
export const datagramBytesMax = 1200;
/** Version of this form. */
export const beaconVersion = 1;

/**
 * How a datagram was sent. Receivers learn from it whether multicast passes; `calling` is a broadcast of somebody who
 * hears nobody by multicast and asks to be answered by broadcast too.
 */
export const ways = ['unicast', 'multicast', 'broadcast', 'calling'] as const;
export type Way = (typeof ways)[number];

/** What seals beacons of one cluster secret; derived from the beacon key, 32 bytes. */
export interface BeaconKey {
  /** 4 bytes. */
  readonly id: Uint8Array;
  /** AES-256 key. */
  readonly key: Uint8Array;
}

const idAt = 2;
const nonceAt = 6;
const nonceBytes = 12;
const bodyAt = nonceAt + nonceBytes;

/** Most bytes of a body. */
export const bodyBytesMax = datagramBytesMax - bodyAt - tagBytes;

export type SealCrypto = Pick<NoiseCrypto, 'seal' | 'open' | 'randomBytes'>;

/** The datagram of `body`, which has at most `bodyBytesMax` bytes. */
export function sealBeacon(crypto: SealCrypto, { key, id }: BeaconKey, way: Way, body: Uint8Array): Uint8Array {
  const ad = concat(new Uint8Array([beaconVersion, ways.indexOf(way)]), id);
  const nonce = crypto.randomBytes(nonceBytes);
  return concat(ad, nonce, crypto.seal({ key, nonce, ad, data: body }));
}

/** What was in a datagram and the key it was sealed with, or why it is none of ours. */
export type Unsealed =
  | { readonly ok: true; readonly way: Way; readonly key: BeaconKey; readonly body: Uint8Array }
  | { readonly ok: false; readonly reason: 'malformed' | 'version' | 'other_cluster' | 'forged' };

/** What is in a datagram that was sealed with one of `keys`. */
export function openBeacon(crypto: SealCrypto, keys: readonly BeaconKey[], datagram: Uint8Array): Unsealed {
  if (datagram.length > datagramBytesMax || datagram.length < bodyAt + tagBytes)
    return { ok: false, reason: 'malformed' };
  if (datagram[0] !== beaconVersion) return { ok: false, reason: 'version' };
  const way = ways[datagram[1] ?? ways.length];
  if (way === undefined) return { ok: false, reason: 'malformed' };
  const known = keys.find(({ id }) => id.every((byte, n) => byte === datagram[idAt + n]));
  if (known === undefined) return { ok: false, reason: 'other_cluster' };
  const body = crypto.open({
    key: known.key,
    nonce: datagram.subarray(nonceAt, bodyAt),
    ad: datagram.subarray(0, nonceAt),
    data: datagram.subarray(bodyAt),
  });
  return body === null ? { ok: false, reason: 'forged' } : { ok: true, way, key: known, body };
}
