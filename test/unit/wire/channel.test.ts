import { describe, expect, test } from 'bun:test';
import { nativeCrypto } from '../../../src/runtime/crypto.ts';
import { messageBytesMax, OpeningChannel, SealingChannel } from '../../../src/wire/channel.ts';
import { frameBytesMax } from '../../../src/wire/frame.ts';
import { CipherState } from '../../../src/wire/noise.ts';

function channels(rekeyPieces?: number): { sealing: SealingChannel; opening: OpeningChannel } {
  const key = new Uint8Array(32).fill(9);
  return {
    sealing: new SealingChannel(new CipherState(nativeCrypto, key), rekeyPieces),
    opening: new OpeningChannel(new CipherState(nativeCrypto, key), rekeyPieces),
  };
}

const piece = 65_535;

describe('SealingChannel and OpeningChannel', () => {
  test('carry messages of any size up to the frame limit', () => {
    const { sealing, opening } = channels();
    for (const size of [0, 1, 65_517, 65_518, 65_519, 131_036, 131_037, 1_000_000, messageBytesMax]) {
      const data = new Uint8Array(size).fill(size % 251);
      const body = sealing.seal([data]);
      expect(body.length).toBeLessThanOrEqual(frameBytesMax);
      expect(Buffer.compare(opening.open(body) ?? new Uint8Array(1), data)).toBe(0);
    }
    expect(sealing.seal([new Uint8Array(messageBytesMax)]).length).toBe(frameBytesMax);
  });

  test('refuse altered, repeated, reordered and left-out frames', () => {
    const sealed = () => {
      const { sealing, opening } = channels();
      return { opening, first: sealing.seal([Uint8Array.of(1)]), second: sealing.seal([Uint8Array.of(2)]) };
    };
    for (let at = 0; at < sealed().first.length; at++) {
      const { opening, first } = sealed();
      first[at] = (first[at] ?? 0) ^ 0x80;
      expect(opening.open(first)).toBeNull();
    }
    const replayed = sealed();
    expect(replayed.opening.open(replayed.first)).toEqual(Uint8Array.of(1));
    expect(replayed.opening.open(replayed.first)).toBeNull();
    const reordered = sealed();
    expect(reordered.opening.open(reordered.second)).toBeNull();
    for (const size of [0, 1, 15, 16]) expect(sealed().opening.open(new Uint8Array(size))).toBeNull();
  });

  test('refuse frames that were re-cut at piece boundaries', () => {
    const cut = channels();
    const body = cut.sealing.seal([new Uint8Array(100_000)]);
    expect(cut.opening.open(body.subarray(0, piece))).toBeNull();
    const merged = channels();
    const [first, second] = [merged.sealing.seal([new Uint8Array(65_518)]), merged.sealing.seal([Uint8Array.of(1)])];
    expect(first.length).toBe(piece);
    expect(merged.opening.open(new Uint8Array(Buffer.concat([first, second])))).toBeNull();
  });

  test('take a new key every so many pieces, on both sides at once', () => {
    const { sealing, opening } = channels(3);
    const without = channels();
    const bodies = Array.from({ length: 10 }, (_, i) => sealing.seal([Uint8Array.of(i)]));
    expect(bodies.map((body) => opening.open(body)?.[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const read = bodies.map((body) => without.opening.open(body)?.[0]);
    expect(read.slice(0, 4)).toEqual([0, 1, 2, undefined]);
  });
});
