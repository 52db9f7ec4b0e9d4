import { describe, expect, test } from 'bun:test';
import { Escapes } from '../../../src/cli/escapes.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What is passed on of these pieces, with `<leave>` where the way out is. */
function passed(...pieces: readonly string[]): string {
  const escapes = new Escapes();
  return pieces
    .map((piece) => escapes.take(bytes(piece)))
    .map(({ keys, leaves }) => new TextDecoder().decode(keys) + (leaves ? '<leave>' : ''))
    .join('');
}

describe('Escapes', () => {
  test('hears the way out again and again', () => {
    expect(passed('~.', '~.', 'x')).toBe('<leave><leave>x');
  });

  test.each([
    ['~.', '<leave>'],
    ['ls\r~.', 'ls\r<leave>'],
    ['ls\n~.rest', 'ls\n<leave>'],
    ['~~.', '~.'],
    ['~~\r', '~\r'],
    ['a~.', 'a~.'],
    ['~x', '~x'],
    ['~\r~.', '~\r<leave>'],
    ['cd ~\r', 'cd ~\r'],
    ['\u0003~.', '\u0003~.'],
  ])('takes %j for %j, in one piece and byte by byte', (typed, expected) => {
    expect(passed(typed)).toBe(expected);
    expect(passed(...typed).replace(/(<leave>).*/s, '$1')).toBe(expected);
  });
});
