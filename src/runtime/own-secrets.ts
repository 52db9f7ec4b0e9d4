/**
 * Takes the secrets this process was started with out of sight of other processes; tasks at the lower levels run as the
 * same user. The variables leave its environment, and their values are overwritten where the system shows them
 * (`/proc/PID/environ`). With a secret among its arguments the process starts itself again in its own place, with stars
 * for it: the runtime keeps a copy of the arguments, which it prints when it crashes. The words travel in a variable that
 * goes the way of the others. Where that cannot be done, the arguments are overwritten too (`/proc/PID/cmdline`).
 *
 * Between the start and this call they can be seen; that is why a file is the better way. Elsewhere than on Linux the
 * variables leave the environment of what is started from here, and what `ps` shows stays. Other programs' copies (the
 * shell's history, `sudo`) are not ours to mend.
 * Invariant: whoever needs a value reads it from `givenEnvironment()`, or from the words that `takeOwnSecrets` gives.
 * What is started from here is given `env` in so many words: Bun starts children that are not with the variables of the
 * beginning.
 * References: proc(5), `/proc/PID/stat` fields 48 to 51; execve(2); prctl(2), PR_SET_DUMPABLE.
 */

import { type Pointer, toArrayBuffer } from 'bun:ffi';
import { readFileSync } from 'node:fs';
import { become, openLinuxCalls } from './libc.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables and flags whose values are secret, as the table of options has them. */
export const secretVariables = ['OCTASKLY_SECRET', 'OCTASKLY_SECRET_KEY', 'OCTASKLY_TOKEN'];
export const secretFlags = ['--secret', '--secret-key', '--token', '--join'];
/** Beginnings of join tokens and access tokens, which may also stand as words of their own. */
const secretBeginnings = ['octa1', 'octa2', 'eyJ'];

let given: Environment | null = null;
let givenWords: readonly string[] | null = null;

/** The environment as it was at the start, with the secrets. For what settles options only; nothing is started with it. */
export function givenEnvironment(): Environment {
  return given ?? process.env;
}

/**
 * The words of the command line, behind the program. To be called once, before anything else; may start the process
 * again. Never throws: where nothing can be overwritten, things stay as they are.
 */
export function takeOwnSecrets(): readonly string[] {
  const shown = process.argv.slice(2);
  const words = handedOver(shown) ?? shown;
  givenWords = words;
  const { [wordsVariable]: handed, ...environment } = process.env;
  given = environment;
  for (const name of [...secretVariables, wordsVariable]) delete process.env[name];
  const inVariables = handed !== undefined || secretVariables.some((name) => environment[name] !== undefined);
  const inWords = handed === undefined && secretsInWords(words).length > 0;
  if (process.platform !== 'linux' && process.platform !== 'android') return words;
  try {
    if (inWords) startAgain(words, environment);
    if (inWords || inVariables) overwriteBlocks();
  } catch {
    // No /proc, or not as it should be.
  }
  return words;
}

/** How this process was started, for starting a program the same way; secrets go by variables, which it takes out of sight. */
export function ownStart(): { readonly words: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const words = givenWords ?? process.argv.slice(2);
  const env = Object.entries(givenEnvironment()).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  const handed = secretsInWords(words).length === 0 ? {} : { [wordsVariable]: JSON.stringify(words) };
  return { words: masked(words), env: { ...Object.fromEntries(env), ...handed } };
}

/** Carries the words of the command line over the second start. */
const wordsVariable = 'OCTASKLY_WORDS';

/** The words as they were before the second start; null when there was none. */
function handedOver(shown: readonly string[]): readonly string[] | null {
  try {
    const words: unknown = JSON.parse(process.env[wordsVariable] ?? 'null');
    if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) return null;
    // Whatever a variable says, what is done is what is on the command line.
    return JSON.stringify(masked(words)) === JSON.stringify(shown) ? words : null;
  } catch {
    return null;
  }
}

/** Texts with stars for secrets. */
function masked(words: readonly string[]): string[] {
  const places = new Map(secretsInWords(words).map(({ index, from }) => [index, from]));
  return words.map((word, index) => {
    const from = places.get(index);
    return from === undefined ? word : word.slice(0, from) + '*'.repeat(word.length - from);
  });
}

/** Turns into the same program with stars for its secret words. Returns when that cannot be done. */
function startAgain(words: readonly string[], environment: Environment): void {
  const argv = readFileSync('/proc/self/cmdline', 'utf8').split('\0').slice(0, -1);
  const before = argv.slice(0, argv.length - words.length);
  const variables = Object.entries({ ...environment, [wordsVariable]: JSON.stringify(words) });
  become({
    program: process.execPath,
    argv: [...before, ...masked(words)],
    variables: variables.map(([name, value]) => `${name}=${value}`),
  });
}

/**
 * Keeps other processes of this user from reading this one's memory, and the system from writing it to a file when it
 * crashes. From then on an ordinary user's process cannot open `/dev/stdin` or `/dev/fd/N` any more: files that are named
 * by options are read before. Linux; elsewhere it does nothing.
 */
export function shieldMemory(): void {
  openLinuxCalls()?.protectMemory();
}

/** A place in a list of texts: all from character `from` on in text `index`. */
interface Place {
  readonly index: number;
  readonly from: number;
}

/** Where secrets stand in the words of a command line. Rather one too many: what is taken for one is only not shown. */
export function secretsInWords(words: readonly string[]): Place[] {
  return words.flatMap((word, index): Place[] => {
    const flag = secretFlags.find((one) => word.startsWith(`${one}=`));
    if (flag !== undefined) return [{ index, from: flag.length + 1 }];
    const isValue = secretFlags.includes(words[index - 1] ?? '');
    return isValue || secretBeginnings.some((one) => word.startsWith(one)) ? [{ index, from: 0 }] : [];
  });
}

/** Where secrets stand in a list of `NAME=value`. */
function secretsInVariables(variables: readonly string[]): Place[] {
  return variables.flatMap((variable, index): Place[] => {
    const name = [...secretVariables, wordsVariable].find((one) => variable.startsWith(`${one}=`));
    return name === undefined ? [] : [{ index, from: name.length + 1 }];
  });
}

function overwriteBlocks(): void {
  // The name in brackets may hold brackets and spaces of its own.
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // The first field here is the third of all.
  const [argStart = 0, argEnd = 0, envStart = 0, envEnd = 0] = fields.slice(48 - 3, 52 - 3).map(Number);
  // Stars, since an empty word would be one word less to look at; nothing, since an empty variable is one that is not set.
  overwrite({ start: argStart, end: argEnd }, secretsInWords, 0x2a);
  overwrite({ start: envStart, end: envEnd }, secretsInVariables, 0);
}

/** Overwrites the places that `find` names in a block of this process's memory, texts that each end in NUL. */
function overwrite(
  { start, end }: { readonly start: number; readonly end: number },
  find: (texts: readonly string[]) => Place[],
  by: number,
): void {
  if (!(start > 0 && end > start && Number.isSafeInteger(end))) return;
  const block = new Uint8Array(toArrayBuffer(start as Pointer, 0, end - start));
  // One character a byte, so that places are addresses.
  const texts = new TextDecoder('latin1').decode(block).split('\0');
  const startOf = (index: number): number => texts.slice(0, index).reduce((sum, text) => sum + text.length + 1, 0);
  for (const { index, from } of find(texts)) {
    const at = startOf(index);
    block.fill(by, at + from, at + (texts[index]?.length ?? 0));
  }
}
