import { describe, expect, test } from 'bun:test';
import { encodeFrame, FrameDecoder, frameBytesMax } from '../../../src/wire/frame.ts';
import { drawBytes, seeded } from './seeded.ts';

const pieceBytes = 65_535;

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function collect(decoder: FrameDecoder, chunks: readonly Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let pieces: Uint8Array[] = [];
  for (const chunk of chunks) {
    const claimed = decoder.push(chunk, (piece, restBytes) => {
      pieces.push(piece.slice());
      if (restBytes > 0) return true;
      frames.push(join(pieces));
      pieces = [];
      return true;
    });
    expect(claimed).toBeNull();
  }
  return frames;
}

describe('encodeFrame()', () => {
  test('writes the length as 4 bytes, big-endian', () => {
    expect([...encodeFrame(new Uint8Array(258).fill(7)).subarray(0, 5)]).toEqual([0, 0, 1, 2, 7]);
  });
});

describe('FrameDecoder', () => {
  test('gives the same frames whatever the chunking', () => {
    const draw = seeded(1);
    const bodies = Array.from({ length: 60 }, (_, i) => drawBytes(draw, i % 7 === 0 ? 5000 : draw(20)));
    bodies.push(drawBytes(draw, 2 * pieceBytes), drawBytes(draw, pieceBytes + 1), new Uint8Array(0));
    const stream = join(bodies.map(encodeFrame));
    const bytewise = Array.from(stream, (_, i) => stream.subarray(i, i + 1));
    expect(collect(new FrameDecoder(frameBytesMax), bytewise)).toEqual(bodies);
    expect(collect(new FrameDecoder(frameBytesMax), [stream])).toEqual(bodies);
    for (let round = 0; round < 50; round++) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < stream.length; ) {
        const size = draw(3) === 0 ? draw(4) : draw(90_000);
        chunks.push(stream.subarray(at, at + size));
        at += size;
      }
      expect(collect(new FrameDecoder(frameBytesMax), chunks)).toEqual(bodies);
    }
  });

  test('gives a frame on in pieces, each as soon as it is there, and says what follows', () => {
    const decoder = new FrameDecoder(frameBytesMax);
    const frame = encodeFrame(new Uint8Array(pieceBytes + 10).fill(1));
    const seen: number[][] = [];
    const push = (from: number, to: number): void => {
      decoder.push(frame.subarray(from, to), (piece, restBytes) => seen.push([piece.length, restBytes]) > 0);
    };
    push(0, pieceBytes + 3);
    expect(seen).toEqual([]);
    push(pieceBytes + 3, pieceBytes + 4);
    expect(seen).toEqual([[pieceBytes, 10]]);
    expect(decoder.midFrame).toBe(true);
    push(pieceBytes + 4, frame.length);
    expect(seen).toEqual([
      [pieceBytes, 10],
      [10, 0],
    ]);
    expect(decoder.midFrame).toBe(false);
  });

  test('gives a piece that is whole in its chunk on without a copy', () => {
    const frame = encodeFrame(new Uint8Array(2 * pieceBytes));
    const buffers: unknown[] = [];
    new FrameDecoder(frameBytesMax).push(frame, ({ buffer }) => buffers.push(buffer) > 0);
    expect(buffers).toEqual([frame.buffer, frame.buffer]);
    expect(buffers[0]).toBe(frame.buffer);
  });

  test('tells whether the stream stands in the middle of a frame', () => {
    const decoder = new FrameDecoder(100);
    const frame = encodeFrame(Uint8Array.of(1, 2));
    expect(decoder.midFrame).toBe(false);
    collect(decoder, [frame.subarray(0, 1)]);
    expect(decoder.midFrame).toBe(true);
    collect(decoder, [frame.subarray(1)]);
    expect(decoder.midFrame).toBe(false);
  });

  test('reports a claimed length beyond the limit, before its body arrives and in any chunking', () => {
    const header = Uint8Array.of(0, 0, 0, 11);
    expect(new FrameDecoder(10).push(header, () => true)).toBe(11);
    const bytewise = new FrameDecoder(10);
    const claims = Array.from(header, (_, i) => bytewise.push(header.subarray(i, i + 1), () => true));
    expect(claims).toEqual([null, null, null, 11]);
    expect(new FrameDecoder(frameBytesMax).push(Uint8Array.of(255, 255, 255, 255), () => true)).toBe(2 ** 32 - 1);
  });

  test('takes a new limit from inside a frame', () => {
    const decoder = new FrameDecoder(2);
    const sizes: number[] = [];
    const stream = join([encodeFrame(new Uint8Array(2)), encodeFrame(new Uint8Array(50))]);
    const claimed = decoder.push(stream, (body) => {
      decoder.limitBytes = 50;
      return sizes.push(body.length) > 0;
    });
    expect(claimed).toBeNull();
    expect(sizes).toEqual([2, 50]);
  });

  test('drops the rest of a chunk when told to stop', () => {
    const seen: number[] = [];
    const stream = join([encodeFrame(Uint8Array.of(1)), encodeFrame(Uint8Array.of(2))]);
    new FrameDecoder(9).push(stream, (body) => {
      seen.push(body[0] ?? -1);
      return false;
    });
    expect(seen).toEqual([1]);
  });

  test('takes a frame of 16 MiB in small chunks without copying it again and again', () => {
    const decoder = new FrameDecoder(frameBytesMax);
    const frame = encodeFrame(new Uint8Array(frameBytesMax).fill(5));
    let size = 0;
    for (let at = 0; at < frame.length; at += 1000) {
      decoder.push(frame.subarray(at, at + 1000), ({ length }) => {
        size += length;
        return true;
      });
    }
    // Copying everything with every chunk would move 140 GB here and run into the test's time limit.
    expect(size).toBe(frameBytesMax);
  });
});
