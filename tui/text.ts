/**
 * Text fit for the screen: filled up to a width, wrapped, output without its control sequences; and durations in words.
 * What makes text of strangers harmless is `base/harmless.ts`. Pure.
 */

import { clustersOf, cut, harmless, type Measure, visiblePart } from '../src/base/harmless.ts';

export { clustersOf, cut, harmless, type Measure };

/** What there is to draw on. */
export interface Look {
  readonly columns: number;
  readonly rows: number;
  /** Only ASCII may be drawn. */
  readonly ascii: boolean;
  readonly textWidth: Measure;
}

/** `text`, harmless, in exactly `cells`: cut or filled with spaces. */
export function pad(text: string, cells: number, look: Look, align: 'left' | 'right' = 'left'): string {
  const shown = cut(text, cells, look);
  const space = ' '.repeat(Math.max(0, cells - look.textWidth(shown)));
  return align === 'left' ? shown + space : space + shown;
}

/** `text`, harmless, in at most `linesMax` lines of at most `cells`, broken at spaces where there are any. */
export function wrap(text: string, cells: number, linesMax: number, look: Look): string[] {
  const lines: string[] = [];
  let rest = harmless(visiblePart(text, (cells + 1) * linesMax), look.ascii);
  while (rest !== '' && lines.length < linesMax - 1 && look.textWidth(rest) > cells) {
    let fits = '';
    let used = 0;
    for (const cluster of clustersOf(rest)) {
      used += look.textWidth(cluster);
      if (used > cells) break;
      fits += cluster;
    }
    // A cluster wider than the line must not stop the way forward.
    if (fits === '') return lines;
    const space = rest[fits.length] === ' ' ? fits.length : fits.lastIndexOf(' ');
    const end = space > 0 ? space : fits.length;
    lines.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return rest === '' ? lines : [...lines, cut(rest, cells, look)];
}

// ECMA-48 sections 5.4 (control sequences) and 5.6 (control strings), 7-bit and 8-bit forms; and ESC with a final byte.
// No part can run over the beginning of another sequence: the search stays linear, whatever a task writes.
const sequences = new RegExp(
  [
    '(?:\\u001b\\[|\\u009b)[0-?]*[ -/]*[@-~]',
    '(?:\\u001b[\\]PX^_]|[\\u009d\\u0090\\u0098\\u009e\\u009f])[^\\u0007\\u001b\\u0090\\u0098\\u009c-\\u009f]*(?:\\u0007|\\u001b\\\\|\\u009c)',
    '\\u001b[ -/]*[0-Z\\\\^-~]',
  ].join('|'),
  'g',
);
/** The beginning of one that is not written to its end yet; a control string is shown, however long it may become. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with one
const unfinished = /(?:\u001b\[|\u009b)[0-?]*[ -/]*$|\u001b[ -/]*$/;
const tabCells = 8;

/** A line of output as text: colours and other sequences left out, overwritten parts gone, tabs as spaces. */
export function outputText(line: string): string {
  const visible = line.replace(sequences, '').replace(unfinished, '').replace(/\r+$/, '');
  const [first = '', ...others] = visible.slice(visible.lastIndexOf('\r') + 1).split('\t');
  return others.reduce((text, part) => text + ' '.repeat(tabCells - (text.length % tabCells)) + part, first);
}

/** `12s`, `3m`, `2h`, `5d`: how long ago, roughly. */
export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, ageMs) / 1000;
  if (seconds < 60) return `${Math.floor(seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
