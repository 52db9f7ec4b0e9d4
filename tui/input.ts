/**
 * What a terminal sends, taken apart: keys, reports of the mouse each by itself, and text that was pasted (xterm's bracketed
 * paste, mode 2004), which is never taken for keys. Pure; time is its caller's: it says when what waits will not go on.
 *
 * An Escape is a key of its own unless a sequence (CSI, SS3) begins with it: no key here is pressed together with Alt, and over
 * a slow line, or from a quick hand, Escape and the next key come together.
 *
 * Bytes are handed in and out as Latin-1 text, a character for each.
 */

/** A piece of what was read. */
export type Piece =
  | { readonly kind: 'keys'; readonly bytes: string }
  | { readonly kind: 'paste'; readonly text: string };

/** Switches the marks around pasted text on and off. */
export const pasteOn = '\u001b[?2004h';
export const pasteOff = '\u001b[?2004l';

const pasteBegin = '\u001b[200~';
const pasteEnd = '\u001b[201~';
/** Bytes of pasted text that are kept; a line to be typed is shorter by far. */
const pasteBytesMax = 4096;

/** One report of the mouse (xterm mode 1006), or an Escape that begins no sequence: pieces of their own. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with one
const apart = /(\u001b\[<[0-9;]+[Mm]|\u001b(?![[O]))/;

/** The beginning of a report, of a paste's mark, or of any sequence, at the end of what was read. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with one
const halfSequence = /\u001b(?:\[(?:<[0-9;]*|20{0,2})?|O)?$/;

export class InputPieces {
  /** Keys: the beginning of a sequence. Paste: all of it so far. */
  #held = '';
  #pasting = false;

  /** True while more is needed to know what the last bytes are. */
  get waits(): boolean {
    return this.#pasting || this.#held !== '';
  }

  /** True within a paste, whose rest may take its time. */
  get pasting(): boolean {
    return this.#pasting;
  }

  push(bytes: string): Piece[] {
    let left = this.#held + bytes;
    this.#held = '';
    const pieces: Piece[] = [];
    while (left !== '') {
      const mark = left.indexOf(this.#pasting ? pasteEnd : pasteBegin);
      const before = mark < 0 ? left : left.slice(0, mark);
      if (this.#pasting && mark < 0) {
        this.#held = before.slice(0, pasteBytesMax) + before.slice(pasteBytesMax).slice(-pasteEnd.length);
        break;
      }
      pieces.push(...(this.#pasting ? [pasteOf(before)] : this.#keysOf(before, mark < 0)));
      if (mark < 0) break;
      this.#pasting = !this.#pasting;
      left = left.slice(mark + pasteBegin.length);
    }
    return pieces;
  }

  /** What was held back: nothing follows that belongs to it. */
  rest(): Piece[] {
    const held = this.#held;
    const wasPasting = this.#pasting;
    this.#held = '';
    this.#pasting = false;
    if (wasPasting) return [pasteOf(held)];
    return held === '' ? [] : [{ kind: 'keys', bytes: held }];
  }

  #keysOf(bytes: string, isLast: boolean): Piece[] {
    this.#held = isLast ? (halfSequence.exec(bytes)?.[0] ?? '') : '';
    const whole = bytes.slice(0, bytes.length - this.#held.length);
    return whole
      .split(apart)
      .filter((each) => each !== '')
      .map((each) => ({ kind: 'keys', bytes: each }));
  }
}

/** Pasted bytes as one line of text: line ends and tabs as spaces, without what a terminal would obey. */
function pasteOf(bytes: string): Piece {
  const text = new TextDecoder().decode(Uint8Array.from(bytes.slice(0, pasteBytesMax), (byte) => byte.charCodeAt(0)));
  return {
    kind: 'paste',
    text: text
      .trim()
      .replace(/[\r\n\t]+/g, ' ')
      .replace(/\p{Cc}/gu, ''),
  };
}
