/**
 * Help texts, made from the tables: nothing is said here that the tables do not say.
 */

import { type Command, commandGroups } from './command.ts';
import { variableOf } from './config.ts';
import type { Option } from './option.ts';
import { proseMax, wrapped } from './wrap.ts';

function rowsOf(rows: readonly (readonly [string, string])[], indent: string, width: number): string {
  const most = Math.max(...rows.map(([left]) => left.length));
  const rest = ' '.repeat(indent.length + most + 2);
  return rows
    .map(([left, right]) => wrapped(right, { width, first: `${indent}${left.padEnd(most)}  `, rest }))
    .join('');
}

function optionHelp(option: Option<unknown>, width: number): string {
  const names = [option.flag, ...option.aliases].map((name) => `--${name}`);
  const isOn = option.boolean && option.default === true;
  const short = option.short === null ? '    ' : `-${option.short}, `;
  const value = option.placeholder === '' ? '' : ` ${option.placeholder}`;
  const shown = isOn ? [...names, `--no-${option.flag}`] : names;
  const on = isOn ? 'on' : null;
  const fallback = option.defaultText ?? on ?? (isShown(option.default) ? String(option.default) : null);
  const facts = [
    ...(fallback === null ? [] : [`default: ${fallback}`]),
    ...(option.lasting ? [`env: ${variableOf(option.flag)}${isOn ? '=false' : ''}`] : []),
  ];
  const behind = facts.length === 0 ? '' : ` (${facts.join('; ')})`;
  const head = `  ${short}${shown.join(', ')}${value}\n`;
  return `${head}${wrapped(`${option.help}.${behind}`, { width, first: ' '.repeat(8) })}`;
}

function isShown(value: unknown): boolean {
  return (typeof value === 'string' && value !== '') || typeof value === 'number';
}

const roleNeeded = {
  dispatcher: 'Where a token is needed, its role must be dispatcher or admin.',
  admin: 'Where a token is needed, its role must be admin.',
} as const;

/** Help of one command: usage, example, options with defaults and variables, exit statuses. No line but a command's is longer than `width`. */
export function commandHelp(command: Command, width: number = proseMax): string {
  const names = [command.name, ...(command.aliases ?? [])].join(' | ');
  const order = command.optionsEnd === undefined || command.optionsEnd === 'anywhere' ? '' : ' [OPTIONS]';
  const tail = order === '' ? ' [OPTIONS]' : '';
  const words = command.usage === '' ? '' : ` ${command.usage}`;
  return [
    wrapped(`octaskly ${names}: ${command.summary}`, { width, rest: '  ' }),
    `\nUsage: octaskly ${command.name}${order}${words}${tail}\n`,
    ...(command.details ?? []).map((paragraph) => `\n${wrapped(paragraph, { width })}`),
    ...(command.role === undefined ? [] : [`\n${wrapped(roleNeeded[command.role], { width })}`]),
    `\n${command.examples.length === 1 ? 'Example' : 'Examples'}:\n`,
    ...command.examples.map((example) => `  octaskly ${example}\n`),
    '\nOptions:\n',
    ...Object.values(command.options).map((option) => optionHelp(option, width)),
    '  -h, --help\n        This text.\n',
    '\nExit status:\n',
    rowsOf(command.exits, '  ', width),
  ].join('');
}

const tailLines = [
  "'octaskly COMMAND --help' explains a command, with an example; 'octaskly docs' has more to read.",
  "'octaskly --version' tells the version.",
];

/** `octaskly --help`: all commands by group. */
export function overview(commands: readonly Command[], width: number = proseMax): string {
  const groups = commandGroups.map((group) => {
    const rows = commands
      .filter((command) => command.group === group)
      .map((command) => [[command.name, ...(command.aliases ?? [])].join(', '), command.summary] as const);
    return `\n${group}:\n${rowsOf(rows, '  ', width)}`;
  });
  return [
    wrapped('octaskly: share the computing power of the devices on one local network.', { width }),
    '\nUsage: octaskly COMMAND [OPTIONS]\n',
    ...groups,
    '\n',
    wrapped('Options may stand in the environment as OCTASKLY_<NAME> and in config.toml of the data directory.', {
      width,
    }),
    ...tailLines.map((line) => wrapped(line, { width })),
  ].join('');
}

/** `octaskly` alone: how to begin. */
export const firstSteps = [
  'octaskly: share the computing power of the devices on one local network.\n\n',
  rowsOf(
    [
      ['octaskly up', 'a dispatcher and a worker on this machine'],
      ["octaskly run 'uname -a'", 'run a command where there is room'],
      ['octaskly ps', 'see what ran where'],
    ],
    '  ',
    proseMax,
  ),
  "\n'octaskly --help' lists all commands, 'octaskly docs' what there is to read.\n",
].join('');
