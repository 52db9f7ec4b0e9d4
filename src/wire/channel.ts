/**
 * The sealed half of a session: a message of any size becomes one frame body, and back.
 *
 * A Noise transport message has at most 65,535 bytes, a message may have 16 MiB; so it is cut into *pieces*, each sealed
 * by itself. The first byte of each piece's plaintext says whether it is the last of its message. That byte stands under
 * the seal because the frame's length does not: without it, someone on the path could re-cut frames at piece boundaries
 * and every piece would still be authentic.
 *
 * Each direction has its own cipher, whose counter makes replayed, reordered and dropped pieces fail; and it is rekeyed
 * (Noise section 11.3) every `rekeyPieces` pieces, at most 2^32 AES blocks, well within what one GCM key may seal.
 */

import { frameBytesMax } from './frame.ts';
import { type CipherState, noiseMessageBytesMax, tagBytes } from './noise.ts';

const flagBytes = 1;
const finalPiece = 0;
const furtherPiece = 1;
const noBytes = new Uint8Array(0);

const pieceDataBytesMax = noiseMessageBytesMax - tagBytes - flagBytes;
const piecesMax = Math.ceil(frameBytesMax / noiseMessageBytesMax);

/** Largest encoded message in bytes: what fits a frame of 16 MiB once sealed. */
export const messageBytesMax = frameBytesMax - piecesMax * (tagBytes + flagBytes);

/** Pieces after which a direction takes a new key. Both sides must agree. */
export const rekeyPiecesDefault = 2 ** 20;

/** Seals what one side sends. `data` must not exceed `messageBytesMax`, which the caller sees to. */
export class SealingChannel {
  readonly #cipher: CipherState;
  readonly #rekeyPieces: number;
  #pieces = 0;

  constructor(cipher: CipherState, rekeyPieces: number = rekeyPiecesDefault) {
    this.#cipher = cipher;
    this.#rekeyPieces = rekeyPieces;
  }

  /** The body of the frame of a message, with `headBytes` left free in front of it. */
  seal(data: Uint8Array, headBytes = 0): Uint8Array {
    const count = Math.max(1, Math.ceil(data.length / pieceDataBytesMax));
    const body = new Uint8Array(headBytes + data.length + count * (tagBytes + flagBytes));
    for (let i = 0; i < count; i++) {
      const piece = data.subarray(i * pieceDataBytesMax, (i + 1) * pieceDataBytesMax);
      body.set(
        this.#sealPiece(piece, i === count - 1 ? finalPiece : furtherPiece),
        headBytes + i * noiseMessageBytesMax,
      );
    }
    return body;
  }

  #sealPiece(data: Uint8Array, flag: number): Uint8Array {
    const plaintext = new Uint8Array(flagBytes + data.length);
    plaintext[0] = flag;
    plaintext.set(data, flagBytes);
    const sealed = this.#cipher.encrypt(noBytes, plaintext);
    this.#pieces += 1;
    if (this.#pieces % this.#rekeyPieces === 0) this.#cipher.rekey();
    return sealed;
  }
}

/** Opens what the other side sealed. */
export class OpeningChannel {
  readonly #cipher: CipherState;
  readonly #rekeyPieces: number;
  #pieces = 0;

  constructor(cipher: CipherState, rekeyPieces: number = rekeyPiecesDefault) {
    this.#cipher = cipher;
    this.#rekeyPieces = rekeyPieces;
  }

  /** The message in a frame body, in memory of its own; null when any piece is not authentic or not in its place. */
  open(body: Uint8Array): Uint8Array | null {
    if (body.length <= noiseMessageBytesMax) return this.#openPiece(body, finalPiece);
    const count = Math.ceil(body.length / noiseMessageBytesMax);
    const data = new Uint8Array(Math.max(0, body.length - count * (tagBytes + flagBytes)));
    for (let i = 0; i < count; i++) {
      const sealed = body.subarray(i * noiseMessageBytesMax, (i + 1) * noiseMessageBytesMax);
      const piece = this.#openPiece(sealed, i === count - 1 ? finalPiece : furtherPiece);
      if (piece === null) return null;
      data.set(piece, i * pieceDataBytesMax);
    }
    return data;
  }

  #openPiece(sealed: Uint8Array, flag: number): Uint8Array | null {
    const plaintext = this.#cipher.decrypt(noBytes, sealed);
    if (plaintext === null || plaintext[0] !== flag) return null;
    this.#pieces += 1;
    if (this.#pieces % this.#rekeyPieces === 0) this.#cipher.rekey();
    return plaintext.subarray(flagBytes);
  }
}
