import { describe, expect, test } from 'bun:test';
import { InputPieces, type Piece } from '../../../tui/input.ts';

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');
const shown = (pieces: readonly Piece[]): string[] =>
  pieces.map((each) => (each.kind === 'keys' ? each.bytes : `paste(${each.text})`));

/** What becomes of these readings, one after the other. */
function read(...readings: readonly string[]): string[] {
  const pieces = new InputPieces();
  return shown([...readings.flatMap((each) => pieces.push(latin1(each))), ...pieces.rest()]);
}

describe('InputPieces', () => {
  test('gives each report of the mouse by itself, also one that comes in parts', () => {
    expect(read('a\u001b[<0;1;2M\u001b[<0;1;2mb')).toEqual(['a', '\u001b[<0;1;2M', '\u001b[<0;1;2m', 'b']);
    expect(read('\u001b[<0;1', '0;2M')).toEqual(['\u001b[<0;10;2M']);
  });

  test('takes Escape and a quick next key for two keys, and a sequence for one', () => {
    expect(read('\u001b/')).toEqual(['\u001b', '/']);
    expect(read('\u001b', '\u001b', '3')).toEqual(['\u001b', '\u001b', '3']);
    expect(read('\u001b[A\u001bOB')).toEqual(['\u001b[A\u001bOB']);
    expect(read('\u001b', '[A')).toEqual(['\u001b[A']);
  });

  test('gives pasted text as one line and none of it as keys, however it comes', () => {
    const paste = '\u001b[200~echo cy\r\n\tü مهمة\u0007\u001b[A\u001b[201~';
    const expected = ['x', 'paste(echo cy ü مهمة[A)', 'y'];
    expect(read(`x${paste}y`)).toEqual(expected);
    for (let at = 1; at < paste.length; at++)
      expect(read(`x${paste.slice(0, at)}`, `${paste.slice(at)}y`)).toEqual(expected);
    expect(read('\u001b[20~\u001b[2~')).toEqual(['\u001b[20~\u001b[2~']);
  });

  test('is bounded, and gives the keys back when the end of a paste never comes', () => {
    const pieces = new InputPieces();
    pieces.push('\u001b[200~');
    for (let n = 0; n < 100; n++) pieces.push('y'.repeat(1000));
    expect([pieces.waits, pieces.pasting]).toEqual([true, true]);
    const [paste] = shown(pieces.push('\u001b[201~'));
    expect(paste?.length).toBeLessThan(4200);
    pieces.push('\u001b[200~lost');
    expect(shown(pieces.rest())).toEqual(['paste(lost)']);
    expect(shown(pieces.push('q'))).toEqual(['q']);
    expect(pieces.waits).toBe(false);
  });
});
