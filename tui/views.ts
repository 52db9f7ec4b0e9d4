/**
 * What is drawn: the state and what there is to draw on, made into rows, and what a click on them means. Pure.
 *
 * From top to bottom: title, tabs, a rule, the body (the tab, or what lies over it), a rule, a message, the keys.
 * Invariant: never more rows than the screen has; only rows that are seen are made.
 */

import { keyHelp } from './keys.ts';
import { type Row, rule, type Style, span } from './lines.ts';
import { chromeRows, type Model, type Tab, type Target, tabs } from './model.ts';
import { cut, formatAge, harmless, type Look, pad } from './text.ts';
import { detail, explanation } from './views/detail.ts';
import { overview } from './views/overview.ts';
import { tasks } from './views/tasks.ts';
import { type Listing, workers } from './views/workers.ts';

/** A stretch of one row that can be clicked. */
export interface Hit {
  readonly row: number;
  /** First column, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  readonly target: Target;
}

export interface Frame {
  readonly rows: readonly Row[];
  readonly hits: readonly Hit[];
}

/** Below this there is no sensible picture. */
export const columnsMin = 40;
export const rowsMin = 10;

const tabTitles: Readonly<Record<Tab, string>> = { overview: 'Overview', workers: 'Workers', tasks: 'Tasks' };

function title({ address, link, stats }: Model, look: Look): Row {
  const state =
    link.kind === 'lost'
      ? 'disconnected '
      : stats === null
        ? ''
        : `${stats.paused ? 'PAUSED  ' : ''}up ${formatAge(stats.uptime_seconds * 1000)}  v${stats.version} `;
  const right = harmless(state, look.ascii);
  const left = pad(` octaskly  ${address}`, Math.max(0, look.columns - look.textWidth(right)), look);
  return [span(left, 'title'), span(right, link.kind === 'lost' ? 'bad' : 'title')];
}

function tabRow(model: Model): { readonly row: Row; readonly hits: readonly Hit[] } {
  const row = tabs.map((tab, i) =>
    span(` ${i + 1} ${tabTitles[tab]} `, tab === model.tab ? ('selected' satisfies Style) : 'plain'),
  );
  let from = 0;
  const hits = row.map(({ text }, i): Hit => {
    const to = from + text.length;
    const hit: Hit = { row: 1, from, to, target: { kind: 'tab', tab: tabs[i] ?? 'overview' } };
    from = to;
    return hit;
  });
  return { row, hits };
}

function messageRow({ asking, link, message, now }: Model, look: Look): Row {
  if (asking?.kind === 'filter') {
    // The end of what is typed stays in sight.
    const typed = harmless(asking.text, look.ascii).slice(-(look.columns - 12));
    return [span(' Filter: ', 'strong'), span(typed), span(look.ascii ? '_' : '▏', 'strong')];
  }
  if (asking?.kind === 'cancel') return [span(` Cancel task ${harmless(asking.id)}? y/n`, 'warn')];
  if (link.kind === 'lost') {
    const text = `No dispatcher for ${formatAge(now - link.since)}; trying again. ${link.reason}`;
    return [span(` ${cut(text, look.columns, look)}`, 'bad')];
  }
  if (message === null) return [];
  return [span(` ${harmless(message.text, look.ascii)}`, message.isError ? 'bad' : 'good')];
}

function keysOf({ tab, help, explanation, detail, asking }: Model): string {
  if (asking?.kind === 'cancel') return 'y cancel it  n leave it';
  if (asking !== null) return 'Enter apply  Esc leave as it was  e.g. failed  worker:NAME  batch:ID  tag:K=V';
  if (help) return 'any key goes back';
  if (explanation !== null) return 'Esc back  q quit';
  if (detail !== null) return 'Esc back  j k scroll  c cancel  r retry  e explain  ? help  q quit';
  if (tab === 'tasks') return 'Enter open  c cancel  r retry  e explain  f state  / filter  ? help  q quit';
  return 'Tab 1 2 3 tabs  j k select  ? help  q quit';
}

/** The keys that do something now; or what is wrong with an answer that is still being typed. */
function keyRow(model: Model, look: Look): Row {
  const { asking, message } = model;
  if (asking !== null && message?.isError) return [span(` ${harmless(message.text, look.ascii)}`, 'bad')];
  return [span(` ${keysOf(model)}`, 'dim')];
}

function helpRows(): Row[] {
  const width = Math.max(...keyHelp.map(([keys]) => keys.length));
  return [
    [span(' Keys', 'strong')],
    ...keyHelp.map(([keys, effect]): Row => [span(` ${keys.padEnd(width)}  `, 'strong'), span(effect)]),
  ];
}

function body(model: Model, rows: number, look: Look): Listing {
  const still = (all: readonly Row[]): Listing => ({ rows: all, indexes: [] });
  if (model.help) return still(helpRows());
  if (model.explanation !== null) return still(explanation(model.explanation, rows, look));
  if (model.detail !== null) return still(detail(model, model.detail, rows, look));
  if (model.tab === 'overview') return still(overview(model, rows, look));
  return model.tab === 'workers' ? workers(model, rows, look) : tasks(model, rows, look);
}

/** The whole screen. */
export function view(model: Model, look: Look): Frame {
  if (look.columns < columnsMin || look.rows < rowsMin) {
    const text = `The window is too small: ${columnsMin}x${rowsMin} is the least, 80x24 is good.`;
    return { rows: look.rows < 1 ? [] : [[span(pad(text, look.columns, look))]], hits: [] };
  }
  const bodyRows = look.rows - chromeRows;
  const shown = body(model, bodyRows, look);
  const middle = shown.rows.slice(0, bodyRows);
  while (middle.length < bodyRows) middle.push([]);
  const top = tabRow(model);
  const hits = shown.indexes
    .slice(0, bodyRows)
    .flatMap((index, i): Hit[] =>
      index === null ? [] : [{ row: 3 + i, from: 0, to: look.columns, target: { kind: 'row', index } }],
    );
  return {
    rows: [
      title(model, look),
      top.row,
      rule(look),
      ...middle,
      rule(look),
      messageRow(model, look),
      keyRow(model, look),
    ],
    hits: [...top.hits, ...hits],
  };
}

/** What a click at this place means; null for nothing. */
export function targetAt({ hits }: Frame, column: number, row: number): Target | null {
  return hits.find((hit) => hit.row === row && column >= hit.from && column < hit.to)?.target ?? null;
}
