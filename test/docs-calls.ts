/**
 * What the commands of the documentation call: the programs, which must be known not to change the machine they are tried
 * on, and the options of `octaskly`, which must be those of its tables. Pure: nothing is run here.
 */

import { reasonOf } from '../src/base/errors.ts';
import { booleansOf } from '../src/cli/cli.ts';
import type { Command } from '../src/cli/command.ts';
import { commands } from '../src/cli/commands.ts';
import { resolveOptions } from '../src/cli/config.ts';
import { parseLine } from '../src/cli/parse.ts';
import { reachOptions } from '../src/cli/shared-options.ts';
import { parseShell, type ShellNode } from '../src/core/shell-words.ts';

/** The words of one call, the program first. */
export type Call = readonly string[];

/** Every program that a text has a shell start, in its order, with what stands behind it. */
export function callsOf(text: string): Call[] {
  const of = (nodes: readonly ShellNode[]): Call[] =>
    nodes.flatMap((node) => (node.kind === 'simple' ? [node.words.map((word) => word.text)] : of(node.body)));
  return of(parseShell(text)).filter((words) => words.length > 0);
}

/** Programs that write to the directory they are in, at most. */
const harmless = new Set(
  '. [ awk basename base64 cat cd chmod cp curl cut date echo eval export find grep head jq ls mkdir octaskly printf sed set sh sort tail tee test tr true umask wait wc xargs'.split(
    ' ',
  ),
);

/** Commands of `octaskly` that change the machine, unless they only say what they would do. */
const changing = [/^service (install|uninstall)\b/, /^update\b(?!.* --check\b)/, /^wake\b/];

/** Why a command of the documentation must not be run by a test; null: it may. */
export function whyNotRun(text: string): string | null {
  const calls = callsOf(text);
  for (const [program = '', ...words] of calls) {
    const line = words.join(' ');
    if (!harmless.has(program)) return `what ${program} does to this machine is not known`;
    if (program === 'sh' && (words.length === 0 || words[0]?.startsWith('-')))
      return 'sh reads what it runs from elsewhere';
    const isChange = program === 'octaskly' && changing.some((one) => one.test(line)) && !words.includes('--dry-run');
    if (isChange) return `octaskly ${line} changes this machine`;
  }
  return null;
}

/** What is wrong with the options and words of a call of `octaskly`, as it would say it itself; null: nothing. */
export function mistakeOf([, ...line]: Call): string | null {
  const at = line.findIndex((word) => !word.startsWith('-'));
  const name = line[at];
  if (name === undefined) return line.every((word) => ['--help', '--version'].includes(word)) ? null : 'no command';
  const named = commands.find((command) => command.name === name || command.aliases?.includes(name));
  if (named === undefined) return name === 'help' ? null : `there is no command ${name}`;
  const rest = [...line.slice(0, at), ...line.slice(at + 1)];
  try {
    return checked({ ...named, options: named.optionsFor?.(rest) ?? named.options }, rest);
  } catch (error) {
    return reasonOf(error);
  }
}

function checked(command: Command, line: readonly string[]): string | null {
  const table = command.kind === 'client' ? { ...reachOptions, ...command.options } : command.options;
  const { foreign, optionsEnd = 'anywhere' } = command;
  const { given, words, help } = parseLine(line, table, optionsEnd, { foreign, booleans: booleansOf(command) });
  if (help) return null;
  // What a variable holds is not known here.
  const known = [...given].filter(([, values]) => values.every(({ text }) => !text.includes('$')));
  resolveOptions(table, { given: new Map(known), env: {}, file: null, homeDir: '/home/ann' });
  if (words.length < command.wordsMin) return `something is missing behind ${command.name}`;
  return words.length > command.wordsMax ? `too many words behind ${command.name}` : null;
}
