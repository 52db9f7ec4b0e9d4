/**
 * Output of tasks as lines of coloured text. What a task writes is hostile: of the sequences meant for a terminal (ECMA-48) only
 * colours and weight are kept (`sgr.ts`), all others vanish, and nothing is ever markup. A carriage return begins the line anew, as
 * progress bars want it.
 *
 * Bounded: the last lines, `linesMax` of them and `lengthMax` characters, each of `lineLengthMax`. Lines lie in blocks, which do
 * not change once they are full: what draws them need not look at them again.
 */

import { afterCodes, classOf, type Look, plain } from './sgr.ts';

export interface Span {
  readonly text: string;
  /** Names of classes, separated by spaces; '' = none. */
  readonly look: string;
  /** `#rrggbb`; '' = none. */
  readonly color: string;
}

export interface Line {
  readonly spans: readonly Span[];
  /** Characters beyond `lineLengthMax`, which are not kept. */
  readonly cut: number;
}
/** Lines that follow each other; `id` is its place among all there were. */
export interface Block {
  readonly id: number;
  readonly lines: readonly Line[];
}

export const linesMax = 5000;
export const lengthMax = 512 * 1024;
export const lineLengthMax = 10_000;
const blockLinesMax = 100;
/** Characters of a block, which a last line may exceed. */
const blockLengthMax = 16 * 1024;

/** A sequence that is whole, or a control character; what is not whole yet waits for the next piece. */
const control =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /\r\n|\n|\u001b\[([0-9;:?<=>]*)[ -/]*([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[PX^_][^\u001b]*\u001b\\|\u001b[ -/]*[0-Z\\`-~]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;
/** The beginning of a sequence at the end of a piece. */
const unfinished =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /\u001b(?:\[[0-9;:?<=>]{0,40}|\][^\u0007\u001b]{0,200}|[PX^_][^\u001b]{0,200}|)$|\r$/;

interface Closed extends Block {
  readonly length: number;
}

/** Text that comes in pieces, as lines. */
export class OutputLines {
  #look: Look = plain;
  #rest = '';
  #full: Closed[] = [];
  /** Of the block that is not full. */
  #lines: Line[] = [];
  #linesLength = 0;
  #nextId = 0;
  #spans: Span[] = [];
  #spansLength = 0;

  push(piece: string): void {
    const text = this.#rest + piece;
    const cut = unfinished.exec(text.slice(-256));
    const end = cut === null ? text.length : Math.max(0, text.length - 256) + cut.index;
    this.#rest = text.slice(end);
    let from = 0;
    for (const match of text.slice(0, end).matchAll(control)) {
      this.#write(text.slice(from, match.index));
      from = match.index + match[0].length;
      this.#obey(match);
    }
    this.#write(text.slice(from, end));
    this.#trim();
  }

  /** Forgets what there was: what comes next does not follow from it. */
  clear(): void {
    this.#full = [];
    this.#look = plain;
    this.#rest = '';
    this.#lines = [];
    this.#linesLength = 0;
    this.#begin();
  }

  /** All lines, the last of them as far as it has come. Full blocks are the same objects each time. */
  blocks(): readonly Block[] {
    const open = this.#spansLength === 0 ? [] : [this.#line()];
    const lines = [...this.#lines, ...open];
    return lines.length === 0 ? this.#full : [...this.#full, { id: this.#nextId, lines }];
  }

  #trim(): void {
    let lines = this.#lines.length;
    let length = this.#linesLength;
    const firstKept = this.#full.findLastIndex((block) => {
      lines += block.lines.length;
      length += block.length;
      return lines > linesMax || length > lengthMax;
    });
    if (firstKept >= 0) this.#full = this.#full.slice(firstKept + 1);
  }

  #obey([sequence, codes = '', final]: RegExpExecArray): void {
    if (sequence === '\n' || sequence === '\r\n') this.#end();
    else if (sequence === '\r') this.#begin();
    else if (final === 'm') this.#look = afterCodes(this.#look, codes);
  }

  #line(): Line {
    return { spans: [...this.#spans], cut: Math.max(0, this.#spansLength - lineLengthMax) };
  }

  #end(): void {
    this.#lines.push(this.#line());
    this.#linesLength += Math.min(lineLengthMax, this.#spansLength) + 1;
    this.#begin();
    if (this.#lines.length < blockLinesMax && this.#linesLength < blockLengthMax) return;
    this.#full.push({ id: this.#nextId, lines: this.#lines, length: this.#linesLength });
    this.#nextId += 1;
    this.#lines = [];
    this.#linesLength = 0;
  }

  #begin(): void {
    this.#spans = [];
    this.#spansLength = 0;
  }

  #write(text: string): void {
    const kept = text.slice(0, Math.max(0, lineLengthMax - this.#spansLength));
    this.#spansLength += text.length;
    if (kept !== '') this.#spans.push({ text: kept, look: classOf(this.#look), color: this.#look.value });
  }
}
