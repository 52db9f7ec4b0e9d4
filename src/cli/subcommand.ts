/**
 * Commands whose first word says what to do, such as `token create`: finding that word, and refusing the flags that
 * belong to another one.
 */

import { didYouMean } from '../base/nearest.ts';
import type { OptionTable, Values } from './option.ts';
import { tooMuch, usage } from './parse.ts';

/** Throws `usage` for a word that is none of `words`, unless there is no word. */
export function subcommandOf<W extends string>(
  command: string,
  words: readonly W[],
  given: readonly string[],
): W | null {
  const [word] = given;
  if (word === undefined) return null;
  const found = words.find((one) => one === word);
  if (found !== undefined) return found;
  // The word itself is not repeated: behind `secret` it may be one.
  const all = `'octaskly ${command}' does not do that, only: ${words.join(', ')}`;
  throw usage(`${all}${didYouMean(word, words) || '.'}`);
}

/** The `count` words behind the subcommand. Throws `usage` when there are fewer or more; `line` is how it should be. */
export function wordsBehind(given: readonly string[], count: number, line: string): readonly string[] {
  const behind = given.slice(1);
  if (behind.length < count) throw usage(`Something is missing: octaskly ${line}.`);
  const surplus = behind[count];
  if (surplus !== undefined) throw tooMuch(surplus, `octaskly ${line}`);
  return behind;
}

/** Throws `usage` when one of the options `keys`, which have no default, was given: `form` has no use for it. */
export function refuseFlags<S extends OptionTable>(
  form: string,
  table: S,
  values: Values<S>,
  keys: readonly (keyof S & string)[],
): void {
  const given = keys.find((key) => values[key] !== undefined);
  if (given !== undefined) throw usage(`'octaskly ${form}' has no use for --${table[given]?.flag}.`);
}
