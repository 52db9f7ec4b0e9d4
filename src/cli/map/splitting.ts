/**
 * How arguments are cut out of text: the values of `--colsep` and `--delimiter`. Pure. See parallel(1), "--colsep".
 *
 * `--colsep` takes Perl's regular expressions there, JavaScript's here: what only looks different is translated, what has no
 * counterpart is refused by name, since JavaScript would take most of it for something else without a word.
 */

import type { Parsed } from '../option.ts';

/** Classes of POSIX, as what stands between brackets. */
const classes: Readonly<Record<string, string>> = {
  ...{ alpha: 'A-Za-z', digit: '0-9', alnum: 'A-Za-z0-9', upper: 'A-Z', lower: 'a-z', xdigit: '0-9A-Fa-f' },
  ...{
    space: '\\s',
    blank: ' \\t',
    word: '\\w',
    cntrl: '\\x00-\\x1f\\x7f',
    print: '\\x20-\\x7e',
    graph: '\\x21-\\x7e',
  },
  punct: '!-\\/:-@\\[-`{-~',
};

/** Escapes of Perl that JavaScript writes otherwise: outside brackets, and between them. */
const perlEscapes: Readonly<Record<string, readonly [outside: string, inside: string | null]>> = {
  ...{ h: ['[ \\t]', ' \\t'], a: ['\\x07', '\\x07'], e: ['\\x1b', '\\x1b'] },
  ...{ A: ['^', null], z: ['$', null], Z: ['$', null], R: ['(?:\\r\\n|[\\n\\v\\f\\r])', null] },
};

/** Pieces of a regular expression that cannot be cut further. */
const piece = /\\x\{([0-9A-Fa-f]{1,4})\}|\\(.)|\[:(\^?\w+):\]|\(\?(?:[:=!]|<[=!\w])|\(\?|[*+?}]\+|\(\*|[[\]]|./gs;

/** A piece as JavaScript writes it; null when it has none. */
function translated(match: RegExpMatchArray, inBrackets: boolean): string | null {
  const [whole, code, letter, posix] = match;
  if (code !== undefined) return `\\u${code.padStart(4, '0')}`;
  if (letter !== undefined) {
    const own = perlEscapes[letter];
    if (own !== undefined) return own[inBrackets ? 1 : 0];
    return /[A-Za-z]/.test(letter) && !/[dDwWsSbBtnrfvxcuk]/.test(letter) ? null : whole;
  }
  if (posix !== undefined) return inBrackets ? (classes[posix] ?? null) : null;
  if (inBrackets) return whole;
  return /^\(\?$|^.\+$|^\(\*$/s.test(whole) ? null : whole;
}

/** A regular expression that matches between two columns. */
export function parseSplitter(text: string): Parsed<RegExp> {
  const expected = 'a regular expression such as , or \\t or [;:]';
  const [head, isAnyCase] = text.startsWith('(?i)') ? [text.slice(4), true] : [text, false];
  if (head === '') return { expected };
  let source = '';
  let inBrackets = false;
  /** Where the characters between brackets begin. */
  let bracketAt = 0;
  for (const match of head.matchAll(piece)) {
    const [whole] = match;
    // Right behind its beginning a bracket is one of the characters.
    if (inBrackets && whole === ']' && /^\^?$/.test(source.slice(bracketAt))) {
      source += '\\]';
      continue;
    }
    const own = translated(match, inBrackets);
    if (own === null) return { expected: `${expected}; ${whole} of Perl is not known here` };
    source += own;
    if (whole === '[' && !inBrackets) bracketAt = source.length;
    if (whole === '[') inBrackets = true;
    else if (whole === ']') inBrackets = false;
  }
  try {
    return { value: new RegExp(source, isAnyCase ? 'i' : '') };
  } catch {
    return { expected };
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\\': '\\' };

/** A text that ends a record; `\n`, `\t`, `\r`, `\0` and `\\` are what they are in C. */
export function parseDelimiter(text: string): Parsed<string> {
  if (text === '') return { expected: 'a text such as , or \\t' };
  return { value: text.replace(/\\([ntr0\\])/g, (whole, letter: string) => escapes[letter] ?? whole) };
}
