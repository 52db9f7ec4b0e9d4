/**
 * What a simple command comes to: the program it names, and what that program starts in its turn, because it is one that
 * runs others (`sudo`, `env`, `timeout`, `find -exec` …) or reads a script (`sh -c`, `eval`, a here-document).
 *
 * It knows the options of these programs as far as is needed to find where the inner command begins. It does not follow
 * what only a run can tell: variables, files, pipes into a shell. Invariants: total; the length of a chain is bounded.
 */

import type { Redirection, SimpleCommand, Word } from './shell-words.ts';

export type Running =
  /** `words[0]` is the program as it was written; `name` without its directory, in lower case. */
  | { readonly kind: 'program'; readonly name: string; readonly words: readonly Word[] }
  | { readonly kind: 'script'; readonly text: string };

interface Wrapper {
  /** Short options that take a value. */
  readonly valued?: string;
  /** Long options that take a value in the next word. */
  readonly long?: readonly string[];
  /** Operands before the command. */
  readonly operands?: number;
}

const wrappers: ReadonlyMap<string, Wrapper> = new Map<string, Wrapper>([
  ['sudo', { valued: 'ugpCrtTUDRh', long: ['--user', '--group', '--prompt', '--chdir', '--chroot', '--host'] }],
  ['doas', { valued: 'uC' }],
  ['pkexec', { long: ['--user'] }],
  ['runuser', { valued: 'ugG', long: ['--user', '--group'] }],
  ['env', { valued: 'uC', long: ['--unset', '--chdir'] }],
  ['nice', { valued: 'n', long: ['--adjustment'] }],
  ['ionice', { valued: 'cnpPu', long: ['--class', '--classdata'] }],
  ['chrt', { valued: 'TPD', operands: 1 }],
  ['taskset', { operands: 1 }],
  ['nohup', {}],
  ['setsid', {}],
  ['setpriv', { long: ['--reuid', '--regid', '--groups', '--inh-caps', '--bounding-set'] }],
  ['time', { valued: 'fo', long: ['--format', '--output'] }],
  ['timeout', { valued: 'sk', long: ['--signal', '--kill-after'], operands: 1 }],
  ['stdbuf', { valued: 'ioe', long: ['--input', '--output', '--error'] }],
  ['xargs', { valued: 'aEIiLlnPsd', long: ['--arg-file', '--delimiter', '--max-args', '--max-procs', '--max-lines'] }],
  ['parallel', { valued: 'jIN', long: ['--jobs'] }],
  ['watch', { valued: 'n', long: ['--interval'] }],
  ['command', {}],
  ['builtin', {}],
  ['exec', { valued: 'a' }],
  ['busybox', {}],
  ['toybox', {}],
  ['chroot', { operands: 1 }],
  ['flock', { valued: 'wE', operands: 1 }],
  ['unshare', {}],
  ['strace', { valued: 'eopsuaIOSX' }],
  ['caffeinate', { valued: 'tw' }],
  ['systemd-run', { valued: 'puEMH', long: ['--property', '--unit', '--uid', '--gid', '--setenv'] }],
]);

const shells = new Set(['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh', 'mksh', 'fish', 'rbash']);
/** Programs whose remaining words are one script, and after which word it begins; null = after their options. */
const joining: ReadonlyMap<string, RegExp | null> = new Map<string, RegExp | null>([
  ['eval', null],
  ['trap', null],
  ['watch', null],
  ['cmd', /^\/[ck]$/i],
  ['powershell', /^-c(ommand)?$/i],
  ['pwsh', /^-c(ommand)?$/i],
]);
/** Programs that are given a script after this option. */
const scriptOptions: ReadonlyMap<string, RegExp> = new Map([
  ['su', /^(-\w*c|--command)$/],
  ['runuser', /^(-\w*c|--command)$/],
  ['flock', /^(-\w*c|--command)$/],
  ['script', /^(-\w*c|--command)$/],
  ['env', /^(-S|--split-string)$/],
]);

/** Every program that is looked through. */
const known = new Set(['find', ...wrappers.keys(), ...shells, ...joining.keys(), ...scriptOptions.keys()]);

/** Programs and scripts one command is taken apart into. */
const chainMax = 10;

/** The name a program is known by: without directory, `.exe` and upper case. */
function programName(word: string): string {
  const name = word.slice(Math.max(word.lastIndexOf('/'), word.lastIndexOf('\\')) + 1).toLowerCase();
  return name.endsWith('.exe') ? name.slice(0, -'.exe'.length) : name;
}

/** Everything a command is known to run, from the outside in. */
export function runningOf({ words, redirections }: Pick<SimpleCommand, 'words' | 'redirections'>): readonly Running[] {
  const found: Running[] = [];
  // Commands that are found are looked through in their turn: the list grows while it is walked.
  const commands: (readonly Word[])[] = [words];
  for (const inner of commands) {
    const [program] = inner;
    if (program === undefined || found.length >= chainMax) break;
    const name = programName(program.text);
    found.push({ kind: 'program', name, words: inner });
    if (!known.has(name)) continue;
    for (const text of scriptsOf(name, inner, redirections)) found.push({ kind: 'script', text });
    commands.push(...innerCommands(name, inner));
  }
  return found;
}

function innerCommands(name: string, words: readonly Word[]): readonly (readonly Word[])[] {
  if (name === 'find') return findCommands(words);
  const wrapper = wrappers.get(name);
  if (wrapper === undefined) return [];
  const start = commandStart(words, wrapper);
  return start < words.length ? [words.slice(start)] : [];
}

/** Where the inner command begins: after options with their values, assignments and operands. */
function commandStart(words: readonly Word[], { valued = '', long = [], operands = 0 }: Wrapper): number {
  let left = operands;
  for (let at = 1; at < words.length; at++) {
    const text = words[at]?.text ?? '';
    if (text === '--') continue;
    if (text.startsWith('--')) {
      if (long.includes(text)) at++;
    } else if (text.startsWith('-')) {
      const value = [...text.slice(1, 16)].findIndex((letter) => valued.includes(letter));
      if (value >= 0 && value === text.length - 2) at++;
    } else if (!/^[A-Za-z_]\w*=/.test(text) && left-- === 0) {
      return at;
    }
  }
  return words.length;
}

/** The commands after `-exec` and its like, with the places `find` starts from as what is found. */
function findCommands(words: readonly Word[]): readonly (readonly Word[])[] {
  const isExpression = ({ text }: Word): boolean => /^[-(!]/.test(text) && !/^-([HLP]|O\d)$/.test(text);
  const first = words.findIndex((word, index) => index > 0 && isExpression(word));
  if (first < 0) return [];
  const places = words.slice(1, first);
  const found: (readonly Word[])[] = [];
  for (let at = first; at < words.length && found.length < chainMax; at++) {
    if (!/^-(exec|ok)(dir)?$/.test(words[at]?.text ?? '')) continue;
    const start = at + 1;
    while (at < words.length && !/^[;+]$/.test(words[at]?.text ?? '')) at++;
    found.push(filledIn(words.slice(start, at), places));
  }
  return found;
}

/** With what is found in the place of the first word that is or holds `{}`. */
function filledIn(words: readonly Word[], places: readonly Word[]): readonly Word[] {
  const at = words.findIndex(({ text }) => text.includes('{}'));
  const word = words[at];
  const [place] = places;
  if (word === undefined || place === undefined) return words;
  const filled = word.text === '{}' ? places : [{ ...word, text: word.text.replace('{}', () => place.text) }];
  return [...words.slice(0, at), ...filled, ...words.slice(at + 1)];
}

function scriptsOf(name: string, words: readonly Word[], redirections: readonly Redirection[]): readonly string[] {
  if (shells.has(name)) return shellScripts(words, redirections);
  const texts = words.map(({ text }) => text);
  const before = joining.get(name);
  if (before !== undefined) {
    const start =
      before === null
        ? commandStart(words, wrappers.get(name) ?? {})
        : texts.findIndex((text) => before.test(text)) + 1;
    return start === 0 ? [] : [texts.slice(start).join(' ')];
  }
  const option = scriptOptions.get(name);
  const script = option === undefined ? undefined : texts[texts.findIndex((text) => option.test(text)) + 1];
  return script === undefined || script === texts[0] ? [] : [script];
}

/** The text after `-c`; without one, and without a file to read, what is redirected into the shell. */
function shellScripts(words: readonly Word[], redirections: readonly Redirection[]): readonly string[] {
  let isText = false;
  for (let at = 1; at < words.length; at++) {
    const text = words[at]?.text ?? '';
    if (!/^[-+]/.test(text)) return isText ? [text] : [];
    if (text.startsWith('--')) continue;
    if (text.includes('c')) isText = true;
    if (/^[-+]\w*[oO]$/.test(text)) at++;
  }
  return redirections.filter(({ operator }) => /^<<<?$/.test(operator)).map(({ target }) => target.text);
}
