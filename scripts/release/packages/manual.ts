/**
 * The manual page octaskly(1), from the table of commands. Options are left to `octaskly COMMAND --help`: a page of all of
 * them would be a book.
 *
 * References: man(7), groff_man(7).
 */

import { commandGroups } from '../../../src/cli/command.ts';
import { commands } from '../../../src/cli/commands.ts';

/** Text in which the formatter finds nothing of its own. */
function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
}

/** The page, for a version of that day. */
export function manualPage(version: string, date: Date): string {
  const groups = commandGroups.flatMap((group) => [
    `.SS ${group}`,
    ...commands
      .filter((command) => command.group === group)
      .flatMap(({ name, usage, summary }) => ['.TP', `.B ${plain(`${name} ${usage}`.trim())}`, plain(summary)]),
  ]);
  const lines = [
    `.TH OCTASKLY 1 ${date.toISOString().slice(0, 10)} "octaskly ${version}" "User Commands"`,
    '.SH NAME',
    'octaskly \\- share the computing power of the devices on one network',
    '.SH SYNOPSIS',
    '.B octaskly',
    '.I COMMAND',
    '.RI [ OPTION ]...',
    '.SH DESCRIPTION',
    'A dispatcher takes tasks, workers on other devices run them.',
    'They find each other on the network by themselves.',
    '.PP',
    '.B octaskly',
    '.I COMMAND',
    '.B \\-\\-help',
    'tells of the options, examples and exit statuses of a command.',
    '.SH COMMANDS',
    ...groups,
    '.SH FILES',
    ...['.TP', '.I ~/.octaskly', 'data and config.toml of whoever runs it'],
    ...['.TP', '.I /var/lib/octaskly, /var/lib/octaskly\\-worker', 'data of the services of the machine'],
    ...['.TP', '.I /etc/octaskly/dispatcher.toml, /etc/octaskly/worker.toml', 'options of the services of a package'],
    '.SH SEE ALSO',
    '.BR systemctl (1),',
    '.BR journalctl (1),',
    '.BR bwrap (1)',
  ];
  return `${lines.join('\n')}\n`;
}
