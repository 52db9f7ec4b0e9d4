/**
 * The end of a task's output, both streams in the order in which they arrived, as lines. Pure and bounded: what is older
 * than `linesMax` lines is forgotten, and of an endless line only its end is kept.
 */

/** Lines kept. */
export const linesMax = 1000;
/** Characters kept of a line. */
export const lineLengthMax = 4096;

export type OutputStream = 'stdout' | 'stderr';

/** A line as it came, without its end: not harmless yet. */
export interface OutputLine {
  readonly stream: OutputStream;
  readonly text: string;
}

export interface Tail {
  readonly lines: readonly OutputLine[];
  /** The line of each stream that has no end yet. */
  readonly open: Readonly<Record<OutputStream, string>>;
  /** There was output before these lines. */
  readonly isCut: boolean;
}

export const emptyTail: Tail = { lines: [], open: { stdout: '', stderr: '' }, isCut: false };

/** `tail` with `text` behind it. */
export function append(tail: Tail, stream: OutputStream, text: string): Tail {
  const parts = (tail.open[stream] + text).split('\n');
  const open = (parts.pop() ?? '').slice(-lineLengthMax);
  const added = parts.slice(-linesMax).map((line): OutputLine => ({ stream, text: line.slice(-lineLengthMax) }));
  const lines = added.length === 0 ? tail.lines : [...tail.lines, ...added].slice(-linesMax);
  const isCut = tail.isCut || lines.length < tail.lines.length + parts.length;
  return { lines, open: { ...tail.open, [stream]: open }, isCut };
}

/** All lines, with those that are still being written. */
export function linesOf({ lines, open }: Pick<Tail, 'lines' | 'open'>): readonly OutputLine[] {
  const unfinished = (['stdout', 'stderr'] as const).flatMap((stream): OutputLine[] =>
    open[stream] === '' ? [] : [{ stream, text: open[stream] }],
  );
  return unfinished.length === 0 ? lines : [...lines, ...unfinished];
}
