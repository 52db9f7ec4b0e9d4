/**
 * What is drawn: the state and what there is to draw on, made into rows, and what a click on them means. Pure.
 *
 * From top to bottom: title, tabs, a rule, the body (the tab, or what lies over it), a rule, a message, the keys.
 * Invariant: never more rows than the screen has; only rows that are seen are made.
 */

import { keyHelp } from './keys.ts';
import { chromeRows } from './layout.ts';
import { type Row, rule, type Style, span } from './lines.ts';
import { type Asking, type Model, seesCluster, type Tab, type Target, tabs } from './model.ts';
import { cut, formatAge, harmless, type Look, pad, wrap } from './text.ts';
import { approvals } from './views/approvals.ts';
import { detail, explanation } from './views/detail.ts';
import { logs } from './views/logs.ts';
import { overview, ownOnly } from './views/overview.ts';
import { tasks } from './views/tasks.ts';
import { workerPage } from './views/worker.ts';
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
const columnsMin = 40;
const rowsMin = 10;

const tabTitles: Readonly<Record<Tab, string>> = {
  ...{ overview: 'Overview', workers: 'Workers', tasks: 'Tasks', logs: 'Logs', approvals: 'Approvals' },
};

/** For windows that have no room for them. */
const shortTitles: Readonly<Record<Tab, string>> = {
  ...{ overview: 'Over', workers: 'Work', tasks: 'Task', logs: 'Logs', approvals: 'Appr' },
};
const shortBelowColumns = 60;

function stateOf({ link, stats }: Model): string {
  if (link.kind === 'lost') return 'disconnected ';
  if (link.kind === 'refused') return 'not let in ';
  if (stats === null) return '';
  return `${stats.paused ? 'PAUSED  ' : ''}up ${formatAge(stats.uptime_seconds * 1000)}  v${stats.version} `;
}

function title(model: Model, look: Look): Row {
  const right = harmless(stateOf(model), look.ascii);
  const left = pad(` octaskly  ${model.address}`, Math.max(0, look.columns - look.textWidth(right)), look);
  return [span(left, 'title'), span(right, model.link.kind === 'up' ? 'title' : 'bad')];
}

function tabRow(model: Model, { columns }: Look): { readonly row: Row; readonly hits: readonly Hit[] } {
  const waiting = model.approvals.length;
  const isShort = columns < shortBelowColumns;
  const titles = isShort ? shortTitles : tabTitles;
  const row = tabs.map((tab, i) => {
    const calls = tab === 'approvals' && waiting > 0;
    const style: Style = tab === model.tab ? 'selected' : calls ? 'warn' : 'plain';
    return span(` ${i + 1} ${titles[tab]}${isShort ? '' : ' '}${calls ? `(${waiting}) ` : ''}`, style);
  });
  let from = 0;
  const hits = row.map(({ text }, i): Hit => {
    const to = from + text.length;
    const hit: Hit = { row: 1, from, to, target: { kind: 'tab', tab: tabs[i] ?? 'overview' } };
    from = to;
    return hit;
  });
  return { row, hits };
}

function askingRow(asking: Asking, look: Look): Row {
  if (asking.kind === 'confirm') return [span(` ${cut(asking.question, look.columns - 6, look)} y/n`, 'warn')];
  // The end of what is typed stays in sight.
  const typed = harmless(asking.text, look.ascii).slice(-(look.columns - 13));
  const title = asking.kind === 'filter' ? ' Filter: ' : asking.kind === 'find' ? ' Search: ' : ' Workers: ';
  return [span(title, 'strong'), span(typed), span(look.ascii ? '_' : '▏', 'strong')];
}

function messageRow({ asking, link, message, now }: Model, look: Look): Row {
  if (asking !== null) return askingRow(asking, look);
  if (link.kind === 'lost') {
    const text = `No dispatcher for ${formatAge(now - link.since)}; trying again. ${link.reason}`;
    return [span(` ${cut(text, look.columns, look)}`, 'bad')];
  }
  if (link.kind === 'refused') {
    return [span(` ${cut(`${link.reason} q leaves; start it again with another token.`, look.columns, look)}`, 'bad')];
  }
  if (message === null) return [];
  return [span(` ${harmless(message.text, look.ascii)}`, message.isError ? 'bad' : 'good')];
}

const tabKeys: Readonly<Record<Tab, string>> = {
  overview: 'Tab 1-5 tabs  p hold the queue  ? help  q quit',
  workers: 'Enter open  d drain  t its tasks  / filter  j k select  ? help  q quit',
  tasks: 'Enter open  Space mark  c cancel  r retry  e explain  s sort  / filter  ? help',
  logs: 'j k scroll  G newest  l level  / search  Esc all  ? help  q quit',
  approvals: 'a let it in  x turn it away  j k select  ? help  q quit',
};

function keysOf(model: Model): string {
  const { tab, help, explanation, detail, workerPage, asking } = model;
  if (asking?.kind === 'confirm') return 'y yes  n or Esc no';
  if (asking?.kind === 'find' || asking?.kind === 'findWorker') return 'Enter apply  Esc leave as it was';
  if (asking !== null) return 'Enter apply  Esc leave it  e.g. failed  words  worker:NAME  tag:K=V  batch: id:';
  if (help) return 'any key goes back';
  if (explanation !== null) return 'Esc back  j k scroll  q quit';
  if (detail !== null) return 'Esc back  Enter command  w wrap  c cancel  r retry  e explain  ? help  q quit';
  if (workerPage !== null) return 'Esc back  d drain  t its tasks  ? help  q quit';
  return tab === 'tasks' || tab === 'logs' || seesCluster(model) ? tabKeys[tab] : 'Tab 1-5 tabs  ? help  q quit';
}

/** The keys that do something now; or what is wrong with an answer that is still being typed. */
function keyRow(model: Model, look: Look): Row {
  const { asking, message } = model;
  if (asking !== null && message?.isError) return [span(` ${harmless(message.text, look.ascii)}`, 'bad')];
  const keys = keysOf(model);
  // Where there is no room for all, where to find them comes first.
  const isLong = keys.length >= look.columns && keys.includes('? help');
  return [span(` ${isLong ? '? help  ' : ''}${keys}`, 'dim')];
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
  if (model.explanation !== null) return still(explanation(model.explanation, model.explanationScroll, rows, look));
  if (model.detail !== null) return still(detail(model, model.detail, rows, look));
  if (!seesCluster(model) && (model.tab === 'workers' || model.tab === 'approvals')) return still(ownOnly(model, look));
  if (model.workerPage !== null) return still(workerPage(model, model.workerPage, rows, look));
  switch (model.tab) {
    case 'overview':
      return overview(model, rows, look);
    case 'workers':
      return workers(model, rows, look);
    case 'tasks':
      return tasks(model, rows, look);
    case 'logs':
      return still(logs(model, rows, look));
    case 'approvals':
      return approvals(model, rows, look);
  }
}

/** The whole screen. */
export function view(model: Model, look: Look): Frame {
  if (look.columns < columnsMin || look.rows < rowsMin) {
    const text = `The window is too small: ${columnsMin}x${rowsMin} is the least, 80x24 is good.`;
    const lines = wrap(text, Math.max(1, look.columns), Math.max(1, look.rows), look);
    return { rows: lines.slice(0, look.rows).map((line): Row => [span(line)]), hits: [] };
  }
  const bodyRows = look.rows - chromeRows;
  const shown = body(model, bodyRows, look);
  const middle = shown.rows.slice(0, bodyRows);
  while (middle.length < bodyRows) middle.push([]);
  const top = tabRow(model, look);
  // The left edge of a task is the place of its mark.
  const edge = model.tab === 'tasks' ? 1 : 0;
  const hits = shown.indexes.slice(0, bodyRows).flatMap((index, i): Hit[] => {
    if (index === null) return [];
    const row: Hit = { row: 3 + i, from: edge, to: look.columns, target: { kind: 'row', index } };
    return edge === 0 ? [row] : [{ row: 3 + i, from: 0, to: edge, target: { kind: 'mark', index } }, row];
  });
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
