/**
 * A line on standard error that shows how far bytes have moved, drawn over itself and gone at the end. Only where a
 * person looks, and only for what takes long enough to look at.
 */

import { formatDuration } from '../base/duration.ts';
import { cut } from '../base/harmless.ts';
import { sleep } from '../client/backoff.ts';
import type { Sink, Terminal } from './context.ts';
import { formatBytes } from './text.ts';

/** Less than this many bytes is there before one has looked. */
const worthBytes = 2 ** 20;
const drawEveryMs = 200;
/** What happened longer ago says nothing about the rate now. */
const rateWindowMs = 5000;
const barCells = 20;
/** Narrower lines have no bar. */
const barColumnsMin = 76;

const clearLine = '\r\u001b[K';

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

export interface ProgressFacts {
  readonly verb: string;
  readonly bytes: number;
  readonly total: number;
  /** Bytes a second; null = not known yet. */
  readonly rate: number | null;
}

/** The line for `columns` cells, without anything that moves the cursor. Pure. */
export function progressLine({ verb, bytes, total, rate }: ProgressFacts, columns: number): string {
  const share = total === 0 ? 1 : Math.min(1, Math.max(0, bytes / total));
  const filled = Math.floor(share * barCells);
  const bar = columns < barColumnsMin ? [] : [`[${'#'.repeat(filled)}${'-'.repeat(barCells - filled)}]`];
  const left = rate === null || rate <= 0 ? [] : [`${formatDuration(((total - bytes) / rate) * 1000)} left`];
  const parts = [
    ...[verb, ...bar, `${Math.floor(share * 100)}%`.padStart(4)],
    `${formatBytes(bytes)} of ${formatBytes(total)}`,
    ...(rate === null ? [] : [`${formatBytes(rate)}/s`]),
    ...left,
  ];
  return cut(parts.join('  '), columns - 1, { textWidth: (text) => text.length });
}

function rateOf(samples: readonly Sample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.at - first.at < drawEveryMs) return null;
  return Math.max(0, ((last.bytes - first.bytes) * 1000) / (last.at - first.at));
}

async function drawOn(
  { stderr, now }: { stderr: Sink; now: () => number },
  factsOf: () => Omit<ProgressFacts, 'rate'>,
  signal: AbortSignal,
): Promise<void> {
  let samples: readonly Sample[] = [];
  while (!signal.aborted) {
    const facts = factsOf();
    const at = now();
    samples = [...samples.filter((sample) => at - sample.at <= rateWindowMs), { at, bytes: facts.bytes }];
    await stderr.write(`\r${progressLine({ ...facts, rate: rateOf(samples) }, stderr.columns ?? 80)}\u001b[K`);
    await sleep(drawEveryMs, signal).catch(() => {});
  }
}

/** What work tells of itself. */
export interface Progress {
  /** Bytes that moved; negative: they have to move again. */
  moved(bytes: number): void;
  /** Says why nothing moves: once, until something does. */
  lost(reason: string): void;
}

export interface ProgressOptions {
  /** `Sending`, `Fetching`. */
  readonly verb: string;
  /** Bytes of all. */
  readonly total: number;
  /** Bytes of those that were there before, default 0. */
  readonly already?: number;
  /** False: no line is drawn, whatever it would be worth. */
  readonly shown?: boolean;
}

/** Runs `work` and shows how it goes, where that is worth a look. */
export async function withProgress<T>(
  terminal: Terminal,
  { verb, total, already = 0, shown = true }: ProgressOptions,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const { stderr } = terminal;
  const isDrawn = shown && stderr.isTTY && terminal.env.TERM !== 'dumb' && total - already > worthBytes;
  let bytes = already;
  let told = false;
  const progress: Progress = {
    moved: (count) => {
      bytes += count;
      if (count > 0) told = false;
    },
    lost: (reason) => {
      if (told) return;
      told = true;
      const line = `octaskly: ${reason.replace(/\.$/, '')}; trying again.\n`;
      stderr.write(isDrawn ? `${clearLine}${line}` : line).catch(() => {});
    },
  };
  if (!isDrawn) return work(progress);
  const done = new AbortController();
  const sight = { stderr, now: () => terminal.now() };
  // A terminal that is gone ends the line, not the work.
  const drawing = drawOn(sight, () => ({ verb, bytes, total }), done.signal).catch(() => {});
  try {
    return await work(progress);
  } finally {
    done.abort();
    await drawing;
    await stderr.write(clearLine).catch(() => {});
  }
}

/** What goes on for longer than this, ms, says how far it is. */
const worthMs = 1000;

/** `12,345 of 200,000 tasks ended   6%`; where the total is not known, `12,345 tasks read so far`. Pure. */
export function countLine(count: number, noun: string, done: string, total: number | null): string {
  const number = count.toLocaleString('en');
  if (total === null || total < count) return `${number} ${noun} ${done} so far`;
  const share = total === 0 ? 100 : Math.floor((100 * count) / total);
  return `${number} of ${total.toLocaleString('en')} ${noun} ${done}  ${share}%`;
}

export interface CountOptions {
  /** In the plural: `tasks`. */
  readonly noun: string;
  /** What became of them: `ended`, `read`. */
  readonly done: string;
  /** Null = not known. */
  readonly total: number | null;
  /** Nothing goes to standard output meanwhile, so that the line may be drawn though that is a terminal too. */
  readonly alone: boolean;
}

/** Runs `work`, which tells how many more are done; on a terminal a line says how many, once it takes longer than a second. */
export async function withCount<T>(
  terminal: Pick<Terminal, 'stderr' | 'stdout' | 'env'>,
  { noun, done, total, alone }: CountOptions,
  work: (add: (more: number) => void) => Promise<T>,
): Promise<T> {
  const { stderr, stdout, env } = terminal;
  let count = 0;
  const add = (more: number): void => {
    count += more;
  };
  if (!stderr.isTTY || (stdout.isTTY && !alone) || env.TERM === 'dumb') return work(add);
  const over = new AbortController();
  let isDrawn = false;
  const draw = async (): Promise<void> => {
    await sleep(worthMs, over.signal);
    while (!over.signal.aborted) {
      isDrawn = true;
      const line = countLine(count, noun, done, total);
      await stderr.write(`\r${cut(line, (stderr.columns || 80) - 1, { textWidth: (text) => text.length })}\u001b[K`);
      await sleep(drawEveryMs, over.signal);
    }
  };
  // A terminal that is gone ends the line, not the work.
  const drawing = draw().catch(() => {});
  try {
    return await work(add);
  } finally {
    over.abort();
    await drawing;
    if (isDrawn) await stderr.write(clearLine).catch(() => {});
  }
}
