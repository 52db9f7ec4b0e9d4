/**
 * The sealed half of a session: a message of any size becomes one frame body, and back.
 *
 * A Noise transport message has at most 65,535 bytes, a message may have 16 MiB; so it is cut into *pieces*, each sealed
 * by itself. The first byte of each piece's plaintext says whether it is the last of its message. That byte stands under
 * the seal because the frame's length does not: without it, someone on the path could re-cut frames at piece boundaries
 * and every piece would still be authentic.
 *
 * A piece is opened as soon as it has arrived, into memory for the whole message, which nobody sees before its last piece
 * was authentic, too. What a frame's length claims is believed up to a MiB, and only once a first piece was authentic.
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
/** A message of fewer bytes is put together before it is sealed: copying it costs less than sealing it in parts. */
const copiedBytesMax = 4096;
/** Memory that is taken for what a frame says is to come; beyond that it is as much as what has come. */
const believedBytesMax = 1024 * 1024;
const flags = [Uint8Array.of(finalPiece), Uint8Array.of(furtherPiece)] as const;

const pieceDataBytesMax = noiseMessageBytesMax - tagBytes - flagBytes;
const piecesMax = Math.ceil(frameBytesMax / noiseMessageBytesMax);

/** Largest encoded message in bytes: what fits a frame of 16 MiB once sealed. */
export const messageBytesMax = frameBytesMax - piecesMax * (tagBytes + flagBytes);

/** Pieces after which a direction takes a new key. Both sides must agree. */
export const rekeyPiecesDefault = 2 ** 20;

/** Seals what one side sends: at most `messageBytesMax`, which the caller sees to. */
export class SealingChannel {
  readonly #cipher: CipherState;
  readonly #rekeyPieces: number;
  #pieces = 0;

  constructor(cipher: CipherState, rekeyPieces: number = rekeyPiecesDefault) {
    this.#cipher = cipher;
    this.#rekeyPieces = rekeyPieces;
  }

  /**
   * The body of the frame of a message, which is all the parts in a row, with `headBytes` left free in front of it. Those
   * of a message that is not small are not copied: they are sealed into their place.
   */
  seal(parts: readonly Uint8Array[], headBytes = 0): Uint8Array {
    let bytes = 0;
    for (const { length } of parts) bytes += length;
    const count = Math.max(1, Math.ceil(bytes / pieceDataBytesMax));
    const body = this.#cipher.crypto.memory(headBytes + bytes + count * (tagBytes + flagBytes));
    if (bytes < copiedBytesMax) {
      body.set(this.#cipher.encrypt(noBytes, inOnePiece(parts, bytes)), headBytes);
      this.#sealed();
      return body;
    }
    const row = new Row(parts);
    for (let i = 0; i < count; i++) {
      const at = headBytes + i * noiseMessageBytesMax;
      const flag = flags[i === count - 1 ? finalPiece : furtherPiece];
      this.#sealPiece([flag, ...row.next(pieceDataBytesMax)], body.subarray(at, at + noiseMessageBytesMax));
    }
    return body;
  }

  #sealPiece(parts: readonly Uint8Array[], into: Uint8Array): void {
    this.#cipher.encryptInto(parts, into);
    this.#sealed();
  }

  #sealed(): void {
    this.#pieces += 1;
    if (this.#pieces % this.#rekeyPieces === 0) this.#cipher.rekey();
  }
}

/** The plaintext of a message of a single piece. */
function inOnePiece(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const plaintext = new Uint8Array(flagBytes + bytes);
  plaintext[0] = finalPiece;
  let at = flagBytes;
  for (const part of parts) {
    plaintext.set(part, at);
    at += part.length;
  }
  return plaintext;
}

/** Parts in a row, taken off its front as views. */
class Row {
  readonly #parts: readonly Uint8Array[];
  /** The part that is next, and how much of it is gone. */
  #index = 0;
  #start = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
  }

  /** The next `bytes`, or all that is left. */
  next(bytes: number): Uint8Array[] {
    const views: Uint8Array[] = [];
    for (let wanted = bytes; wanted > 0; ) {
      const part = this.#parts[this.#index];
      if (part === undefined) break;
      const view = part.subarray(this.#start, this.#start + wanted);
      views.push(view);
      wanted -= view.length;
      this.#start += view.length;
      if (this.#start < part.length) continue;
      this.#index += 1;
      this.#start = 0;
    }
    return views;
  }
}

/** Opens what the other side sealed. */
export class OpeningChannel {
  readonly #cipher: CipherState;
  readonly #rekeyPieces: number;
  #pieces = 0;
  /** Of a message of several pieces: memory for it, and how much of that its pieces fill. */
  #message: Uint8Array = noBytes;
  #messageBytes = 0;

  constructor(cipher: CipherState, rekeyPieces: number = rekeyPiecesDefault) {
    this.#cipher = cipher;
    this.#rekeyPieces = rekeyPieces;
  }

  /**
   * Opens the next piece of a frame in which `restBytes` follow it: with the last one it gives the message, in memory of its
   * own, before that `further`. Null when the piece is not authentic or not in its place; nothing may be opened afterwards.
   */
  open(sealed: Uint8Array, restBytes: number): Uint8Array | 'further' | null {
    const plaintext = this.#cipher.decrypt(noBytes, sealed);
    if (plaintext === null || plaintext[0] !== (restBytes > 0 ? furtherPiece : finalPiece)) return null;
    this.#pieces += 1;
    if (this.#pieces % this.#rekeyPieces === 0) this.#cipher.rekey();
    const data = plaintext.subarray(flagBytes);
    if (restBytes === 0 && this.#messageBytes === 0) return data;
    this.#reserve(data.length, restBytes);
    this.#message.set(data, this.#messageBytes);
    this.#messageBytes += data.length;
    this.#cipher.crypto.release(plaintext);
    return restBytes > 0 ? 'further' : this.#takeMessage();
  }

  /** Room for `bytes` more, and for the rest of the frame as far as its length is believed. */
  #reserve(bytes: number, restBytes: number): void {
    const needed = this.#messageBytes + bytes;
    if (needed <= this.#message.length) return;
    const rest = restBytes - Math.ceil(restBytes / noiseMessageBytesMax) * (tagBytes + flagBytes);
    const grown = this.#cipher.crypto.memory(needed + Math.max(0, Math.min(rest, Math.max(needed, believedBytesMax))));
    grown.set(this.#message.subarray(0, this.#messageBytes));
    this.#cipher.crypto.release(this.#message);
    this.#message = grown;
  }

  #takeMessage(): Uint8Array {
    const message = this.#message.subarray(0, this.#messageBytes);
    this.#message = noBytes;
    this.#messageBytes = 0;
    return message;
  }
}
