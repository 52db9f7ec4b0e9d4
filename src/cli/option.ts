/**
 * What an option is, and the kinds of values options take. `options.ts` is the table made of these; `parse.ts` finds
 * options on a command line; `config.ts` decides where a value comes from; `help.ts` prints them.
 *
 * A kind is a parser from text to value and the words for what it expects; flags, environment and file all go through
 * the same parser, so none of them can accept what another refuses.
 */

import { type Condition, conditionsExpected, readConditions } from '../core/conditions.ts';

export type Parsed<T> = { readonly value: T } | { readonly expected: string };

export interface Option<T> {
  /** Without dashes. The environment variable is OCTASKLY_<FLAG>, the config key the flag itself. */
  readonly flag: string;
  readonly aliases: readonly string[];
  /** One letter, or null. */
  readonly short: string | null;
  readonly help: string;
  readonly default: T;
  /** The default in words, where the value alone does not tell. */
  readonly defaultText: string | null;
  /** What stands for the value in help; '' for booleans. */
  readonly placeholder: string;
  readonly boolean: boolean;
  readonly repeatable: boolean;
  /** A path of this machine: `~/` at its beginning is the home directory. */
  readonly isPath: boolean;
  /** A path of what has to be there, and is only read. */
  readonly isRead: boolean;
  /** The text that the flag alone stands for; null when it needs a value. */
  readonly bare: string | null;
  /** Must not be given as an argument: other users can read it there. */
  readonly secret: boolean;
  /** Field of the option that this one is another form of: the one given with higher precedence counts. */
  readonly insteadOf: string | null;
  /** What its value may be, for completion; null: only the person knows. */
  readonly completes: Completes | null;
  /** Also taken from environment and config file. False for what makes sense in one call only. */
  readonly lasting: boolean;
  parse(text: string): Parsed<unknown>;
}

/** Words there are, or what the rest of the machine or the dispatcher knows. */
export type Completes =
  | readonly string[]
  | 'task'
  | 'selector'
  | 'worker'
  | 'batch'
  | 'tag'
  | 'output'
  | 'token'
  | 'invite'
  | 'approval'
  | 'command'
  | 'page'
  | 'file'
  | 'directory';

/** Options by the name of their field in the values. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** What a command gets: the value of each option of its table. */
export type Values<S extends OptionTable> = { readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never };

interface Facts<D> {
  readonly help: string;
  readonly short?: string;
  readonly aliases?: readonly string[];
  readonly default?: D;
  readonly defaultText?: string;
  readonly secret?: boolean;
  readonly insteadOf?: string;
  readonly placeholder?: string;
  readonly bare?: string;
  readonly completes?: Completes;
}

interface Kind<T> {
  readonly placeholder: string;
  readonly boolean?: boolean;
  readonly repeatable?: boolean;
  readonly isPath?: boolean;
  readonly isRead?: boolean;
  readonly completes?: Completes;
  parse(text: string): Parsed<T>;
}

function option<T, D>(flag: string, facts: Facts<D>, kind: Kind<unknown>): Option<T | D> {
  return {
    flag,
    aliases: facts.aliases ?? [],
    short: facts.short ?? null,
    help: facts.help,
    // Without a default in the facts, D is inferred as `undefined`.
    default: facts.default as D,
    defaultText: facts.defaultText ?? null,
    placeholder: facts.placeholder ?? kind.placeholder,
    boolean: kind.boolean ?? false,
    repeatable: kind.repeatable ?? false,
    isPath: kind.isPath ?? false,
    isRead: kind.isRead ?? false,
    bare: facts.bare ?? (kind.boolean ? 'true' : null),
    secret: facts.secret ?? false,
    insteadOf: facts.insteadOf ?? null,
    completes: facts.completes ?? kind.completes ?? null,
    lasting: true,
    parse: kind.parse,
  };
}

/** The same options, for one call only: no environment variable, no config key. */
export function oneCall<S extends OptionTable>(table: S): S {
  return Object.fromEntries(
    Object.entries(table).map(([key, one]) => [key, { ...one, lasting: false }]),
  ) as unknown as S;
}

function parseText(text: string): Parsed<string> {
  return text === '' ? { expected: 'a text that is not empty' } : { value: text };
}

export function string<D = undefined>(flag: string, facts: Facts<D>): Option<string | NoInfer<D>> {
  return option(flag, facts, { placeholder: 'TEXT', parse: parseText });
}

/** A path of this machine; `~/` at its beginning is the home directory. */
export function path<D = undefined>(flag: string, facts: Facts<D>): Option<string | NoInfer<D>> {
  return option(flag, facts, { placeholder: 'PATH', isPath: true, completes: 'file', parse: parseText });
}

/** A path of what has to be there, and is only read. */
export function readable<D = undefined>(flag: string, facts: Facts<D>): Option<string | NoInfer<D>> {
  const kind = { placeholder: 'PATH', isPath: true, isRead: true, completes: 'file', parse: parseText } as const;
  return option(flag, facts, kind);
}

/** A whole number within [min, max]. */
export function int<D = undefined>(
  flag: string,
  facts: Facts<D> & { readonly min: number; readonly max: number },
): Option<number | NoInfer<D>> {
  const expected = `a whole number from ${facts.min} to ${facts.max}`;
  const parse = (text: string): Parsed<number> => {
    const value = /^-?[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= facts.min && value <= facts.max ? { value } : { expected };
  };
  return option(flag, facts, { placeholder: 'N', parse });
}

/** A number within [min, max], fractions allowed. */
export function decimal<D = undefined>(
  flag: string,
  facts: Facts<D> & { readonly min: number; readonly max: number },
): Option<number | NoInfer<D>> {
  const expected = `a number from ${facts.min} to ${facts.max}`;
  const parse = (text: string): Parsed<number> => {
    const value = /^[0-9]{1,12}(\.[0-9]{1,6})?$/.test(text) ? Number(text) : Number.NaN;
    return value >= facts.min && value <= facts.max ? { value } : { expected };
  };
  return option(flag, facts, { placeholder: 'N', parse });
}

/** A TCP port; 0 = any free one. */
export function port<D = undefined>(flag: string, facts: Facts<D>): Option<number | NoInfer<D>> {
  return int(flag, { placeholder: 'PORT', ...facts, min: 0, max: 65_535 });
}

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `30` (seconds), `1.5s`, `500ms`, `5m`, `1h`, `30d`. */
export function parseDuration(text: string): Parsed<number> {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)?$/.exec(text);
  if (match === null) return { expected: 'a duration such as 30, 30s, 5m, 1h or 2d (a bare number is seconds)' };
  return { value: Math.round(Number(match[1]) * (durationUnits[match[2] ?? 's'] ?? 1000)) };
}

/** Value in ms, within [minMs, maxMs]. */
export function duration<D = undefined>(
  flag: string,
  facts: Facts<D> & { readonly minMs: number; readonly maxMs: number },
): Option<number | NoInfer<D>> {
  const parse = (text: string): Parsed<number> => {
    const parsed = parseDuration(text);
    if ('expected' in parsed || (parsed.value >= facts.minMs && parsed.value <= facts.maxMs)) return parsed;
    return { expected: `a duration from ${facts.minMs / 1000}s to ${facts.maxMs / 1000}s` };
  };
  return option(flag, facts, { placeholder: 'TIME', parse });
}

const sizeUnits: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Bytes of `512` (times `bareBytes`), `64K`, `512M`, `2G`, `1T`, also with `B` or `iB` behind the letter. */
export function parseSize(text: string, bareBytes: number): Parsed<number> {
  const match = /^([0-9]{1,12}(?:\.[0-9]{1,3})?)(?:([KMGT])(?:i?B)?)?$/i.exec(text);
  const bare = bareBytes === 1 ? 'bytes' : 'MB';
  if (match === null) return { expected: `a size such as 512M or 2G (a bare number is ${bare})` };
  const unit = match[2] === undefined ? bareBytes : (sizeUnits[match[2].toUpperCase()] ?? 1);
  return { value: Math.round(Number(match[1]) * unit) };
}

/** Value in bytes. A bare number is bytes. */
export function bytes<D = undefined>(
  flag: string,
  facts: Facts<D> & { readonly max: number; readonly maxText: string },
): Option<number | NoInfer<D>> {
  const parse = (text: string): Parsed<number> => {
    const parsed = parseSize(text, 1);
    return 'value' in parsed && parsed.value > facts.max ? { expected: `at most ${facts.maxText}` } : parsed;
  };
  return option(flag, facts, { placeholder: 'SIZE', parse });
}

/** Value in whole MB. A bare number is MB. */
export function megabytes<D = undefined>(flag: string, facts: Facts<D>): Option<number | NoInfer<D>> {
  const parse = (text: string): Parsed<number> => {
    const parsed = parseSize(text, 2 ** 20);
    return 'value' in parsed ? { value: Math.ceil(parsed.value / 2 ** 20) } : parsed;
  };
  return option(flag, facts, { placeholder: 'MB', parse });
}

function parseBoolean(text: string): Parsed<boolean> {
  if (text === 'true') return { value: true };
  return text === 'false' ? { value: false } : { expected: 'true or false' };
}

/** Default false. On the command line also `--flag`, `--no-flag`. */
export function boolean(flag: string, facts: Facts<boolean>): Option<boolean> {
  const withDefault = { ...facts, default: facts.default === true };
  return option(flag, withDefault, { placeholder: '', boolean: true, parse: parseBoolean });
}

/** As `boolean`, and what counts is how often it was given (`-t`, `-tt`). It takes no value. */
export function flags(flag: string, facts: Facts<readonly boolean[]>): Option<readonly boolean[]> {
  return option(
    flag,
    { default: [], ...facts },
    { placeholder: '', boolean: true, repeatable: true, parse: parseBoolean },
  );
}

/** As `boolean`, but not given is a third answer. */
export function perhaps(flag: string, facts: Facts<undefined>): Option<boolean | undefined> {
  return option(flag, facts, { placeholder: '', boolean: true, parse: parseBoolean });
}

/** One of `words`. */
export function choice<const W extends string, D extends W | undefined = undefined>(
  flag: string,
  words: readonly W[],
  facts: Facts<D>,
): Option<W | NoInfer<D>> {
  const parse = (text: string): Parsed<W> => {
    const value = words.find((word) => word === text);
    return value === undefined ? { expected: `one of ${words.join(', ')}` } : { value };
  };
  return option(flag, facts, { placeholder: words.join('|'), completes: words, parse });
}

/** Some of `words`, given any number of times. */
export function choices<const W extends string>(
  flag: string,
  words: readonly W[],
  facts: Facts<readonly W[]>,
): Option<readonly W[]> {
  const { parse } = choice(flag, words, { help: facts.help });
  const kind = { placeholder: words.join('|'), repeatable: true, completes: words, parse };
  return option(flag, { default: [], ...facts }, kind);
}

/** A value of its own form; `placeholder` stands for it in help. */
export function custom<T, D = undefined>(
  flag: string,
  parse: (text: string) => Parsed<T>,
  facts: Facts<D> & { readonly placeholder: string },
): Option<T | NoInfer<D>> {
  return option(flag, facts, { placeholder: facts.placeholder, parse });
}

/** Value: number of GPUs; `true` is one, `false` none. */
export function gpuCount<D = undefined>(flag: string, facts: Facts<D>): Option<number | NoInfer<D>> {
  const parse = (text: string): Parsed<number> => {
    const flagged = parseBoolean(text);
    if ('value' in flagged) return { value: flagged.value ? 1 : 0 };
    const value = /^[0-9]{1,2}$/.test(text) ? Number(text) : Number.NaN;
    return value <= 64 ? { value } : { expected: 'true, false or a count from 0 to 64' };
  };
  return option(flag, { bare: 'true', ...facts }, { placeholder: 'COUNT', parse });
}

/** Under which a worker takes work; `always` is none. */
export function conditions(flag: string, facts: Facts<readonly Condition[]>): Option<readonly Condition[]> {
  const parse = (text: string): Parsed<readonly Condition[]> => {
    const value = readConditions(text);
    return value === null ? { expected: conditionsExpected } : { value };
  };
  return option(flag, { default: [], ...facts }, { placeholder: 'CONDITIONS', parse });
}

const priorityNames = ['low', 'normal', 'high', 'critical'] as const;

export function priority(
  flag: string,
  facts: Facts<undefined>,
): Option<(typeof priorityNames)[number] | number | undefined> {
  const parse = (text: string): Parsed<string | number> => {
    const name = priorityNames.find((one) => one === text);
    if (name !== undefined) return { value: name };
    const value = /^-?[0-9]{1,3}$/.test(text) ? Number(text) : Number.NaN;
    return Math.abs(value) <= 100
      ? { value }
      : { expected: `${priorityNames.join(', ')}, or a number from -100 to 100` };
  };
  return option(flag, facts, { placeholder: 'LEVEL', completes: priorityNames, parse });
}

/** Given any number of times; in the environment separated by commas, in the file as an array. */
export function strings(flag: string, facts: Facts<readonly string[]>): Option<readonly string[]> {
  return option(flag, { default: [], ...facts }, { placeholder: 'TEXT', repeatable: true, parse: parseText });
}

export type Pair = readonly [key: string, value: string];

export function parsePair(text: string): Parsed<Pair> {
  const at = text.indexOf('=');
  return at > 0 ? { value: [text.slice(0, at), text.slice(at + 1)] } : { expected: 'the form key=value' };
}

/** `k=v`, given any number of times. */
export function pairs(flag: string, facts: Facts<readonly Pair[]>): Option<readonly Pair[]> {
  return option(flag, { default: [], ...facts }, { placeholder: 'K=V', repeatable: true, parse: parsePair });
}

/** Where something listens; `port` null: not said. */
export interface Address {
  readonly host: string;
  readonly port: number | null;
}

/** `host`, `host:port`, `[v6]:port`, or a bare IPv6 address. */
export function parseAddress(text: string): Parsed<Address> {
  const expected = 'host or host:port';
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\s:/[\]]+))(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null)
    return /^[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*(?:%[\w.-]+)?$/.test(text)
      ? { value: { host: text, port: null } }
      : { expected };
  const portNumber = match[3] === undefined ? null : Number(match[3]);
  if (portNumber !== null && (portNumber < 1 || portNumber > 65_535)) return { expected };
  return { value: { host: match[1] ?? match[2] ?? '', port: portNumber } };
}

/** Addresses, given any number of times. */
export function addresses(flag: string, facts: Facts<readonly Address[]>): Option<readonly Address[]> {
  return option(flag, { default: [], ...facts }, { placeholder: 'HOST[:PORT]', repeatable: true, parse: parseAddress });
}
