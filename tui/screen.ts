/**
 * The terminal as the dashboard sees it: rows go in, keys and clicks come out. Of tui only this file knows blessed, of
 * which it uses the screen alone: raw keys, mouse, terminal descriptions, taking the terminal and giving it back. What is
 * drawn is `paint.ts`'s: it sends only the cells that changed, in as many colours as there are.
 *
 * Rows are written as cells, never as text with markup: nothing in them can be taken for a tag or an escape sequence.
 */

import { type BlessedScreen, openBlessed, suspendBlessed } from './blessed-static.ts';
import type { Size } from './layout.ts';
import type { Row, Style } from './lines.ts';
import type { Key } from './model.ts';
import { blankPicture, type Picture, paint } from './paint.ts';
import { depthOf, sgrOf } from './palette.ts';
import type { Look, Measure } from './text.ts';

export interface ScreenOptions {
  readonly ascii: boolean;
  readonly color: boolean;
  /** Of the process: what the terminal says of itself. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly mouse: boolean;
  readonly textWidth: Measure;
  /** Called once the terminal was given back. */
  readonly onClosed?: () => void;
}

export interface Screen {
  /** What there is to draw on now. */
  readonly look: Look;
  /** Rows from the top; missing ones are blank. */
  draw(rows: readonly Row[]): void;
  onKey(listener: (key: Key) => void): void;
  /** Pasted text, in one line. */
  onPaste(listener: (text: string) => void): void;
  /** `column` and `row` from 0. */
  onClick(listener: (column: number, row: number) => void): void;
  onWheel(listener: (direction: 'up' | 'down') => void): void;
  onResize(listener: (size: Size) => void): void;
  /** Gives the terminal to the shell and stops this process; calls `onResumed` when it goes on, to be drawn on anew. */
  suspend(onResumed: () => void): void;
  /** Clears what other programs wrote over it; to be drawn on anew. */
  refresh(): void;
  /** Gives the terminal back as it was. Idempotent. */
  close(): void;
}

/**
 * What gives a terminal back whose dashboard could not: no mouse (1000, 1006), no marks around pasted text (2004), the cursor (25), keys and scroll region as
 * usual, the first screen (1049), no colours (xterm's control sequences; DECSTBM, DECKPNM, SGR).
 */
export const giveBack =
  '\u001b[?1006l\u001b[?1000l\u001b[?2004l\u001b[r\u001b[?1049l\u001b[?25h\u001b[?1l\u001b>\u001b[0m';

const wellFormedChar = /^[^\p{Cc}\p{Cs}]$/u;

function listenToKeys(screen: BlessedScreen, listener: (key: Key) => void): void {
  screen.on('keypress', (char = '', { full }) => {
    // blessed tells of the same key as `return` too.
    if (full === 'return') return;
    const types = wellFormedChar.test(char);
    listener({ name: types ? char : full, char: types ? char : '' });
  });
}

/** Takes the terminal, which must be one, until `close` or the end of the process. */
export function openScreen({ ascii, color, env, mouse, textWidth, onClosed }: ScreenOptions): Screen {
  let pasted: (text: string) => void = () => undefined;
  const screen = openBlessed({ ascii, mouse, textWidth, onPaste: (text) => pasted(text) });
  const depth = color ? depthOf(env, screen.tput.colors) : 0;
  const known = new Map<Style, string>();
  const sgr = (style: Style): string => {
    const parameters = known.get(style) ?? sgrOf(style, depth);
    known.set(style, parameters);
    return parameters;
  };
  let picture: Picture = blankPicture;
  let closed = false;
  const look = (): Look => ({ columns: screen.cols, rows: screen.rows, ascii, textWidth });
  // It has cleared the screen by then.
  screen.on('resize', () => {
    picture = blankPicture;
  });
  return {
    get look() {
      return look();
    },
    draw(rows) {
      if (closed) return;
      const next = paint(picture, rows, { look: look(), sgr });
      picture = next.picture;
      if (next.bytes !== '') screen.program._write(next.bytes);
    },
    onKey: (listener) => listenToKeys(screen, listener),
    onPaste(listener) {
      pasted = listener;
    },
    onClick(listener) {
      if (!mouse) return;
      screen.on('mouse', ({ action, button, x, y }) => {
        if (action === 'mousedown' && button === 'left') listener(x, y);
      });
    },
    onWheel(listener) {
      if (!mouse) return;
      screen.on('mouse', ({ action }) => {
        if (action === 'wheelup' || action === 'wheeldown') listener(action === 'wheelup' ? 'up' : 'down');
      });
    },
    onResize: (listener) => screen.on('resize', () => listener({ columns: screen.cols, rows: screen.rows })),
    suspend(onResumed) {
      suspendBlessed(screen, mouse, () => {
        picture = blankPicture;
        screen.realloc();
        onResumed();
      });
    },
    refresh() {
      picture = blankPicture;
      screen.realloc();
    },
    close() {
      if (closed) return;
      closed = true;
      screen.destroy();
      onClosed?.();
    },
  };
}
