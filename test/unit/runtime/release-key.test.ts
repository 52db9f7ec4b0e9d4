import { describe, expect, test } from 'bun:test';
import { isSignedBy, releaseKey, releaseKeyFingerprint } from '../../../src/runtime/release-key.ts';

/** RFC 8032, 7.1, test 2: the key in its SPKI form, a message of one byte, its signature. */
const key = Buffer.concat([
  Buffer.from('302a300506032b6570032100', 'hex'),
  Buffer.from('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', 'hex'),
]).toString('base64');
const message = Uint8Array.of(0x72);
const signature = Buffer.from(
  '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  'hex',
).toString('base64');

describe('isSignedBy()', () => {
  test('takes the signature of the standard, with and without the end of its line', () => {
    expect(isSignedBy(key, message, signature)).toBe(true);
    expect(isSignedBy(key, message, `${signature}\n`)).toBe(true);
    expect(isSignedBy(key, message, `${signature}\r\n`)).toBe(true);
  });

  test('refuses other bytes, another key, and what is no signature or key', () => {
    expect(isSignedBy(key, Uint8Array.of(0x73), signature)).toBe(false);
    expect(isSignedBy(key.replace('PUA', 'PUB'), message, signature)).toBe(false);
    for (const other of ['', signature.slice(1), `${signature}x`, `${signature}\n\n`, 'A'.repeat(88)]) {
      expect(isSignedBy(key, message, other)).toBe(false);
    }
    for (const other of ['', 'AAAA', 'not a key']) expect(isSignedBy(other, message, signature)).toBe(false);
  });
});

describe('releaseKeyFingerprint()', () => {
  test('is the digest of the key in its SPKI form', () => {
    const digest = new Bun.CryptoHasher('sha256').update(Buffer.from(key, 'base64')).digest('hex');
    expect(releaseKeyFingerprint(key)).toBe(digest);
  });
});

test('releaseKey is none from the sources, so that they trust no release', () => expect(releaseKey).toBeNull());
