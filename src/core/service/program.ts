/**
 * Which program a service starts, read from its file as `service install` wrote it: as that quotes words, and nothing else.
 * Files that somebody else wrote are not understood here.
 */

import { type InitName, shellQuoted, xmlText } from './definition.ts';

/** Whether a service's file has this program started. `program` is an absolute path. Error: `usage`, as `xmlText`. */
export function startsProgram(init: InitName, text: string, program: string): boolean {
  return text.includes(startOf(init, program));
}

function startOf(init: InitName, program: string): string {
  switch (init) {
    case 'systemd':
      return `\nExecStart="${program.replaceAll('%', '%%')}" `;
    case 'openrc':
      return `\ncommand=${shellQuoted(program)}\n`;
    case 'launchd':
      return `<array>\n\t\t<string>${xmlText(program)}</string>`;
    case 'task':
      return `<Command>${xmlText(program)}</Command>`;
    case 'termux':
      return `\n\t\t${shellQuoted(program)} `;
  }
}
