/**
 * What a verifier of Ed25519 has to take and to refuse: the vectors of RFC 8032 (7.1), and what can be wrong with a key or a
 * signature, each beside one that holds. Both install scripts bring a verifier of their own.
 */

import { generateKeyPairSync, sign } from 'node:crypto';

export interface Ed25519Case {
  readonly name: string;
  readonly key: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly holds: boolean;
}

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);

const vectors: readonly Ed25519Case[] = [
  {
    name: 'TEST 1',
    key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    name: 'TEST 2',
    key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    name: 'TEST 3',
    key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
  {
    name: 'TEST SHA(abc)',
    key: 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
    message:
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    signature:
      'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704',
  },
].map(({ name, key, message, signature }) => {
  return { name, key: hex(key), message: hex(message), signature: hex(signature), holds: true };
});

/** The order of the base point (RFC 8032, 5.1). */
const order = 2n ** 252n + 27742317777372353535851937790883648493n;
/** Points with x = 0: with the y that is the lowest, with that plus p, and with the sign that no 0 has. */
const neutral = hex(`01${'00'.repeat(31)}`);
const neutralPlusP = hex(`ee${'ff'.repeat(30)}7f`);
const neutralNegative = hex(`01${'00'.repeat(30)}80`);

function bytesOf(number: bigint): Uint8Array {
  return hex(number.toString(16).padStart(64, '0')).reverse();
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The same with one bit changed. */
function flipped(bytes: Uint8Array, at: number, bit = 1): Uint8Array {
  return bytes.map((byte, index) => (index === at ? byte ^ bit : byte));
}

/** A new key, and what it signed. */
function fresh(message: Uint8Array): Ed25519Case {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const key = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(12));
  return { name: 'a new key', key, message, signature: new Uint8Array(sign(null, message, privateKey)), holds: true };
}

/** All of them; about half hold. Keys are new at each call. */
export function ed25519Cases(): readonly Ed25519Case[] {
  const good = fresh(new Uint8Array(3000).map((_, index) => index % 251));
  const { key, message, signature } = good;
  const [r, s] = [signature.slice(0, 32), signature.slice(32)];
  const number = BigInt(`0x${s.toReversed().toHex()}`);
  const zero = new Uint8Array(32);
  const bad = (name: string, change: Partial<Ed25519Case>): Ed25519Case => ({ ...good, holds: false, name, ...change });
  return [
    ...vectors,
    good,
    bad('another message', { message: flipped(message, 1500) }),
    bad('a longer message', { message: joined(message, new Uint8Array(1)) }),
    bad('another R', { signature: joined(flipped(r, 3), s) }),
    bad('the sign of R', { signature: joined(flipped(r, 31, 0x80), s) }),
    bad('another S', { signature: joined(r, flipped(s, 0)) }),
    bad('S + L', { signature: joined(r, bytesOf(number + order)) }),
    bad('nothing but zeroes', { signature: new Uint8Array(64) }),
    bad('another key', { key: fresh(message).key }),
    bad('the sign of the key', { key: flipped(key, 31, 0x80) }),
    bad('a key that is no point', { key: hex(`02${'00'.repeat(31)}`) }),
    // These would hold if what stands for a point were not looked at.
    { ...good, name: 'a neutral key', key: neutral, signature: joined(neutral, zero) },
    bad('a key not below p', { key: neutralPlusP, signature: joined(neutral, zero) }),
    bad('a key of -0', { key: neutralNegative, signature: joined(neutral, zero) }),
    bad('an R not below p', { key: neutral, signature: joined(neutralPlusP, zero) }),
    bad('an R of -0', { key: neutral, signature: joined(neutralNegative, zero) }),
    bad('S = L', { key: neutral, signature: joined(neutral, bytesOf(order)) }),
  ];
}
