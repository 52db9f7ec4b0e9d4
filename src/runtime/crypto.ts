/**
 * The primitives of Noise from the runtime's own crypto. The portable twin is `wire/crypto-portable.ts`; tests compare
 * the two. Which keys there are, and what they are derived from, is in `keys.ts`.
 *
 * X25519 keys are 32 raw bytes outside; the runtime wants them in DER (RFC 8410), which is a fixed prefix and the bytes.
 */

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { type AeadInput, dhBytes, type KeyPair, type NoiseCrypto, tagBytes } from '../wire/noise.ts';
import { shelf } from './memory.ts';

const spkiPrefix = Buffer.from('302a300506032b656e032100', 'hex');
const pkcs8Prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** Native X25519, SHA-256, HMAC and AES-256-GCM. */
export const nativeCrypto: NoiseCrypto = {
  generateKeypair: () => keypairOf(randomBytes(dhBytes)),
  memory: (bytes) => shelf.borrow(bytes),
  release: (bytes) => shelf.release(bytes),
  randomBytes: (count) => plain(randomBytes(count)),
  keypairOf,
  dh(privateKey, publicKey) {
    try {
      return plain(diffieHellman({ privateKey: privateObject(privateKey), publicKey: publicObject(publicKey) }));
    } catch {
      return null;
    }
  },
  sha256: (data) => plain(createHash('sha256').update(data).digest()),
  hmacSha256: (key, data) => plain(createHmac('sha256', key).update(data).digest()),
  seal,
  sealInto,
  open,
};

function keypairOf(privateKey: Uint8Array): KeyPair {
  if (privateKey.length !== dhBytes) {
    throw new RangeError(`A private key has ${privateKey.length} bytes instead of ${dhBytes}`);
  }
  const der = createPublicKey(privateObject(privateKey)).export({ format: 'der', type: 'spki' });
  return { privateKey: Uint8Array.from(privateKey), publicKey: Uint8Array.from(der.subarray(spkiPrefix.length)) };
}

function privateObject(raw: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, raw]), format: 'der', type: 'pkcs8' });
}

function publicObject(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' });
}

function seal({ key, nonce, ad, data }: AeadInput): Uint8Array {
  const sealed = new Uint8Array(data.length + tagBytes);
  sealInto({ key, nonce, ad }, [data], sealed);
  return sealed;
}

function sealInto({ key, nonce, ad }: Omit<AeadInput, 'data'>, parts: readonly Uint8Array[], into: Uint8Array): void {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  if (ad.length > 0) cipher.setAAD(ad);
  let at = 0;
  for (const part of parts) {
    const sealed = cipher.update(part);
    into.set(sealed, at);
    shelf.release(sealed);
    at += part.length;
  }
  // GCM holds nothing back: final() only settles the tag.
  cipher.final();
  into.set(cipher.getAuthTag(), at);
}

function open({ key, nonce, ad, data }: AeadInput): Uint8Array | null {
  const tagAt = data.length - tagBytes;
  if (tagAt < 0) return null;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAuthTag(data.subarray(tagAt));
  if (ad.length > 0) decipher.setAAD(ad);
  const plaintext = decipher.update(data.subarray(0, tagAt));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return plain(plaintext);
}

/** The same bytes without `Buffer`'s other ideas of `slice` and `toString`. */
function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
