/** SHA-256 as the files of a release state it. */

/** 64 hexadecimal digits. */
export function sha256(bytes: Uint8Array | string): string {
  return new Bun.CryptoHasher('sha256').update(bytes).digest('hex');
}
