/**
 * Frames: a 4-byte big-endian length, then that many bytes. The decoder takes bytes in any chunking, and gives a frame on in
 * pieces as large as a Noise message, each as soon as it is there: a frame that is larger is never held as a whole.
 *
 * It knows nothing of what a frame holds. Invariants: every byte is copied at most a constant number of times whatever
 * the chunking, and not at all where its piece is whole in a chunk; memory held is at most twice what has arrived of the
 * largest piece so far, never what a prefix claims.
 */

import { noiseMessageBytesMax } from './noise.ts';

/** Bytes of the length prefix. */
export const frameHeaderBytes = 4;

/** Most bytes in one frame, prefix not counted: 16 MiB. */
export const frameBytesMax = 16 * 1024 * 1024;

const smallestBufferBytes = 1024;
const noBytes = new Uint8Array(0);

/** A frame around `body` (at most `frameBytesMax` bytes, which the caller guarantees), in one new array. */
export function encodeFrame(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(frameHeaderBytes + body.length);
  frame.set(body, frameHeaderBytes);
  return withLength(frame);
}

/** Writes the length prefix of a frame whose body stands in its place already; returns it. */
export function withLength(frame: Uint8Array): Uint8Array {
  const length = frame.length - frameHeaderBytes;
  frame[0] = length >>> 24;
  frame[1] = length >>> 16;
  frame[2] = length >>> 8;
  frame[3] = length;
  return frame;
}

/** Takes a piece of a frame in which `restBytes` follow it; the bytes are valid during the call only. False: no more. */
export type TakePiece = (piece: Uint8Array, restBytes: number) => boolean;

/** Cuts a byte stream into frames, and those into pieces. One per connection. */
export class FrameDecoder {
  /** Largest frame taken from now on, in bytes; may be changed between frames, also from inside `onPiece`. */
  limitBytes: number;
  /** The beginning of a header or a piece, the rest of which has not arrived. */
  #pending: Uint8Array = noBytes;
  #pendingBytes = 0;
  /** What of the frame was not given on yet; null between frames. */
  #restBytes: number | null = null;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** True in the middle of a frame: an end of the stream here cuts something off. */
  get midFrame(): boolean {
    return this.#pendingBytes > 0 || this.#restBytes !== null;
  }

  /**
   * Takes `chunk` in and calls `onPiece` for each piece it completes; a frame without bytes has one without. When that says
   * to stop, the rest of the chunk is dropped. Returns the length that a frame claims beyond the limit (nothing may be
   * pushed afterwards), else null.
   */
  push(chunk: Uint8Array, onPiece: TakePiece): number | null {
    let at = 0;
    while (at < chunk.length || this.#restBytes === 0) {
      const wanted = this.#restBytes === null ? frameHeaderBytes : Math.min(this.#restBytes, noiseMessageBytesMax);
      const start = at;
      at += wanted - this.#pendingBytes;
      const bytes = this.#gather(chunk, start, wanted);
      if (bytes === null) return null;
      if (this.#restBytes === null) {
        const length = lengthOf(bytes);
        if (length > this.limitBytes) return length;
        this.#restBytes = length;
      } else {
        const restBytes = this.#restBytes - wanted;
        this.#restBytes = restBytes > 0 ? restBytes : null;
        if (!onPiece(bytes, restBytes)) return null;
      }
    }
    return null;
  }

  /** The next `wanted` bytes, of which the pending ones are the first; null, and all of `chunk` kept, when it ends before. */
  #gather(chunk: Uint8Array, at: number, wanted: number): Uint8Array | null {
    const missing = wanted - this.#pendingBytes;
    // The common case, all of it in this chunk, goes without a copy.
    if (this.#pendingBytes === 0 && chunk.length - at >= missing) return chunk.subarray(at, at + missing);
    this.#keep(chunk.subarray(at, at + missing), wanted);
    if (this.#pendingBytes < wanted) return null;
    this.#pendingBytes = 0;
    return this.#pending.subarray(0, wanted);
  }

  #keep(bytes: Uint8Array, wanted: number): void {
    const needed = this.#pendingBytes + bytes.length;
    if (needed > this.#pending.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(wanted, this.#pending.length * 2), smallestBufferBytes));
      grown.set(this.#pending.subarray(0, this.#pendingBytes));
      this.#pending = grown;
    }
    this.#pending.set(bytes, this.#pendingBytes);
    this.#pendingBytes = needed;
  }
}

function lengthOf(header: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = [header[0], header[1], header[2], header[3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
