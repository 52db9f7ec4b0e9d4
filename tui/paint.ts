/**
 * From one picture to the next: the bytes that change a terminal from what it shows to what it should show. Pure.
 *
 * Only cells that differ are sent: the cursor is put in front of each stretch of them (ECMA-48, CUP), the style is set
 * where it changes (SGR), the text follows. Behind a character that is not one plain cell the cursor is put anew:
 * terminals disagree about where such a one leaves it. Texts of cells are harmless by then (`placesOf`).
 */

import { type Place, placesOf, type Row, type Style } from './lines.ts';
import type { Look } from './text.ts';

/** A row as it was drawn. */
interface Drawn {
  readonly row: Row;
  readonly places: readonly Place[];
}

/** What a terminal shows, row by row; a missing row is blank. */
export type Picture = readonly Drawn[];

/** A terminal that was just cleared. */
export const blankPicture: Picture = [];

const blank: Place = { text: ' ', style: 'plain' };

function sameRow(one: Row, other: Row): boolean {
  if (one.length !== other.length) return false;
  return one.every((span, i) => span.text === other[i]?.text && span.style === other[i].style);
}

function drawnOf(row: Row, before: Drawn | undefined, look: Look): Drawn {
  if (before?.places.length === look.columns && sameRow(row, before.row)) return before;
  return { row, places: placesOf(row, look) };
}

class Pen {
  readonly #sgr: (style: Style) => string;
  #out = '';
  #style: Style | null = null;
  /** Where the cursor is for certain; null = not known. */
  #at: string | null = null;

  constructor(sgr: (style: Style) => string) {
    this.#sgr = sgr;
  }

  put({ text, style }: Place, column: number, row: number, isWide: boolean): void {
    if (this.#at !== `${column},${row}`) this.#out += `\u001b[${row + 1};${column + 1}H`;
    if (this.#style !== style) this.#out += `\u001b[${this.#sgr(style)}m`;
    this.#style = style;
    this.#out += text;
    this.#at = text.length > 1 || isWide ? null : `${column + 1},${row}`;
  }

  /** All of it, leaving the terminal's own style behind. */
  end(): string {
    return this.#style === null || this.#style === 'plain' ? this.#out : `${this.#out}\u001b[0m`;
  }
}

function paintRow(pen: Pen, y: number, before: readonly Place[] | undefined, places: readonly Place[]): void {
  places.forEach((place, x) => {
    const old = before === undefined ? blank : before[x];
    // A cell that a wide character covers is drawn with it.
    if (place.text === '' || (old?.text === place.text && old.style === place.style)) return;
    pen.put(place, x, y, places[x + 1]?.text === '');
  });
}

/** The picture of `rows`, and the bytes that make it of `before`. `sgr` gives the parameters of a style. */
export function paint(
  before: Picture,
  rows: readonly Row[],
  options: { readonly look: Look; readonly sgr: (style: Style) => string },
): { readonly picture: Picture; readonly bytes: string } {
  const { look, sgr } = options;
  const pen = new Pen(sgr);
  const picture = Array.from({ length: look.rows }, (_, y): Drawn => {
    const drawn = drawnOf(rows[y] ?? [], before[y], look);
    if (drawn !== before[y]) paintRow(pen, y, before[y]?.places, drawn.places);
    return drawn;
  });
  return { picture, bytes: pen.end() };
}
