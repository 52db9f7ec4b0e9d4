/**
 * Text of strangers made fit for a terminal: harmless, and cut to the cells there are.
 *
 * Names, commands and output come from whoever may submit a task; drawn as they are they could steer the reader's
 * terminal (ECMA-48 control sequences), reorder a line (Unicode UAX #9) or shift it (clusters that terminals measure
 * differently). After `harmless` each cluster is one code point with at most `marksMax` marks and nothing of it is a
 * control. Pure: how wide a cluster is, is asked of the given `Measure`.
 */

/** Cells that a text takes on a terminal. */
export type Measure = (text: string) => number;

/** What text is measured for. */
export interface Ruler {
  /** Only ASCII may be drawn; default false. */
  readonly ascii?: boolean;
  readonly textWidth: Measure;
}

/** Marks kept on one letter: enough for every script in use, too few to paint over the neighbours. */
const marksMax = 3;
/** Code units looked at for each cell that is there: what is further behind cannot be seen. */
const unitsPerCell = 8;

const plain = /^[ -~]*$/;
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
/** A mark without its letter, half a flag, half a character, or nothing that is assigned. */
const incomplete = /[\p{M}\p{Regional_Indicator}\p{Cs}\p{Cn}]/u;
const mark = /^\p{M}$/u;
/** Marks that ask for another picture of the letter before them: variation selectors and the keycap. */
const pictureMark = /^[\u20e3\ufe00-\ufe0f]$/;

function escapeOf(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return named[char] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`);
}

function harmlessCluster(cluster: string, ascii: boolean): string {
  const [first = '', ...others] = cluster;
  // A carriage return and its line feed are one cluster.
  if (invisible.test(first)) return [first, ...others.filter((one) => invisible.test(one))].map(escapeOf).join('');
  if (ascii && !plain.test(cluster)) return '?';
  if (incomplete.test(first)) return '?';
  // The rest of a joined emoji, its colour or its variation is left out: what remains has a width all agree on.
  const marks = others.filter((one) => mark.test(one) && !pictureMark.test(one));
  return first + marks.slice(0, marksMax).join('');
}

/** `text` on one line; controls, line ends and direction marks are shown as `\n`, `\x1b`, `\u{202e}`. */
export function harmless(text: string, ascii = false): string {
  if (plain.test(text)) return text;
  let result = '';
  for (const cluster of clustersOf(text.normalize('NFC'))) result += harmlessCluster(cluster, ascii);
  return result;
}

/** What is drawn as one unit. */
export function* clustersOf(text: string): Generator<string, void, undefined> {
  if (plain.test(text)) yield* text;
  else for (const { segment } of segmenter.segment(text)) yield segment;
}

/** The beginning of `text` that can be seen in `cells`, at most; for what looks at all of it. */
export function visiblePart(text: string, cells: number): string {
  return text.slice(0, (cells + 1) * unitsPerCell);
}

/** The beginning of `text`, harmless, in at most `cells`, with an ellipsis where something was left out. */
export function cut(text: string, cells: number, { ascii = false, textWidth }: Ruler): string {
  if (cells <= 0) return '';
  const head = visiblePart(text, cells);
  if (head.length <= cells && plain.test(head)) return head;
  let whole = '';
  let used = 0;
  // As much as leaves a cell for the ellipsis.
  let short = '';
  let isWhole = head.length === text.length;
  // No further than to what is seen: most of a long text never is.
  for (const cluster of clustersOf(head.normalize('NFC'))) {
    const shown = harmlessCluster(cluster, ascii);
    used += textWidth(shown);
    if (used > cells) {
      isWhole = false;
      break;
    }
    whole += shown;
    if (used < cells) short = whole;
  }
  return isWhole ? whole : `${short}${ascii ? '~' : '…'}`;
}
