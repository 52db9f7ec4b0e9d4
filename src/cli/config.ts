/**
 * Where the value of an option comes from: command line > environment > config file > default. Each value goes through
 * the option's parser; a bad one is an error that says what was found where, and what should be there.
 * Files are read by the caller; here they are already tables.
 */

import type { OctasklyError } from '../base/errors.ts';
import { distance, nearest } from '../base/nearest.ts';
import type { Option, OptionTable, Values } from './option.ts';
import { type Given, usage } from './parse.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A config file that was read. */
export interface ConfigFile {
  readonly path: string;
  readonly entries: Readonly<Record<string, unknown>>;
}

export interface Sources {
  readonly given: ReadonlyMap<string, readonly Given[]>;
  readonly env: Environment;
  readonly file: ConfigFile | null;
  readonly homeDir: string;
}

/** `~/x` in the home directory; anything else as it is. */
export function expandHome(path: string, homeDir: string): string {
  return path === '~' || path.startsWith('~/') ? `${homeDir}${path.slice(1)}` : path;
}

/** `OCTASKLY_MAX_JOBS` for `max-jobs`. */
export function variableOf(flag: string): string {
  return `OCTASKLY_${flag.toUpperCase().replaceAll('-', '_')}`;
}

const namesOf = (option: Option<unknown>): readonly string[] => [option.flag, ...option.aliases];

function fromEnvironment(option: Option<unknown>, env: Environment): readonly Given[] {
  for (const name of namesOf(option)) {
    const source = variableOf(name);
    const text = env[source];
    // An empty variable is how a shell says "not set".
    if (text === undefined || text === '') continue;
    const texts = option.repeatable ? text.split(',').filter((part) => part !== '') : [text];
    return texts.map((part) => ({ text: part, source }));
  }
  return [];
}

function fromFile(option: Option<unknown>, file: ConfigFile): readonly Given[] {
  const found = Object.entries(file.entries).find(([key]) => namesOf(option).includes(key.replaceAll('_', '-')));
  if (found === undefined) return [];
  const [key, value] = found;
  const source = `"${key}" in ${file.path}`;
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (Array.isArray(value) && !option.repeatable) throw usage(`${source} is a list, but takes one value.`);
  return items.map((item) => {
    if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean') {
      return { text: String(item), source };
    }
    throw usage(`${source} must be a text, a number, true or false${option.repeatable ? ', or a list of them' : ''}.`);
  });
}

function malformed(option: Option<unknown>, given: Given, expected: string): OctasklyError {
  const shown = option.secret ? 'The value' : `"${given.text}"`;
  return usage(`${shown} of ${given.source} is not valid: it must be ${expected}.`);
}

function chosenValue(option: Option<unknown>, { given, env, file, homeDir }: Sources, key: string): unknown {
  let found = given.get(key) ?? [];
  if (found.length === 0 && option.lasting) found = fromEnvironment(option, env);
  if (found.length === 0 && option.lasting && file !== null) found = fromFile(option, file);
  const parsed = found.map((one) => {
    // The flag alone of an option whose bare form is empty stands for itself.
    if (one.text === '' && option.bare === '') return '';
    const result = option.parse(one.text);
    if ('expected' in result) throw malformed(option, one, result.expected);
    return result.value;
  });
  if (option.repeatable) return parsed.length === 0 ? option.default : parsed;
  const value = parsed.length === 0 ? option.default : parsed.at(-1);
  return option.isPath && typeof value === 'string' ? expandHome(value, homeDir) : value;
}

/** The value of every option of `table`. Throws `usage` for a malformed one. */
export function resolveOptions<S extends OptionTable>(table: S, sources: Sources): Values<S> {
  const entries = Object.entries(table).map(([key, option]) => [key, chosenValue(option, sources, key)]);
  return Object.fromEntries(entries) as Values<S>;
}

/** Throws `usage` for a key of the file that no table has. */
export function checkFileKeys(file: ConfigFile, tables: readonly OptionTable[]): void {
  const options = tables.flatMap((table) => Object.values(table)).filter((option) => option.lasting);
  const known = [...new Set(options.flatMap(namesOf))];
  for (const key of Object.keys(file.entries)) {
    if (known.includes(key.replaceAll('_', '-'))) continue;
    throw usage(`"${key}" in ${file.path} is not an option. The nearest is "${nearest(key, known)}".`);
  }
}

/** Sentences on what works but is not wise or not meant: secrets as arguments, mistyped variables. */
export function warningsOf(table: OptionTable, sources: Sources, tables: readonly OptionTable[]): readonly string[] {
  const warnings: string[] = [];
  for (const [key, option] of Object.entries(table)) {
    const given = option.secret ? sources.given.get(key)?.[0] : undefined;
    if (given === undefined) continue;
    const better = `${variableOf(option.flag)} or --${option.flag}-file`;
    warnings.push(`Everybody on this machine can read what is given with ${given.source}. Use ${better} instead.`);
  }
  const options = tables.flatMap((one) => Object.values(one)).filter((option) => option.lasting);
  const variables = [...new Set(options.flatMap(namesOf).map(variableOf))];
  for (const name of Object.keys(sources.env)) {
    if (!name.startsWith('OCTASKLY_') || variables.includes(name)) continue;
    // Other OCTASKLY_ variables exist (a task gets some): only what looks like a slip is worth a word.
    const similar = nearest(name, variables);
    if (distance(name, similar) <= 2) warnings.push(`${name} is not used. The nearest is ${similar}.`);
  }
  return warnings;
}
