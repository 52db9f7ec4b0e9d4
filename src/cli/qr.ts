/**
 * A QR code (ISO/IEC 18004) as lines of half blocks: two modules a cell, one above the other, which makes them square.
 * With colours it is black on white whatever the terminal's own are; without, blocks are the light modules, as on a
 * dark terminal, and readers that know inverted codes take it from a light one too. The quiet zone is part of it.
 */

import { encode } from 'uqr';

/** Modules around the code that must be light (section 9.1). */
const quietModules = 4;

/** SGR: black on white of the 256 colours, which no theme changes. */
const blackOnWhite = '\u001b[38;5;16;48;5;231m';
const plain = '\u001b[0m';

/** Upper and lower module dark, as ink on paper: index 2·upper + lower. */
const inkBlocks = [' ', '▄', '▀', '█'] as const;

/** Lines of equal length, as many cells as modules wide. `color`: the terminal takes escape sequences. */
export function drawQr(text: string, color: boolean): readonly string[] {
  const { data, size } = encode(text, { ecc: 'L', border: quietModules });
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    const cells = Array.from({ length: size }, (_, column) => {
      // Below the last row of an odd number there is more of the quiet zone.
      const dark = (data[row]?.[column] ? 2 : 0) + (data[row + 1]?.[column] ? 1 : 0);
      return inkBlocks[color ? dark : 3 - dark] ?? ' ';
    });
    lines.push(color ? `${blackOnWhite}${cells.join('')}${plain}` : cells.join(''));
  }
  return lines;
}
