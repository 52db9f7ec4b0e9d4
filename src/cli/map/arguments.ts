/**
 * The arguments of the jobs of `map`, read: records of words, files and standard input, cut into columns (`--colsep`),
 * combined, taken N at a time (`-N`).
 *
 * The first source is read as the jobs need it, so `tail -f list | octaskly map …` starts its jobs as lines come, and a
 * long list takes no memory; what is combined with it is held. GNU parallel's rules for the odd cases: an empty source
 * among several is one empty argument, and `:::` alone gives no job. Unlike there, a newline in an argument behind `:::`
 * does not cut it in two.
 */

import type { OctasklyError } from '../../base/errors.ts';
import { harmless } from '../../base/harmless.ts';
import type { CommandContext } from '../context.ts';
import { usage } from '../parse.ts';
import { type ArgumentSource, combinations, type SourceGroup, sideBySide } from './sources.ts';

export interface Reading {
  /** Between two records of a file; what follows the last one is a record too, if there is anything. */
  readonly delimiter: string;
  /** Between the columns of a record; null: a record is one argument. */
  readonly columns: RegExp | null;
  readonly trim: 'n' | 'l' | 'r' | 'lr' | 'rl';
  /** The first record of each source names its columns. */
  readonly header: boolean;
  /** All sources go side by side, the shorter ones again from their beginning. */
  readonly linked: boolean;
  /** Rows taken for one job; 0: each makes a job, but gives it no arguments. */
  readonly rowsAtOnce: number;
  /** Rows of nothing but blanks make no job. */
  readonly skipsEmpty: boolean;
  /** All is read before the first job starts: the number of jobs is asked for. */
  readonly counted: boolean;
}

/** Most characters of a record in a sentence. */
const shownMax = 60;

export interface Arguments {
  /** Names of the columns; none without `header`. */
  readonly names: readonly string[];
  /** Jobs in all; null while it is not known. */
  readonly total: number | null;
  /** The arguments of one job after the other. */
  readonly rows: AsyncIterator<readonly string[], void>;
}

type Row = readonly string[];

/** Text of bytes as they come, and whether it says something else than they. */
class CheckedText {
  /** Some of it is U+FFFD instead of what it was. */
  isChanged = false;
  private readonly decoder = new TextDecoder();
  private readonly strict = new TextDecoder('utf-8', { fatal: true });

  /** The text of `chunk`; without one, of what is left. */
  of(chunk?: Uint8Array): string {
    try {
      if (!this.isChanged) this.strict.decode(chunk, { stream: chunk !== undefined });
    } catch {
      this.isChanged = true;
    }
    return this.decoder.decode(chunk, { stream: chunk !== undefined });
  }
}

/** The text of a stream, cut at each `delimiter`, wherever its chunks are cut. */
async function* recordsOf(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  delimiter: string,
  text = new CheckedText(),
): AsyncGenerator<string> {
  let left = '';
  for await (const chunk of chunks) {
    const parts = (left + text.of(chunk)).split(delimiter);
    left = parts.pop() ?? '';
    yield* parts;
  }
  left += text.of();
  if (left !== '') yield left;
}

async function* readSource({ terminal, files }: CommandContext, source: ArgumentSource, { delimiter }: Reading) {
  if (source.kind === 'words') {
    yield* source.words;
    return;
  }
  const bytes = source.path === '-' ? null : await terminal.readBytes(source.path);
  if (source.path !== '-' && bytes === null) {
    throw usage(
      `There is no file ${source.path} to take arguments from. Name one that is there, or - for standard input.`,
    );
  }
  const chunks = bytes === null ? terminal.stdin.chunks() : [bytes];
  // Lists that were made on Windows are read there as they are meant.
  const isWindows = delimiter === '\n' && files.separator === '\\';
  const text = new CheckedText();
  let number = 0;
  for await (const record of recordsOf(chunks, delimiter, text)) {
    number += 1;
    if (text.isChanged && record.includes('\ufffd')) throw notText(source.path, number, record);
    yield isWindows ? record.replace(/\r$/, '') : record;
  }
}

function notText(path: string, number: number, record: string): OctasklyError {
  const place = `Record ${number} of ${path === '-' ? 'standard input' : path}`;
  return usage(
    `${place}, "${harmless(record.slice(0, shownMax))}", is not UTF-8, and would arrive as something else. ` +
      'Rename such files (convmv does many), or convert the list with iconv.',
  );
}

function trimmed(text: string, { trim }: Reading): string {
  const left = trim.includes('l') ? text.trimStart() : text;
  return trim.includes('r') ? left.trimEnd() : left;
}

async function* rowsOf(context: CommandContext, source: ArgumentSource, reading: Reading): AsyncGenerator<Row> {
  for await (const record of readSource(context, source, reading)) {
    const columns = reading.columns === null ? [record] : record.split(reading.columns);
    yield columns.map((text) => trimmed(text ?? '', reading));
  }
}

/** A source as rows, its header taken off. */
interface OpenSource {
  readonly names: Row;
  readonly rows: AsyncGenerator<Row>;
}

async function open(context: CommandContext, source: ArgumentSource, reading: Reading): Promise<OpenSource> {
  const rows = rowsOf(context, source, reading);
  if (!reading.header) return { names: [], rows };
  const first = await rows.next();
  return { names: first.done === true ? [] : first.value, rows };
}

/** All rows of a group. */
async function held(group: readonly OpenSource[], { linked }: Reading): Promise<readonly Row[]> {
  const lists: Row[][] = [];
  for (const { rows } of group) {
    const list: Row[] = [];
    for await (const row of rows) list.push(row);
    lists.push(list);
  }
  return lists.length === 1 ? (lists[0] ?? []) : sideBySide(lists, linked);
}

/** The rows of a stream, each with all combinations of the other lists. */
async function* combinedWith(stream: AsyncIterable<Row>, lists: readonly (readonly Row[])[]): AsyncGenerator<Row> {
  let isEmpty = true;
  for await (const row of stream) {
    isEmpty = false;
    yield* combinations([[row], ...lists]);
  }
  if (isEmpty && lists.length > 0) yield* combinations([nothing, ...lists]);
}

/** The arguments of one job after the other. */
async function* jobsOf(rows: Iterable<Row> | AsyncIterable<Row>, reading: Reading): AsyncGenerator<Row, void> {
  const { rowsAtOnce, skipsEmpty } = reading;
  let taken: string[] = [];
  let count = 0;
  for await (const row of rows) {
    if (skipsEmpty && row.every((text) => text.trim() === '')) continue;
    if (rowsAtOnce > 0) taken.push(...row);
    count += 1;
    if (count < rowsAtOnce) continue;
    yield taken;
    taken = [];
    count = 0;
  }
  if (count > 0) yield taken;
}

function checkStandardInput(sources: readonly ArgumentSource[]): void {
  const taken = sources.filter((source) => source.kind === 'file' && source.path === '-').length;
  if (taken < 2) return;
  throw usage(`Standard input can be one source of arguments, not ${taken}. Take the others from files.`);
}

const nothing: readonly Row[] = [['']];

/** Opens all sources. Throws `usage` for a file that is missing, `io` for one that cannot be read. */
export async function readArguments(
  context: CommandContext,
  groups: readonly SourceGroup[],
  reading: Reading,
): Promise<Arguments> {
  checkStandardInput(groups.flat());
  const together = reading.linked ? [groups.flat()] : groups;
  const opened: OpenSource[][] = [];
  for (const group of together) {
    const sources: OpenSource[] = [];
    for (const source of group) sources.push(await open(context, source, reading));
    opened.push(sources);
  }
  const names = opened.flat().flatMap((source) => source.names);
  const [first = [], ...others] = opened;
  const lists: (readonly Row[])[] = [];
  for (const group of others) {
    const rows = await held(group, reading);
    lists.push(rows.length === 0 ? nothing : rows);
  }
  const [only, second] = together[0] ?? [];
  if (
    first[0] !== undefined &&
    only?.kind === 'file' &&
    only.path === '-' &&
    second === undefined &&
    !reading.counted
  ) {
    return { names, total: null, rows: jobsOf(combinedWith(first[0].rows, lists), reading) };
  }
  const head = await held(first, reading);
  const all = [head.length === 0 && lists.length > 0 ? nothing : head, ...lists];
  const count = all.reduce((product, list) => product * list.length, 1);
  const total = reading.skipsEmpty ? null : Math.ceil(count / Math.max(1, reading.rowsAtOnce));
  return { names, total, rows: jobsOf(combinations(all), reading) };
}
