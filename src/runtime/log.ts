/**
 * The log: one line an event, as text for people or JSON for programs, to standard error or a file. Lines are written at
 * once; a log that cannot be written (disk full, reader gone) never takes the program along.
 *
 * The last lines stay in memory besides, from `info` up whatever is written down: so that somebody elsewhere can ask for
 * them (`octaskly logs --node`). Bounded: `recentLinesMax` lines of `recentLineLengthMax` characters.
 */

import { writeSync } from 'node:fs';
import type { Log } from '../ports/time.ts';
import { LogFile } from './log-file.ts';
import { type LogLevel, logLevels, logLine } from './log-line.ts';

/** Lines that stay in memory. */
const recentLinesMax = 1000;
/** Characters that are kept of each, and shown of a line of the file. */
const recentLineLengthMax = 4096;
/** The end of the file that is read for its last lines. */
const tailBytesMax = 512 * 1024;

export interface LogOptions {
  /** Least level that is written. */
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  /** Appended to, and begun anew above `maxBytes` (0 = never) with `keep` older ones beside it; null = standard error. */
  readonly file: { readonly path: string; readonly maxBytes: number; readonly keep: number } | null;
  /** While true, standard error is left alone: something else is drawn there. */
  readonly isCovered?: () => boolean;
}

/** The log of a process. */
export interface ProcessLog extends Log {
  /** The last lines, oldest first: those in memory, or more of them from the file where it has more. */
  recent(lines: number): readonly string[];
  /** Opens the file by its name again; without one it does nothing. */
  reopen(): void;
}

const shortened = (line: string): string =>
  line.length <= recentLineLengthMax ? line : `${line.slice(0, recentLineLengthMax)}…`;

/** Error: `io` when the file cannot be opened. */
export function createLog({ level: leastLevel, format, file, isCovered = () => false }: LogOptions): ProcessLog {
  const least = logLevels.indexOf(leastLevel);
  const leastKept = Math.min(least, logLevels.indexOf('info'));
  const missing = (lines: number, reason: string): string =>
    logLine(format, {
      time: new Date(),
      level: 'warn',
      message: 'lines of this log are missing',
      fields: { lines, reason },
    });
  const unopened = (reason: string): void => {
    const fields = { path: file?.path, reason };
    const line = logLine(format, {
      time: new Date(),
      level: 'warn',
      message: 'the log file cannot be opened again; it is tried until it can',
      fields,
    });
    if (!isCovered()) writeStderr(`${line}\n`);
  };
  const target = file === null ? null : new LogFile({ ...file, missing, unopened });
  const recent: string[] = [];
  const write = (line: string): void => {
    if (target !== null) target.write(line);
    else if (!isCovered()) writeStderr(`${line}\n`);
  };
  const take =
    (level: LogLevel): Log['info'] =>
    (message, fields = {}) => {
      const place = logLevels.indexOf(level);
      if (place < leastKept) return;
      const line = logLine(format, { time: new Date(), level, message, fields });
      recent.push(shortened(line));
      if (recent.length > recentLinesMax) recent.shift();
      if (place >= least) write(line);
    };
  return {
    isVerbose: leastLevel === 'debug',
    ...{ debug: take('debug'), info: take('info'), warn: take('warn'), error: take('error') },
    recent(lines) {
      const kept = recent.slice(-lines);
      if (target === null || kept.length >= lines) return kept;
      const written = target.tail(lines, tailBytesMax).map(shortened);
      return written.length > kept.length ? written : kept;
    },
    reopen: () => target?.reopen(),
  };
}

function writeStderr(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // Nowhere left to say so.
  }
}
