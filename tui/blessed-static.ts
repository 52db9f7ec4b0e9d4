/**
 * blessed, so that it lives inside the compiled file: loaded by static imports of the one widget in use (blessed itself
 * finds widgets by computed names, which no bundler can follow), with its terminal descriptions embedded, and without
 * its code generation. Beside `screen.ts` nothing knows blessed; this is the only file here that touches the process.
 *
 * The system's terminfo is never read: blessed cannot parse the 32-bit entries of today's ncurses (term(5), magic 01036).
 * Four descriptions cover what there is: every terminal emulator in use understands one of xterm's.
 */

import { readFileSync } from 'node:fs';
import process from 'node:process';
import { Transform } from 'node:stream';
import Tput from 'blessed/lib/tput.js';
import unicode from 'blessed/lib/unicode.js';
import Screen from 'blessed/lib/widgets/screen.js';
import linux from 'blessed/usr/linux' with { type: 'file' };
import windows from 'blessed/usr/windows-ansi' with { type: 'file' };
import xterm from 'blessed/usr/xterm' with { type: 'file' };
import xterm256 from 'blessed/usr/xterm-256color' with { type: 'file' };
import type { Measure } from './text.ts';
import { tparm } from './tparm.ts';

export type BlessedScreen = InstanceType<typeof Screen>;
type TerminalInput = ConstructorParameters<typeof Screen>[0]['input'];

const manyColors = /256|truecolor|direct|kitty|alacritty|ghostty|wezterm|foot/;

/** Name and file of the embedded description for a terminal. */
function descriptionOf(term: string): readonly [name: string, file: string] {
  if (term === 'linux') return ['linux', linux];
  if (term === 'windows-ansi') return ['windows-ansi', windows];
  return manyColors.test(term) ? ['xterm-256color', xterm256] : ['xterm', xterm];
}

Tput.prototype.readTerminfo = function (term) {
  const [name, file] = descriptionOf(term ?? this.terminal);
  return this.parseTerminfo(readFileSync(file), name);
};

Tput.prototype._compile = (_info, name, value) => {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  // The two name files of the system whose content would be sent; nobody has them.
  if (!value || name === 'init_file' || name === 'reset_file') return () => '';
  return /%|\$</.test(value) ? (params: readonly number[]) => tparm(value, params) : () => value;
};

/** One report of the mouse: button, column, row, pressed or released (xterm mode 1006). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with one
const mouseReport = /(\u001b\[<[0-9;]+[Mm])/;

/** The beginning of such a report, or of any sequence, at the end of what was read. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with one
const halfSequence = /\u001b(?:\[(?:<[0-9;]*)?|O)?$/;
/** How long the rest of a sequence is waited for, ms; then the beginning was a key of its own. */
const restWithinMs = 50;

/**
 * Standard input in pieces: each report of the mouse by itself. blessed understands only the first report of what was
 * read at once, and no key beside it; over a slow line they come together, and one comes in two parts.
 */
function splitInput(stdin: NodeJS.ReadStream): TerminalInput {
  let half = '';
  let timer: ReturnType<typeof setTimeout> | null = null;
  const flush = (): void => {
    timer = null;
    if (half !== '') pieces.push(Buffer.from(half, 'latin1'));
    half = '';
  };
  const pieces = new Transform({
    readableObjectMode: true,
    transform(chunk: Buffer, _encoding, done) {
      if (timer !== null) clearTimeout(timer);
      const text = half + chunk.toString('latin1');
      half = halfSequence.exec(text)?.[0] ?? '';
      for (const piece of text.slice(0, text.length - half.length).split(mouseReport)) {
        if (piece !== '') this.push(Buffer.from(piece, 'latin1'));
      }
      timer = half === '' ? null : setTimeout(flush, restWithinMs);
      done();
    },
  });
  return Object.assign(stdin.pipe(pieces), {
    isRaw: false,
    setRawMode(this: { isRaw: boolean }, isRaw: boolean) {
      this.isRaw = isRaw;
      stdin.setRawMode(isRaw);
    },
  });
}

/** Takes the terminal: other screen, raw keys, mouse if wanted. It is given back by `destroy`, and whenever the process ends. */
export function openBlessed(options: {
  readonly ascii: boolean;
  readonly mouse: boolean;
  readonly textWidth: Measure;
}): BlessedScreen {
  // Lines are drawn with their Unicode characters, not in the VT100's second character set.
  process.env.NCURSES_NO_UTF8_ACS ??= '1';
  // One measure for what is laid out and what is drawn.
  unicode.charWidth = options.textWidth;
  const screen = new Screen({
    input: splitInput(process.stdin),
    fullUnicode: true,
    forceUnicode: !options.ascii,
  });
  const { program } = screen;
  // Only clicks and the wheel, with coordinates of any size (xterm modes 1000 and 1006); no report of mere movement.
  program.enableMouse = () => program.setMouse({ vt200Mouse: true, sgrMouse: true }, true);
  // Before any other listener: what is said about a crash belongs on the screen that stays.
  process.prependListener('uncaughtException', () => screen.destroy());
  return screen;
}

/** A stop of the whole group takes effect within this time, ms; where no shell looks after us, none does. */
const stopWithinMs = 50;

/** Gives the terminal back, stops this process and those started with it, and takes the terminal again afterwards. */
export function suspendBlessed(screen: BlessedScreen, mouse: boolean, onResumed: () => void): void {
  const { program } = screen;
  screen.leave();
  program.input.setRawMode(false);
  // Of the group, as the terminal itself does it: a pipeline stops as one.
  process.kill(0, 'SIGTSTP');
  setTimeout(() => {
    program.input.setRawMode(true);
    screen.enter();
    if (mouse) program.enableMouse();
    onResumed();
  }, stopWithinMs);
}
