/** The reference of all commands, from the tables of commands and options. */

import { type Command, commandGroups } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands.ts';
import { variableOf } from '../../src/cli/config.ts';
import type { Option } from '../../src/cli/option.ts';
import { reachOptions } from '../../src/cli/shared-options.ts';

const opening = `# All commands

Made from the tables the program itself reads; \`octaskly COMMAND --help\` says the same. What is on the command line
counts before the environment, that before \`config.toml\`, that before the default. A key of \`config.toml\` is the name of
the option without its dashes.
`;

/** Commands whose examples change the machine they are typed on, or need another one. */
const notRun: Readonly<Record<string, string>> = {
  service: 'changes the machine; test/e2e/service.test.ts does so with stand-ins',
  update: 'replaces the program; test/e2e/update.test.ts does so with copies of it',
  wake: 'needs a PC that sleeps; test/network/waking.test.ts sees the packet',
};

/** The page, not formatted yet. */
export function commandsPage(): string {
  const groups = commandGroups.map((group) => {
    const own = commands.filter((command) => command.group === group);
    return `\n## ${group}\n${own.map(section).join('')}`;
  });
  const reach = `\n## How a command reaches the dispatcher\n${listOf(Object.values(reachOptions))}`;
  return opening + reach + groups.join('');
}

/** A list, not a table: names of options are too long for a column of a terminal. */
function listOf(options: readonly Option<unknown>[]): string {
  return `\n${options.map(item).join('')}`;
}

function section(command: Command): string {
  const names = [command.name, ...(command.aliases ?? [])].join(', ');
  const asks = command.kind === 'client';
  const options = Object.entries(command.options)
    .filter(
      ([key, option]) =>
        !asks || Object.entries(reachOptions).every(([name, one]) => name !== key || one.flag !== option.flag),
    )
    .map(([, option]) => option);
  return [
    `\n### ${names}\n\n${sentence(command.summary)}\n`,
    `\n\`\`\`text\noctaskly ${`${command.name} ${command.usage}`.trim()}\n\`\`\`\n`,
    notRun[command.name] === undefined ? '' : `\n<!-- not run: ${notRun[command.name]} -->\n`,
    `\n\`\`\`sh\n${command.examples.map((line) => `octaskly ${line}\n`).join('')}\`\`\`\n`,
    ...(command.details ?? []).map((paragraph) => `\n${prose(paragraph)}\n`),
    options.length === 0 ? '' : listOf(options),
    asks ? '\nAnd the options of how to reach the dispatcher.\n' : '',
    `\nExit status: ${command.exits.map(([status, meaning]) => `${status} ${prose(meaning)}`).join('; ')}.\n`,
  ].join('');
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** Plain text that Markdown must not read anything into. */
function prose(text: string): string {
  return text.replace(/[<*_`[\]]/g, (char) => `\\${char}`);
}

function item(option: Option<unknown>): string {
  const isOn = option.boolean && option.default === true;
  const flags = [
    ...(option.short === null ? [] : [`-${option.short}`]),
    ...[option.flag, ...option.aliases, ...(isOn ? [`no-${option.flag}`] : [])].map((flag) => `--${flag}`),
  ];
  const value = option.placeholder === '' ? '' : ` ${option.placeholder}`;
  const isShown = typeof option.default === 'number' || (typeof option.default === 'string' && option.default !== '');
  const fallback = option.defaultText ?? (isOn ? 'on' : isShown ? String(option.default) : '');
  const facts = [
    ...(fallback === '' ? [] : [`Default: ${prose(fallback)}.`]),
    ...(option.lasting ? [`Environment: \`${variableOf(option.flag)}\`.`] : []),
  ];
  return `- \`${flags.join(', ')}${value}\`: ${[`${prose(option.help)}.`, ...facts].join(' ')}\n`;
}
