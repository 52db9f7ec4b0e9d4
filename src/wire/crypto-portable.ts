/**
 * The primitives of Noise from the @noble libraries: runs wherever JavaScript runs, 10 to 20 times slower than the
 * runtime's own. The native twin (`runtime/crypto.ts`) is compared with it. Randomness comes from the caller.
 */

import { gcm } from '@noble/ciphers/aes.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concat, type KeyPair, type NoiseCrypto } from './noise.ts';

/** `randomBytes` must be cryptographically strong. */
export function createPortableCrypto(randomBytes: (count: number) => Uint8Array): NoiseCrypto {
  const keypairOf = (privateKey: Uint8Array): KeyPair => {
    if (privateKey.length !== 32) throw new RangeError(`A private key has ${privateKey.length} bytes instead of 32`);
    return { privateKey: privateKey.slice(), publicKey: x25519.getPublicKey(privateKey) };
  };
  return {
    generateKeypair: () => keypairOf(randomBytes(32)),
    memory: (bytes) => new Uint8Array(bytes),
    release() {},
    randomBytes,
    keypairOf,
    dh: (privateKey, publicKey) => {
      try {
        return x25519.getSharedSecret(privateKey, publicKey);
      } catch {
        return null;
      }
    },
    sha256: (data) => sha256(data),
    hmacSha256: (key, data) => hmac(sha256, key, data),
    seal: ({ key, nonce, ad, data }) => gcm(key, nonce, ad).encrypt(data),
    sealInto: ({ key, nonce, ad }, parts, into) => into.set(gcm(key, nonce, ad).encrypt(concat(...parts))),
    open: ({ key, nonce, ad, data }) => {
      try {
        return gcm(key, nonce, ad).decrypt(data);
      } catch {
        return null;
      }
    },
  };
}
