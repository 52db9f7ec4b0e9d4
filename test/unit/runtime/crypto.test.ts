import { describe, expect, test } from 'bun:test';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { pskFromSecret } from '../../../src/runtime/crypto.ts';

describe('pskFromSecret()', () => {
  test('is HKDF-SHA256 of the UTF-8 secret with its label, 32 bytes', () => {
    const utf8 = new TextEncoder();
    for (const secret of ['', 'correct horse', 'Schlüssel 🔑']) {
      const expected = hkdf(sha256, utf8.encode(secret), undefined, utf8.encode('octaskly noise psk v1'), 32);
      expect(pskFromSecret(secret)).toEqual(expected);
    }
  });
});
