/** Prose in lines: broken at spaces, never within a word. Pure. */

import type { Measure } from '../base/harmless.ts';

export interface WrapOptions {
  /** Cells of a line. */
  readonly width: number;
  /** Before the first line. */
  readonly first?: string;
  /** Before each further line; default: as many spaces as `first` takes. */
  readonly rest?: string;
  /** Default: each character takes one cell. */
  readonly textWidth?: Measure;
}

/** Lines of help and prose are no longer than this, however wide the terminal is. */
export const proseMax = 100;

/** `text` in lines of at most `width` cells, each ended by a newline; a word that is longer has a line of its own. */
export function wrapped(text: string, options: WrapOptions): string {
  const { width, first = '', textWidth = (part) => part.length } = options;
  const rest = options.rest ?? ' '.repeat(textWidth(first));
  let result = '';
  let line = first;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && textWidth(line) + 1 + textWidth(word) > width) {
      result += `${line}\n`;
      line = rest + word;
    } else {
      line += isEmpty ? word : ` ${word}`;
    }
    isEmpty = false;
  }
  return `${result}${line.trimEnd()}\n`;
}
