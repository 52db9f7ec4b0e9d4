import { describe, expect, test } from 'bun:test';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { fingerprintOf, invitePsk, keySet, sha256Hex, tokenId } from '../../../src/runtime/keys.ts';

const utf8 = new TextEncoder();
const publicKey = 'ab'.repeat(32);
const inviteId = '0011223344556677';

/** Every label, what follows it, and the length of the key. */
const derivations = {
  id: ['octaskly key id v1', '', 4],
  psk: ['octaskly noise psk v1', '', 32],
  beaconKey: ['octaskly beacon v1', '', 32],
  notifyKey: ['octaskly notification key v1', '', 32],
  nodePsk: ['octaskly node psk v1', publicKey, 32],
  inviteSecret: ['octaskly invite secret v1', inviteId, 16],
  tokenKey: ['octaskly api token v1', '', 32],
} as const;

function expected(secret: string | Uint8Array, [label, of, length]: readonly [string, string, number]): string {
  const input = typeof secret === 'string' ? utf8.encode(secret) : secret;
  const info = Uint8Array.of(...utf8.encode(label), ...Uint8Array.fromHex(of));
  return hkdf(sha256, input, undefined, info, length).toHex();
}

function derived(secret: string): Record<Exclude<keyof typeof derivations, 'tokenKey'>, string> {
  const keys = keySet(secret);
  return {
    id: keys.id,
    psk: keys.psk.toHex(),
    beaconKey: keys.beaconKey.toHex(),
    notifyKey: keys.notifyKey,
    nodePsk: keys.nodePsk(publicKey).toHex(),
    inviteSecret: keys.inviteSecret(inviteId).toHex(),
  };
}

describe('keySet()', () => {
  test('derives each key by HKDF-SHA256 of the UTF-8 secret with a label of its own', () => {
    for (const secret of ['', 'correct horse', 'Schlüssel 🔑']) {
      const { id, psk, beaconKey, notifyKey, nodePsk, inviteSecret, tokenKey } = derivations;
      expect(derived(secret)).toEqual({
        id: expected(secret, id),
        psk: expected(secret, psk),
        beaconKey: expected(secret, beaconKey),
        notifyKey: expected(secret, notifyKey),
        nodePsk: expected(secret, nodePsk),
        inviteSecret: expected(secret, inviteSecret),
      });
      const signature = hmac(sha256, Uint8Array.fromHex(expected(secret, tokenKey)), utf8.encode('signed'));
      expect(keySet(secret).signToken(utf8.encode('signed'))).toEqual(signature);
    }
  });

  test('has labels of which none is the beginning of another, so that no input of one is an input of another', () => {
    const labels = [...Object.values(derivations).map(([label]) => label), 'octaskly invite psk v1'];
    for (const label of labels)
      for (const other of labels) expect(label !== other && label.startsWith(other)).toBe(false);
  });

  test('derives no key from another: none is any derivation, with any label, of any other', () => {
    const secret = 'a secret';
    const keys = [...Object.values(derived(secret)), expected(secret, derivations.tokenKey)];
    const own = new Set(keys);
    expect(own.size).toBe(keys.length);
    const reachable = keys.flatMap((key) => {
      const bytes = Uint8Array.fromHex(key);
      const all = Object.values(derivations);
      return [
        sha256(bytes).toHex(),
        ...all.map((each) => expected(bytes, each)),
        ...all.map((each) => expected(key, each)),
      ];
    });
    expect(reachable.filter((key) => own.has(key))).toEqual([]);
  });

  test('gives every node, invite and secret keys of their own', () => {
    const keys = keySet('a secret');
    const seen = new Set<string>();
    for (let i = 0; i < 50; i++) {
      const byte = i.toString(16).padStart(2, '0');
      seen.add(keys.nodePsk(byte.repeat(32)).toHex());
      seen.add(keys.inviteSecret(byte.repeat(8)).toHex());
      for (const value of Object.values(derived(`secret ${i}`))) seen.add(value);
    }
    expect(seen.size).toBe(50 * 8);
  });
});

test('invitePsk() is HKDF of the one-time secret with a label of its own', () => {
  const secret = new Uint8Array(16).fill(5);
  expect(invitePsk(secret).toHex()).toBe(expected(secret, ['octaskly invite psk v1', '', 32]));
});

test('fingerprintOf() is what ssh-keygen writes of the same bytes', () => {
  expect(fingerprintOf('00'.repeat(32))).toBe('SHA256:Zmh6rfhivXdsj8GLjp+OIAiXFIVu4jOzkCpZHQ1fKSU');
});

test('sha256Hex() and tokenId()', () => {
  expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(new Set(Array.from({ length: 100 }, tokenId)).size).toBe(100);
});
