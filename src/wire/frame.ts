/**
 * Frames: a 4-byte big-endian length, then that many bytes. The decoder takes bytes in any chunking.
 *
 * It knows nothing of what a frame holds. Invariants: every byte is copied at most a constant number of times whatever
 * the chunking; memory held is at most twice what has arrived of the largest frame so far, never what a prefix claims,
 * and between frames at most `keptBytesMax`.
 */

/** Bytes of the length prefix. */
export const frameHeaderBytes = 4;

/** Most bytes in one frame, prefix not counted: 16 MiB. */
export const frameBytesMax = 16 * 1024 * 1024;

const smallestBufferBytes = 1024;
/** A buffer of up to this size is used for the next frame too: growing one anew costs as much as copying the frame. */
const keptBytesMax = 1024 * 1024;
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

/** Cuts a byte stream into frames. One per connection. */
export class FrameDecoder {
  /** Largest frame taken from now on, in bytes; may be changed between frames, also from inside `onFrame`. */
  limitBytes: number;
  #pending: Uint8Array = noBytes;
  #pendingBytes = 0;

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes;
  }

  /** True in the middle of a frame: an end of the stream here cuts something off. */
  get midFrame(): boolean {
    return this.#pendingBytes > 0;
  }

  /**
   * Takes `chunk` in and calls `onFrame` for each frame it completes; the bytes given are valid during the call only.
   * `onFrame` returns false to stop: the rest of the chunk is dropped. Returns the length that a frame claims beyond the
   * limit (nothing may be pushed afterwards), else null.
   */
  push(chunk: Uint8Array, onFrame: (body: Uint8Array) => boolean): number | null {
    let at = 0;
    while (at < chunk.length) {
      if (this.#pendingBytes > 0) {
        const header = this.#fill(chunk, at, frameHeaderBytes);
        at += header;
        if (this.#pendingBytes < frameHeaderBytes) return null;
        const length = lengthAt(this.#pending, 0);
        if (length > this.limitBytes) return length;
        at += this.#fill(chunk, at, frameHeaderBytes + length);
        if (this.#pendingBytes < frameHeaderBytes + length) return null;
        const body = this.#pending.subarray(frameHeaderBytes, frameHeaderBytes + length);
        this.#pendingBytes = 0;
        if (this.#pending.length > keptBytesMax) this.#pending = noBytes;
        if (!onFrame(body)) return null;
        continue;
      }
      // The common case, a frame whole in its chunk, is handed on without a copy.
      const left = chunk.length - at;
      if (left >= frameHeaderBytes) {
        const length = lengthAt(chunk, at);
        if (length > this.limitBytes) return length;
        if (left >= frameHeaderBytes + length) {
          const start = at + frameHeaderBytes;
          at = start + length;
          if (!onFrame(chunk.subarray(start, at))) return null;
          continue;
        }
      }
      at += this.#fill(chunk, at, frameHeaderBytes + left);
    }
    return null;
  }

  /** Moves bytes of `chunk` from `at` to the pending buffer until that holds `wantedBytes`; returns how many moved. */
  #fill(chunk: Uint8Array, at: number, wantedBytes: number): number {
    const count = Math.min(chunk.length - at, wantedBytes - this.#pendingBytes);
    if (count <= 0) return 0;
    const needed = this.#pendingBytes + count;
    if (needed > this.#pending.length) {
      const grown = new Uint8Array(Math.max(needed, this.#pending.length * 2, smallestBufferBytes));
      grown.set(this.#pending.subarray(0, this.#pendingBytes));
      this.#pending = grown;
    }
    this.#pending.set(chunk.subarray(at, at + count), this.#pendingBytes);
    this.#pendingBytes = needed;
    return count;
  }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
