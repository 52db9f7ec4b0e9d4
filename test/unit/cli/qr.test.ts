import { describe, expect, test } from 'bun:test';
import { encode } from 'uqr';
import { drawQr } from '../../../src/cli/qr.ts';

const text = 'octa1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789';
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences are what is taken off
const colors = /\u001b\[[\d;]*m/g;

/** The modules that lines of half blocks show; `ink`: what a drawn half stands for. */
function modulesOf(lines: readonly string[], ink: boolean): boolean[][] {
  return lines.flatMap((line) => {
    const cells = [...line];
    const upper = cells.map((cell) => (cell === '▀' || cell === '█') === ink);
    const lower = cells.map((cell) => (cell === '▄' || cell === '█') === ink);
    return [upper, lower];
  });
}

describe('drawQr()', () => {
  test('shows every module, with four light ones around, black on white or by light blocks', () => {
    const { data, size } = encode(text, { ecc: 'L', border: 4 });
    const colored = drawQr(text, true);
    for (const line of colored) expect(line.match(colors)).toEqual(['\u001b[38;5;16;48;5;231m', '\u001b[0m']);
    const plain = drawQr(text, false);
    for (const [lines, ink] of [
      [colored.map((line) => line.replace(colors, '')), true],
      [plain, false],
    ] as const) {
      const modules = modulesOf(lines, ink);
      expect(modules.slice(0, size)).toEqual(data);
      expect(modules.slice(size).flat()).not.toContain(true);
      expect(modules.slice(0, 4).flat()).not.toContain(true);
      for (const row of modules) expect([...row.slice(0, 4), ...row.slice(-4)]).not.toContain(true);
    }
  });
});
