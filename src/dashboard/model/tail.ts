/**
 * Bytes that come faster than anybody reads them: only the last `tailBytesMax` are kept until they are looked at, of them the last
 * `linesMax` lines, and beginning with a whole line where there is one. What was left out costs no decoding and no drawing.
 */

import { linesMax } from './ansi.ts';

/** As much as is shown at most (`ansi.ts`). */
export const tailBytesMax = 512 * 1024;

const lineFeed = 0x0a;

export class Tail {
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** Something was left out before what is here. */
  #gap = false;

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    // In amounts: each piece that is taken away has to be moved over.
    if (this.#length > 4 * tailBytesMax) this.#shorten();
  }

  /** What is here, and whether it follows on what was taken before. */
  take(): { readonly bytes: Uint8Array; readonly gap: boolean } {
    if (this.#length > tailBytesMax) this.#shorten();
    const all = joined(this.#pieces, this.#length);
    const from = lastLines(all);
    const gap = this.#gap || from > 0;
    const bytes = all.subarray(from);
    this.#pieces = [];
    this.#length = 0;
    this.#gap = false;
    return { bytes, gap };
  }

  #shorten(): void {
    const last = joined(this.#pieces, this.#length).subarray(-tailBytesMax);
    const line = last.indexOf(lineFeed);
    const kept = line >= 0 && line < last.length - 1 ? last.slice(line + 1) : last.slice();
    this.#pieces = [kept];
    this.#length = kept.length;
    this.#gap = true;
  }
}

/** Where the last `linesMax` lines begin. */
function lastLines(bytes: Uint8Array): number {
  let at = bytes.length - 1;
  for (let lines = 0; lines < linesMax; lines++) {
    // The line feed that ends the line before; the last byte may be one and ends the last line.
    at = at <= 0 ? -1 : bytes.lastIndexOf(lineFeed, at - 1);
    if (at < 0) return 0;
  }
  return at + 1;
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
