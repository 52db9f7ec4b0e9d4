/** One task opened: what it is, how it stands, and the end of its output as it comes; and an explanation. Pure. */

import type { Explanation, TaskWithAttempts } from '../../src/api/schemas.ts';
import { formatDuration } from '../../src/base/duration.ts';
import { type Row, rule, span, styleOf } from '../lines.ts';
import type { Detail, Model } from '../model.ts';
import { linesOf } from '../tail.ts';
import { cut, formatAge, harmless, type Look, outputText, wrap } from '../text.ts';
import { commandOf, runTimeOf, workerOf } from './tasks.ts';

const commandRows = 2;
/** Most lines of one paragraph of an explanation. */
const paragraphRows = 8;

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;

/** `name value` pairs that have a value, in one row. */
function factRow(facts: readonly (readonly [name: string, value: string | null])[], look: Look): Row {
  const shown = facts.filter(([, value]) => value !== null && value !== '');
  return shown.flatMap(([name, value]) => [
    span(` ${name} `, 'dim'),
    span(cut(value ?? '', look.columns, look)),
    span(' '),
  ]);
}

function head(task: TaskWithAttempts, model: Model, look: Look): Row[] {
  const command = wrap(commandOf(task), look.columns - 2, commandRows, look).map((line): Row => [span(` ${line}`)]);
  while (command.length < commandRows) command.push([]);
  const ago = (time: string | null): string | null =>
    time === null ? null : `${formatAge(model.now - Date.parse(time))} ago`;
  const tags = Object.entries(task.tags).map(([key, value]) => `${key}=${value}`);
  return [
    [
      span(` Task ${harmless(task.id, look.ascii)}  `, 'strong'),
      span(task.status, styleOf(task.status)),
      ...(task.attempt === 0 ? [] : [span(`  attempt ${task.attempt}`, 'dim')]),
    ],
    ...command,
    factRow(
      [
        ['name', task.name],
        ['worker', workerOf(task, model)],
        ['batch', task.batch_id],
        ['retry of', task.retry_of],
        ['tags', tags.join(' ')],
      ],
      look,
    ),
    factRow(
      [
        ['submitted', ago(task.created_at)],
        ['started', ago(task.started_at)],
        ['ran', formatDuration(runTimeOf(task, model.now))],
        ['of at most', formatDuration(task.timeout * 1000)],
        ['cpu', formatDuration(task.cpu_ms)],
        ['memory', task.memory_peak_bytes === null ? null : megabytes(task.memory_peak_bytes)],
      ],
      look,
    ),
    factRow(
      [
        ['exit code', task.exit_code === null ? null : String(task.exit_code)],
        ['signal', task.signal],
        ['reason', task.reason],
        ['discarded', task.discarded_bytes === 0 ? null : `${task.discarded_bytes} bytes of output`],
        ['sandbox', task.sandbox_level_used ?? task.sandbox_level],
        ['brings', task.inputs.length === 0 ? null : `${task.inputs.length} files`],
        ['leaves', task.outputs.length === 0 ? null : task.outputs.join(' ')],
      ],
      look,
    ),
  ];
}

/** The open task in at most `rows` rows: `detailHeadRows` about it, the rest its output. */
export function detail(model: Model, open: Detail, rows: number, look: Look): Row[] {
  if (open.task === null) return [[span(` Reading task ${harmless(open.id, look.ascii)} ...`, 'dim')]];
  const top = head(open.task, model, look);
  const lines = linesOf(open.output);
  const places = Math.max(0, rows - top.length - 1);
  const end = Math.max(Math.min(places, lines.length), lines.length - open.scroll);
  const words = open.scroll === 0 ? ' Output ' : ` Output, ${lines.length - end} lines below `;
  const line = rule({ ...look, columns: Math.max(0, look.columns - words.length) });
  const divider: Row = [span(words, 'strong'), ...line];
  const shown = lines.slice(Math.max(0, end - places), end).map(({ stream, text }): Row => {
    return [span(` ${cut(outputText(text), look.columns - 1, look)}`, stream === 'stderr' ? 'warn' : 'plain')];
  });
  if (lines.length === 0) shown.push([span(' None yet.', 'dim')]);
  return [...top, divider, ...shown];
}

/** Why a task waits or what ended it, in at most `rows` rows. */
export function explanation(about: Explanation, rows: number, look: Look): Row[] {
  const cells = look.columns - 4;
  const paragraph = (text: string, indent: string): Row[] =>
    wrap(text, cells, paragraphRows, look).map((line): Row => [span(indent + line)]);
  const workers = about.workers.flatMap(({ name, fits, reasons }) => {
    const words = wrap(`${name}: ${fits ? 'fits' : reasons.join('; ')}`, cells, paragraphRows, look);
    return words.map((line, i): Row => [span(`${i === 0 ? '  ' : '    '}${line}`, fits ? 'good' : 'plain')]);
  });
  const all: Row[] = [
    [span(` Task ${harmless(about.id, look.ascii)} is `, 'strong'), span(about.status, styleOf(about.status))],
    ...paragraph(about.summary, ' '),
    ...workers,
    ...about.advice.flatMap((advice) => paragraph(`* ${advice}`, ' ')),
  ];
  if (all.length <= rows) return all;
  const shown = all.slice(0, Math.max(0, rows - 1));
  return [...shown, [span(` and ${all.length - shown.length} more lines: octaskly explain shows all`, 'dim')]];
}
