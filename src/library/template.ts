/**
 * The command of one input, from a template: `{}` stands for the input. In a text for the shell the input is quoted, so
 * that it is one word whatever it holds; in a list of arguments it stands as it is.
 */

import type { Command } from './request.ts';

/** Quoted for the shell (POSIX, 2.2.2): nothing within single quotes has a meaning but their end. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** `command` with `text` in place of each `{}`, or as last argument where there is none. */
export function filled(command: Command, text: string): Command {
  if (typeof command === 'string') {
    const word = quoted(text);
    return command.includes('{}') ? command.replaceAll('{}', () => word) : `${command} ${word}`;
  }
  const isNamed = command.some((argument) => argument.includes('{}'));
  return isNamed ? command.map((argument) => argument.replaceAll('{}', () => text)) : [...command, text];
}
