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
import { InputPieces, type Piece, pasteOff, pasteOn } from './input.ts';
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

/** A build that can embed no files has what is in them in their place (`scripts/release/node-bundle.ts`). */
function contentOf(file: string | Buffer): Buffer {
  return typeof file === 'string' ? readFileSync(file) : file;
}

Tput.prototype.readTerminfo = function (term) {
  const [name, file] = descriptionOf(term ?? this.terminal);
  return this.parseTerminfo(contentOf(file), name);
};

Tput.prototype._compile = (_info, name, value) => {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  // The two name files of the system whose content would be sent; nobody has them.
  if (!value || name === 'init_file' || name === 'reset_file') return () => '';
  return /%|\$</.test(value) ? (params: readonly number[]) => tparm(value, params) : () => value;
};

/** How long the rest of a sequence is waited for, ms, then the beginning was a key of its own; and of pasted text. */
const restWithinMs = 50;
const pasteRestWithinMs = 2000;

/**
 * Standard input in pieces (`input.ts`). blessed understands only the first report of the mouse of what was read at once, and
 * no key beside it; what was pasted it would take for keys.
 */
function splitInput(stdin: NodeJS.ReadStream, onPaste: (text: string) => void): TerminalInput {
  const pieces = new InputPieces();
  let timer: ReturnType<typeof setTimeout> | null = null;
  const hand = (each: Piece): void => {
    if (each.kind === 'paste') onPaste(each.text);
    else keys.push(Buffer.from(each.bytes, 'latin1'));
  };
  const keys = new Transform({
    readableObjectMode: true,
    transform(chunk: Buffer, _encoding, done) {
      if (timer !== null) clearTimeout(timer);
      pieces.push(chunk.toString('latin1')).forEach(hand);
      const withinMs = pieces.pasting ? pasteRestWithinMs : restWithinMs;
      timer = pieces.waits ? setTimeout(() => pieces.rest().forEach(hand), withinMs) : null;
      done();
    },
  });
  return Object.assign(stdin.pipe(keys), {
    isRaw: false,
    setRawMode(this: { isRaw: boolean }, isRaw: boolean) {
      this.isRaw = isRaw;
      stdin.setRawMode(isRaw);
    },
  });
}

/** Has pasted text marked while the screen is ours, and no longer. */
function markPastes(screen: BlessedScreen): void {
  const { program } = screen;
  const [enter, leave] = [screen.enter.bind(screen), screen.leave.bind(screen)];
  screen.enter = () => {
    enter();
    program._write(pasteOn);
  };
  screen.leave = () => {
    if (program.isAlt) program._write(pasteOff);
    leave();
  };
  program._write(pasteOn);
}

/** Takes the terminal: other screen, raw keys, mouse if wanted. It is given back by `destroy`, and whenever the process ends. */
export function openBlessed(options: {
  readonly ascii: boolean;
  readonly mouse: boolean;
  readonly textWidth: Measure;
  readonly onPaste: (text: string) => void;
}): BlessedScreen {
  // Lines are drawn with their Unicode characters, not in the VT100's second character set.
  process.env.NCURSES_NO_UTF8_ACS ??= '1';
  // One measure for what is laid out and what is drawn.
  unicode.charWidth = options.textWidth;
  const screen = new Screen({
    input: splitInput(process.stdin, options.onPaste),
    fullUnicode: true,
    forceUnicode: !options.ascii,
  });
  const { program } = screen;
  // Only clicks and the wheel, with coordinates of any size (xterm modes 1000 and 1006); no report of mere movement.
  program.enableMouse = () => program.setMouse({ vt200Mouse: true, sgrMouse: true }, true);
  // blessed would wait for the first listener to keys; whoever watches over the terminal learns its settings before that.
  program.input.setRawMode(true);
  program.input.resume();
  markPastes(screen);
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
