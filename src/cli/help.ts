/**
 * Help texts, made from the tables: nothing is said here that the tables do not say.
 */

import { type Command, commandGroups } from './command.ts';
import { variableOf } from './config.ts';
import type { Option } from './option.ts';

const lineMax = 100;

/** `text` in lines of at most `lineMax` cells, each behind `indent`. */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > lineMax) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => `${indent}${one}\n`).join('');
}

function padded(rows: readonly (readonly [string, string])[], indent: string): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${indent}${left.padEnd(width)}  ${right}`.trimEnd()).join('\n');
}

function optionHelp(option: Option<unknown>): string {
  const names = [option.flag, ...option.aliases].map((name) => `--${name}`);
  const shown = option.boolean && option.default === true ? [`--no-${option.flag}`] : names;
  const short = option.short === null ? '    ' : `-${option.short}, `;
  const value = option.placeholder === '' ? '' : ` ${option.placeholder}`;
  const fallback = option.defaultText ?? (isShown(option.default) ? String(option.default) : null);
  const facts = [
    ...(fallback === null ? [] : [`default: ${fallback}`]),
    ...(option.lasting ? [`env: ${variableOf(option.flag)}${option.default === true ? '=false' : ''}`] : []),
  ];
  const behind = facts.length === 0 ? '' : ` (${facts.join('; ')})`;
  return `  ${short}${shown.join(', ')}${value}\n${wrap(`${option.help}.${behind}`, '        ')}`;
}

function isShown(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || typeof value === 'number';
}

const roleNeeded = {
  dispatcher: 'Where a token is needed, its role must be dispatcher or admin.',
  admin: 'Where a token is needed, its role must be admin.',
} as const;

/** Help of one command: usage, example, options with defaults and variables, exit statuses. */
export function commandHelp(command: Command): string {
  const names = [command.name, ...(command.aliases ?? [])].join(' | ');
  const order = command.optionsEnd === undefined || command.optionsEnd === 'anywhere' ? '' : ' [OPTIONS]';
  const tail = order === '' ? ' [OPTIONS]' : '';
  const words = command.usage === '' ? '' : ` ${command.usage}`;
  return [
    `octaskly ${names}: ${command.summary}\n`,
    `\nUsage: octaskly ${command.name}${order}${words}${tail}\n`,
    ...(command.details ?? []).map((paragraph) => `\n${wrap(paragraph, '')}`),
    ...(command.role === undefined ? [] : [`\n${wrap(roleNeeded[command.role], '')}`]),
    `\n${command.examples.length === 1 ? 'Example' : 'Examples'}:\n`,
    ...command.examples.map((example) => `  octaskly ${example}\n`),
    '\nOptions:\n',
    ...Object.values(command.options).map(optionHelp),
    '  -h, --help\n        This text.\n',
    '\nExit status:\n',
    `${padded(command.exits, '  ')}\n`,
  ].join('');
}

/** `octaskly --help`: all commands by group. */
export function overview(commands: readonly Command[]): string {
  const groups = commandGroups.map((group) => {
    const rows = commands
      .filter((command) => command.group === group)
      .map((command) => [[command.name, ...(command.aliases ?? [])].join(', '), command.summary] as const);
    return `\n${group}:\n${padded(rows, '  ')}\n`;
  });
  return [
    'octaskly: share the computing power of the devices on one local network.\n',
    '\nUsage: octaskly COMMAND [OPTIONS]\n',
    ...groups,
    '\nOptions may stand in the environment as OCTASKLY_<NAME> and in config.toml of the data directory.\n',
    "'octaskly COMMAND --help' explains a command, with an example. 'octaskly --version' tells the version.\n",
  ].join('');
}

/** `octaskly` alone: how to begin. */
export const firstSteps = [
  'octaskly: share the computing power of the devices on one local network.\n\n',
  `${padded(
    [
      ['octaskly up', 'a dispatcher and a worker on this machine'],
      ["octaskly run 'uname -a'", 'run a command where there is room'],
      ['octaskly ps', 'see what ran where'],
    ],
    '  ',
  )}\n`,
  "\n'octaskly --help' lists all commands.\n",
].join('');
