/**
 * The way out of a raw terminal, as ssh(1) has it: `~.` at the start of a line leaves, `~~` there is one tilde. All else
 * is passed on as it is, Ctrl-C too. Pure: bytes in, bytes out, whatever pieces they come in.
 */

const tilde = 0x7e;
const dot = 0x2e;
const isLineEnd = (byte: number): boolean => byte === 0x0d || byte === 0x0a;

export class Escapes {
  /** After a line's end, after a tilde there, or anywhere else. */
  #at: 'start' | 'tilde' | 'within' = 'start';

  /** What to pass on of `typed`, and whether the way out was asked for; what follows that is dropped. */
  take(typed: Uint8Array): { readonly keys: Uint8Array; readonly leaves: boolean } {
    const keys: number[] = [];
    for (const byte of typed) {
      if (this.#at === 'tilde') {
        if (byte === dot) {
          this.#at = 'start';
          return { keys: Uint8Array.from(keys), leaves: true };
        }
        // It was held back until it was clear what it is.
        keys.push(tilde);
        this.#at = 'within';
        if (byte === tilde) continue;
      } else if (this.#at === 'start' && byte === tilde) {
        this.#at = 'tilde';
        continue;
      }
      keys.push(byte);
      this.#at = isLineEnd(byte) ? 'start' : 'within';
    }
    return { keys: Uint8Array.from(keys), leaves: false };
  }
}
