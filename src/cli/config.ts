/**
 * Where the value of an option comes from: command line > environment > config file > default. Each value goes through
 * the option's parser; a bad one is an error that says what was found where, and what should be there.
 * Files are read by the caller; here they are already tables.
 */

import type { OctasklyError } from '../base/errors.ts';
import { didYouMean, distance, nearest, nearestIs } from '../base/nearest.ts';
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

/** What the file says of an option. Error: `usage` for what is neither a text, a number nor a truth value. */
export function fromFile(option: Option<unknown>, file: ConfigFile): readonly Given[] {
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
  const words = typeof option.completes === 'object' && !option.secret ? (option.completes ?? []) : [];
  return usage(
    `${shown} of ${given.source} is not valid: it must be ${expected}${didYouMean(given.text, words) || '.'}`,
  );
}

/** What was given for an option, and with which precedence: 0 = the command line, 3 = nothing was. */
interface Chosen {
  readonly level: 0 | 1 | 2 | 3;
  readonly given: readonly Given[];
}

function choose(option: Option<unknown>, { given, env, file }: Sources, key: string): Chosen {
  const onLine = given.get(key) ?? [];
  if (onLine.length > 0) return { level: 0, given: onLine };
  const inEnvironment = option.lasting ? fromEnvironment(option, env) : [];
  if (inEnvironment.length > 0) return { level: 1, given: inEnvironment };
  const inFile = option.lasting && file !== null ? fromFile(option, file) : [];
  return inFile.length > 0 ? { level: 2, given: inFile } : { level: 3, given: [] };
}

/** Of two forms of one thing only the one with higher precedence counts; both at once are a mistake. */
function dropWeakerForms(table: OptionTable, chosen: Map<string, Chosen>): void {
  for (const [key, { insteadOf }] of Object.entries(table)) {
    const own = chosen.get(key);
    const other = insteadOf === null ? undefined : chosen.get(insteadOf);
    if (insteadOf === null || own === undefined || other === undefined || own.level === 3 || other.level === 3)
      continue;
    if (own.level === other.level) {
      throw usage(`${own.given[0]?.source} and ${other.given[0]?.source} say the same thing: give one of them.`);
    }
    chosen.set(own.level < other.level ? insteadOf : key, { level: 3, given: [] });
  }
}

function settle(option: Option<unknown>, { given }: Chosen, homeDir: string): unknown {
  const parsed = given.map((one) => {
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

/** The value of every option of `table`. Throws `usage` for a malformed one, and for two forms of one thing at once. */
export function resolveOptions<S extends OptionTable>(table: S, sources: Sources): Values<S> {
  const chosen = new Map(Object.entries(table).map(([key, option]) => [key, choose(option, sources, key)]));
  dropWeakerForms(table, chosen);
  const entries = Object.entries(table).map(([key, option]) => {
    return [key, settle(option, chosen.get(key) ?? { level: 3, given: [] }, sources.homeDir)];
  });
  return Object.fromEntries(entries) as Values<S>;
}

/** Throws `usage` for a key of the file that no table has. */
export function checkFileKeys(file: ConfigFile, tables: readonly OptionTable[]): void {
  const options = tables.flatMap((table) => Object.values(table)).filter((option) => option.lasting);
  const known = [...new Set(options.flatMap(namesOf))];
  for (const key of Object.keys(file.entries)) {
    if (known.includes(key.replaceAll('_', '-'))) continue;
    throw usage(`"${key}" in ${file.path} is not an option.${nearestIs(key, known)}`);
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
    const negated = name.replace(/^OCTASKLY_NO_/, 'OCTASKLY_');
    if (variables.includes(negated)) {
      warnings.push(`${name} is not used. Set ${negated}=false instead.`);
      continue;
    }
    // Other OCTASKLY_ variables exist (a task gets some): only what looks like a slip is worth a word.
    const similar = nearest(name, variables);
    if (distance(name, similar) <= 2) warnings.push(`${name} is not used. The nearest is ${similar}.`);
  }
  return warnings;
}
