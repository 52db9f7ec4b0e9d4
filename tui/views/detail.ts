/** One task opened: what it is, how it stands, and the end of its output as it comes; and an explanation. Pure. */

import type { Explanation, TaskWithAttempts } from '../../src/api/schemas.ts';
import { formatDuration } from '../../src/base/duration.ts';
import { detailHeadRows } from '../layout.ts';
import { type Row, rule, span, styleOf, widthOf } from '../lines.ts';
import { type Detail, type Model, outputLookOf, workerOf } from '../model.ts';
import { outputRowsOf } from '../output.ts';
import { runTimeOf } from '../sorting.ts';
import { cut, formatAge, harmless, type Look, wrap } from '../text.ts';
import { commandOf } from './tasks.ts';

const commandRows = 2;
/** Most lines of one paragraph of an explanation. */
const paragraphRows = 8;

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;

type Fact = readonly [name: string, value: string | null];

/** `name value` pairs that have a value, in one row. */
export function factRow(facts: readonly Fact[], look: Look): Row {
  const shown = facts.filter(([, value]) => value !== null && value !== '');
  return shown.flatMap(([name, value]) => [
    span(` ${name} `, 'dim'),
    span(cut(value ?? '', look.columns, look)),
    span(' '),
  ]);
}

/** Likewise in as many rows as they need: none is broken. */
function factRows(facts: readonly Fact[], look: Look): Row[] {
  const rows: Row[] = [];
  for (const fact of facts) {
    const one = factRow([fact], look);
    const last = rows.at(-1);
    const fits = last !== undefined && widthOf(last, look) + widthOf(one, look) <= look.columns;
    if (fits) rows[rows.length - 1] = [...last, ...one];
    else if (one.length > 0) rows.push(one);
  }
  return rows;
}

function titleRow(task: TaskWithAttempts, look: Look): Row {
  return [
    span(` Task ${harmless(task.id, look.ascii)}  `, 'strong'),
    span(task.status.replace('_', ' '), styleOf(task.status)),
    ...(task.attempt === 0 ? [] : [span(`  attempt ${task.attempt}`, 'dim')]),
  ];
}

function factsOf(task: TaskWithAttempts, model: Model): readonly Fact[] {
  const ago = (time: string | null): string | null =>
    time === null ? null : `${formatAge(model.now - Date.parse(time))} ago`;
  const tags = Object.entries(task.tags).map(([key, value]) => `${key}=${value}`);
  return [
    ['name', task.name],
    ['exit code', task.exit_code === null ? null : String(task.exit_code)],
    ['signal', task.signal],
    ['reason', task.reason],
    ['worker', workerOf(task, model)],
    ['submitted', ago(task.created_at)],
    ['started', ago(task.started_at)],
    ['ran', formatDuration(runTimeOf(task, model.now))],
    ['of at most', formatDuration(task.timeout * 1000)],
    ['cpu', formatDuration(task.cpu_ms)],
    ['memory', task.memory_peak_bytes === null ? null : megabytes(task.memory_peak_bytes)],
    ['batch', task.batch_id],
    ['retry of', task.retry_of],
    ['tags', tags.join(' ')],
    ['discarded', task.discarded_bytes === 0 ? null : `${task.discarded_bytes} bytes of output`],
    ['sandbox', task.sandbox_level_used ?? task.sandbox_level],
    ['brings', task.inputs.length === 0 ? null : `${task.inputs.length} files`],
    ['leaves', task.outputs.length === 0 ? null : task.outputs.join(' ')],
  ];
}

/** All of a task's command, as far as there are rows. */
function wholeCommand(task: TaskWithAttempts, rows: number, look: Look): Row[] {
  const lines = wrap(commandOf(task), look.columns - 2, Math.max(1, rows - 2), look);
  return [titleRow(task, look), [span(' Command', 'strong')], ...lines.map((line): Row => [span(` ${line}`)])];
}

function head(task: TaskWithAttempts, model: Model, rows: number, look: Look): Row[] {
  const command = wrap(commandOf(task), look.columns - 2, commandRows, look).map((line): Row => [span(` ${line}`)]);
  const all = [titleRow(task, look), ...command, ...factRows(factsOf(task, model), look)].slice(0, rows);
  while (all.length < rows) all.push([]);
  return all;
}

/** The words on the line above the output. */
function outputTitle({ output, scroll, full }: Detail, below: number, { wraps }: Model): string {
  const place = scroll === 0 ? '' : `, ${below} rows below`;
  const cutOff = output.isCut ? ', only its end' : '';
  return full ? '' : ` Output${cutOff}${wraps ? '' : ', long lines cut'}${place} `;
}

/** The open task in at most `rows` rows: at the top about it, the rest its output. */
export function detail(model: Model, open: Detail, rows: number, look: Look): Row[] {
  if (open.task === null) return [[span(` Reading task ${harmless(open.id, look.ascii)} ...`, 'dim')]];
  if (open.full) return wholeCommand(open.task, rows, look);
  const top = head(open.task, model, detailHeadRows(look), look);
  const all = outputRowsOf(open.output, outputLookOf(model));
  const places = Math.max(0, rows - top.length - 1);
  const end = Math.max(Math.min(places, all.length), all.length - open.scroll);
  const words = outputTitle(open, all.length - end, model);
  const line = rule({ ...look, columns: Math.max(0, look.columns - words.length) });
  const divider: Row = [span(words, 'strong'), ...line];
  const from = Math.max(0, end - places);
  const shown = all.slice(from, end).map(({ stream, text }): Row => {
    return [span(` ${cut(text, look.columns - 1, look)}`, stream === 'stderr' ? 'warn' : 'plain')];
  });
  if (from === 0 && open.output.isCut && shown.length > 0) {
    shown[0] = [span(` Earlier output is left out: octaskly logs ${harmless(open.id, look.ascii)}`, 'dim')];
  }
  if (all.length === 0) shown.push([span(' None yet.', 'dim')]);
  return [...top, divider, ...shown];
}

/** Why a task waits or what ended it. */
export function explanationRows(about: Explanation, look: Look): readonly Row[] {
  const cells = look.columns - 4;
  const paragraph = (text: string, indent: string): Row[] =>
    wrap(text, cells, paragraphRows, look).map((line): Row => [span(indent + line)]);
  const workers = about.workers.flatMap(({ name, fits, reasons }) => {
    const words = wrap(`${name}: ${fits ? 'fits' : reasons.join('; ')}`, cells, paragraphRows, look);
    return words.map((line, i): Row => [span(`${i === 0 ? '  ' : '    '}${line}`, fits ? 'good' : 'plain')]);
  });
  return [
    [span(` Task ${harmless(about.id, look.ascii)} is `, 'strong'), span(about.status, styleOf(about.status))],
    ...paragraph(about.summary, ' '),
    ...workers,
    ...about.advice.flatMap((advice) => paragraph(`* ${advice}`, ' ')),
  ];
}

/** As much of it as `rows` rows show, from row `from` on. */
export function explanation(about: Explanation, from: number, rows: number, look: Look): readonly Row[] {
  const all = explanationRows(about, look);
  const left = all.length - from - rows;
  if (left <= 0) return all.slice(from);
  const more = left + 1;
  return [...all.slice(from, from + rows - 1), [span(` and ${more} more ${more === 1 ? 'row' : 'rows'} below`, 'dim')]];
}
