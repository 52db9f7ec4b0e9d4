/**
 * The smallest pieces of a message, checked one by one: each function takes what arrived and returns it as its type, or
 * throws `MalformedMessage` with a sentence. `wire/session` turns that into a closed connection; it goes no further.
 *
 * How a message travels: as a *row*, a CBOR array of its fields in a fixed order, never as a map of names. That is a
 * third of the bytes and a quarter of the decoding time, a missing or an additional field shows as a wrong length, and
 * there are no keys that could collide with `__proto__`. Records of the user's own names (environment, labels) are arrays
 * of pairs. Order and check of each row stand side by side in `shapes.ts` and the two `*-messages.ts`.
 *
 * Every bound has its name here. They are never tighter than those of the API, or a task the API took could close the
 * link of every worker it is sent to.
 */

import { entriesMax } from './messages.ts';

/** Bounds of what a message may hold. Lengths of text in UTF-16 units. */
export const fieldLimits = {
  attemptMax: 1_000_000_000,
  /** Commands, single arguments, values of environment variables. */
  commandLengthMax: 131_072,
  /** Elements of argv. */
  argvMax: 1024,
  /** Environment variables, labels. */
  pairsMax: 4096,
  nameLengthMax: 255,
  labelLengthMax: 255,
  pathLengthMax: 4096,
  stdinLengthMax: 1024 * 1024,
  /** Sentences; those on a failed start may quote a whole command. */
  detailLengthMax: 256 * 1024,
  /** A code, a signal, a version, a platform. */
  wordLengthMax: 64,
  /** 30 days and one for rounding. */
  timeoutMsMax: 31 * 24 * 3600 * 1000,
  slotsMax: 1_000_000,
  cpuCoresMax: 1_000_000,
  memoryMbMax: 1_000_000_000,
  gpuMax: 100_000,
  priorityMax: 100,
  /** Any one limit of a task, whatever its unit. */
  limitMax: 1e12,
  port: { min: 1, max: 65_535 },
} as const;

/** What arrived is not a message. `message` says where and why: "report.entries.3.attempt is ...". */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';

  /** The same, one level further out. */
  within(place: string): MalformedMessage {
    return new MalformedMessage(`${place}.${this.message}`);
  }
}

/** Shared by all fields without bytes. */
export const noBytes = new Uint8Array(0);

const idPattern = /^[0-9a-hjkmnp-tv-z]{12}$/;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const envNamePattern = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;
const keyIdPattern = /^[0-9a-f]{8}$/;
const hexPattern = /^[0-9a-f]*$/;
const labelNamePattern = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/;

/** An array of exactly `length` fields. */
export function row(value: unknown, length: number, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(name, `a row of ${length} fields`, value);
  if (value.length !== length) throw new MalformedMessage(`${name} has ${value.length} fields instead of ${length}`);
  return value;
}

/** The word in the first field of a row: what the row is. */
export function kindOf(value: unknown, name: string): unknown {
  if (!Array.isArray(value) || value.length === 0) throw wrong(name, 'a row that begins with its kind', value);
  return value[0];
}

/** Each element read by `read`; at most `max` of them. */
export function list<T>(
  value: unknown,
  name: string,
  read: (value: unknown) => T,
  max: number = entriesMax,
): readonly T[] {
  if (!Array.isArray(value)) throw wrong(name, 'a list', value);
  if (value.length > max) throw new MalformedMessage(`${name} has ${value.length} entries, more than ${max}`);
  const result: T[] = [];
  try {
    for (const element of value) result.push(read(element));
  } catch (error) {
    throw error instanceof MalformedMessage ? error.within(`${name}.${result.length}`) : error;
  }
  return result;
}

/** A whole number from `min` to `max`. */
export function whole(value: unknown, name: string, range: { readonly min: number; readonly max: number }): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < range.min || value > range.max) {
    throw wrong(name, `a whole number from ${range.min} to ${range.max}`, value);
  }
  return value;
}

/** A whole number from 0 to 2^53 - 1: bytes, positions. */
export function count(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(name, 'a whole number, not negative', value);
  }
  return value;
}

/** A number from `min` to `max`, fractions allowed. */
export function amount(value: unknown, name: string, range: { readonly min: number; readonly max: number }): number {
  if (typeof value !== 'number' || !(value >= range.min && value <= range.max)) {
    throw wrong(name, `a number from ${range.min} to ${range.max}`, value);
  }
  return value;
}

/** A finite number, not negative: milliseconds, instants, usages. */
export function measure(value: unknown, name: string): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= Number.MAX_VALUE)) {
    throw wrong(name, 'a number, not negative', value);
  }
  return value;
}

export function bool(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw wrong(name, 'true or false', value);
  return value;
}

/** Text of at most `max` UTF-16 units without NUL, which no system call takes. */
export function text(value: unknown, name: string, max: number): string {
  if (typeof value !== 'string') throw wrong(name, 'text', value);
  if (value.length > max) {
    throw new MalformedMessage(`${name} has ${value.length} characters, more than ${max}`);
  }
  if (value.includes('\0')) throw new MalformedMessage(`${name} holds a NUL character`);
  return value;
}

/** A code, signal, version or the like: 1 to 64 characters. */
export function word(value: unknown, name: string): string {
  const result = text(value, name, fieldLimits.wordLengthMax);
  if (result === '') throw wrong(name, 'a word', value);
  return result;
}

/** One of `words`. */
export function oneOf<T extends string>(value: unknown, name: string, words: readonly T[]): T {
  const found = words.find((candidate) => candidate === value);
  if (found === undefined) throw wrong(name, `one of ${words.join(', ')}`, value);
  return found;
}

/** Id of a task or batch. */
export function taskId(value: unknown): string {
  if (typeof value !== 'string' || !idPattern.test(value)) throw wrong('taskId', 'an id of 12 characters', value);
  return value;
}

/** Id or name of a node, id of a process: 1 to 64 letters, digits, `.`, `_`, `-`. */
export function nodeName(value: unknown, name: string): string {
  if (typeof value !== 'string' || !namePattern.test(value)) {
    throw wrong(name, '1 to 64 letters, digits, ".", "_" or "-"', value);
  }
  return value;
}

/** Name of a cluster secret: 8 hex digits. */
export function keyId(value: unknown): string {
  if (typeof value !== 'string' || !keyIdPattern.test(value)) throw wrong('keyId', '8 hex digits', value);
  return value;
}

/** Exactly `digits` lower-case hex digits: a public key, the name of a cluster. */
export function hexOf(value: unknown, name: string, digits: number): string {
  if (typeof value !== 'string' || value.length !== digits || !hexPattern.test(value)) {
    throw wrong(name, `${digits} hex digits`, value);
  }
  return value;
}

/** Bytes, at most `max`; null stands for none (a byte string is the dearest thing to encode, and most are empty). */
export function bytes(value: unknown, name: string, max: number): Uint8Array {
  if (value === null) return noBytes;
  if (!(value instanceof Uint8Array)) throw wrong(name, 'bytes', value);
  if (value.length > max) throw new MalformedMessage(`${name} has ${value.length} bytes, more than ${max}`);
  return value;
}

/** Exactly `length` bytes: a key, a hash. */
export function bytesOf(value: unknown, name: string, length: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== length) throw wrong(name, `${length} bytes`, value);
  return value;
}

/** Null, or what `read` makes of it. */
export function nullOr<T>(value: unknown, read: (value: unknown) => T): T | null {
  return value === null ? null : read(value);
}

/** Variables of an environment. */
export function environment(value: unknown): Readonly<Record<string, string>> {
  return record(value, 'env', { names: envNamePattern, valueLengthMax: fieldLimits.commandLengthMax });
}

export function labels(value: unknown): Readonly<Record<string, string>> {
  return record(value, 'labels', { names: labelNamePattern, valueLengthMax: fieldLimits.labelLengthMax });
}

function record(
  value: unknown,
  name: string,
  limits: { readonly names: RegExp; readonly valueLengthMax: number },
): Readonly<Record<string, string>> {
  const readPair = (pair: unknown): readonly [string, string] => {
    const [key, content] = row(pair, 2, 'pair');
    if (typeof key !== 'string' || !limits.names.test(key)) throw wrong('name', `a name ${limits.names.source}`, key);
    return [key, text(content, 'value', limits.valueLengthMax)];
  };
  // fromEntries defines own properties: a variable named __proto__ is only a variable.
  return Object.fromEntries(list(value, name, readPair, fieldLimits.pairsMax));
}

/** The two halves of a list, in order; the first is empty when there are fewer than two. */
export function halves<T>(entries: readonly T[]): readonly [readonly T[], readonly T[]] {
  const middle = entries.length >> 1;
  return [entries.slice(0, middle), entries.slice(middle)];
}

/** What a wrong field says: what should be, and what is, shortened. */
export function wrong(name: string, wanted: string, value: unknown): MalformedMessage {
  return new MalformedMessage(`${name} should be ${wanted}, but is ${shortly(value)}`);
}

function shortly(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 40 ? `text of ${value.length} characters` : JSON.stringify(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return String(value);
}
