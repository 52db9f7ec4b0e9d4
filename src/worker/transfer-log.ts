/**
 * What goes wrong with peers that files are fetched from, in the log: a broken transfer as a detail, bytes that were not
 * what they should be as a warning. Changes nothing: what happens next is decided in `transfer/swarm.ts`.
 *
 * Bounded: `linesMax` lines of each level in `windowMs`; how many were left out is said with the next one after that.
 */

import type { Clock, Log } from '../ports/time.ts';
import { lastSource, type SourceTrouble } from '../transfer/swarm.ts';

/** Lines of one level within a window. */
export const linesMax = 10;
export const windowMs = 60_000;
/** Digits shown of a hash. */
const digitsShown = 12;

interface Window {
  from: number;
  lines: number;
  left: number;
}

export class TransferLog {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #nameOf: (source: string) => string;
  readonly #windows: Record<'debug' | 'warn', Window> = {
    debug: { from: Number.NEGATIVE_INFINITY, lines: 0, left: 0 },
    warn: { from: Number.NEGATIVE_INFINITY, lines: 0, left: 0 },
  };

  /** `nameOf`: what people call a source that is a peer. */
  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }, nameOf: (source: string) => string) {
    this.#clock = clock;
    this.#log = log;
    this.#nameOf = nameOf;
  }

  /** Says it, unless enough was said lately. */
  tell({ kind, blob, sources }: SourceTrouble): void {
    const from = sources.map((source) => (source === lastSource ? 'the dispatcher' : this.#nameOf(source))).join(', ');
    const fields = { from: from === '' ? 'unknown' : from, blob: shortened(blob) };
    if (kind === 'wrong') {
      const next = 'what has come is dropped, and the dispatcher alone is asked';
      this.#write('warn', 'a file came with bytes that are not its own', { ...fields, next });
    } else {
      this.#write('debug', `a transfer broke: the peer ${happened[kind]}`, { ...fields, next: 'others are asked' });
    }
  }

  #write(level: 'debug' | 'warn', message: string, fields: Readonly<Record<string, string>>): void {
    const window = this.#windows[level];
    const now = this.#clock.steady();
    if (now - window.from >= windowMs) {
      window.from = now;
      window.lines = 0;
    }
    if (window.lines >= linesMax) {
      window.left += 1;
      return;
    }
    window.lines += 1;
    const left = window.left > 0 ? { unsaid: window.left } : {};
    window.left = 0;
    this.#log[level](message, { ...fields, ...left });
  }
}

const happened: Readonly<Record<Exclude<SourceTrouble['kind'], 'wrong'>, string>> = {
  gone: 'is gone',
  refused: 'does not give it',
  stalled: 'sends nothing more',
};

/** Enough of a blob's name to find it. */
function shortened(blob: string): string {
  const end = blob.indexOf(':') + 1 + digitsShown;
  return blob.length > end ? `${blob.slice(0, end)}…` : blob;
}
