/**
 * The streams of a process in a terminal: one end of ours for keys and for what is shown, behind the same two interfaces
 * as pipes. What a terminal shows is standard output; standard error stays empty.
 *
 * Deliberately not here: the terminal itself (`pseudo-terminal.ts`), and waiting for a slow taker beyond what the kernel
 * buffers. Invariant: our end is closed once, when everything shown was delivered; until then keys may be typed.
 */

import { closeSync } from 'node:fs';
import type { TerminalSize } from '../core/task.ts';
import { type InputPipe, type OutputPipe, Pump, type Taker, writeTo } from './pipes.ts';
import { openPseudoTerminal } from './pseudo-terminal.ts';

/** The three streams of a process that are one terminal. */
export interface TerminalPipes {
  readonly stdin: InputPipe;
  readonly stdout: OutputPipe;
  readonly stderr: OutputPipe;
  /** Ignored once the process has ended. */
  resize(size: TerminalSize): void;
}

/** Return and line feed: both end a line that is typed. */
const lineEnds: readonly number[] = [0x0d, 0x0a];
/** VEOF of termios(3): ends the input at the start of a line, and hands over what there is within one. */
const endOfFile = 0x04;

/** Opens a terminal and its streams; null where there are none, or descriptors ran out. */
export function openTerminalPipes(size: TerminalSize, take: Taker): TerminalPipes | null {
  const terminal = openPseudoTerminal(size);
  if (terminal === null) return null;
  const { own, theirs } = terminal;
  let pump: Pump | null = null;
  let sink: Bun.FileSink | null = null;
  let isClosed = false;
  let isAtStart = true;

  const close = (): void => {
    isClosed = true;
    closeSync(own);
  };
  const follow = (): Pump => {
    pump ??= new Pump(Bun.file(own).stream(), take);
    return pump;
  };
  const type = async (keys: Uint8Array): Promise<boolean> => {
    if (isClosed || sink === null) return false;
    isAtStart = keys.length === 0 ? isAtStart : lineEnds.includes(keys.at(-1) ?? 0);
    return await writeTo(sink, keys);
  };
  const common = { theirs, follow: () => void follow() };
  return {
    stdin: {
      theirs,
      started: () => undefined,
      write: type,
      close: () => void type(Uint8Array.from(isAtStart ? [endOfFile] : [endOfFile, endOfFile])),
    },
    stdout: {
      ...common,
      started: () => {
        closeSync(theirs);
        // In this order: Bun 1.4.5 takes a descriptor that is written to already for a file with positions.
        follow();
        sink = Bun.file(own).writer();
      },
      finish: () => follow().finish().catch(ignoreHangUp).finally(close),
      discard: () => {
        closeSync(theirs);
        close();
      },
    },
    stderr: { theirs, follow: () => undefined, started: () => undefined, finish: () => null, discard: () => undefined },
    resize: (next) => {
      if (!isClosed) terminal.resize(next);
    },
  };
}

/** Reading fails so when nobody holds the other end any more: that is how a terminal ends. */
function ignoreHangUp(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'EIO')) throw error;
}
