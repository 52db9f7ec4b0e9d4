/**
 * Aligned tables for people, measured in display cells. On a terminal no line is longer than the terminal is wide: columns
 * that matter least are left out, then cells are cut. Where nobody looks, all is there in full.
 * Pure: the width of a terminal and of a text are given.
 */

import { cut, harmless, type Measure } from '../base/harmless.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Takes the cut when a line is too long; the last one is cut first. */
  readonly flexible?: boolean;
  /** Cells a flexible one keeps while others can give way; default 12. */
  readonly least?: number;
  /** May be left out where there is too little room, the highest number first; missing: it stays. */
  readonly spare?: number;
}

export interface TableOptions {
  /** Cells of a line; null: as long as needed. */
  readonly width: number | null;
  readonly textWidth: Measure;
  /** Wraps a padded cell in colour; must not change its width. `column` counts those that are shown. */
  paint?(cell: string, column: number, row: number): string;
}

const leastDefault = 12;
/** Where that is not enough: cells that all columns keep, round by round. */
const narrowMins = [8, 4, 1] as const;
const gap = '  ';

interface Measured {
  readonly column: Column;
  /** Its place among the cells of a row. */
  readonly at: number;
  readonly width: number;
}

function measure(columns: readonly Column[], rows: readonly (readonly string[])[], textWidth: Measure): Measured[] {
  return columns.map((column, at) => {
    const width = rows.reduce((most, row) => Math.max(most, textWidth(row[at] ?? '')), textWidth(column.title));
    return { column, at, width };
  });
}

const widthOf = (shown: readonly Measured[]): number =>
  shown.reduce((sum, { width }) => sum + width, gap.length * Math.max(0, shown.length - 1));

const leastOf = ({ least = leastDefault }: Column): number => least;

const narrowest = ({ column, width }: Measured): number => (column.flexible ? Math.min(width, leastOf(column)) : width);

/** The columns that fit into `width` together, once the flexible ones are cut to their least. */
function chosen(all: readonly Measured[], width: number): readonly Measured[] {
  let shown = all;
  const needed = (): number => widthOf(shown.map((one) => ({ ...one, width: narrowest(one) })));
  while (needed() > width) {
    const most = Math.max(...shown.map(({ column }) => column.spare ?? 0));
    if (most === 0) break;
    shown = shown.filter(({ column }) => column.spare !== most);
  }
  return shown;
}

/** `shown` in `width` cells: the flexible ones give way from the last on, then all. */
function squeezed(shown: readonly Measured[], width: number): readonly Measured[] {
  const result = [...shown];
  const squeeze = (keepOf: (column: Column) => number, isMeant: (column: Column) => boolean): void => {
    for (let i = result.length - 1; i >= 0; i--) {
      const one = result[i];
      const excess = widthOf(result) - width;
      if (one === undefined || excess <= 0 || !isMeant(one.column)) continue;
      result[i] = { ...one, width: Math.max(Math.min(one.width, keepOf(one.column)), one.width - excess) };
    }
  };
  squeeze(leastOf, (column) => column.flexible === true);
  for (const keep of narrowMins)
    squeeze(
      () => keep,
      () => true,
    );
  while (widthOf(result) > width && result.length > 1) result.pop();
  return result;
}

/** Lines of a table with its titles, each ended by a newline. Cells are made harmless. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, textWidth, paint }: TableOptions,
): string {
  const clean = rows.map((row) => row.map((cell) => harmless(cell)));
  const all = measure(columns, clean, textWidth);
  const shown = width === null || width <= 0 ? all : squeezed(chosen(all, width), width);
  const line = (row: readonly string[], index: number): string => {
    const cells = shown.map((one, i) => {
      const text = cut(row[one.at] ?? '', one.width, { textWidth });
      const padding = ' '.repeat(Math.max(0, one.width - textWidth(text)));
      const isLast = i === shown.length - 1;
      const padded = one.column.align === 'right' ? padding + text : text + (isLast ? '' : padding);
      return index < 0 ? padded : (paint?.(padded, i, index) ?? padded);
    });
    return `${cells.join(gap).trimEnd()}\n`;
  };
  const titles = columns.map((column) => column.title);
  return [line(titles, -1), ...clean.map(line)].join('');
}

const colors: Readonly<Record<string, string>> = {
  completed: '32',
  online: '32',
  ready: '32',
  running: '36',
  failed: '31',
  timed_out: '31',
  offline: '31',
  revoked: '31',
  cancelled: '33',
  draining: '33',
  silent: '33',
  expired: '33',
};

/** A cell that holds a status, in its colour. */
export function paintStatus(cell: string): string {
  const color = colors[cell.trim()];
  return color === undefined ? cell : `\u001b[${color}m${cell}\u001b[0m`;
}
