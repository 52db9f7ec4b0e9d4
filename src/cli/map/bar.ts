/**
 * How far a `map` is, as a line on standard error: jobs, rate and time left. On a terminal it is drawn over itself and
 * makes way for output; elsewhere, and only when asked for, it is a plain line every few seconds and one at the end.
 * Unasked for it shows on a terminal after a second, and leaves nothing behind.
 */

import { formatDuration } from '../../base/duration.ts';
import { cut } from '../../base/harmless.ts';
import { sleep } from '../../client/backoff.ts';
import type { Sink, Terminal } from '../context.ts';

/** `none`: never, `auto`: on a terminal after a second. */
export type BarKind = 'none' | 'auto' | 'bar' | 'eta';

const drawEveryMs = 200;
const lineEveryMs = 5000;
/** What is over by then needs no progress. */
const autoAfterMs = 1000;
const barCells = 20;
/** Shorter ones tell nothing. */
const barCellsMin = 8;
const between = '  ';
const clearLine = '\r\u001b[K';

/** What is known of the jobs. */
export interface MapProgress {
  readonly ended: number;
  readonly failed: number;
  /** Submitted and not ended. */
  readonly live: number;
  /** Null while arguments still come. */
  readonly total: number | null;
  readonly passedMs: number;
}

/** What the line says, in its order; the first to go where there is no room is the one with the highest number. */
function partsOf({ ended, failed, live, total, passedMs }: MapProgress, kind: 'bar' | 'eta') {
  const share = total === null ? null : total === 0 ? 1 : ended / total;
  const rate = passedMs > 0 && ended > 0 ? (ended * 1000) / passedMs : null;
  const left = rate === null || total === null ? null : ((total - ended) / rate) * 1000;
  const passed = `${formatDuration(passedMs)} in all`;
  return [
    { drop: 2, text: share === null ? '' : `${Math.floor(share * 100)}%`.padStart(4) },
    { drop: 1, text: total === null ? `${ended} jobs done` : `${ended} of ${total} jobs` },
    { drop: 3, text: failed > 0 ? `${failed} failed` : '' },
    { drop: 5, text: live > 0 && kind === 'eta' ? `${live} under way` : '' },
    { drop: 4, text: rate === null ? '' : `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s` },
    {
      drop: 0,
      text: ended === total ? passed : left === null ? 'time left not known' : `${formatDuration(left)} left`,
    },
  ].filter(({ text }) => text !== '');
}

/** The line for `columns` cells, without anything that moves the cursor; the time left stays longest. Pure. */
export function mapProgressLine(progress: MapProgress, kind: 'bar' | 'eta', columns: number): string {
  const room = columns - 1;
  let parts = partsOf(progress, kind);
  const line = (): string => parts.map(({ text }) => text).join(between);
  while (line().length > room && parts.length > 1) {
    const first = Math.max(...parts.map(({ drop }) => drop));
    parts = parts.filter(({ drop }) => drop !== first);
  }
  const { ended, total } = progress;
  const cells = Math.min(barCells, room - line().length - between.length - 2);
  if (kind === 'eta' || total === null || cells < barCellsMin) {
    return cut(line(), room, { textWidth: (text) => text.length });
  }
  const filled = total === 0 ? cells : Math.floor((ended / total) * cells);
  return `[${'#'.repeat(filled)}${'-'.repeat(cells - filled)}]${between}${line()}`;
}

export class Bar {
  private readonly stderr: Sink;
  private readonly kind: BarKind;
  private readonly isDrawnOver: boolean;
  private readonly progressOf: () => MapProgress;
  private readonly over = new AbortController();
  private drawing: Promise<void> = Promise.resolve();
  private isOnScreen = false;

  constructor({ stderr, env }: Terminal, kind: BarKind, progressOf: () => MapProgress) {
    this.stderr = stderr;
    this.isDrawnOver = stderr.isTTY && env.TERM !== 'dumb';
    this.kind = kind === 'auto' && !this.isDrawnOver ? 'none' : kind;
    this.progressOf = progressOf;
  }

  start(): void {
    // A terminal that is gone ends the line, not the work.
    if (this.kind !== 'none') this.drawing = this.draw().catch(() => {});
  }

  /** Makes way for what is written next. */
  async clear(): Promise<void> {
    if (!this.isOnScreen) return;
    this.isOnScreen = false;
    await this.stderr.write(clearLine);
  }

  /** The last line, where it was asked for. */
  async end(): Promise<void> {
    this.over.abort();
    await this.drawing;
    await this.clear().catch(() => {});
    if (this.kind === 'bar' || this.kind === 'eta') await this.stderr.write(`${this.line()}\n`).catch(() => {});
  }

  private async draw(): Promise<void> {
    const { signal } = this.over;
    if (this.kind === 'auto') await sleep(autoAfterMs, signal);
    while (!signal.aborted) {
      await sleep(this.isDrawnOver ? drawEveryMs : lineEveryMs, signal);
      if (this.isDrawnOver) {
        this.isOnScreen = true;
        await this.stderr.write(`\r${this.line()}\u001b[K`);
      } else await this.stderr.write(`${this.line()}\n`);
    }
  }

  private line(): string {
    return mapProgressLine(this.progressOf(), this.kind === 'eta' ? 'eta' : 'bar', this.stderr.columns ?? 100);
  }
}
