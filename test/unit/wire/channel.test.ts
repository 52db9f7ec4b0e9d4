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

/** Opens the body of a frame, cut as the frame decoder does. */
function openFrame(opening: OpeningChannel, body: Uint8Array): Uint8Array | null {
  for (let at = 0; at + piece < body.length; at += piece) {
    const opened = opening.open(body.subarray(at, at + piece), body.length - at - piece);
    if (opened !== 'further') return null;
  }
  const opened = opening.open(body.subarray(Math.floor(Math.max(0, body.length - 1) / piece) * piece), 0);
  return opened === 'further' ? null : opened;
}

describe('SealingChannel and OpeningChannel', () => {
  test('carry messages of any size up to the frame limit', () => {
    const { sealing, opening } = channels();
    for (const size of [0, 1, 65_517, 65_518, 65_519, 131_036, 131_037, 1_000_000, messageBytesMax]) {
      const data = new Uint8Array(size).fill(size % 251);
      const body = sealing.seal([data]);
      expect(body.length).toBeLessThanOrEqual(frameBytesMax);
      expect(Buffer.compare(openFrame(opening, body) ?? new Uint8Array(1), data)).toBe(0);
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
      expect(openFrame(opening, first)).toBeNull();
    }
    const replayed = sealed();
    expect(openFrame(replayed.opening, replayed.first)).toEqual(Uint8Array.of(1));
    expect(openFrame(replayed.opening, replayed.first)).toBeNull();
    const reordered = sealed();
    expect(openFrame(reordered.opening, reordered.second)).toBeNull();
    for (const size of [0, 1, 15, 16]) expect(openFrame(sealed().opening, new Uint8Array(size))).toBeNull();
  });

  test('refuse frames that were re-cut at piece boundaries', () => {
    const cut = channels();
    const body = cut.sealing.seal([new Uint8Array(100_000)]);
    expect(openFrame(cut.opening, body.subarray(0, piece))).toBeNull();
    const merged = channels();
    const [first, second] = [merged.sealing.seal([new Uint8Array(65_518)]), merged.sealing.seal([Uint8Array.of(1)])];
    expect(first.length).toBe(piece);
    expect(openFrame(merged.opening, new Uint8Array(Buffer.concat([first, second])))).toBeNull();
  });

  test('say of each piece but the last that more follows, and give nothing of a message that is forged at its end', () => {
    const { sealing, opening } = channels();
    const body = sealing.seal([new Uint8Array(70_000).fill(7)]);
    const rest = body.subarray(piece);
    expect(opening.open(body.subarray(0, piece), rest.length)).toBe('further');
    rest[rest.length - 1] = (rest[rest.length - 1] ?? 0) ^ 1;
    expect(opening.open(rest, 0)).toBeNull();
  });

  test('take no memory for what a frame says is to come beyond a bound', () => {
    const asked: number[] = [];
    const key = new Uint8Array(32).fill(9);
    const counting = {
      ...nativeCrypto,
      memory(bytes: number) {
        asked.push(bytes);
        return nativeCrypto.memory(bytes);
      },
    };
    const opening = new OpeningChannel(new CipherState(counting, key));
    const body = channels().sealing.seal([new Uint8Array(200_000)]);
    // The length in front of a frame is not under any seal: anybody on the path may write it.
    expect(opening.open(body.subarray(0, piece), frameBytesMax - piece)).toBe('further');
    expect(asked).toHaveLength(1);
    expect(asked[0]).toBeLessThan(1.1 * 1024 * 1024);
  });

  test('take a new key every so many pieces, on both sides at once', () => {
    const { sealing, opening } = channels(3);
    const without = channels();
    const bodies = Array.from({ length: 10 }, (_, i) => sealing.seal([Uint8Array.of(i)]));
    expect(bodies.map((body) => openFrame(opening, body)?.[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const read = bodies.map((body) => openFrame(without.opening, body)?.[0]);
    expect(read.slice(0, 4)).toEqual([0, 1, 2, undefined]);
  });
});
