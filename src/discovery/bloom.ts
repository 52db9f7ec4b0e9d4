/**
 * Which blobs a node may have, in at most 512 bytes: a Bloom filter (B. H. Bloom, Space/Time Trade-offs in Hash Coding with
 * Allowable Errors, 1970). It never denies a blob that was put in. Of blobs that were not, it affirms about one in 120 at
 * ten bits a blob and seven positions, so it only says whom to ask first.
 *
 * A blob is named by its SHA-256, whose bits are as random as any hash of it would be: the positions come straight from
 * its first 64 bits, as two halves combined (Kirsch and Mitzenmacher, Less Hashing, Same Performance, 2006).
 * The filter is no larger than its blobs need, a power of two of bytes, so that datagrams of nodes with few stay small.
 */

/** Largest filter, bytes. */
export const bloomBytesMax = 512;
const bloomBytesMin = 16;
const bitsPerBlob = 10;
const positions = 7;

/** Most blobs that one filter of `bytes` bytes takes in. */
export function bloomCapacity(bytes: number): number {
  return Math.floor((bytes * 8) / bitsPerBlob);
}

const noBlobs = new Uint8Array(0);

/**
 * A filter of at most `bytesMax` bytes over `blobs` (`sha256:<hex>`), those that matter most first: what does not fit is
 * left out. Empty for no blobs. Names that are none are left out too.
 */
export function bloomOf(blobs: readonly string[], bytesMax = bloomBytesMax): Uint8Array {
  const named = blobs.filter(isBlob).slice(0, bloomCapacity(bytesMax));
  if (named.length === 0) return noBlobs;
  let bytes = bloomBytesMin;
  while (bloomCapacity(bytes) < named.length) bytes *= 2;
  const filter = new Uint8Array(Math.min(bytes, bytesMax));
  for (const blob of named) {
    for (const bit of bitsOf(blob, filter.length)) filter[bit >> 3] = (filter[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  return filter;
}

/** False: the blob was not put into the filter. True: it probably was. */
export function bloomHas(filter: Uint8Array, blob: string): boolean {
  if (filter.length === 0 || !isBlob(blob)) return false;
  return bitsOf(blob, filter.length).every((bit) => ((filter[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0);
}

function isBlob(blob: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(blob);
}

function bitsOf(blob: string, filterBytes: number): number[] {
  const first = Number.parseInt(blob.slice(7, 15), 16);
  // Odd, so that it shares no factor with the number of bits and the positions differ.
  const step = Number.parseInt(blob.slice(15, 23), 16) | 1;
  return Array.from({ length: positions }, (_, n) => (first + n * (step >>> 0)) % (filterBytes * 8));
}
