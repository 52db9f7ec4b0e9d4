import { describe, expect, test } from 'bun:test';
import { encodeFrame, FrameDecoder, frameBytesMax } from '../../../src/wire/frame.ts';
import { drawBytes, seeded } from './seeded.ts';

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function collect(decoder: FrameDecoder, chunks: readonly Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const chunk of chunks) {
    const claimed = decoder.push(chunk, (body) => frames.push(body.slice()) > 0);
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
    const stream = join(bodies.map(encodeFrame));
    const bytewise = Array.from(stream, (_, i) => stream.subarray(i, i + 1));
    expect(collect(new FrameDecoder(frameBytesMax), bytewise)).toEqual(bodies);
    expect(collect(new FrameDecoder(frameBytesMax), [stream])).toEqual(bodies);
    for (let round = 0; round < 50; round++) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < stream.length; ) {
        const size = draw(3) === 0 ? draw(4) : draw(9000);
        chunks.push(stream.subarray(at, at + size));
        at += size;
      }
      expect(collect(new FrameDecoder(frameBytesMax), chunks)).toEqual(bodies);
    }
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
      decoder.push(frame.subarray(at, at + 1000), (body) => {
        size = body.length;
        return true;
      });
    }
    // Copying everything with every chunk would move 140 GB here and run into the test's time limit.
    expect(size).toBe(frameBytesMax);
  });
});
