/**
 * The terminal as the dashboard sees it: rows go in, keys and clicks come out. Of tui only this file knows blessed, of
 * which it uses the screen alone: raw keys, mouse, terminal descriptions, and sending only the cells that changed.
 *
 * Rows are written as cells, never as text with markup: nothing in them can be taken for a tag or an escape sequence.
 */

import { type BlessedScreen, openBlessed } from './blessed-static.ts';
import type { Key } from './keys.ts';
import { placesOf, type Row, type Style } from './lines.ts';
import type { Size } from './model.ts';
import type { Look, Measure } from './text.ts';

export interface ScreenOptions {
  readonly ascii: boolean;
  readonly color: boolean;
  readonly mouse: boolean;
  readonly textWidth: Measure;
}

export interface Screen {
  /** What there is to draw on now. */
  readonly look: Look;
  /** Rows from the top; missing ones are blank. */
  draw(rows: readonly Row[]): void;
  onKey(listener: (key: Key) => void): void;
  /** `column` and `row` from 0. */
  onClick(listener: (column: number, row: number) => void): void;
  onWheel(listener: (direction: 'up' | 'down') => void): void;
  onResize(listener: (size: Size) => void): void;
  /** Clears what other programs wrote over it; to be drawn on anew. */
  refresh(): void;
  /** Gives the terminal back as it was. Idempotent. */
  close(): void;
}

// blessed's attributes: flags, then nine bits each of foreground and background, in which 0x1ff is the terminal's own.
const ownColor = 0x1ff;
const bold = 1;
const inverse = 8;
const attributes = (flags: number, foreground: number = ownColor): number =>
  (flags << 18) | (foreground << 9) | ownColor;

/** Attributes by meaning. Without colours, bold and inverse say what they can. */
function paletteOf(colors: number): Readonly<Record<Style, number>> {
  const color = (index: number): number => attributes(0, colors >= 8 ? index : ownColor);
  return {
    plain: attributes(0),
    dim: attributes(0, colors >= 16 ? 8 : ownColor),
    strong: attributes(bold),
    good: color(2),
    bad: attributes(bold, colors >= 8 ? 1 : ownColor),
    warn: color(3),
    busy: color(6),
    title: attributes(inverse | bold),
    selected: attributes(inverse),
  };
}

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
export function openScreen({ ascii, color, mouse, textWidth }: ScreenOptions): Screen {
  const screen = openBlessed({ ascii, mouse, textWidth });
  const palette = paletteOf(color ? screen.tput.colors : 0);
  let closed = false;
  const look = (): Look => ({ columns: screen.cols, rows: screen.rows, ascii, textWidth });
  return {
    get look() {
      return look();
    },
    draw(rows) {
      if (closed) return;
      const now = look();
      screen.lines.forEach((line, y) => {
        const places = placesOf(rows[y] ?? [], now);
        line.forEach((old, x) => {
          const { text, style } = places[x] ?? { text: ' ', style: 'plain' as const };
          if (old[0] === palette[style] && old[1] === text) return;
          old[0] = palette[style];
          old[1] = text;
          line.dirty = true;
        });
      });
      screen.draw(0, screen.lines.length - 1);
    },
    onKey: (listener) => listenToKeys(screen, listener),
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
    refresh: () => screen.realloc(),
    close() {
      if (closed) return;
      closed = true;
      screen.destroy();
    },
  };
}
