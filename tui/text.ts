/**
 * Text of strangers made fit for a terminal: harmless, measured in cells, cut and wrapped; and durations in words.
 *
 * Names, commands and output come from whoever may submit a task; drawn as they are they could steer the operator's
 * terminal (ECMA-48 control sequences), reorder a line (Unicode UAX #9) or shift it (clusters that terminals measure
 * differently). After `harmless` each cluster is one code point with at most `marksMax` marks and nothing of it is a
 * control. Pure: how wide a cluster is, is asked of the given `Measure`.
 */

/** Cells that a text takes on a terminal. */
export type Measure = (text: string) => number;

/** What there is to draw on. */
export interface Look {
  readonly columns: number;
  readonly rows: number;
  /** Only ASCII may be drawn. */
  readonly ascii: boolean;
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

/** The beginning of `text`, harmless, in at most `cells`, with an ellipsis where something was left out. */
export function cut(text: string, cells: number, { ascii, textWidth }: Look): string {
  if (cells <= 0) return '';
  const head = text.slice(0, (cells + 1) * unitsPerCell);
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

/** `text`, harmless, in exactly `cells`: cut or filled with spaces. */
export function pad(text: string, cells: number, look: Look, align: 'left' | 'right' = 'left'): string {
  const shown = cut(text, cells, look);
  const space = ' '.repeat(Math.max(0, cells - look.textWidth(shown)));
  return align === 'left' ? shown + space : space + shown;
}

/** `text`, harmless, in at most `linesMax` lines of at most `cells`, broken at spaces where there are any. */
export function wrap(text: string, cells: number, linesMax: number, look: Look): string[] {
  const lines: string[] = [];
  let rest = harmless(text.slice(0, (cells + 1) * linesMax * unitsPerCell), look.ascii);
  while (rest !== '' && lines.length < linesMax - 1 && look.textWidth(rest) > cells) {
    let fits = '';
    let used = 0;
    for (const cluster of clustersOf(rest)) {
      used += look.textWidth(cluster);
      if (used > cells) break;
      fits += cluster;
    }
    // A cluster wider than the line must not stop the way forward.
    if (fits === '') return lines;
    const space = rest[fits.length] === ' ' ? fits.length : fits.lastIndexOf(' ');
    const end = space > 0 ? space : fits.length;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return rest === '' ? lines : [...lines, cut(rest, cells, look)];
}

// ECMA-48 sections 5.4 (control sequences) and 5.6 (control strings), 7-bit and 8-bit forms; and ESC with a final byte.
// No part can run over the beginning of another sequence: the search stays linear, whatever a task writes.
const sequences = new RegExp(
  [
    '(?:\\u001b\\[|\\u009b)[0-?]*[ -/]*[@-~]',
    '(?:\\u001b[\\]PX^_]|[\\u009d\\u0090\\u0098\\u009e\\u009f])[^\\u0007\\u001b\\u0090\\u0098\\u009c-\\u009f]*(?:\\u0007|\\u001b\\\\|\\u009c)',
    '\\u001b[ -/]*[0-Z\\\\^-~]',
  ].join('|'),
  'g',
);
const tabCells = 8;

/** A line of output as text: colours and other sequences left out, overwritten parts gone, tabs as spaces. */
export function outputText(line: string): string {
  const visible = line.replace(sequences, '').replace(/\r+$/, '');
  const [first = '', ...others] = visible.slice(visible.lastIndexOf('\r') + 1).split('\t');
  return others.reduce((text, part) => text + ' '.repeat(tabCells - (text.length % tabCells)) + part, first);
}

/** `12s`, `3m`, `2h`, `5d`: how long ago, roughly. */
export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, ageMs) / 1000;
  if (seconds < 60) return `${Math.floor(seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
