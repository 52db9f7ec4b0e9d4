/**
 * Text for people: aligned tables measured in display cells, and strangers' text made harmless.
 * Pure: the width of a terminal and of a text are given.
 */

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Takes the cut when a line is too long; the last one is cut first. */
  readonly flexible?: boolean;
}

export interface TableOptions {
  /** Cells of a line; null: as long as needed. */
  readonly width: number | null;
  textWidth(text: string): number;
  /** Wraps a padded cell in colour; must not change its width. */
  paint?(cell: string, column: number, row: number): string;
}

const flexibleMin = 8;
const gap = '  ';

/** `text` on one line, without what could steer a terminal or reorder its line. */
export function printable(text: string): string {
  const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (char) => {
    const code = char.charCodeAt(0);
    return named[char] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`);
  });
}

/** The beginning of `text` that takes at most `cells`, with `…` where something was cut. */
export function cut(text: string, cells: number, textWidth: (text: string) => number): string {
  if (textWidth(text) <= cells) return text;
  let kept = '';
  let used = 1;
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(text)) {
    used += textWidth(segment);
    if (used > cells) break;
    kept += segment;
  }
  return `${kept}…`;
}

function columnWidths(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions,
): number[] {
  const widths = columns.map((column, i) =>
    rows.reduce((most, row) => Math.max(most, options.textWidth(row[i] ?? '')), options.textWidth(column.title)),
  );
  if (options.width === null) return widths;
  let excess = widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1)) - options.width;
  for (let i = columns.length - 1; i >= 0 && excess > 0; i--) {
    if (!columns[i]?.flexible) continue;
    const taken = Math.min(excess, Math.max(0, (widths[i] ?? 0) - flexibleMin));
    widths[i] = (widths[i] ?? 0) - taken;
    excess -= taken;
  }
  return widths;
}

/** Lines of a table with its titles, each ended by a newline. Cells are made printable. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions,
): string {
  const clean = rows.map((row) => row.map(printable));
  const widths = columnWidths(columns, clean, options);
  const line = (row: readonly string[], index: number): string => {
    const cells = columns.map((column, i) => {
      const text = cut(row[i] ?? '', widths[i] ?? 0, options.textWidth);
      const padding = ' '.repeat(Math.max(0, (widths[i] ?? 0) - options.textWidth(text)));
      const isLast = i === columns.length - 1;
      const padded = column.align === 'right' ? padding + text : text + (isLast ? '' : padding);
      return index < 0 ? padded : (options.paint?.(padded, i, index) ?? padded);
    });
    return `${cells.join(gap).trimEnd()}\n`;
  };
  const titles = columns.map((column) => column.title);
  return [line(titles, -1), ...clean.map(line)].join('');
}

const colors: Readonly<Record<string, string>> = {
  completed: '32',
  online: '32',
  running: '36',
  failed: '31',
  timed_out: '31',
  offline: '31',
  cancelled: '33',
  draining: '33',
  silent: '33',
};

/** A cell that holds a status, in its colour. */
export function paintStatus(cell: string): string {
  const color = colors[cell.trim()];
  return color === undefined ? cell : `\u001b[${color}m${cell}\u001b[0m`;
}
