import { describe, expect, test } from 'bun:test';
import { meter, type Row, type Style, span } from '../../../tui/lines.ts';
import { blankPicture, type Picture, paint } from '../../../tui/paint.ts';
import { type ColorDepth, depthOf, sgrOf } from '../../../tui/palette.ts';
import { lookOf } from './samples.ts';

const look = lookOf({ columns: 10, rows: 3 });
const sgr = (style: Style): string => sgrOf(style, 16);
const draw = (before: Picture, ...rows: readonly Row[]) => paint(before, rows, { look, sgr });
const plain = (text: string): Row => [span(text)];

describe('paint()', () => {
  test('sends nothing for what is blank, and for what stands there already', () => {
    expect(draw(blankPicture, [], plain('   ')).bytes).toBe('');
    const { picture } = draw(blankPicture, plain('hello'));
    expect(draw(picture, plain('hello')).bytes).toBe('');
    expect(draw(picture, [span('hel'), span('lo')]).bytes).toBe('');
  });

  test('sends only the cells that changed, each stretch behind its place', () => {
    const { picture } = draw(blankPicture, plain('a b c'), plain('same'));
    expect(draw(picture, plain('a x c'), plain('same'), plain('new')).bytes).toBe(
      '\u001b[1;3H\u001b[0mx\u001b[3;1Hnew',
    );
    expect(draw(picture, plain('a'), plain('same')).bytes).toBe('\u001b[1;3H\u001b[0m \u001b[1;5H ');
  });

  test('sets the style where it changes, and leaves none behind', () => {
    const row: Row = [span('ok', 'good'), span('!'), span('no', 'bad')];
    expect(draw(blankPicture, row).bytes).toBe('\u001b[1;1H\u001b[0;32mok\u001b[0m!\u001b[0;1;31mno\u001b[0m');
  });

  test('puts the cursor anew behind a wide character, and draws none into its second half', () => {
    const { picture, bytes } = draw(blankPicture, plain('日本x'));
    expect(bytes).toBe('\u001b[1;1H\u001b[0m日\u001b[1;3H本\u001b[1;5Hx');
    // What becomes narrow again is drawn with the cell it gives back.
    expect(draw(picture, plain('ab本x')).bytes).toBe('\u001b[1;1H\u001b[0mab');
  });

  test('lets no control through, whatever a row holds', () => {
    const { bytes } = draw(blankPicture, plain('a\u001b[2J\u009b'));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(bytes.replaceAll(/\u001b\[[\d;]*[Hm]/g, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });
});

describe('sgrOf() and depthOf()', () => {
  test('say a colour in the words of each kind of terminal, and none where there is none', () => {
    const all = (style: Style): string[] => ([0, 8, 16, 256, 16_777_216] as const).map((depth) => sgrOf(style, depth));
    expect(all('bad')).toEqual(['0;1', '0;1;31', '0;1;31', '0;1;38;5;167', '0;1;38;2;218;54;51']);
    expect(all('dim')).toEqual(['0', '0', '0;90', '0;38;5;244', '0;38;2;130;130;130']);
    expect(all('selected')).toEqual(['0;7', '0;7', '0;7', '0;7', '0;7']);
    expect(all('heat0')).toEqual([...['0', '0;32', '0;32'], sgrOf('good', 256), sgrOf('good', 16_777_216)]);
    expect(all('heat9').slice(1, 3)).toEqual(['0;31', '0;31']);
  });

  test('know how many colours a terminal has', () => {
    const table: readonly [Readonly<Record<string, string>>, number, ColorDepth][] = [
      [{ TERM: 'xterm', COLORTERM: 'truecolor' }, 8, 16_777_216],
      [{ TERM: 'xterm-direct' }, 8, 16_777_216],
      [{ TERM: 'tmux-256color' }, 256, 256],
      [{ TERM: 'xterm-16color' }, 8, 16],
      [{ TERM: 'xterm', COLORTERM: 'yes' }, 8, 16],
      [{ TERM: 'linux' }, 8, 8],
      [{ TERM: 'vt100' }, 0, 0],
    ];
    for (const [env, described, depth] of table) expect([env, depthOf(env, described)]).toEqual([env, depth]);
  });

  test('meter() goes from calm to alarming, and shows nothing of what is not known', () => {
    const style = (share: number) => meter(share, 8, look)[0]?.style;
    expect([style(0), style(0.55), style(1), style(7)]).toEqual(['heat0', 'heat5', 'heat9', 'heat9']);
    expect(meter(null, 4, look)).toEqual([span('    ')]);
  });
});
