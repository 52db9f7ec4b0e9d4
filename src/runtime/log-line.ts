/**
 * One event as one line: text for people, `key=value` behind the sentence, or JSON for programs, one object a line.
 * Names and words of strangers come along in both: whatever they hold, a line stays a line, and none of it can steer or
 * reorder what a terminal shows. In text a value with spaces, quotes or `=` stands in quotes.
 */

import { harmless } from '../base/harmless.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogEntry {
  readonly time: Date;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What JSON leaves as it is although terminals act on it: C1 controls, line separators, marks of direction. */
const unsafeInJson = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
/** Names that the line has already. */
const ownNames = ['time', 'level', 'message'];

/** As JSON does it; what it cannot write down is named by its kind. Never throws. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return JSON.stringify(`(${typeof value})`);
  }
}

function valueText(value: unknown): string {
  if (typeof value !== 'string') return jsonOf(value);
  return /^[^\s"=\\]+$/u.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** A sentence with its fields behind it, harmless on a terminal. */
export function entryText(message: string, fields: Readonly<Record<string, unknown>> = {}): string {
  const rest = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${valueText(value)}`],
  );
  return harmless([message, ...rest].join(' '));
}

/** The line of an entry, without its end. Never throws. */
export function logLine(format: 'text' | 'json', { time, level, message, fields }: LogEntry): string {
  if (format === 'text') return `${time.toISOString()} ${level.padEnd(5)} ${entryText(message, fields)}`;
  const own = Object.entries({ time: time.toISOString(), level, message });
  const rest = Object.entries(fields).filter(([key, value]) => value !== undefined && !ownNames.includes(key));
  const members = [...own, ...rest].map(([key, value]) => `${jsonOf(key)}:${jsonOf(value)}`);
  const code = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `{${members.join(',')}}`.replace(unsafeInJson, code);
}
