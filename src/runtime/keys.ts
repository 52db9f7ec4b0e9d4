/**
 * What is derived from the cluster secret: each key by HKDF-SHA256 (RFC 5869, without salt) with a label of its own, so
 * that none of them tells anything about another or about the secret. Knows no files; where secrets are kept is in
 * `keyring.ts`.
 *
 * It stretches nothing: whoever takes part in a handshake or sees a token can try guesses at a secret offline, so a secret
 * has to be long and random, as the generated one is.
 *
 * Invariant: no label is the beginning of another, and what follows a label (a public key, an invite's id, that id and the
 * sums of its token) has one length.
 */

import { createHash, createHmac, hkdfSync, randomUUID } from 'node:crypto';
import type { BeaconKey } from '../discovery/beacon-seal.ts';
import type { KeySet } from '../ports/keys.ts';
import { type Claim, fingerprint } from '../wire/admission.ts';
import { concat } from '../wire/noise.ts';
import type { Candidate, Gate } from '../wire/opening.ts';
import { nativeCrypto } from './crypto.ts';

const labels = {
  psk: 'octaskly noise psk v1',
  nodePsk: 'octaskly node psk v1',
  inviteSecret: 'octaskly invite secret v1',
  inviteSumsSecret: 'octaskly invite with sums secret v1',
  invitePsk: 'octaskly invite psk v1',
  token: 'octaskly api token v1',
  notify: 'octaskly notification key v1',
  beacon: 'octaskly beacon v1',
  peerPsk: 'octaskly peer psk v1',
  beaconSeal: 'octaskly seal of beacons v1',
  beaconId: 'octaskly id of beacons v1',
  id: 'octaskly key id v1',
} as const;

const keyBytes = 32;
const inviteSecretBytes = 16;
const idBytes = 4;
const noBytes = new Uint8Array(0);
const utf8 = new TextEncoder();

function derive(
  secret: string | Uint8Array,
  label: keyof typeof labels,
  { of = noBytes, length = keyBytes }: { readonly of?: Uint8Array; readonly length?: number } = {},
): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, noBytes, concat(utf8.encode(labels[label]), of), length));
}

/** The keys of a cluster secret, which is taken as UTF-8. */
export function keySet(secret: string): KeySet {
  const tokenKey = derive(secret, 'token');
  return {
    id: derive(secret, 'id', { length: idBytes }).toHex(),
    psk: derive(secret, 'psk'),
    beaconKey: derive(secret, 'beacon'),
    notifyKey: derive(secret, 'notify').toHex(),
    nodePsk: (publicKey) => derive(secret, 'nodePsk', { of: Uint8Array.fromHex(publicKey) }),
    inviteSecret: (id, sums = null) => {
      const of = Uint8Array.fromHex(`${id}${sums ?? ''}`);
      return derive(secret, sums === null ? 'inviteSecret' : 'inviteSumsSecret', { of, length: inviteSecretBytes });
    },
    signToken: (data) => new Uint8Array(createHmac('sha256', tokenKey).update(data).digest()),
  };
}

/** Pre-shared key of the link of whoever holds an invite's one-time secret (16 bytes); 32 bytes. */
export function invitePsk(inviteSecret: Uint8Array): Uint8Array {
  return derive(inviteSecret, 'invitePsk');
}

/** Pre-shared key of links between members of a cluster, of its beacon key (32 bytes); 32 bytes. */
export function peerPsk(beaconKey: Uint8Array): Uint8Array {
  return derive(beaconKey, 'peerPsk');
}

/** What beacons of a cluster are sealed with, of its beacon key (32 bytes). */
export function beaconSealKey(beaconKey: Uint8Array): BeaconKey {
  return { id: derive(beaconKey, 'beaconId', { length: idBytes }), key: derive(beaconKey, 'beaconSeal') };
}

/** What a dispatcher with these keys (asked for anew each time) accepts. `strangers`: also those with nothing to show. */
export function dispatcherGate(keys: () => readonly KeySet[], { strangers }: { readonly strangers: boolean }): Gate {
  return {
    admits: ['secret', 'credential', 'invite', ...(strangers ? (['nothing'] as const) : [])],
    candidates: (claim, remoteKey) => candidatesFor(keys(), claim, remoteKey),
  };
}

/** The pre-shared keys with which the node with this public key shows a claim to be true, one of each set. */
function candidatesFor(sets: readonly KeySet[], claim: Claim, remoteKey: Uint8Array): Candidate[] {
  return sets.map((set) => ({ keyId: set.id, psk: pskFor(set, claim, remoteKey) }));
}

function pskFor(keys: KeySet, claim: Claim, remoteKey: Uint8Array): Uint8Array {
  switch (claim.by) {
    case 'invite':
      return invitePsk(keys.inviteSecret(claim.inviteId, claim.sums));
    case 'credential':
      return keys.nodePsk(remoteKey.toHex());
    default:
      return keys.psk;
  }
}

/** A public key (64 hex digits) as people compare it: `SHA256:` and base64 without padding, as ssh writes it. */
export function fingerprintOf(publicKeyHex: string): string {
  return fingerprint(nativeCrypto, Uint8Array.fromHex(publicKeyHex));
}

/** HMAC-SHA256 of a text under a key that is a text too, lower-case hex. */
export function hmacSha256Hex(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('hex');
}

/** SHA-256 of bytes or of a text, lower-case hex. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** An id no other token has. */
export function tokenId(): string {
  return randomUUID();
}
