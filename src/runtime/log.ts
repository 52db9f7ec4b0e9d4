/**
 * The log: one line an entry, as text for people or JSON for programs, to standard error or a file. Lines are written at
 * once; a log that cannot be written (disk full, reader gone) is given up silently rather than taking the program along.
 */

import { openSync, writeSync } from 'node:fs';
import { OctasklyError, reasonOf } from '../base/errors.ts';
import type { Log } from '../ports/time.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const;
type Level = (typeof levels)[number];

export interface LogOptions {
  readonly level: Level;
  readonly format: 'text' | 'json';
  /** Appended to; null = standard error. */
  readonly file: string | null;
}

type Fields = Readonly<Record<string, unknown>>;

function textLine(level: Level, message: string, fields: Fields | undefined): string {
  const time = new Date().toISOString();
  const rest = Object.entries(fields ?? {}).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  // A line stays a line, whatever a value holds.
  return [time, level.padEnd(5), message, ...rest].join(' ').replace(/[\r\n]+/g, ' ');
}

/** Error: `io` when the file cannot be opened. */
export function createLog(options: LogOptions): Log {
  const fd = options.file === null ? 2 : openLog(options.file);
  const least = levels.indexOf(options.level);
  const write = (level: Level) => (message: string, fields?: Fields) => {
    if (levels.indexOf(level) < least) return;
    const line =
      options.format === 'json'
        ? JSON.stringify({ time: new Date().toISOString(), level, message, ...fields })
        : textLine(level, message, fields);
    try {
      writeSync(fd, `${line}\n`);
    } catch {
      // Nowhere left to say so.
    }
  };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

function openLog(file: string): number {
  try {
    return openSync(file, 'a', 0o600);
  } catch (cause) {
    throw new OctasklyError('io', `Cannot open the log file "${file}": ${reasonOf(cause)}.`, { cause });
  }
}
