/**
 * What views are made of: rows of spans with a meaning instead of a colour, tables, bars, sparklines; and the step from
 * a row to the cells of a terminal. Pure.
 */

import { clustersOf, cut, type Look, pad } from './text.ts';

/** Steps of a bar's colour from calm to alarming. */
export const heatSteps = 10;

/** What a piece of text means; `palette.ts` gives it a colour, or none. `heat0` is calm, `heat9` alarming. */
export type Style =
  | 'plain'
  | 'dim'
  | 'strong'
  | 'good'
  | 'bad'
  | 'warn'
  | 'busy'
  | 'title'
  | 'selected'
  | `heat${number}`;

/** Harmless text in one style. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** A line of the screen, from its left edge. */
export type Row = readonly Span[];

export function span(text: string, style: Style = 'plain'): Span {
  return { text, style };
}

const statusStyles: Readonly<Record<string, Style>> = {
  ...{ running: 'busy', completed: 'good', failed: 'bad', timed_out: 'bad', cancelled: 'warn', blocked: 'dim' },
  ...{
    online: 'good',
    draining: 'warn',
    silent: 'warn',
    offline: 'bad',
    resting: 'warn',
    asleep: 'dim',
    waking: 'busy',
  },
};

/** Style of a task's or worker's state. */
export function styleOf(status: string): Style {
  return statusStyles[status] ?? 'plain';
}

export interface Column {
  readonly title: string;
  /** Cells; null takes what the others leave. */
  readonly width: number | null;
  readonly align?: 'left' | 'right';
  /** Where there is no room for all, the greatest goes first; without one a column stays. */
  readonly rank?: number;
}

/** A cell of a table: text of strangers, or spans that are harmless and as wide as their column. */
export type Cell = string | { readonly text: string; readonly style: Style } | Row;

const gap = ' ';

/** Cells of the column without a width. */
function flexibleWidth(columns: readonly Column[], look: Look): number {
  const fixed = columns.reduce((sum, { width }) => sum + (width ?? 0), gap.length * (columns.length + 1));
  return Math.max(0, look.columns - fixed);
}

/** Cells that the column without a width has at least, as long as others can be left out. */
const flexibleLeast = 12;

/** Those of `facts` whose columns there is room for. */
export function fitting<T extends { readonly column: Column }>(facts: readonly T[], look: Look): readonly T[] {
  const columns = facts.map(({ column }) => column);
  const rank = Math.max(0, ...columns.map((column) => column.rank ?? 0));
  if (rank === 0 || flexibleWidth(columns, look) >= flexibleLeast) return facts;
  return fitting(
    facts.filter(({ column }) => column.rank !== rank),
    look,
  );
}

/** One row of a table. */
export function tableRow(columns: readonly Column[], cells: readonly Cell[], look: Look): Row {
  const flexible = flexibleWidth(columns, look);
  return columns.flatMap(({ width, align }, i): Row => {
    const cell = cells[i] ?? '';
    if (typeof cell !== 'string' && !('text' in cell)) return [span(gap), ...cell];
    const { text, style } = typeof cell === 'string' ? span(cell) : cell;
    return [span(gap), span(pad(text, width ?? flexible, look, align), style)];
  });
}

/** The titles above a table. */
export function tableHead(columns: readonly Column[], look: Look): Row {
  return tableRow(
    columns,
    columns.map(({ title }) => span(title, 'dim')),
    look,
  );
}

/** A row on which the selection stands. */
export function selected(row: Row, look: Look): Row {
  return [span(pad(row.map(({ text }) => text).join(''), look.columns, look), 'selected')];
}

/** Cells that a row takes. */
export function widthOf(row: Row, { textWidth }: Look): number {
  return row.reduce((sum, { text }) => sum + textWidth(text), 0);
}

/** `left`, which takes at most `cells`, with `right` beside it. */
export function beside(left: readonly Row[], cells: number, right: readonly Row[], look: Look): Row[] {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, i): Row => {
    const one = left[i] ?? [];
    return [...one, span(' '.repeat(Math.max(0, cells - widthOf(one, look)))), ...(right[i] ?? [])];
  });
}

/** A line across the screen. */
export function rule(look: Look): Row {
  return [span((look.ascii ? '-' : '─').repeat(look.columns), 'dim')];
}

export interface Share {
  readonly used: number;
  readonly total: number;
}

/** A bar of `cells`, filled by the share; full only when all is used, empty only when nothing is. */
export function bar({ used, total }: Share, cells: number, style: Style, { ascii }: Look): Row {
  const share = total <= 0 ? 0 : Math.max(0, Math.min(1, used / total));
  const least = share > 0 ? 1 : 0;
  const most = share < 1 ? Math.max(least, cells - 1) : cells;
  const filled = Math.max(least, Math.min(most, Math.round(share * cells)));
  return [
    span((ascii ? '#' : '█').repeat(filled), style),
    span((ascii ? '.' : '░').repeat(Math.max(0, cells - filled)), 'dim'),
  ];
}

/** A bar for the share of something that should not run out, in the colour of its step from calm to alarming. */
export function meter(share: number | null, cells: number, look: Look): Row {
  if (share === null) return [span(' '.repeat(cells))];
  const step = Math.max(0, Math.min(heatSteps - 1, Math.floor(share * heatSteps)));
  return bar({ used: share, total: 1 }, cells, `heat${step}`, look);
}

const levels = '▁▂▃▄▅▆▇█';
const asciiLevels = '.:-=+*#@';

/** A column for each of the last `cells` values, as high as its share of the greatest, which is at least `least`. */
export function sparkline(values: readonly number[], cells: number, { ascii }: Look, least = 0): string {
  const shown = values.slice(-cells);
  const greatest = Math.max(least, ...shown);
  return shown
    .map((value) => {
      if (value <= 0) return ' ';
      const level = Math.ceil((value / greatest) * levels.length) - 1;
      return (ascii ? asciiLevels : levels)[level] ?? ' ';
    })
    .join('');
}

/** The rows of `count` that are shown in `places`, so that row `selectedRow` is among them: the first of them. */
export function firstShown(selectedRow: number, count: number, places: number): number {
  return Math.max(0, Math.min(selectedRow - Math.floor(places / 2), count - places));
}

/** One place of the terminal's grid. */
export interface Place {
  /** A cluster; '' behind a wide one, which covers it. */
  readonly text: string;
  readonly style: Style;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not pass
const control = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Exactly `columns` places for a row: what is too long is cut, what is short is filled.
 * The last guard before the terminal: a control that came this far becomes a question mark.
 */
export function placesOf(row: Row, look: Look): Place[] {
  const places: Place[] = [];
  for (const { text, style } of row) {
    const left = look.columns - places.length;
    const fitting = look.textWidth(text) <= left ? text : cut(text, left, look);
    for (const cluster of clustersOf(fitting)) {
      const width = look.textWidth(cluster);
      if (control.test(cluster)) places.push({ text: '?', style });
      else if (width > 0) places.push({ text: cluster, style });
      for (let more = 1; more < width; more++) places.push({ text: '', style });
    }
  }
  while (places.length < look.columns)
    places.push({ text: ' ', style: row.at(-1)?.style === 'title' ? 'title' : 'plain' });
  return places.slice(0, look.columns);
}
