/** Output as rows of the screen: long lines cut, or going on in the next row. Pure; what a line became is remembered with it. */

import { clustersOf, harmless, type Ruler } from '../src/base/harmless.ts';
import { linesOf, type OutputLine, type Tail } from './tail.ts';
import { outputText } from './text.ts';

/** How output is shown. */
export interface OutputLook {
  /** Cells of a row. */
  readonly cells: number;
  readonly ruler: Ruler;
  /** Long lines go on in the next row. */
  readonly wraps: boolean;
}

/** A row of output; of a line that is cut all of it, but not harmless yet. */
export interface OutputRow {
  readonly stream: OutputLine['stream'];
  readonly text: string;
}

const plain = /^[ -~]*$/;

/** `text` in pieces of at most `cells`, as a terminal would break it; at least one piece. */
function folded(text: string, cells: number, { ascii = false, textWidth }: Ruler): string[] {
  const shown = harmless(text, ascii);
  const pieces: string[] = [];
  if (plain.test(shown)) {
    for (let at = 0; at < shown.length; at += cells) pieces.push(shown.slice(at, at + cells));
    return pieces.length === 0 ? [''] : pieces;
  }
  let piece = '';
  let used = 0;
  for (const cluster of clustersOf(shown)) {
    const width = textWidth(cluster);
    if (used + width > cells && piece !== '') {
      pieces.push(piece);
      piece = '';
      used = 0;
    }
    piece += cluster;
    used += width;
  }
  return [...pieces, piece];
}

/** Lines do not change, and are drawn again and again. */
const known = new WeakMap<OutputLine, { readonly cells: number; readonly pieces: readonly string[] }>();

function piecesOf(line: OutputLine, { cells, ruler }: OutputLook): readonly string[] {
  const before = known.get(line);
  if (before?.cells === cells) return before.pieces;
  const pieces = folded(outputText(line.text), cells, ruler);
  known.set(line, { cells, pieces });
  return pieces;
}

function rowsOf(lines: readonly OutputLine[], look: OutputLook): OutputRow[] {
  if (!look.wraps) return lines.map(({ stream, text }) => ({ stream, text: outputText(text) }));
  return lines.flatMap((line) => piecesOf(line, look).map((text) => ({ stream: line.stream, text })));
}

/** All rows, the oldest first. */
export function outputRowsOf(tail: Tail, look: OutputLook): readonly OutputRow[] {
  return rowsOf(linesOf(tail), look);
}

/** How many rows `after` has below the last whole line of `before`, more than `before` had. */
export function rowsAdded(before: Tail, after: Tail, look: OutputLook): number {
  const last = before.lines.at(-1);
  const from = last === undefined ? 0 : after.lines.lastIndexOf(last) + 1;
  const below = (lines: readonly OutputLine[], { open }: Tail): number => rowsOf(linesOf({ lines, open }), look).length;
  return below(after.lines.slice(from), after) - below([], before);
}
